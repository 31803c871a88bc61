//! Resolving as a whole: the built-in profiles, merging, messages, tightening, trust.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::policy::{Guarantee, Layer, Requirement, TreeAccess};

fn caller() -> Caller {
    Caller {
        uid: rustix::process::geteuid().as_raw(),
        config_home: None,
    }
}

fn name(name: &str) -> Selection {
    Selection::Name(name.to_owned())
}

fn built_in(profile: &str) -> Resolved {
    resolve(&Request {
        profile: &name(profile),
        work_tree: None,
        overrides: &Overrides::default(),
        caller: &caller(),
    })
    .expect("a built-in profile resolves")
}

/// A folder with a profile `p.toml`, a work tree file, or both.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(profile: &str, tree: Option<&str>) -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder.path().join("p.toml"), profile);
        if let Some(tree) = tree {
            write(&folder.path().join(TREE_FILE), tree);
        }
        Folder(folder)
    }

    fn resolve(&self) -> Result<Resolved, String> {
        self.resolve_with(&Overrides::default())
    }

    fn resolve_with(&self, overrides: &Overrides) -> Result<Resolved, String> {
        let folder = self.0.path();
        resolve(&Request {
            profile: &Selection::File(folder.join("p.toml")),
            work_tree: Some(folder),
            overrides,
            caller: &caller(),
        })
        .map_err(|error| {
            error
                .to_string()
                .replace(&format!("{}/", folder.display()), "")
        })
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("mode set");
}

fn profile(text: &str) -> Result<Resolved, String> {
    Folder::new(text, None).resolve()
}

fn tightened(base: &str, tree: &str) -> Result<Resolved, String> {
    Folder::new(base, Some(tree)).resolve()
}

#[test]
fn the_built_in_profiles_say_what_the_table_of_the_contract_says() {
    for (profile, test, run, programs, flags) in [
        (
            "strict",
            TreeAccess::Testdata,
            TreeAccess::Write,
            false,
            &[][..],
        ),
        ("ci", TreeAccess::Write, TreeAccess::Write, false, &[]),
        (
            "dev",
            TreeAccess::Write,
            TreeAccess::Write,
            true,
            &["-mod=mod"],
        ),
        (
            "airgap",
            TreeAccess::Testdata,
            TreeAccess::Testdata,
            false,
            &[],
        ),
    ] {
        let Policy {
            files,
            modules,
            network,
            guarantees,
            programs: executed,
            ..
        } = built_in(profile).policy;
        assert_eq!((files.test, files.run), (test, run), "{profile}");
        assert_eq!(files.command, TreeAccess::Write, "{profile}");
        assert_eq!(modules.checksum_database, "sum.golang.org", "{profile}");
        assert_eq!(modules.mod_flag, None, "{profile}");
        assert_eq!(modules.upstreams == "off", profile == "airgap");
        assert_eq!(network.programs, programs, "{profile}");
        assert!(network.allow.is_empty(), "{profile}");
        assert_eq!(executed.allow_flags, flags, "{profile}");
        let need = if profile == "dev" {
            Requirement::Preferred
        } else {
            Requirement::Required
        };
        assert!(
            Guarantee::ALL.iter().all(|one| guarantees[one] == need),
            "{profile}"
        );
    }
}

#[test]
fn strict_states_every_key_but_layers() {
    let strict = built_in("strict");
    let text = BuiltIn::find("strict").expect("built in").text;
    for key in Key::all().filter(|key| !matches!(key, Key::Layer(_))) {
        assert!(text.contains(&format!("\n{} = ", key.name())), "{key}");
    }
    assert!(strict.policy.layers.is_empty());
}

