//! What profiles and the command line say of changes to the work tree.

use super::*;

fn files(text: &str) -> crate::policy::Files {
    profile(text).expect("resolves").policy.files
}

#[test]
fn the_built_in_profiles_stage_as_the_table_of_the_contract_says() {
    for name in ["strict", "ci", "dev", "airgap"] {
        let files = built_in(name).policy.files;
        for runs in Runs::ALL {
            let live = name == "dev" && matches!(runs, Runs::Run | Runs::Command);
            let staging = match live {
                true => Staging::Direct,
                false => Staging::Apply,
            };
            assert_eq!(files.staging(runs), staging, "{name}: {}", runs.word());
        }
        assert_eq!(files.keep_staged, 7 * 24 * 60 * 60, "{name}");
    }
}

#[test]
fn a_profile_chooses_and_its_list_is_merged() {
    assert_eq!(files("files.stage = \"review\"").stage, Staging::Review);
    let listed = files("files.direct = [\"command\", \"test\", \"command\"]");
    assert_eq!(listed.direct, [Runs::Test, Runs::Command]);
    let edited = files("extends = \"dev\"\nfiles.direct = { remove = [\"run\"] }");
    assert_eq!(edited.direct, [Runs::Command]);
    for (text, seconds) in [("\"12h\"", 43_200), ("\"30d\"", 2_592_000), ("90", 90)] {
        let files = files(&format!("files.keep-staged = {text}"));
        assert_eq!(files.keep_staged, seconds, "{text}");
    }
}

#[test]
fn a_mistake_is_named_with_its_line() {
    for (text, says) in [
        (
            "files.stage = \"no\"",
            "`files.stage`: `no` is not one of discard, review, apply, direct",
        ),
        (
            "files.direct = [\"go\"]",
            "`files.direct`: `go` is not one of test, run, generate, command",
        ),
        (
            "files.direct = true",
            "`files.direct`: must be a list of texts, and is of type boolean",
        ),
        (
            "files.keep-staged = \"none\"",
            "`files.keep-staged`: `none` is not a duration: write whole numbers and s, m, h or d, \
             as in 10m or 1h30m",
        ),
        (
            "files.keep-staged = true",
            "`files.keep-staged`: must be a number or a text with a unit, and is of type boolean",
        ),
    ] {
        let error = profile(text).expect_err(text);
        assert_eq!(error, format!("p.toml:1: {says}"));
    }
}

#[test]
fn a_file_in_the_work_tree_moves_toward_discard_only() {
    let base = "extends = \"dev\"\n";
    for (tree, says) in [
        ("stage = \"direct\"", "`files.stage` sets `direct`, "),
        (
            "direct = { add = [\"test\"] }",
            "`files.direct` lets `test` write the live work tree, ",
        ),
        (
            "keep-staged = \"8d\"",
            "`files.keep-staged` keeps staged changes for 8d, ",
        ),
    ] {
        let error = tightened(base, &format!("[files]\n{tree}\n")).expect_err(tree);
        assert!(
            error.starts_with(&format!(".gosandbox.toml:2: {says}")),
            "{error}"
        );
    }
    for tree in [
        "stage = \"discard\"",
        "stage = \"review\"",
        "direct = []",
        "direct = [\"run\"]",
        "keep-staged = \"1h\"",
    ] {
        tightened(base, &format!("[files]\n{tree}\n")).expect(tree);
    }
    let tree = "files.stage = \"apply\"\nfiles.direct = []";
    let tight = tightened("files.stage = \"direct\"", tree).expect("tightens");
    assert_eq!(tight.policy.files.staging(Runs::Run), Staging::Apply);
}

#[test]
fn the_command_line_decides_for_every_command() {
    let folder = Folder::new("extends = \"dev\"\n", Some("files.stage = \"review\"\n"));
    for stage in Staging::ALL {
        let overrides = Overrides {
            stage: Some(stage),
            ..Overrides::default()
        };
        let resolved = folder.resolve_with(&overrides).expect("resolves");
        for runs in Runs::ALL {
            assert_eq!(resolved.policy.files.staging(runs), stage);
        }
        assert_eq!(
            resolved.origins.of(Key::Stage, None),
            Origin::Flag("--stage")
        );
    }
}

#[test]
fn the_rules_are_shown_with_their_origin() {
    let resolved = built_in("dev");
    let shown: Vec<String> = rules(&resolved)
        .into_iter()
        .filter(|rule| matches!(rule.key, Key::Stage | Key::Direct | Key::KeepStaged))
        .map(|rule| {
            let origin = rule.origin.to_string();
            let name = origin.split(':').next().unwrap_or_default();
            format!("{} {} {name}", rule.key, rule.value)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "files.stage apply built-in strict",
            "files.direct run built-in dev",
            "files.direct command built-in dev",
            "files.keep-staged 7d built-in strict",
        ]
    );
}
