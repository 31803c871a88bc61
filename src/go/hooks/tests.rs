mod random;

use std::fs;

use super::*;

/// A folder of files, whose texts may name it as `ROOT`.
fn tree(files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    for (name, content) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let content = match std::str::from_utf8(content) {
            Ok(text) => text.replace("ROOT", root.to_str().unwrap()).into_bytes(),
            Err(_) => content.to_vec(),
        };
        fs::write(path, content).unwrap();
    }
    (folder, root)
}

fn led(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (*name, text.as_bytes()))
        .collect();
    let (_folder, root) = tree(&files);
    relative(&root, led_to(&root, &User::default()).unwrap())
}

fn relative(root: &Path, found: Vec<PathBuf>) -> Vec<String> {
    let relative = |path: &PathBuf| {
        path.strip_prefix(root)
            .unwrap_or(path)
            .display()
            .to_string()
    };
    let found = found.iter().filter(|path| clean(path) == **path);
    let names = found.map(relative);
    // The repositories themselves.
    names
        .filter(|name| !name.starts_with(".git/") && name != ".git")
        .collect()
}

#[test]
fn hooks_and_includes_are_found_also_by_way_of_includes() {
    let config = "[core]\n\thooksPath = .githooks\n[include]\n\tpath = ../.gitconfig\n";
    let include = "[includeIf \"gitdir:x\"]\n\tpath = ci/more\n";
    let files = [
        (".git/config", config),
        (".gitconfig", include),
        ("ci/more", "[core]\nhookspath=ci/hooks/\n"),
    ];
    assert_eq!(
        led(&files),
        [".gitconfig", ".githooks", "ci/hooks", "ci/more"]
    );
}

#[test]
fn a_linked_work_tree_has_its_repositorys_configuration_and_its_own() {
    let files = [
        (".git", "gitdir: bare/worktrees/a\n"),
        ("bare/worktrees/a/commondir", "../..\n"),
        (
            "bare/worktrees/a/config.worktree",
            "[core]\nhooksPath = one\n",
        ),
        ("bare/config", "[core]\nhooksPath = two\n"),
    ];
    assert_eq!(led(&files), ["bare", "bare/worktrees/a", "one", "two"]);
}

#[test]
fn a_submodules_configuration_leads_from_its_own_folder() {
    let config = "[core]\n\tworktree = ../../../../sub/a\n\thooksPath = hooks\n";
    let inner = "[core]\n\tworktree = ../../../../../../sub/a/b\n\thooksPath = ../more\n";
    let files = [
        (".git/config", ""),
        (".git/modules/sub/a/HEAD", ""),
        (".git/modules/sub/a/config", config),
        (".git/modules/sub/a/modules/b/HEAD", ""),
        (".git/modules/sub/a/modules/b/config", inner),
    ];
    assert_eq!(led(&files), ["sub/a/hooks", "sub/a/more"]);
}

#[test]
fn a_circle_of_submodules_ends_and_is_not_passed_over() {
    let (_folder, root) = tree(&[(".git/config", b"")]);
    let modules = root.join(".git/modules");
    fs::create_dir_all(&modules).unwrap();
    for n in 0..20 {
        std::os::unix::fs::symlink(".", modules.join(format!("m{n}"))).unwrap();
    }
    assert!(led_to(&root, &User::default()).is_err());
    // Also where each is a repository: the depth counts these as well.
    fs::write(modules.join("HEAD"), "").unwrap();
    fs::create_dir(modules.join("modules")).unwrap();
    for n in 0..20 {
        std::os::unix::fs::symlink("..", modules.join(format!("modules/m{n}"))).unwrap();
    }
    assert!(led_to(&root, &User::default()).is_err());
}