#[test]
fn every_rule_has_its_origin() {
    let folder = Folder::new(
        "extends = \"ci\"\n[files]\nread = { add = [\"/opt/x\"] }\n[programs]\nexecute = { remove = [\"make\"] }\n",
        Some("[limits]\ntimeout = \"5m\"\n"),
    );
    let overrides = Overrides {
        write: vec!["/srv/out".into()],
        best_effort: true,
        require: vec![Layer::Landlock],
        ..Overrides::default()
    };
    let resolved = folder.resolve_with(&overrides).expect("resolves");
    let origin = |key, item: Option<&str>| {
        let text = resolved.origins.of(key, item).to_string();
        text.replace(&format!("{}/", folder.0.path().display()), "")
    };
    assert_eq!(origin(Key::Read, Some("/opt/x")), "p.toml:3");
    assert!(origin(Key::Execute, Some("awk")).starts_with("built-in strict:"));
    assert_eq!(origin(Key::Test, None), "built-in ci:5");
    assert_eq!(origin(Key::Timeout, None), ".gosandbox.toml:2");
    assert_eq!(origin(Key::Write, Some("/srv/out")), "--rw");
    assert_eq!(origin(Key::Layer(Layer::Landlock), None), "--require");
    assert_eq!(
        origin(Key::Guarantee(Guarantee::NoPrivilege), None),
        "--best-effort"
    );
    assert_eq!(origin(Key::Protected, Some(".git")), "always");
    assert!(!resolved.policy.programs.execute.contains(&"make".into()));
    assert_eq!(
        resolved.policy.layer(Layer::Landlock),
        Requirement::Required
    );
}

#[test]
fn a_list_replaces_or_edits_what_was_inherited() {
    let read = |text: &str| profile(text).expect("resolves").policy.files.read;
    assert_eq!(
        read("[files]\nread = [\"/b\", \"/a\", \"/a/\"]"),
        [PathBuf::from("/a"), "/b".into()]
    );
    let programs = |text: &str| profile(text).expect("resolves").policy.programs.execute;
    let edited = programs("programs.execute = { remove = [\"awk\"], add = [\"jq\"] }");
    assert!(edited.contains(&"jq".into()) && !edited.contains(&"awk".into()));
    assert!(edited.contains(&"sed".into()));
}

#[test]
fn the_protected_names_stay_whatever_a_profile_says() {
    for text in [
        "files.protected = []",
        "files.protected = { remove = [\".git\"] }",
        "files.protected = [\"deploy\"]",
    ] {
        let protected = profile(text).expect("resolves").policy.files.protected;
        for one in crate::policy::PROTECTED {
            assert!(protected.contains(&one.into()), "{text}: {one}");
        }
    }
}

#[test]
fn mistakes_are_named_with_file_line_and_the_nearest_key() {
    for (text, message) in [
        (
            "[file]\n",
            "p.toml:1: unknown section `file` (did you mean `files`?)",
        ),
        (
            "extend = \"ci\"\n",
            "p.toml:1: unknown key `extend` (did you mean `extends`?)",
        ),
        (
            "[files]\n\nraed = []\n",
            "p.toml:3: unknown key `files.raed` (did you mean `read`?)",
        ),
        (
            "[files]\nmemory = 1\n",
            "p.toml:2: unknown key `files.memory` (it belongs into `[limits]`)",
        ),
        (
            "[files]\nread = \"/x\"\n",
            "p.toml:2: `files.read`: must be a list of texts, and is of type string",
        ),
        (
            "[files]\nread = [\n\"/x\",\n3]\n",
            "p.toml:4: `files.read`: must be a text, and is of type integer",
        ),
        (
            "[files]\nread = [\"x\"]\n",
            "p.toml:2: `files.read`: `x` is not an absolute path",
        ),
        (
            "[files]\nread = { ad = [] }\n",
            "p.toml:2: unknown key `files.read.ad` (did you mean `add`?)",
        ),
        (
            "[files]\ntest = \"all\"\n",
            "p.toml:2: `files.test`: `all` is not one of read, testdata, write",
        ),
        (
            "[programs]\nstamping = 1\n",
            "p.toml:2: `programs.stamping`: must be true or false, and is of type integer",
        ),
        (
            "[programs]\nexecute = [\"gcc-12\"]\n",
            "p.toml:2: `programs.execute`: `gcc-12` is a C compiler, assembler or linker, which no profile can allow",
        ),
        (
            "[limits]\nmemory = \"4G\"\n",
            "p.toml:2: `limits.memory`: `4G` is not a size: write a number and KiB, MiB, GiB or TiB, as in 4GiB",
        ),
        (
            "[limits]\npids = -1\n",
            "p.toml:2: `limits.pids`: `-1` is not a number of at least 1",
        ),
        (
            "[modules]\ntoolchains = [\"1.22\", \"1.21\"]\n",
            "p.toml:2: `modules.toolchains`: `1.22` is newer than `1.21`: write the oldest first",
        ),
        (
            "files = 3\n",
            "p.toml:1: `files`: is a section: write [files] and its keys below",
        ),
        (
            "[layers]\nland-lock = \"off\"\n",
            "p.toml:2: unknown key `layers.land-lock` (did you mean `landlock`?)",
        ),
        (
            "[identity]\nuser = \"root\"\n",
            "p.toml:2: `identity.user`: `root`: nothing runs as root inside",
        ),
    ] {
        assert_eq!(profile(text).err().as_deref(), Some(message), "{text}");
    }
    let broken = profile("[files]\nread = [\n").expect_err("broken");
    assert!(broken.starts_with("p.toml:"), "{broken}");
}

