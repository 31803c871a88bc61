use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn of_table() -> Matcher {
    Matcher::new(names())
}

#[test]
fn every_name_has_a_reader_and_a_reason_and_stands_there_once() {
    let mut seen = Vec::new();
    for entry in built_in() {
        let Entry {
            group,
            name,
            reader,
            effect,
        } = entry;
        for text in [group, name, reader, effect] {
            assert!(!text.is_empty() && text.trim() == text, "{name}: {text:?}");
        }
        assert!(effect.split(' ').count() <= 15, "{name}: {effect}");
        let again = built_in()
            .filter(|other| other.name != name)
            .any(|other| Matcher::new([other.name]).matches_end(Path::new(name)));
        assert!(!again, "{name}");
        assert!(!seen.contains(&name), "{name}");
        seen.push(name);
    }
    let lines = TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(lines.count(), seen.len());
    for group in ALWAYS {
        assert!(built_in().any(|entry| entry.group == group), "{group}");
    }
}

#[test]
fn what_is_executed_today_is_protected() {
    let matcher = of_table();
    for name in [
        ".zed",
        ".helix",
        ".nvim.lua",
        ".exrc",
        ".dir-locals.el",
        ".gemini",
        ".codex",
        ".windsurf",
        ".kiro",
        ".opencode",
        "opencode.json",
        ".crush.json",
        ".aider.conf.yml",
        ".amazonq",
        ".roo",
        "lefthook.yml",
        ".lefthook.yml",
        ".travis.yml",
        ".drone.yml",
        ".woodpecker.yml",
        ".buildkite",
        ".forgejo",
        ".gitea",
        ".cirrus.yml",
        "azure-pipelines.yml",
        "Jenkinsfile",
        "bitbucket-pipelines.yml",
        ".build.yml",
        ".mise.toml",
        ".sl",
        ".bzr",
        ".run",
        ".fleet",
        "x.code-workspace",
        ".envrc.local",
        ".circleci",
        ".claude",
        ".cursor",
        ".devcontainer",
        ".envrc",
        ".git",
        ".github",
        ".gitlab-ci.yml",
        ".gosandbox.toml",
        ".hg",
        ".husky",
        ".idea",
        ".jj",
        ".mcp.json",
        ".pre-commit-config.yaml",
        ".svn",
        ".vscode",
        ".goreleaser.yaml",
        ".golangci.yml",
        ".config/lefthook.yml",
    ] {
        assert!(matcher.matches_end(Path::new(name)), "{name}");
        assert!(
            matcher.protects(&Path::new("a/b").join(name).join("c")),
            "{name}"
        );
    }
    for path in [
        ".cargo/config.toml",
        "a/.cargo/config.toml",
        ".yarn/releases/x.cjs",
    ] {
        assert!(matcher.protects(Path::new(path)), "{path}");
    }
}

/// What generators, tests and tools write every day.
#[test]
fn what_is_written_every_day_is_not_protected() {
    let matcher = of_table();
    for path in [
        "Makefile",
        "Dockerfile",
        "package.json",
        "go.mod",
        "go.sum",
        "go.work",
        "main.go",
        "README.md",
        ".gitignore",
        ".gitattributes",
        ".gitmodules",
        ".env",
        ".editorconfig",
        ".dockerignore",
        ".tool-versions",
        ".nvmrc",
        ".terraform",
        ".cargo/registry/x",
        ".cargo",
        ".yarn/cache/x.zip",
        "git",
        ".gitkeep",
        ".github.go",
        "cloudbuild.pb.go",
        "testdata/x.golden",
        "docs/cli/tool_agents.md",
        ".cache/x",
        "node_modules/x/index.js",
        ".nyc_output",
        ".coverage",
        "rules",
        "claude.go",
        "config.toml",
        "config/config.toml",
        ".",
        "..",
        "...",
        "",
        "Taskfile.yml",
        ".task/checksum/x",
    ] {
        assert!(!matcher.protects(Path::new(path)), "{path}");
    }
    for entry in built_in().filter(|entry| !entry.name.starts_with('.')) {
        let stem = entry.name.split(['.', '*']).next().unwrap_or_default();
        for end in [".go", "_test.go", ".pb.go", "_gen.go"]
            .into_iter()
            .filter(|_| !stem.is_empty())
        {
            assert!(
                !matcher.matches(format!("{stem}{end}").as_bytes()),
                "{stem}{end}"
            );
        }
    }
}

