//! What a page shows, tried: transcripts are run, profiles are loaded, scripts and JSON are parsed, and gosandbox has the
//! options that commands give it.
//!
//! `[..]` stands for anything in a line of a transcript, a line `...` for any lines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the source tree is: a copy, where the suite runs as another user.
pub fn root() -> PathBuf {
    std::env::var_os("GOSANDBOX_TEST_ROOT")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

pub fn launcher() -> PathBuf {
    std::env::var_os("GOSANDBOX_TEST_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_gosandbox").into(), PathBuf::from)
}

/// Commands and what they are to print.
fn transcripts(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (true, line) if line.starts_with("$ ") => {
                found.push((line[2..].to_owned(), Vec::new()))
            }
            (true, line) => found
                .last_mut()
                .expect("a command first")
                .1
                .push(line.to_owned()),
            (false, _) => {}
        }
    }
    found
}

fn line_matches(expected: &str, line: &str) -> bool {
    let mut parts = expected.split("[..]");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn all_match(expected: &[String], lines: &[&str]) -> bool {
    match (expected.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "..." => {
            (0..=lines.len()).any(|skipped| all_match(rest, &lines[skipped..]))
        }
        (Some((first, rest)), Some((line, lines))) => {
            line_matches(first, line) && all_match(rest, lines)
        }
        _ => false,
    }
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Runs a page's transcripts in a folder of their own, beside the examples; what was printed otherwise.
pub fn differences(page: &Path, least: usize) -> Vec<String> {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    copy(&root().join("examples"), folder.path());
    fs::create_dir(folder.path().join("home")).unwrap();
    let transcripts = transcripts(&fs::read_to_string(page).unwrap());
    assert!(
        transcripts.len() >= least,
        "{} lost its transcripts",
        page.display()
    );
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", launcher().parent().unwrap().display());
    let mut wrong = Vec::new();
    for (command, expected) in transcripts {
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{command}")])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("HOME", folder.path().join("home"))
            .env_remove("GOFLAGS")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let expected: Vec<String> = expected
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect();
        if !all_match(&expected, &lines) {
            wrong.push(format!(
                "$ {command}\nexpected:\n{}\nprinted:\n{}",
                expected.join("\n"),
                lines.join("\n")
            ));
        }
    }
    wrong
}

/// The text of a page.
pub fn text(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

/// gosandbox in a folder.
pub fn gosandbox(folder: &Path, words: &[&str]) -> std::process::Output {
    let mut command = Command::new(launcher());
    command
        .args(words)
        .current_dir(folder)
        .env_remove("GOFLAGS");
    command.env("HOME", folder).output().unwrap()
}

/// A copy of the examples, with whatever else a test puts there.
pub fn examples() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    copy(&root().join("examples"), folder.path());
    folder
}

/// The blocks of a page in a language.
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        if is_inside && line == "```" {
            is_inside = false;
        } else if is_inside {
            let block = found.last_mut().unwrap();
            block.push_str(line);
            block.push('\n');
        } else if line == format!("```{language}") {
            is_inside = true;
            found.push(String::new());
        }
    }
    found
}

/// What stands in backquotes in the first column of a page's tables.
pub fn named(text: &str) -> Vec<String> {
    let first = |line: &str| Some(line.strip_prefix("| ")?.split(" | ").next()?.to_owned());
    let columns = text.lines().filter_map(first);
    let words = columns.flat_map(|column| {
        let parts: Vec<String> = column.split('`').map(str::to_owned).collect();
        parts.into_iter().skip(1).step_by(2)
    });
    words.collect()
}

/// Fails where anything that a page shows does not hold.
#[track_caller]
pub fn hold(page: &str) {
    let text = text(page);
    let mut wrong = differences(&root().join(page), 0);
    wrong.extend(blocks(&text, "toml").iter().filter_map(|it| profile(it)));
    wrong.extend(blocks(&text, "sh").iter().filter_map(|it| script(it)));
    wrong.extend(blocks(&text, "json").iter().filter_map(|it| json(it)));
    wrong.extend(options(&text));
    assert!(wrong.is_empty(), "{page}:\n{}", wrong.join("\n\n"));
}

/// Loads a profile. One that is shown in parts extends strict; one of a work tree stands there.
fn profile(text: &str) -> Option<String> {
    let folder = examples();
    let output = if text.starts_with("# .gosandbox.toml") {
        fs::write(folder.path().join("hello/.gosandbox.toml"), text).unwrap();
        gosandbox(folder.path(), &["policy", "show", "-C", "hello"])
    } else {
        let extends = match text.contains("extends = ") {
            true => "",
            false => "extends = \"strict\"\n",
        };
        fs::write(folder.path().join("p.toml"), format!("{extends}{text}")).unwrap();
        let words = ["policy", "show", "-C", "hello", "--profile", "./p.toml"];
        gosandbox(folder.path(), &words)
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then(|| format!("{text}\nis not loaded: {said}"))
}

fn script(text: &str) -> Option<String> {
    let mut shell = Command::new("sh");
    let output = shell.args(["-n", "-c", text]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then(|| format!("{text}\nis no script: {said}"))
}

/// One value, or a value a line.
fn json(text: &str) -> Option<String> {
    let parses = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    let is_fine = parses(text) || text.lines().all(parses);
    (!is_fine).then(|| format!("{text}\nis no JSON"))
}

/// Every option that the help of gosandbox and of its subcommands names.
pub fn known_options() -> Vec<String> {
    let pages = [
        "", "audit", "doctor", "policy", "profile", "changes", "cache",
    ];
    let mut options = Vec::new();
    for page in pages {
        let words = ["help", page];
        let ended = gosandbox(&root(), &words[..2 - usize::from(page.is_empty())]);
        assert!(ended.status.success(), "{page}: {ended:?}");
        let help = String::from_utf8_lossy(&ended.stdout).into_owned();
        let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let named = words.filter(|word| word.starts_with("--") && word.len() > 2);
        options.extend(named.map(str::to_owned));
    }
    options
}

/// Options of gosandbox that it does not have, in code that calls it.
fn options(text: &str) -> Vec<String> {
    let known = known_options();
    let quoted = text.split('`').skip(1).step_by(2);
    let commands = text.lines().chain(quoted).filter_map(|line| {
        let line = line.trim_start_matches("$ ");
        let words: Vec<&str> = line
            .strip_prefix("gosandbox ")?
            .split_whitespace()
            .collect();
        let end = words.iter().position(|word| ["--", "go"].contains(word));
        Some(words[..end.unwrap_or(words.len())].to_vec())
    });
    let options = commands.flatten().filter_map(|word| {
        let name = word.split(['=', ',', ';', ')']).next()?;
        name.starts_with("--").then_some(name)
    });
    options
        .filter(|name| !known.iter().any(|one| one == name))
        .map(|name| format!("gosandbox has no option {name}"))
        .collect()
}
