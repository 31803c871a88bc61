//! Whiteouts, opaque folders, extended attributes and hard links, as a program could leave them to
//! have something protected go or something refused land.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gosandbox::changes::Landed;
use gosandbox::refusal::Code;
use rustix::fs::{CWD, FileType, Mode};

use crate::overlay::{Op, Place, act, contents, marks};

fn write(path: &str) -> Op {
    Op::Write(path.into(), "x".into())
}

fn folder(path: &str) -> Op {
    Op::Mkdir(path.into())
}

fn mark(path: &str, name: &str, value: &str) -> Op {
    Op::Mark(path.into(), name.into(), value.into())
}

fn refused(landed: &Landed) -> Vec<(PathBuf, Code)> {
    let refused = landed.refused();
    refused
        .map(|(change, refusal)| (change.path, refusal))
        .collect()
}

/// Folders that hold something protected, and one that does not.
fn tree(place: &Place) {
    let ops = [
        write(".envrc"),
        folder(".git"),
        write(".git/config"),
        folder("deep"),
        folder("deep/er"),
        write("deep/er/.envrc"),
        write("deep/file"),
        folder("plain"),
        write("plain/file"),
        write("file"),
    ];
    act(&place.tree, &ops);
}

fn is_there(place: &Place, names: &[&str]) {
    for name in names {
        assert!(place.tree.join(name).exists(), "{name}");
    }
}

const PROTECTED: [&str; 3] = [".envrc", ".git/config", "deep/er/.envrc"];

/// What a program leaves in the stage of [`tree`], and what comes of it.
struct Case {
    name: &'static str,
    has_tree: bool,
    left: fn() -> Vec<Op>,
    /// Character devices 0:0, which say that a name is deleted.
    whiteouts: &'static [&'static str],
    refused: &'static [(&'static str, Code)],
    there: &'static [&'static str],
    gone: &'static [&'static str],
}

const CASES: [Case; 3] = [
    Case {
        name: "whiteouts delete nothing that is protected",
        has_tree: true,
        left: || vec![folder("new")],
        whiteouts: &[
            ".envrc",
            ".git",
            "deep",
            "plain",
            "file",
            "nothing",
            "new/.envrc",
            "new/nothing",
        ],
        refused: &[
            (".envrc", Code::ProtectedPath),
            (".git", Code::ProtectedPath),
            ("deep", Code::HoldsProtected),
        ],
        there: &["deep/file", "new"],
        gone: &["plain", "file", "nothing", "new/.envrc", "new/nothing"],
    },
    Case {
        name: "opaque folders hide nothing that is protected",
        has_tree: true,
        left: || {
            vec![
                folder("deep"),
                write("deep/new"),
                mark("deep", "user.overlay.opaque", "y"),
                folder("plain"),
                mark("plain", "user.overlay.opaque", "y"),
                folder("elsewhere"),
                mark("elsewhere", "user.overlay.opaque", "y"),
                mark("elsewhere", "user.overlay.redirect", "/.git"),
                mark(".", "user.overlay.opaque", "y"),
            ]
        },
        whiteouts: &[],
        refused: &[
            (".envrc", Code::ProtectedPath),
            (".git", Code::ProtectedPath),
            ("deep/er", Code::HoldsProtected),
        ],
        there: &["deep/new", "plain", "elsewhere"],
        gone: &["deep/file", "plain/file", "elsewhere/config"],
    },
    Case {
        name: "a hard link takes nothing along that is refused",
        has_tree: false,
        left: || {
            vec![
                write(".envrc"),
                Op::Link(".envrc".into(), "fine".into()),
                write("set-id"),
                Op::Link("set-id".into(), "set-id-too".into()),
                Op::Chmod("set-id".into(), 0o4755),
            ]
        },
        whiteouts: &[],
        refused: &[
            (".envrc", Code::ProtectedPath),
            ("set-id", Code::SetIdFile),
            ("set-id-too", Code::SetIdFile),
        ],
        there: &["fine"],
        gone: &[".envrc", "set-id", "set-id-too"],
    },
];