#[test]
fn a_profile_that_extends_itself_is_refused() {
    let folder = Folder::new("extends = \"./q.toml\"\n", None);
    write(&folder.0.path().join("q.toml"), "extends = \"./p.toml\"\n");
    let error = folder.resolve().expect_err("a loop");
    assert!(
        error.contains("it extends itself (p.toml → ./q.toml → ./p.toml)"),
        "{error}"
    );
}

#[test]
fn a_file_in_the_work_tree_cannot_loosen() {
    let tail = "which the profile does not: a file in the work tree can only tighten;";
    let knowingly = "if you trust it, use it with `--profile .gosandbox.toml`";
    for (tree, start) in [
        (
            "[files]\nread = { add = [\n\"/x\"] }",
            "3: `files.read` grants `/x`, ",
        ),
        ("files.write = [\"/x\"]", "1: `files.write` grants `/x`, "),
        ("files.test = \"write\"", "1: `files.test` grants `write`, "),
        (
            "files.protected = []",
            "1: `files.protected` leaves `deploy` unprotected, ",
        ),
        (
            "programs.execute = { add = [\"perl\"] }",
            "1: `programs.execute` lets programs execute `perl`, ",
        ),
        (
            "programs.allow-flags = [\"-exec\"]",
            "1: `programs.allow-flags` allows `-exec`, ",
        ),
        (
            "modules.upstreams = \"https://evil.example\"",
            "1: `modules.upstreams` fetches from `https://evil.example`, ",
        ),
        (
            "modules.checksum-database = \"off\"",
            "1: `modules.checksum-database` trusts `off`, ",
        ),
        (
            "modules.private = [\"example.com\"]",
            "1: `modules.private` exempts `example.com`, ",
        ),
        (
            "modules.private = { \"a.example\" = { upstream = \"https://a.example\", checksum-database = true } }",
            "1: `modules.private` fetches `a.example` from elsewhere, ",
        ),
        (
            "modules.allow = [\"github.com\", \"*.example/x\"]",
            "1: `modules.allow` allows `*.example/x`, ",
        ),
        (
            "modules.deny = []",
            "1: `modules.deny` no longer denies `evil.example`, ",
        ),
        (
            "modules.min-age = \"1d\"",
            "1: `modules.min-age` allows versions of 1d, ",
        ),
        (
            "modules.ca = [\"/x.pem\"]",
            "1: `modules.ca` trusts `/x.pem`, ",
        ),
        (
            "modules.pins = { \"https://a.example\" = \"/x.pem\" }",
            "1: `modules.pins` pins `https://a.example` otherwise, ",
        ),
        (
            "modules.credentials = \"/x\"",
            "1: `modules.credentials` reads credentials from elsewhere, ",
        ),
        (
            "modules.mod-flag = \"mod\"",
            "1: `modules.mod-flag` sets `mod`, ",
        ),
        (
            "modules.toolchains = [\"1.1\", \"1.99\"]",
            "1: `modules.toolchains` allows more versions of Go, ",
        ),
        (
            "network.allow = [\"evil.example\"]",
            "1: `network.allow` opens `evil.example`, ",
        ),
        (
            "network.programs = true",
            "1: `network.programs` lets programs reach the allowed hosts, ",
        ),
        (
            "environment.pass = { add = [\"GITHUB_TOKEN\"] }",
            "1: `environment.pass` passes `GITHUB_TOKEN`, ",
        ),
        (
            "environment.set.GODEBUG = \"x\"",
            "1: `environment.set` sets `GODEBUG`, ",
        ),
        ("limits.timeout = \"2h\"", "1: `limits.timeout` allows 2h, "),
        (
            "limits.timeout = \"none\"",
            "1: `limits.timeout` allows no limit, ",
        ),
        (
            "guarantees.no-privilege = \"off\"",
            "1: `guarantees.no-privilege` asks only for `off`, ",
        ),
        (
            "layers.seccomp = \"off\"",
            "1: `layers.seccomp` asks only for `off`, ",
        ),
        (
            "identity.user = \"daemon\"",
            "1: `identity.user` runs as `daemon`, ",
        ),
        (
            "extends = \"dev\"",
            "1: `extends` chooses `dev` as the base, ",
        ),
    ] {
        let error = tightened(
            "files.protected = [\"deploy\"]\nlimits.timeout = \"1h\"\n\
             modules = { allow = [\"github.com\", \"a.example\"], deny = [\"evil.example\"], min-age = \"7d\" }",
            tree,
        );
        let error = error.expect_err(tree);
        assert!(
            error.starts_with(&format!(".gosandbox.toml:{start}{tail}")),
            "{error}"
        );
        assert!(error.ends_with(knowingly), "{error}");
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
fn private_modules_are_a_list_or_a_table_and_both_can_be_shown() {
    let resolved = profile(
        "[modules.private]\n\"a.example\" = {}\n\"b.example\" = { upstream = \"https://b.example\" }\n\
         \"c.example\" = { upstream = \"file:///c\", checksum-database = true }\n",
    )
    .expect("resolves");
    let modules = &resolved.policy.modules;
    assert_eq!(modules.private, ["a.example", "b.example"]);
    assert_eq!(
        modules.private_upstreams.keys().collect::<Vec<_>>(),
        ["b.example", "c.example"]
    );
    let shown: Vec<_> = rules(&resolved)
        .into_iter()
        .filter(|rule| rule.key == Key::Private)
        .map(|rule| {
            (
                rule.value,
                rule.origin
                    .to_string()
                    .rsplit('/')
                    .next()
                    .map(str::to_owned),
            )
        })
        .collect();
    let at = |line: u32| Some(format!("p.toml:{line}"));
    assert_eq!(
        shown,
        [
            ("a.example".to_owned(), at(2)),
            ("b.example from https://b.example".to_owned(), at(3)),
            (
                "c.example from file:///c, in the checksum database".to_owned(),
                at(4)
            ),
        ]
    );
    let list = profile("modules.private = { add = [\"a.example\"] }").expect("resolves");
    assert_eq!(list.policy.modules.private, ["a.example"]);
    let error = profile("[modules.private]\n\"a\" = { upstreams = \"x\" }\n");
    assert_eq!(
        error.err().as_deref(),
        Some("p.toml:2: unknown key `modules.private.upstreams` (did you mean `upstream`?)")
    );
}

#[test]
fn pins_are_keys_or_files_and_are_checked() {
    let pins = |value: &str| {
        profile(&format!(
            "modules.pins = {{ \"https://a.example\" = \"{value}\" }}"
        ))
        .map(|resolved| resolved.policy.modules.pins["https://a.example"].clone())
    };
    let key = crate::policy::Pin::Key([0x5a; 32]);
    assert_eq!(
        pins(&format!("sha256:{}", "5a".repeat(32))),
        Ok(key.clone())
    );
    assert_eq!(
        pins("sha256:WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo="),
        Ok(key)
    );
    assert_eq!(
        pins("/x.pem"),
        Ok(crate::policy::Pin::Authority("/x.pem".into()))
    );
    for bad in ["", "sha256:", "sha256:5a", "sha1:x", "x.pem"] {
        assert!(pins(bad).is_err(), "{bad}");
    }
    for bad in ["http://a", "off", "https://a,https://b"] {
        let text = format!("modules.pins = {{ \"{bad}\" = \"/x.pem\" }}");
        assert!(profile(&text).is_err(), "{bad}");
    }
}

#[test]
fn the_rules_that_refuse_know_their_place() {
    let resolved = profile("modules.deny = [\n\"evil.example\"]\nmodules.min-age = \"1d\"\n");
    let modules = resolved.expect("resolves").policy.modules;
    let place = |rule: &str| {
        let place = modules.places.get(rule).expect(rule);
        place.rsplit('/').next().map(str::to_owned)
    };
    assert_eq!(
        place("modules.deny evil.example"),
        Some("p.toml:2".to_owned())
    );
    assert_eq!(place("modules.min-age"), Some("p.toml:3".to_owned()));
    assert!(modules.places["modules.allow"].starts_with("built-in strict:"));
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
        Some("cannot use profile .gosandbox.toml: it is not a regular file")
    );
    fs::remove_dir(&tree).expect("removed");
    write(&tree, &"#".repeat((1 << 20) + 1));
    let error = folder.resolve().err();
    assert_eq!(
        error.as_deref(),
        Some("cannot use profile .gosandbox.toml: it is longer than 1 MiB")
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
        config_home: None,
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
fn the_documentation_has_every_key_and_its_blocks_are_profiles() {
    const DOCS: &str = include_str!("../../docs/profiles.md");
    for key in Key::all() {
        assert!(DOCS.contains(&format!("| `{key}` | ")), "{key}");
    }
    let rows = DOCS.lines().filter(|line| {
        let section = line
            .strip_prefix("| `")
            .and_then(|line| line.split('.').next());
        section.is_some_and(|section| Key::SECTIONS.contains(&section))
    });
    assert_eq!(rows.count(), Key::all().count());
    for name in crate::policy::PROTECTED {
        assert!(DOCS.contains(&format!("`{name}`")), "{name}");
    }
    let blocks = DOCS.split("```toml\n").skip(1);
    let blocks: Vec<_> = blocks
        .filter_map(|block| block.split("```").next())
        .collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        if block.starts_with("# .gosandbox.toml") {
            tightened("extends = \"ci\"", block).expect("tightens");
        } else {
            profile(block).expect("resolves");
        }
    }
}

#[test]
fn the_documented_defaults_are_the_built_in_ones() {
    const DOCS: &str = include_str!("../../docs/profiles.md");
    let profiles = ["strict", "ci", "dev", "airgap"].map(built_in);
    for key in Key::all().filter(|key| !matches!(key, Key::Layer(_))) {
        let row = DOCS
            .lines()
            .find(|line| line.starts_with(&format!("| `{key}` | ")));
        let cells: Vec<_> = row
            .expect("a row")
            .trim_matches(['|', ' '])
            .split(" | ")
            .collect();
        let cells = &cells[cells.len() - 4..];
        let values = profiles.each_ref().map(|resolved| {
            let rules = rules(resolved)
                .into_iter()
                .filter(|rule| rule.key == key && rule.origin != Origin::Always);
            rules.map(|rule| rule.value).collect::<Vec<_>>()
        });
        for (cell, value) in cells.iter().zip(&values) {
            match *cell {
                "=" => assert_eq!(value, &values[0], "{key}"),
                "none" => assert!(value.is_empty(), "{key}"),
                cell if cell.starts_with('`') && !cell.contains('[') => {
                    assert_eq!(&[cell.trim_matches(['`', '"'])], value.as_slice(), "{key}");
                }
                _ => assert!(!value.is_empty(), "{key}"),
            }
        }
    }
}

/// The lines of a random profile, as TOML.
fn lines() -> impl Strategy<Value = String> {
    let path = prop::sample::subsequence(vec!["/a", "/b", "/c", "/lib"], 0..4);
    let word = prop::sample::subsequence(vec!["A", "LANG", "TERM"], 0..3);
    let host = prop::sample::subsequence(vec!["a.example", "b.example:1"], 0..3);
    let access = prop::sample::select(vec!["read", "testdata", "write"]);
    let need = prop::sample::select(vec!["off", "preferred", "required"]);
    let limit = prop::sample::select(vec!["\"none\"", "1", "60", "\"1h\""]);
    let source = prop::sample::select(vec!["off", "https://a.example", "https://b.example"]);
    let list = (
        path,
        word,
        host,
        prop::sample::select(vec!["", "add", "remove"]),
    );
    let rest = (access, need, limit, source, any::<bool>());
    let values = (list, rest);
    (values, prop::collection::vec(any::<bool>(), 17)).prop_map(|((list, rest), keep)| {
        let (paths, words, hosts, verb) = list;
        let (access, need, limit, source, on) = rest;
        let list = |items: &[&str]| match verb {
            "" => format!("{items:?}"),
            verb => format!("{{ {verb} = {items:?} }}"),
        };
        let all = [
            format!("files.read = {}", list(&paths)),
            format!("files.write = {}", list(&paths)),
            format!("files.protected = {}", list(&hosts)),
            format!("files.test = \"{access}\""),
            format!("files.command = \"{access}\""),
            format!("programs.stamping = {on}"),
            format!("modules.upstreams = \"{source}\""),
            format!("network.allow = {}", list(&hosts)),
            format!("network.programs = {on}"),
            format!("modules.deny = {}", list(&hosts)),
            format!("modules.allow = {}", list(&hosts)),
            format!("modules.min-age = {limit}"),
            format!("environment.pass = {}", list(&words)),
            format!("environment.set = {{ A = \"{access}\" }}"),
            format!("limits.timeout = {limit}"),
            format!("layers.landlock = \"{need}\""),
            format!("guarantees.no-privilege = \"{need}\""),
        ];
        let kept = all.into_iter().zip(keep).filter(|(_, keep)| *keep);
        kept.map(|(line, _)| line + "\n").collect()
    })
}

/// What a policy lets happen, for a few accesses; told apart from the order in `tighten.rs`.
fn granted(policy: &Policy) -> Vec<bool> {
    let mut all = Vec::new();
    for path in ["/a", "/b", "/c", "/lib", "/usr/lib"].map(PathBuf::from) {
        let write = policy.files.write.contains(&path);
        all.extend([write, write || policy.files.read.contains(&path)]);
    }
    for path in [".git", "a.example", "b.example:1"] {
        all.push(!policy.files.protected.contains(&path.into()));
    }
    for host in ["a.example", "b.example:1"].map(str::to_owned) {
        let tool = policy.network.allow.contains(&host);
        all.extend([tool, tool && policy.network.programs]);
    }
    for host in ["a.example", "b.example", "c.example"] {
        let one_of = |list: &[String]| {
            list.iter()
                .any(|p| crate::policy::pattern::matches(p, host))
        };
        all.push(one_of(&policy.modules.allow) && !one_of(&policy.modules.deny));
    }
    for age in [0, 1, 59, 60, 3600] {
        all.push(policy.modules.min_age.is_none_or(|least| age >= least));
    }
    for one in ["A", "LANG", "TERM", "TZ"].map(str::to_owned) {
        all.push(policy.environment.pass.contains(&one));
    }
    for value in ["read", "testdata", "write"] {
        all.push(
            policy
                .environment
                .set
                .get("A")
                .is_some_and(|set| set == value),
        );
    }
    for seconds in [1, 2, 60, 61, 3600, 3601] {
        all.push(policy.limits.timeout.is_none_or(|limit| limit >= seconds));
    }
    for access in TreeAccess::ALL {
        all.extend([policy.files.test >= access, policy.files.command >= access]);
    }
    for need in [Requirement::Preferred, Requirement::Required] {
        all.push(policy.layer(Layer::Landlock) < need);
        all.push(policy.guarantee(Guarantee::NoPrivilege) < need);
    }
    for source in [
        "https://a.example",
        "https://b.example",
        "https://proxy.golang.org",
    ] {
        all.push(policy.modules.upstreams == source);
    }
    all.push(policy.programs.stamping);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_a_work_tree_says_never_grants_more(base in lines(), tree in lines()) {
        let before = profile(&base).expect("resolves").policy;
        if let Ok(after) = tightened(&base, &tree) {
            prop_assert_eq!(is_at_least_as_tight(&after.policy, &before), Ok(()));
            for (after, before) in granted(&after.policy).into_iter().zip(granted(&before)) {
                prop_assert!(!after || before);
            }
        }
    }

    #[test]
    fn a_refusal_in_the_work_tree_is_never_for_nothing(base in lines()) {
        // What the profile itself says loosens nothing; an edit said twice changes nothing.
        prop_assert!(tightened(&base, &base).is_ok());
    }

    #[test]
    fn the_order_is_reflexive_and_transitive(one in lines(), two in lines(), three in lines()) {
        let [one, two, three] = [one, two, three].map(|text| profile(&text).expect("resolves").policy);
        prop_assert_eq!(is_at_least_as_tight(&one, &one), Ok(()));
        if is_at_least_as_tight(&one, &two).is_ok() && is_at_least_as_tight(&two, &three).is_ok() {
            prop_assert_eq!(is_at_least_as_tight(&one, &three), Ok(()));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\PC|\n){0,200}") {
        let _outcome = parse::parse(&text, origin::Source::BuiltIn("random"));
    }
}

/// To write the file anew: `GOSANDBOX_UPDATE=1 cargo test --lib profile`.
#[test]
fn the_resolved_default_is_what_its_toml_resolves_to() {
    let resolved = built_in("strict").policy;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/strict.json");
    if std::env::var_os("GOSANDBOX_UPDATE").is_some() {
        let text = serde_json::to_string_pretty(&resolved).expect("plain data");
        fs::write(&path, text + "\n").expect("a file of this checkout");
    }
    let compiled: Policy = serde_json::from_str(STRICT).expect("a policy");
    assert!(
        compiled == resolved,
        "profiles/strict.json is out of date: see this test's comment"
    );
}
