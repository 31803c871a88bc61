//! The built-in profiles: what they say, and that the documentation says the same.

use super::*;

#[test]
fn the_built_in_profiles_say_what_the_table_of_the_contract_says() {
    for (profile, test, run, programs, flags) in [
        (
            "strict",
            TreeAccess::Testdata,
            TreeAccess::Write,
            Reach::Loopback,
            &[][..],
        ),
        (
            "ci",
            TreeAccess::Write,
            TreeAccess::Write,
            Reach::Services,
            &[],
        ),
        (
            "dev",
            TreeAccess::Write,
            TreeAccess::Write,
            Reach::Hosts,
            &["-mod=mod"],
        ),
        (
            "airgap",
            TreeAccess::Testdata,
            TreeAccess::Testdata,
            Reach::Loopback,
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
        assert!(network.services.is_empty() && network.publish.is_empty());
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
fn the_documentation_has_every_key_and_its_blocks_are_profiles() {
    const DOCS: &str = include_str!("../../../docs/profiles.md");
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
    const DOCS: &str = include_str!("../../../docs/profiles.md");
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
