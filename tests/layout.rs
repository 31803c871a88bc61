//! Who may see whom: the dependency rules of ARCHITECTURE.md, read from the source.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms, and the rooms of this crate that each may name.
const MAY_SEE: [(&str, &[&str]); 18] = [
    ("sys", &[]),
    ("text", &[]),
    ("paths", &[]),
    ("policy", &["paths"]),
    ("files", &["host", "paths", "sys"]),
    ("profile", &["files", "policy"]),
    ("go", &["files", "policy", "paths", "text"]),
    ("host", &["paths", "sys"]),
    ("plan", &["changes", "policy", "host", "files", "paths"]),
    ("enforce", &["policy", "plan", "files", "sys"]),
    ("notify", &["sys"]),
    ("changes", &["paths", "policy", "sys", "text"]),
    ("gateway", &["policy", "text", "web"]),
    ("web", &["files", "paths", "policy", "text"]),
    ("generate", &["policy", "text"]),
    (
        "launch",
        &[
            "policy", "plan", "enforce", "files", "notify", "gateway", "sys",
        ],
    ),
    (
        "cli",
        &[
            "changes", "files", "policy", "profile", "go", "host", "plan", "gateway", "generate",
            "launch", "paths", "text",
        ],
    ),
    ("main", &["cli"]),
];

fn sources() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// The room a file is in: the folder below `src`, or the file itself.
fn room(path: &Path) -> String {
    let below = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let first = below
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file without its comments and its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Rooms that a text names through `crate::` (or `gosandbox::`, in main).
fn named(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for prefix in ["crate::", "gosandbox::"] {
        for (at, _) in text.match_indices(prefix) {
            let rest = &text[at + prefix.len()..];
            let word = |text: &str| {
                text.trim_start()
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            };
            match rest.strip_prefix('{') {
                Some(list) => rooms.extend(
                    list.split('}')
                        .next()
                        .unwrap_or_default()
                        .split(',')
                        .map(word),
                ),
                None => rooms.push(word(rest)),
            }
        }
    }
    rooms
}

#[test]
fn rooms_see_only_the_rooms_they_may() {
    let may_see: BTreeMap<_, _> = MAY_SEE.into_iter().collect();
    let mut wrong = Vec::new();
    for path in sources() {
        let own = room(&path);
        if own == "lib" {
            continue;
        }
        let allowed = may_see
            .get(own.as_str())
            .unwrap_or_else(|| panic!("{own} is no room of ARCHITECTURE.md"));
        for other in named(&code(&path)) {
            let is_room = may_see.contains_key(other.as_str());
            if is_room && other != own && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{} names {other}", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn unsafe_code_is_in_sys_and_in_the_entry_only() {
    let is_unsafe = |path: &PathBuf| code(path).contains("unsafe");
    let mut rooms: Vec<String> = sources()
        .iter()
        .filter(|path| is_unsafe(path))
        .map(|path| room(path))
        .collect();
    rooms.dedup();
    assert_eq!(rooms, ["main", "sys"]);
}

#[test]
fn every_file_says_what_it_is_for() {
    for path in sources().iter().filter(|path| !path.ends_with("tests.rs")) {
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text.starts_with("//! "),
            "{} has no module documentation",
            path.display()
        );
    }
}

#[test]
fn only_the_command_line_prints() {
    for path in sources().iter().filter(|path| room(path) != "cli") {
        let code = code(path);
        for word in [
            "println!",
            "eprintln!",
            "print!(",
            "eprint!(",
            "dbg!",
            "stdout()",
            "stderr()",
        ] {
            assert!(!code.contains(word), "{} has {word}", path.display());
        }
    }
}
