//! Whose files are believed: the work tree's can only tighten, and others' are refused.

use super::*;
use crate::refusal::Help;

/// What a file in the work tree says, and how the error about it begins.
#[rustfmt::skip]
const LOOSENING: [(&str, &str); 34] = [
    ("[files]\nread = { add = [\n\"/x\"] }", "3: `files.read` grants `/x`, "),
    ("files.write = [\"/x\"]", "1: `files.write` grants `/x`, "),
    ("files.test = \"write\"", "1: `files.test` grants `write`, "),
    ("files.protected = { remove = [\".vscode\"] }", "1: `files.protected` leaves `.vscode` unprotected, "),
    ("files.protected = []", "1: `files.protected` leaves `deploy` unprotected, "),
    ("programs.execute = { add = [\"perl\"] }", "1: `programs.execute` lets programs execute `perl`, "),
    ("programs.cgo = \"warn\"", "1: `programs.cgo` lets builds leave cgo files out, "),
    ("programs.allow-flags = [\"-exec\"]", "1: `programs.allow-flags` allows `-exec`, "),
    ("modules.upstreams = \"https://evil.example\"", "1: `modules.upstreams` fetches from `https://evil.example`, "),
    ("modules.checksum-database = \"off\"", "1: `modules.checksum-database` trusts `off`, "),
    ("modules.private = [\"example.com\"]", "1: `modules.private` exempts `example.com`, "),
    ("modules.private = { \"a.example\" = { upstream = \"https://a.example\", checksum-database = true } }", "1: `modules.private` fetches `a.example` from elsewhere, "),
    ("modules.allow = [\"github.com\", \"*.example/x\"]", "1: `modules.allow` allows `*.example/x`, "),
    ("modules.deny = []", "1: `modules.deny` no longer denies `evil.example`, "),
    ("modules.min-age = \"1d\"", "1: `modules.min-age` allows versions of 1d, "),
    ("modules.ca = [\"/x.pem\"]", "1: `modules.ca` trusts `/x.pem`, "),
    ("modules.pins = { \"https://a.example\" = \"/x.pem\" }", "1: `modules.pins` pins `https://a.example` otherwise, "),
    ("modules.credentials = \"/x\"", "1: `modules.credentials` reads credentials from elsewhere, "),
    ("modules.mod-flag = \"mod\"", "1: `modules.mod-flag` sets `mod`, "),
    ("modules.toolchains = [\"1.1\", \"1.99\"]", "1: `modules.toolchains` allows more versions of Go, "),
    ("toolchain.loose = \"allow\"", "1: `toolchain.loose` sets `allow`, "),
    ("network.allow = [\"evil.example\"]", "1: `network.allow` opens `evil.example`, "),
    ("network.programs = true", "1: `network.programs` lets programs reach `hosts`, "),
    ("network.programs = \"services\"", "1: `network.programs` lets programs reach `services`, "),
    ("network.services = [\n5432]", "2: `network.services` opens `5432`, "),
    ("network.publish = [8080]", "1: `network.publish` publishes `8080`, "),
    ("environment.pass = { add = [\"GITHUB_TOKEN\"] }", "1: `environment.pass` passes `GITHUB_TOKEN`, "),
    ("environment.set.GODEBUG = \"x\"", "1: `environment.set` sets `GODEBUG`, "),
    ("limits.timeout = \"2h\"", "1: `limits.timeout` allows 2h, "),
    ("limits.timeout = \"none\"", "1: `limits.timeout` allows no limit, "),
    ("guarantees.no-privilege = \"off\"", "1: `guarantees.no-privilege` asks only for `off`, "),
    ("layers.seccomp = \"off\"", "1: `layers.seccomp` asks only for `off`, "),
    ("identity.user = \"daemon\"", "1: `identity.user` runs as `daemon`, "),
    ("extends = \"dev\"", "1: `extends` chooses `dev` as the base, "),
];

#[test]
fn a_file_in_the_work_tree_cannot_loosen() {
    let tail = "which the profile does not: a file in the work tree can only tighten";
    for (tree, start) in LOOSENING {
        let folder = Folder::new(
            "files.protected = [\"deploy\"]\nlimits.timeout = \"1h\"\nprograms.cgo = \"refuse\"\n\
             modules = { allow = [\"github.com\", \"a.example\"], deny = [\"evil.example\"], min-age = \"7d\" }",
            Some(tree),
        );
        let error = folder.resolve().expect_err(tree);
        assert!(
            error.starts_with(&format!(".gosandbox.toml:{start}{tail}")),
            "{error}"
        );
        let refused = folder.refused();
        assert_eq!(refused.code(), Code::ProfileLoosens, "{tree}");
        let [Help::Words(words)] = &refused.help()[..] else {
            panic!("{tree}: {refused:?}");
        };
        assert!(words.starts_with("take `") && !words.contains("--profile"));
    }
}

