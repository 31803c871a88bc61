//! The transcripts in the documentation are what is printed: every `console` block is run.
//!
//! `[..]` stands for anything in a line, a line `...` for any lines.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the source tree is: a copy, where the suite runs as another user.
fn root() -> PathBuf {
    std::env::var_os("GOSANDBOX_TEST_ROOT")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

fn launcher() -> PathBuf {
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

fn copy(from: &Path, to: &Path) {
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
fn differences(page: &Path, least: usize) -> Vec<String> {
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

/// Every page of the documentation.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "SECURITY.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
    ]
    .map(|name| root().join(name))
    .into();
    for folder in ["docs", "docs/deploy", "docs/generated"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        pages.extend(entries.map(|entry| entry.unwrap().path()));
    }
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

#[test]
fn what_the_readme_shows_is_what_is_printed() {
    let wrong = differences(&root().join("README.md"), 6);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_the_other_pages_show_is_what_is_printed() {
    let others = pages()
        .into_iter()
        .filter(|page| !page.ends_with("README.md"));
    let wrong: Vec<String> = others.flat_map(|page| differences(&page, 0)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    for file in &pages() {
        let text = fs::read_to_string(file).unwrap();
        for part in text.split("](").skip(1) {
            let link = part.split([')', '#']).next().unwrap_or_default();
            if link.is_empty() || link.contains("://") {
                continue;
            }
            let target = file.parent().unwrap().join(link);
            assert!(target.exists(), "{} links to {link}", file.display());
        }
    }
}
