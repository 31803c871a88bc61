//! Profiles that build on others: origins, lists, modules, and mistakes.

use super::*;
use crate::policy::protected::names;

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
        "",
        "files.protected = []",
        "files.protected = [\"deploy\"]",
        "files.protected = { add = [\"deploy\", \".git\"], remove = [\"nosuch\"] }",
    ] {
        let protected = profile(text).expect("resolves").policy.files.protected;
        for one in names() {
            assert!(protected.contains(&one), "{text}: {}", one.display());
        }
        assert_eq!(
            protected.contains(&"deploy".into()),
            text.contains("deploy"),
            "{text}"
        );
    }
}

#[test]
fn a_profile_can_take_a_built_in_name_out_but_not_every_one() {
    let edit =
        "files.protected = { remove = [\".air.toml\", \"*.code-workspace\"], add = [\"*.sh\"] }";
    let resolved = profile(edit).expect("resolves");
    let protected = &resolved.policy.files.protected;
    for (name, is_there) in [
        (".air.toml", false),
        ("*.code-workspace", false),
        ("*.sh", true),
        (".git", true),
        (".vscode", true),
    ] {
        assert_eq!(protected.contains(&name.into()), is_there, "{name}");
    }
    let origin = |name| resolved.origins.of(Key::Protected, Some(name));
    assert_eq!(origin(".vscode"), Origin::Always);
    assert!(origin("*.sh").to_string().ends_with("p.toml:1"));
    // A profile that builds on one without the name can put it back.
    let folder = Folder::new("extends = \"./q.toml\"\nfiles.protected = []\n", None);
    write(&folder.0.path().join("q.toml"), edit);
    let files = folder.resolve().expect("resolves").policy.files;
    assert_eq!(files.protected, names());
    for name in [".git", ".hg", ".gosandbox.toml", ".jj"] {
        let error = profile(&format!("files.protected = {{ remove = [\n\"{name}\"] }}"));
        let says =
            format!("p.toml:2: `files.protected`: `{name}` is always protected: take it out");
        assert_eq!(error.err(), Some(says));
    }
    for name in ["*", "a/*", "**"] {
        let error = profile(&format!("files.protected = [\"{name}\"]")).expect_err(name);
        assert!(error.contains("protects every name"), "{error}");
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
            "p.toml:2: `files.read`: must be a list of texts, and is of type string: write read = [\"/x\"]",
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
fn a_profile_that_cannot_be_extended_is_named_with_what_extends_it() {
    for (name, says) in [
        (
            "nosuch",
            "p.toml:1: `extends`: cannot find the profile `nosuch`",
        ),
        (
            "./nosuch.toml",
            "p.toml:1: `extends`: cannot read profile ./nosuch.toml: No such file or directory",
        ),
    ] {
        let folder = Folder::new(&format!("extends = \"{name}\"\n"), None);
        let error = folder.resolve().expect_err("not there");
        assert!(error.contains(says), "{error}");
    }
    let folder = Folder::new("extends = \"./1.toml\"\n", None);
    for number in 1..30 {
        let text = format!("extends = \"./{}.toml\"\n", number + 1);
        write(&folder.0.path().join(format!("{number}.toml")), &text);
    }
    write(&folder.0.path().join("30.toml"), "");
    let error = folder.resolve().expect_err("too deep");
    assert!(
        error.contains("more than 16 profiles stand on each other"),
        "{error}"
    );
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