#[test]
fn a_file_in_the_work_tree_can_tighten() {
    let tree = "
        files = { read = { remove = [\"/bin\"] }, write = [], protected = { add = [\"deploy\"] }, test = \"read\" }
        programs.stamping = false
        modules.upstreams = \"off\"
        network.allow = []
        environment.pass = []
        limits = { timeout = \"5m\", memory = \"1GiB\" }
        layers.landlock = \"required\"
        guarantees.no-privilege = \"required\"
    ";
    let base = "extends = \"dev\"\nnetwork.allow = [\"a.example\"]\nlimits.timeout = \"1h\"\n";
    let before = profile(base).expect("resolves").policy;
    let after = tightened(base, tree).expect("tightens").policy;
    assert_eq!(is_at_least_as_tight(&after, &before), Ok(()));
    assert!(is_at_least_as_tight(&before, &after).is_err());
    assert_eq!(after.limits.timeout, Some(300));
    assert!(after.network.allow.is_empty());
}

#[test]
fn the_work_trees_file_used_knowingly_is_not_held_to_tightening() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        &folder.path().join(TREE_FILE),
        "extends = \"dev\"\nfiles.write = [\"/srv\"]\n",
    );
    let resolved = resolve(&Request {
        profile: &Selection::File(folder.path().join(TREE_FILE)),
        work_tree: Some(folder.path()),
        overrides: &Overrides::default(),
        caller: &caller(),
    });
    assert_eq!(
        resolved.expect("resolves").policy.files.write,
        [PathBuf::from("/srv")]
    );
}

#[test]
fn the_work_trees_file_must_be_a_plain_file_of_bounded_size() {
    let folder = Folder::new("", None);
    let tree = folder.0.path().join(TREE_FILE);
    symlink("/etc/passwd", &tree).expect("linked");
    assert_eq!(
        folder.resolve().err().as_deref(),
        Some("cannot read profile .gosandbox.toml")
    );
    fs::remove_file(&tree).expect("removed");
    fs::create_dir(&tree).expect("made");
    let error = folder.resolve().err();
    assert_eq!(
        error.as_deref(),
        Some("profile .gosandbox.toml: it is not a regular file")
    );
    fs::remove_dir(&tree).expect("removed");
    // What another run in the same tree has there.
    drop(std::os::unix::net::UnixListener::bind(&tree).expect("made"));
    assert!(folder.resolve().is_ok());
    fs::remove_file(&tree).expect("removed");
    write(&tree, &"#".repeat((1 << 20) + 1));
    let error = folder.resolve().err();
    assert_eq!(
        error.as_deref(),
        Some("profile .gosandbox.toml: it is longer than 1 MiB")
    );
}

#[test]
fn a_profile_that_others_can_write_is_refused() {
    let folder = Folder::new("", None);
    let path = folder.0.path().join("p.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("mode set");
    let error = folder.resolve().expect_err("refused");
    assert!(error.contains("others may write it"), "{error}");
    let stranger = Caller {
        uid: caller().uid.wrapping_add(1),
        ..caller()
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("mode set");
    let found = load::profile(&Selection::File(path), &stranger).map(|_| ());
    // Root's files are everybody's; a stranger's are not.
    assert_eq!(found.is_ok(), caller().uid == 0);
}

#[test]
fn names_are_searched_and_built_in_ones_cannot_be_shadowed() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("gosandbox");
    fs::create_dir(&folder).expect("made");
    write(
        &folder.join("mine.toml"),
        "description = \"my own\"\nlimits.pids = 50\n",
    );
    let caller = Caller {
        config_home: Some(home.path().to_owned()),
        ..caller()
    };
    let (mine, _) = load::profile(&name("mine"), &caller).expect("found");
    assert_eq!(
        (mine.policy.name.as_str(), mine.policy.limits.pids),
        ("mine", Some(50))
    );
    let listed: Vec<_> = list(&caller).into_iter().map(|one| one.name).collect();
    for one in ["airgap", "ci", "dev", "mine", "strict"] {
        assert!(listed.iter().any(|name| name == one), "{one}");
    }
    assert!(matches!(
        load::profile(&name("strictt"), &caller),
        Err(Error::Unknown {
            nearest: Some("strict"),
            ..
        })
    ));
    write(&folder.join("ci.toml"), "");
    assert!(matches!(
        load::profile(&name("ci"), &caller),
        Err(Error::Shadowed { .. })
    ));
}

#[test]
fn a_name_finds_no_profile_that_comes_with_the_source() {
    let home = tempfile::tempdir().expect("a folder");
    let real = home.path().canonicalize().expect("real");
    let folder = real.join("tree/.config/gosandbox");
    fs::create_dir_all(&folder).expect("made");
    write(&folder.join("mine.toml"), "files.write = [\"/srv\"]\n");
    write(&real.join("p.toml"), "extends = \"mine\"\n");
    symlink("tree/.config", real.join("link")).expect("linked");
    for config_home in [real.join("tree/.config"), real.join("link")] {
        let caller = Caller {
            config_home: Some(config_home),
            source: Some(real.join("tree")),
            ..caller()
        };
        for selection in [name("mine"), Selection::File(real.join("p.toml"))] {
            let found = load::profile(&selection, &caller).map(|_| ());
            assert!(matches!(found, Err(Error::OfSource { .. })), "{found:?}");
        }
        let file = Selection::File(folder.join("mine.toml"));
        assert!(load::profile(&file, &caller).is_ok());
        let elsewhere = Caller {
            source: Some(real.join("other")),
            ..caller
        };
        assert!(load::profile(&name("mine"), &elsewhere).is_ok());
    }
}