#[test]
fn what_is_left_in_a_stage_is_refused_or_lands() {
    for (case, across) in CASES.iter().flat_map(|case| [(case, false), (case, true)]) {
        let place = if across {
            Place::across()
        } else {
            Place::new()
        };
        if case.has_tree {
            tree(&place);
        }
        let stage = place.stage(place.rules());
        act(&stage.upper(), &(case.left)());
        for name in case.whiteouts {
            let path = stage.upper().join(name);
            rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
        }
        let landed = stage.apply().unwrap();
        let what = format!("{}, across {across}", case.name);
        let expected = case.refused.iter().map(|(path, it)| (path.into(), *it));
        assert_eq!(refused(&landed), expected.collect::<Vec<_>>(), "{what}");
        let protected = if case.has_tree { &PROTECTED[..] } else { &[] };
        for name in case.there.iter().chain(protected) {
            assert!(place.tree.join(name).exists(), "{name}: {what}");
        }
        let names = contents(&place.tree);
        for name in case.gone {
            assert!(!names.contains_key(Path::new(name)), "{name}: {what}");
        }
        assert_eq!(marks(&place.tree), Vec::<PathBuf>::new(), "{what}");
        // The stage keeps what is refused.
        assert!(landed.is_left(), "{what}");
    }
}

/// A program's own attributes of these names mean nothing to the overlay (Linux 6.7), or cannot be
/// set.
#[test]
fn a_program_makes_no_folder_opaque() {
    let place = Place::new();
    tree(&place);
    let ops = [
        write("deep/new"),
        mark("deep", "user.overlay.opaque", "y"),
        write("plain/new"),
        mark("plain", "user.overlay.opaque", "y"),
        write("plain/away"),
        mark("plain/away", "user.overlay.whiteout", "y"),
        mark("plain", "user.overlay.redirect", "/.git"),
    ];
    let landed = place.whole(place.rules(), &ops);
    assert_eq!(refused(&landed), []);
    is_there(&place, &PROTECTED);
    is_there(
        &place,
        &[
            "deep/file",
            "deep/new",
            "plain/file",
            "plain/new",
            "plain/away",
        ],
    );
    assert!(!landed.is_left());
}

#[test]
fn attributes_that_give_capabilities_are_refused_and_others_stay() {
    let place = Place::new();
    let stage = place.stage(place.rules());
    let long = "v".repeat(1_000);
    let ops = [
        write("marked"),
        mark("marked", "user.note", "kept"),
        mark("marked", "user.long", &long),
        mark("marked", "user.overlay.metacopy", ""),
        write("capable"),
    ];
    act(&stage.upper(), &ops);
    let mut expected = Vec::new();
    if crate::support::is_root() {
        // VFS_CAP_REVISION_2, effective, and CAP_SETUID (capabilities(7)).
        let value = [1, 0, 0, 2, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let path = stage.upper().join("capable");
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(path, "security.capability", &value, flags).unwrap();
        expected.push(("capable".into(), Code::SetIdFile));
    } else {
        crate::support::skip(
            crate::support::Lacks::Root,
            "only root can give a file capabilities",
        );
    }
    let landed = stage.apply().unwrap();
    assert_eq!(refused(&landed), expected);
    let mut value = [0; 2_000];
    let marked = place.tree.join("marked");
    let length = rustix::fs::getxattr(&marked, "user.note", &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"kept");
    assert_eq!(
        rustix::fs::getxattr(&marked, "user.long", &mut value[..]),
        Ok(long.len())
    );
    assert_eq!(marks(&place.tree), Vec::<PathBuf>::new());
}

#[test]
fn a_stage_without_permissions_at_its_top_is_looked_into() {
    for place in [Place::new(), Place::across()] {
        let stage = place.stage(place.rules());
        act(&stage.upper(), &[write("fine"), write(".envrc")]);
        fs::set_permissions(stage.upper(), fs::Permissions::from_mode(0o000)).unwrap();
        let landed = stage.apply().unwrap();
        assert_eq!(refused(&landed), [(".envrc".into(), Code::ProtectedPath)]);
        is_there(&place, &["fine"]);
        assert!(!place.tree.join(".envrc").exists());
        // The stage keeps what is refused.
        assert!(landed.is_left());
    }
}
