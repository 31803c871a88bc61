//! Every key of a profile that a message, a help line, a hint or a page names exists.

use std::fs;
use std::path::{Path, PathBuf};

use gosandbox::profile::Key;

use crate::support::checkout;

/// What names of files and of drop-in folders end with: neither `limits.md` nor `environment.d` is a key.
const FILES: [&str; 7] = ["d", "json", "md", "rs", "toml", "txt", "sum"];

fn is_part(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

/// Keys that a text names and that no profile can have: as `section.key`, and as `key` of a `[section]`.
fn unknown(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for section in Key::SECTIONS {
        for (at, found) in text.match_indices(&format!("{section}.")) {
            let before = text[..at].chars().next_back();
            let rest = &text[at + found.len()..];
            let name: String = rest.chars().take_while(|c| is_part(*c)).collect();
            let name = name.trim_end_matches('-');
            let goes_on = before.is_some_and(|c| is_part(c) || "._/".contains(c));
            let is_call = rest[name.len()..].starts_with(['(', '_', ':']);
            let is_name = name.starts_with(|c: char| c.is_ascii_lowercase());
            if !goes_on && !is_call && is_name && !FILES.contains(&name) {
                check(section, name, &mut wrong);
            }
        }
        for (at, _) in text.match_indices(&format!(" [{section}]")) {
            if let Some(name) = named_before(&text[..at]) {
                check(section, name, &mut wrong);
            }
        }
    }
    wrong
}

fn check(section: &str, name: &str, wrong: &mut Vec<String>) {
    if Key::find(section, name).is_none() {
        wrong.push(format!("{section}.{name}"));
    }
}

/// The key in "`key` out of", "`key` in", "key under".
fn named_before(text: &str) -> Option<&str> {
    let ends = [" out of", " in", " under"];
    let before = ends.iter().find_map(|end| text.strip_suffix(end))?;
    if let Some(quoted) = before.strip_suffix('`') {
        return quoted
            .rsplit('`')
            .next()
            .filter(|name| name.chars().all(is_part));
    }
    let is_named_as = before.rsplit_once(" as ").map(|(_, name)| name);
    is_named_as.filter(|name| name.chars().all(is_part))
}

/// The files below a folder whose names end so.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
}

/// A source's text without its tests, in which keys may be wrong.
fn without_tests(path: &Path, text: &str) -> String {
    let is_test = path.components().any(|part| {
        ["tests", "tests.rs"]
            .iter()
            .any(|it| part.as_os_str() == *it)
    });
    match is_test {
        true => String::new(),
        false => text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned(),
    }
}

#[test]
fn every_key_that_is_named_exists() {
    let root = checkout();
    let mut wrong = Vec::new();
    let mut sources = Vec::new();
    files(&root.join("src"), "rs", &mut sources);
    for path in &sources {
        let text = without_tests(path, &fs::read_to_string(path).unwrap());
        // Names of fields have an underscore or a call behind them; only literals hold keys.
        for literal in literals(&text) {
            wrong.extend(unknown(&literal).into_iter().map(|key| (path.clone(), key)));
        }
    }
    let mut pages = Vec::new();
    files(&root.join("docs"), "md", &mut pages);
    pages.extend(["README.md", "SECURITY.md", "CHANGELOG.md"].map(|name| root.join(name)));
    for path in &pages {
        let text = fs::read_to_string(path).unwrap();
        wrong.extend(unknown(&text).into_iter().map(|key| (path.clone(), key)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(sources.len() > 200 && pages.len() > 20);
}

/// The string literals of a source.
fn literals(text: &str) -> Vec<String> {
    fn walk(tokens: proc_macro2::TokenStream, found: &mut Vec<String>) {
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Group(group) => walk(group.stream(), found),
                proc_macro2::TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                        found.push(text.value());
                    }
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(text.parse().unwrap(), &mut found);
    found
}

#[test]
fn a_key_that_does_not_exist_is_found() {
    for (text, key) in [
        (
            "in a profile of your own: programs.allow-program = true",
            "programs.allow-program",
        ),
        (
            "take `users` out of [identity] in the profile",
            "identity.users",
        ),
        ("name it as upstream under [modules]", "modules.upstream"),
        ("network.program is not one.", "network.program"),
    ] {
        assert_eq!(unknown(text), [key]);
    }
    for text in [
        "docs/limits.md and files.md",
        "vendor/modules.txt",
        "programs.race = true",
        "files.protected.remove",
        "take `user` out of [identity]",
        "layers.landlock",
    ] {
        assert_eq!(unknown(text), [""; 0], "{text}");
    }
    let source = "fn a() { b(\"programs.x\"); format!(\"limits.y {}\", self.files.read) }";
    let found: Vec<_> = literals(source).iter().flat_map(|it| unknown(it)).collect();
    assert_eq!(found, ["programs.x", "limits.y"]);
}