#[test]
fn the_files_of_command_lines_are_found_there_or_not() {
    let config = "[user]\n\tname = a b\n[remote \"o\"]\n\turl = https://x/y\n\tfetch = +refs/heads/*:x\n\
        [submodule \"s\"]\n\turl = ./sub\n\
        [filter \"x\"]\n\tclean = ./tools/clean %f\n\tsmudge = sh tools/smudge\n\
        [alias]\n\tx = \"!f() { ./tools/alias; }; f\"\n[diff]\n\texternal = bin/diff\n";
    let files = [
        (".git/config", config),
        ("tools/smudge", ""),
        ("bin/diff", ""),
        ("sub/file", ""),
    ];
    assert_eq!(
        led(&files),
        ["bin/diff", "tools/alias", "tools/clean", "tools/smudge"]
    );
}

#[test]
fn a_device_is_not_read() {
    let files = [(
        ".git/config",
        "[include]\npath = /dev/zero\npath = /dev/tty\n",
    )];
    assert_eq!(led(&files), ["/dev/tty", "/dev/zero"]);
}

#[test]
fn a_circle_of_includes_ends() {
    let files = [(".git/config", "[include]\npath = config\n")];
    assert_eq!(led(&files), [""; 0]);
}

#[test]
fn many_circles_of_includes_end_as_well() {
    // Each of them ten deep: more than there will ever be time for.
    let config = "[include]\npath = config\npath = ../one\npath = ../two\n".repeat(50);
    let files = [
        (".git/config", config.as_str()),
        ("one", "[include]\npath = two\n"),
        ("two", "[include]\npath = one\npath = three\n"),
        ("three", "[core]\nhooksPath = four\n"),
    ];
    assert_eq!(led(&files), ["four", "one", "three", "two"]);
}

#[test]
fn text_that_is_not_utf_8_hides_nothing() {
    let (_folder, root) = tree(&[(
        ".git/config",
        b"# J\xfcrgen\n[user]\n\tname = J\xfcrgen\n[core]\n\thooksPath = h\xfc\n",
    )]);
    let found = led_to(&root, &User::default()).unwrap();
    assert!(found.contains(&root.join(OsStr::from_bytes(b"h\xfc"))));
}

#[test]
fn homes_and_the_users_own_configuration_are_followed() {
    let (_folder, root) = tree(&[
        (".git/config", b"[include]\n\tpath = ~/src/../tree/one\n\tpath = ~build/two\n\tpath = ~nobody/x\n"),
        ("one", b"[core]\n\teditor = ~/tree/edit\n"),
        ("user", b"[core]\n\thooksPath = hooks\n[alias]\n\tx = !tools/x\n[includeIf \"gitdir:/nowhere/\"]\npath = more\n"),
        ("more", b"[core]\n\tattributesFile = ROOT/attributes\n[init]\n\ttemplateDir = :(optional)template\n"),
    ]);
    let home = root.join("home");
    let home_of = |name: &str| (name == "build").then(|| root.join("of-build"));
    // As if the tree were in the home folder.
    fs::create_dir_all(home.join("src")).unwrap();
    std::os::unix::fs::symlink(&root, home.join("tree")).unwrap();
    let user = User {
        homes: vec![home],
        home_of: Some(&home_of),
        configurations: vec![root.join("user"), root.join("missing")],
    };
    assert_eq!(
        relative(&root, led_to(&root, &user).unwrap()),
        [
            "attributes",
            "home/tree/edit",
            "home/tree/one",
            "hooks",
            "more",
            "of-build/two",
            "template",
            "tools/x"
        ]
    );
}