#[test]
fn a_name_that_some_file_system_takes_for_another_is_the_same() {
    let matcher = Matcher::new([
        ".git",
        ".svn",
        ".vscode",
        ".kiro",
        ".fleet",
        "*.code-workspace",
        ".cargo/config.toml",
    ]);
    for name in [
        ".GIT",
        ".Git",
        ".git.",
        ".git ",
        ".git. .",
        ".git::$INDEX_ALLOCATION",
        "GIT~1",
        ".git\\x",
        ".\u{17f}vn",
        ".v\u{17f}code",
        ".\u{212a}iro",
        ".\u{fb02}eet",
        ".g\u{200c}it",
        "\u{feff}.git",
        ".git\u{ad}",
        "X.CODE-WORKSPACE",
        ".code-workspace",
        ".Cargo/CONFIG.toml",
    ] {
        assert!(matcher.matches_end(Path::new(name)), "{name:?}");
    }
    for name in [
        ".gitx",
        "git",
        ".gi",
        "..git",
        ".code-workspaces",
        "config.toml",
        "x.cargo/config.toml",
        ".g\u{ef}t",
    ] {
        assert!(!matcher.matches_end(Path::new(name)), "{name:?}");
    }
    assert!(!matcher.matches(b".g\xe9it") && !matcher.matches(b"\xff"));
}

#[test]
fn a_link_must_not_stand_where_a_protected_path_begins() {
    let matcher = Matcher::new([".cargo/config.toml", "a/b/c", ".git"]);
    for (path, is_link, refused) in [
        (".cargo", true, true),
        ("x/.CARGO", true, true),
        (".cargo", false, false),
        ("a", true, true),
        ("z/a/b", true, true),
        ("b", true, false),
        ("a/b/c", false, true),
        (".git", true, true),
        ("x", true, false),
    ] {
        assert_eq!(
            matcher.refuses(Path::new(path), is_link),
            refused,
            "{path} {is_link}"
        );
    }
}

#[test]
fn absolute_paths_and_odd_items_match_nothing() {
    let matcher = Matcher::new(["/a/b", "../x", "", "."]);
    for path in ["a", "b", "a/b", "x", "", "."] {
        assert!(!matcher.protects(Path::new(path)), "{path}");
    }
}

#[test]
fn no_profile_can_remove_version_control_and_gosandboxs_own_file() {
    for name in [".git", ".hg", ".svn", ".jj", ".sl", ".gosandbox.toml"] {
        assert!(is_always(Path::new(name)), "{name}");
    }
    for name in [".vscode", ".github", "deploy"] {
        assert!(!is_always(Path::new(name)), "{name}");
    }
}

/// To write the page anew: `GOSANDBOX_UPDATE=1 cargo test --lib policy::protected`.
#[test]
fn the_documentation_lists_the_table() {
    let mut page = String::from(include_str!("head.md"));
    let mut group = "";
    for entry in built_in() {
        if entry.group != group {
            group = entry.group;
            let _ = write!(
                page,
                "\n## {group}\n\n| name | read by | what it executes |\n|---|---|---|\n"
            );
        }
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            entry.name, entry.reader, entry.effect
        );
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protected.md");
    if std::env::var_os("GOSANDBOX_UPDATE").is_some() {
        std::fs::write(&path, &page).expect("a file of this checkout");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/protected.md is out of date: see this test's comment"
    );
}

/// The same, told apart: by trying every length for each star.
fn slow_glob(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|n| slow_glob(rest, &name[n..])),
        Some((byte, rest)) => name.first() == Some(byte) && slow_glob(rest, &name[1..]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn patterns_match_what_their_meaning_says(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
        prop_assert_eq!(
            glob(pattern.as_bytes(), name.as_bytes()),
            slow_glob(pattern.as_bytes(), name.as_bytes())
        );
    }

    #[test]
    fn no_name_panics_and_folding_twice_changes_nothing(name in prop::collection::vec(any::<u8>(), 0..20)) {
        let once = fold::fold(&name).into_owned();
        if std::str::from_utf8(&name).is_ok() {
            prop_assert_eq!(fold::fold(&once).into_owned(), once.clone());
        }
        let _ = of_table().matches(&name);
    }

    #[test]
    fn case_never_matters(upper in any::<[bool; 12]>(), which in any::<prop::sample::Index>()) {
        let all: Vec<_> = built_in().filter(|entry| !entry.name.contains('*')).collect();
        let name = which.get(&all).name;
        let changed: String = name.chars().enumerate()
            .map(|(i, c)| if upper[i % 12] { c.to_ascii_uppercase() } else { c })
            .collect();
        prop_assert!(of_table().matches_end(Path::new(&changed)));
    }
}
