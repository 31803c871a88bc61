//! What must not land, however it is spelt or put together.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use gosandbox::changes::Landed;
use gosandbox::refusal::Code;

use crate::overlay::{Op, Place, act, contents};

fn write(path: &str) -> Op {
    Op::Write(path.into(), "new".into())
}

fn folder(path: &str) -> Op {
    Op::Mkdir(path.into())
}

fn link(target: &str, path: &str) -> Op {
    Op::Symlink(target.into(), path.into())
}

fn refused(landed: &Landed) -> Vec<(String, Code)> {
    let mut refused: Vec<_> = landed
        .refused()
        .map(|(change, why)| (change.path.display().to_string(), why))
        .collect();
    refused.sort();
    refused
}

#[track_caller]
fn expect(landed: &Landed, expected: &[(&str, Code)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(path, why)| ((*path).to_owned(), *why))
        .collect();
    assert_eq!(refused(landed), expected);
    assert_eq!(landed.failed().collect::<Vec<_>>(), []);
    assert_eq!(landed.is_left(), !expected.is_empty());
}

#[test]
fn protected_names_in_every_spelling_and_what_lies_below_them() {
    use Code::ProtectedPath;
    let place = Place::new();
    act(
        &place.tree,
        &[
            folder(".git"),
            Op::Write(".git/config".into(), "old".into()),
            folder(".github"),
            write(".envrc"),
        ],
    );
    let ops = [
        write(".git/config"),
        write(".git/index"),
        folder(".git/hooks"),
        write(".git/hooks/pre-commit"),
        Op::RemoveAll(".github".into()),
        Op::Remove(".envrc".into()),
        folder("a"),
        folder("a/.GIT"),
        write("a/.GIT/config"),
        write("a/git~1"),
        write("a/.git "),
        write("a/.g\u{200c}it"),
        link("b", "a/.Envrc"),
        write("a/fine"),
    ];
    let landed = place.whole(place.rules(), &ops);
    expect(
        &landed,
        &[
            (".envrc", ProtectedPath),
            (".git", ProtectedPath),
            (".github", ProtectedPath),
            ("a/.Envrc", ProtectedPath),
            ("a/.GIT", ProtectedPath),
            ("a/.git ", ProtectedPath),
            ("a/.g\u{200c}it", ProtectedPath),
            ("a/git~1", ProtectedPath),
        ],
    );
    let found = contents(&place.tree);
    let names: Vec<_> = found
        .keys()
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(
        names,
        [
            "",
            ".envrc",
            ".git",
            ".git/config",
            ".github",
            "a",
            "a/fine"
        ]
    );
    assert_eq!(fs::read(place.tree.join(".git/config")).unwrap(), b"old");
}

#[test]
fn an_index_that_git_has_refreshed_is_dropped() {
    let place = Place::new();
    act(&place.tree, &[folder(".git"), write(".git/index")]);
    let ops = [
        Op::Write(".git/index.lock".into(), "refreshed".into()),
        Op::Rename(".git/index.lock".into(), ".git/index".into()),
    ];
    let landed = place.whole(place.rules(), &ops);
    expect(&landed, &[]);
    assert_eq!(fs::read(place.tree.join(".git/index")).unwrap(), b"new");
}

#[test]
fn a_repository_of_any_name_also_by_several_runs() {
    use Code::{InsideRepository, MakesRepository};
    let place = Place::new();
    act(
        &place.tree,
        &[
            folder("known"),
            folder("known/objects"),
            folder("known/refs"),
            write("known/HEAD"),
            folder("half"),
        ],
    );
    let ops = [
        folder("bare"),
        folder("bare/objects"),
        folder("bare/refs"),
        write("bare/HEAD"),
        write("bare/config"),
        folder("worktree"),
        write("worktree/HEAD"),
        write("worktree/commondir"),
        write("known/config"),
        folder("half/objects"),
        write("half/HEAD"),
    ];
    let landed = place.whole(place.rules(), &ops);
    expect(
        &landed,
        &[
            ("bare", MakesRepository),
            ("known", InsideRepository),
            ("worktree", MakesRepository),
        ],
    );
    let landed = place.whole(place.rules(), &[folder("half/refs"), write("half/fine")]);
    expect(&landed, &[("half/refs", MakesRepository)]);
    assert!(place.tree.join("half/fine").exists() && !place.tree.join("half/refs").exists());
    // The work tree itself.
    let ops = [
        folder("objects"),
        folder("refs"),
        write("HEAD"),
        write("fine"),
    ];
    let landed = place.whole(place.rules(), &ops);
    expect(
        &landed,
        &[
            ("HEAD", MakesRepository),
            ("objects", MakesRepository),
            ("refs", MakesRepository),
        ],
    );
    assert!(place.tree.join("fine").exists());
}