#[test]
fn whatever_is_a_program_is_found_from_the_right_folder() {
    for (config, path) in [
        ("[core]\nfsmonitor = tools/f", "tools/f"),
        ("[core]\neditor = ./tools/f -w", "tools/f"),
        (
            "[core]\nsshCommand = ssh -F x -o ProxyCommand=tools/f",
            "tools/f",
        ),
        ("[core]\nworktree = ../below\nhooksPath = h", "below/h"),
        ("[gpg]\nprogram = tools/f", "tools/f"),
        ("[gpg \"ssh\"]\nprogram = tools/f", "tools/f"),
        ("[gpg \"ssh\"]\ndefaultKeyCommand = tools/f", "tools/f"),
        ("[sequence]\neditor = tools/f", "tools/f"),
        ("[diff \"x\"]\ncommand = tools/f", "tools/f"),
        ("[diff \"x\"]\ntextconv = cat <tools/f", "tools/f"),
        ("[merge \"x\"]\ndriver = tools/f %O %A", "tools/f"),
        ("[mergetool \"x\"]\ncmd = tools/f \\\"$BASE\\\"", "tools/f"),
        ("[filter \"x\"]\nprocess = tools/f", "tools/f"),
        ("[alias]\nx = \"!cd tools && ./f\"", "tools/f"),
        (
            "[alias]\nx = \"!$(git rev-parse --show-toplevel)/tools/f\"",
            "tools/f",
        ),
        ("[alias]\nx = \"!$PWD/tools/f\"", "tools/f"),
        ("[credential]\nhelper = \"!f() { tools/f; }; f\"", "tools/f"),
        (
            "[credential \"https://x\"]\nhelper = ROOT/tools/f",
            "tools/f",
        ),
        ("[uploadpack]\npackObjectsHook = ../tools/f", "tools/f"),
        ("[remote \"x\"]\nuploadpack = tools/f", "tools/f"),
        ("[submodule \"x\"]\nupdate = !tools/f", "tools/f"),
        ("[pager]\nlog = tools/f", "tools/f"),
        ("[trailer \"x\"]\ncmd = tools/f", "tools/f"),
        ("[hook \"x\"]\ncommand = tools/f", "tools/f"),
        ("[gc]\nrecentObjectsHook = tools/f", "tools/f"),
        ("[core]\nattributesFile = a", "a"),
        ("[core]\nexcludesFile = e", "e"),
        ("[INCLUDEIF \"onbranch:x\"]\nPATH = ../i", "i"),
    ] {
        let files = [
            (".git/config", config),
            ("tools/other", ""),
            ("below/x", ""),
        ];
        let found = led(&files);
        assert!(found.contains(&path.to_owned()), "{config}: {found:?}");
    }
}

#[test]
fn data_names_nothing() {
    let config = "[user]\nname = a/b\n[remote \"o\"]\nurl = git@x:a/b\nfetch = +refs/heads/*:refs/remotes/o/*\n\
        [branch \"a/b\"]\nremote = o\nmerge = refs/heads/a/b\n[url \"https://x/\"]\ninsteadOf = a/b\n\
        [submodule \"a/b\"]\nurl = ./a/b\nactive = true\n[core]\nfilemode = true\nbare = false\n";
    assert_eq!(led(&[(".git/config", config), ("b", "")]), [""; 0]);
}

#[test]
fn other_work_trees_and_submodules_by_name_are_looked_at() {
    let files = [
        (".git/config", "[core]\n\thooksPath = h\n"),
        (".git/worktrees/w/gitdir", "ROOT/linked/w/.git\n"),
        (
            ".git/worktrees/w/config.worktree",
            "[core]\n\teditor = own/e\n",
        ),
        (
            ".gitmodules",
            "[submodule \"s\"]\n\tpath = sub/s\n\turl = x\n",
        ),
        ("sub/s/.git/config", "[core]\n\thooksPath = inner\n"),
    ];
    assert_eq!(
        led(&files),
        [
            "h",
            "linked/w/h",
            "linked/w/own/e",
            "sub/s/.git",
            "sub/s/inner"
        ]
    );
}

#[test]
fn what_cannot_be_understood_is_named_and_never_passed_over() {
    let large = vec![b'#'; 5 << 20];
    for (name, text) in [
        (".git/config", &b"[core]\nx = \\q\n"[..]),
        (".git/config", b"[core]\nhooksPath = a\0b\n"),
        (".git/config", &large),
        (".git/config.worktree", b"[core\n"),
        (".git/modules/m/config", b"="),
        (".gitmodules", b"="),
        ("included", b"="),
    ] {
        let mut files = vec![(".git/modules/m/HEAD", &b""[..])];
        files.push((".git/config", b"[include]\n\tpath = ../included\n"));
        files.push((name, text));
        let (_folder, root) = tree(&files);
        let error = led_to(&root, &User::default()).expect_err(name);
        assert_eq!(error.path, root.join(name), "{error}");
    }
}
