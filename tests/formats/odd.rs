//! Names that mean something to one reader or another say nothing but themselves, or are refused.

use std::fs;
use std::path::Path;
use std::process::Command;

use gosandbox::generate;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::{folder, render, support};

/// What a unit's line holds, by systemd.syntax(7).
fn unquoted(value: &str) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let value = inner.unwrap_or(value).replace("%%", "%");
    let mut text = String::new();
    let mut escaped = false;
    for c in value.chars() {
        match c {
            '\\' if !escaped => escaped = true,
            _ => {
                text.push(c);
                escaped = false;
            }
        }
    }
    text
}

/// Names that mean something to one reader or another.
fn odd() -> impl Strategy<Value = String> {
    let odd = [
        " ",
        "\"",
        "'",
        "\\",
        "$",
        "$(id)",
        "`id`",
        "%",
        "%h",
        "${HOME}",
        "@{HOME}",
        "*",
        "?",
        "[a]",
        "{a,b}",
        "\n",
        "\nExecStart=/bin/id",
        "\t",
        ";",
        "#",
        "&",
        "|",
        "=",
        ":",
        ",",
        "-",
        "~",
        "é",
        "\u{202e}",
        "\u{2028}",
        "\u{85}kind: Pod",
        "\u{7f}",
        "\r",
        "a",
        "B",
        "..",
        "^",
        "!",
        "()",
        "<",
        ">",
    ];
    proptest::collection::vec(proptest::sample::select(odd.to_vec()), 1..6)
        .prop_map(|parts| format!("x{}", parts.concat()))
}

#[test]
fn no_path_says_anything_to_systemd_but_itself() {
    let usual: Vec<String> = lines_of(&render("systemd", None, Path::new("/work")).unwrap());
    let mut runner = TestRunner::new(Config::with_cases(600));
    let outcome = runner.run(&odd(), |name| {
        let tree = Path::new("/work").join(&name);
        let text = match render("systemd", None, &tree) {
            Ok(text) => text,
            Err(generate::Error::Path { .. }) => {
                let reason = name.chars().any(char::is_control)
                    || name.contains(':')
                    || name.ends_with('\\')
                    || name.ends_with(char::is_whitespace);
                prop_assert!(reason, "{:?} is refused for nothing", name);
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        prop_assert_eq!(lines_of(&text), usual.clone(), "{:?}", name);
        let written = text
            .lines()
            .filter_map(|line| line.strip_prefix("ReadWritePaths="));
        let wanted = format!("-{}", tree.display());
        prop_assert!(written.map(unquoted).any(|path| path == wanted), "{}", text);
        Ok(())
    });
    outcome.unwrap();
}

/// The keys of the lines, in their order.
fn lines_of(text: &str) -> Vec<String> {
    let key = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
    let mut keys: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(key)
        .collect();
    keys.sort();
    keys
}

/// The words that a shell hands to bubblewrap.
fn words(script: &str, folder: &Path) -> Vec<String> {
    let stand_in = folder.join("bwrap");
    support::write_executable(&stand_in, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n");
    let path = folder.join("script");
    fs::write(&path, script).unwrap();
    let done = Command::new("sh")
        .arg(&path)
        .arg("go")
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let text = String::from_utf8(done.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn no_path_says_anything_to_the_shell_but_itself() {
    let folder = folder("bwrap");
    let plain = words(&render("bwrap", None, Path::new("/work")).unwrap(), &folder);
    let mut runner = TestRunner::new(Config::with_cases(150));
    let outcome = runner.run(&odd(), |name| {
        let tree = format!("/work/{name}");
        let script = render("bwrap", None, Path::new(&tree))
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        let found = words(&script, &folder);
        let mut expected: Vec<String> = plain
            .iter()
            .map(|word| match word.strip_prefix("/work") {
                Some(rest) => format!("{tree}{rest}"),
                None => word.clone(),
            })
            .collect();
        // Sorted by path, so that the order may differ.
        let mut found_sorted = found.clone();
        found_sorted.sort();
        expected.sort();
        prop_assert_eq!(found_sorted, expected);
        Ok(())
    });
    outcome.unwrap();
    fs::remove_dir_all(folder).unwrap();
}

/// Of a policy its name, which is the path of its file, comes into every format, if only as a comment.
#[test]
fn no_name_of_a_policy_says_anything_to_anybody_but_itself() {
    let (mut policy, site) = (crate::policy(), crate::site(Path::new("/work")));
    policy.name = "/x/plain".to_owned();
    let usual = policy.clone();
    let usual = generate::Model::new(&usual, &site).unwrap();
    let usual = generate::BACKENDS.map(|backend| backend.render(&usual).unwrap());
    let mut runner = TestRunner::new(Config::with_cases(60));
    // What YAML takes for the end of a line, and of these what everybody does.
    const BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
    let outcome = runner.run(&odd(), |name| {
        let mut policy = policy.clone();
        policy.name = format!("/x/{name}");
        let model = generate::Model::new(&policy, &site).unwrap();
        for (backend, usual) in generate::BACKENDS.iter().zip(&usual) {
            let breaks = match backend.format() {
                "kubernetes" => &BREAKS[..],
                _ => &BREAKS[..2],
            };
            let files = match backend.render(&model) {
                Err(generate::Error::Path { .. }) => continue,
                files => files.map_err(|e| TestCaseError::fail(e.to_string()))?,
            };
            for (odd, plain) in files.iter().zip(usual) {
                let lines = |text: &str| {
                    text.split(breaks)
                        .filter(|line| !line.contains("policy digest") && !line.contains("/x/"))
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                };
                prop_assert_eq!(lines(&odd.content), lines(&plain.content));
                let count = |text: &str| text.split(breaks).count();
                prop_assert_eq!(count(&odd.content), count(&plain.content), "{}", odd.name);
                for line in odd
                    .content
                    .split(breaks)
                    .filter(|line| line.contains("/x/"))
                {
                    let is_inert = line.starts_with(['#', ';', '/'])
                        || line.trim_start().starts_with("\"profile /x/")
                        || line.trim_start().starts_with("description: \"")
                        || line.starts_with("ExecStart=/usr/local/bin/gosandbox --profile ");
                    prop_assert!(is_inert, "{}: {}", odd.name, line);
                }
            }
        }
        Ok(())
    });
    outcome.unwrap();
}