#[test]
fn targets_of_links_with_protected_names() {
    use Code::ProtectedLinkTarget;
    let place = Place::new();
    act(
        &place.tree,
        &[
            folder("ci"),
            folder("deep"),
            folder("deep/er"),
            folder(".git"),
            folder(".git/hooks"),
            folder("tools"),
            write("tools/hook"),
        ],
    );
    symlink("ci", place.tree.join(".github")).unwrap();
    symlink("../../later/envrc", place.tree.join("deep/er/.envrc")).unwrap();
    symlink("../../tools/hook", place.tree.join(".git/hooks/pre-commit")).unwrap();
    let ops = [
        write("ci/new"),
        folder("later"),
        write("later/envrc"),
        write("later/other"),
        write("tools/hook"),
        write("tools/other"),
        write("fine"),
    ];
    let landed = place.whole(place.rules(), &ops);
    // `later` was not there: whoever makes it decides what `.envrc` is.
    expect(
        &landed,
        &[
            ("ci", ProtectedLinkTarget),
            ("later", ProtectedLinkTarget),
            ("tools/hook", ProtectedLinkTarget),
        ],
    );
    assert!(place.tree.join("fine").exists() && place.tree.join("tools/other").exists());
}

#[test]
fn links_that_leave_the_tree_or_lead_to_something_protected() {
    use Code::{LinkLeavesTree, LinkToProtected};
    let place = Place::new();
    act(
        &place.tree,
        &[folder(".git"), folder("a"), folder("a/b"), write("a/file")],
    );
    symlink("/etc", place.tree.join("users-own")).unwrap();
    let inside = place.tree.join("a/file").display().to_string();
    let ops = [
        link("file", "a/sibling"),
        link("../a/file", "a/up"),
        link("nowhere", "dangling"),
        link(&inside, "absolute"),
        link("loop", "loop"),
        link("/etc/passwd", "passwd"),
        link("../..", "a/out"),
        link("a/b/../../..", "down-and-up"),
        link("a/b/..", "down-and-up-inside"),
        link("users-own/passwd", "by-a-link"),
        link(".git", "repository"),
        link("repository/hooks", "by-a-new-link"),
        link("a/../.GIT/config", "spelt"),
    ];
    let landed = place.whole(place.rules(), &ops);
    expect(
        &landed,
        &[
            ("a/out", LinkLeavesTree),
            ("by-a-link", LinkLeavesTree),
            ("by-a-new-link", LinkToProtected),
            ("down-and-up", LinkLeavesTree),
            ("down-and-up-inside", LinkLeavesTree),
            ("passwd", LinkLeavesTree),
            ("repository", LinkToProtected),
            ("spelt", LinkLeavesTree),
        ],
    );
    for name in ["a/sibling", "a/up", "dangling", "absolute", "loop"] {
        assert!(place.tree.join(name).symlink_metadata().is_ok(), "{name}");
    }
}

