//! Each code is looked at by some test.

use std::fs;
use std::path::Path;

use gosandbox::refusal::Code;

use crate::support::checkout;

/// Codes that no test reaches, and why.
#[rustfmt::skip]
const UNREACHED: [(&str, &str); 6] = [
    ("changes-too-many", "takes a million names"),
    ("gateway-failed", "profiles refuse such values before"),
    ("goroot-in-work-tree", "src/go/toolchain/tests.rs: the tests' own folders are in /var/tmp"),
    ("guard-failed", "needs AppArmor or SELinux in force"),
    ("internal-error", "no fault is known"),
    ("system-error", "src/run/refused.rs has a test"),
];

/// The text of every test, except this file.
fn tests(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests(&path, text);
        } else if path.extension().is_some_and(|kind| kind == "rs")
            && !path.ends_with("refusals/reached.rs")
        {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_code_is_looked_at_by_a_test() {
    let mut text = String::new();
    tests(&checkout().join("tests"), &mut text);
    let is_looked_at = |code: &Code| {
        let variant = format!("{code:?}");
        let is_variant = |at: usize, found: &str| {
            let next = text[at + found.len()..].chars().next();
            !next.is_some_and(char::is_alphanumeric)
        };
        text.contains(&format!("\"{}\"", code.word()))
            || text.contains(&format!("({})", code.word()))
            || text
                .match_indices(&variant)
                .any(|(at, found)| is_variant(at, found))
    };
    let missing = Code::ALL.into_iter().filter(|code| !is_looked_at(code));
    let missing: Vec<&str> = missing.map(Code::word).collect();
    let mut known = UNREACHED.map(|(word, _)| word);
    known.sort_unstable();
    let mut sorted = missing.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, known);
}