#[test]
fn folders_that_hold_something_protected_neither_go_nor_are_replaced() {
    use Code::{HoldsProtected, ProtectedPath};
    let place = Place::new();
    for top in ["one", "two", "three", "four"] {
        act(
            &place.tree,
            &[
                folder(top),
                folder(&format!("{top}/deep")),
                write(&format!("{top}/deep/.envrc")),
                write(&format!("{top}/file")),
            ],
        );
    }
    act(
        &place.tree,
        &[
            folder("named"),
            write("named/hook"),
            folder("fine"),
            write("fine/x"),
        ],
    );
    let mut rules = place.rules();
    rules.protected_paths = vec!["named/hook".into(), "made/hook".into()];
    let ops = [
        Op::RemoveAll("one".into()),
        Op::RemoveAll("two".into()),
        write("two"),
        Op::RemoveAll("three".into()),
        link("fine", "three"),
        Op::RemoveAll("four".into()),
        folder("four"),
        write("four/new"),
        Op::RemoveAll("named".into()),
        link("fine", "made"),
        Op::RemoveAll("fine".into()),
    ];
    let landed = place.whole(rules, &ops);
    expect(
        &landed,
        &[
            ("four/deep", HoldsProtected),
            ("made", HoldsProtected),
            ("named", HoldsProtected),
            ("one", HoldsProtected),
            ("three", HoldsProtected),
            ("two", HoldsProtected),
        ],
    );
    assert!(place.tree.join("one/deep/.envrc").exists() && place.tree.join("named/hook").exists());
    assert!(!place.tree.join("fine").exists() && place.tree.join("four/new").exists());
    assert!(place.tree.join("four/deep/.envrc").exists() && !place.tree.join("four/file").exists());
    let mut rules = place.rules();
    rules.protected_paths = vec!["Made/Hook".into()];
    let landed = place.whole(
        rules,
        &[folder("made"), write("made/hook"), write("made/other")],
    );
    expect(&landed, &[("made/hook", ProtectedPath)]);
    assert!(place.tree.join("made/other").exists());
}

#[test]
fn what_is_refused_stays_staged_and_the_rest_lands_once() {
    let place = Place::new();
    let landed = place.whole(
        place.rules(),
        &[write(".envrc"), write("fine"), Op::Fifo("fifo".into())],
    );
    assert!(landed.is_left());
    let found = gosandbox::changes::list(&place.base);
    assert_eq!(found[0].state.unwrap().refused, 1);
    let stage = gosandbox::changes::Stage::open(&found[0].folder).unwrap();
    let left: Vec<PathBuf> = contents(&stage.upper()).into_keys().collect();
    assert_eq!(left, ["".into(), PathBuf::from(".envrc")]);
    let (changes, diffs) = stage.differences().unwrap();
    assert_eq!((changes.iter().count(), diffs.len()), (1, 1));
    let again = stage.apply().unwrap();
    assert_eq!((again.applied().count(), again.refused().count()), (0, 1));
    gosandbox::changes::discard(&found[0].folder).unwrap();
    assert!(fs::read_dir(&place.base).unwrap().next().is_none());
}

#[test]
fn protected_paths_of_several_names_at_any_depth() {
    use Code::{HoldsProtected, LinkToProtected, ProtectedLinkTarget, ProtectedPath};
    let place = Place::new();
    let before = [
        folder("a"),
        folder("a/.cargo"),
        write("a/.cargo/config.toml"),
        folder("b"),
        folder("b/.cargo"),
        folder("own"),
        write("own/real"),
    ];
    act(&place.tree, &before);
    symlink("../../own/real", place.tree.join("b/.cargo/config.toml")).unwrap();
    let mut rules = place.rules();
    rules.protected_names = vec![".cargo/config.toml".into()];
    let ops = [
        Op::RemoveAll("a".into()),
        Op::Write("own/real".into(), "changed".into()),
        write("own/other"),
        link("../b/.cargo/config.toml", "own/link"),
        folder("c"),
        folder("c/.Cargo"),
        write("c/.Cargo/config.toml"),
        write("c/.Cargo/other"),
        folder("d"),
        link("../own", "d/.cargo"),
    ];
    let landed = place.whole(rules, &ops);
    expect(
        &landed,
        &[
            ("a", HoldsProtected),
            ("c/.Cargo/config.toml", ProtectedPath),
            ("d/.cargo", ProtectedPath),
            ("own/link", LinkToProtected),
            ("own/real", ProtectedLinkTarget),
        ],
    );
    assert!(place.tree.join("own/other").exists() && place.tree.join("c/.Cargo/other").exists());
}

#[test]
fn a_refused_folder_stays_staged_even_if_it_is_empty() {
    let place = Place::new();
    let landed = place.whole(place.rules(), &[folder(".git"), write("fine")]);
    expect(&landed, &[(".git", Code::ProtectedPath)]);
    let found = gosandbox::changes::list(&place.base);
    assert!(found[0].folder.join("upper/.git").is_dir());
}
