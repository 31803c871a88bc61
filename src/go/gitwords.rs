//! The files that a command line in git's configuration names: filters, drivers, aliases, editors.
//!
//! Git gives such a line to a shell, mostly at the top of the work tree. What a shell makes of it is
//! not worked out here. Every word that may be a path is taken for one: too much is protected rather
//! than too little.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::files::look;

/// Bytes that part words. `=` parts an option from its value.
const BETWEEN: &[u8] = b" \t\n\r\"'`;|&()<>{}=!$,";
/// Bytes before a word that begin or end something which the shell replaces: `$(pwd)/tools/x`.
const REPLACED: &[u8] = b"$)}`";

/// The paths that `value` names from one of `bases`. Words that start with `~` are left to the caller.
pub(super) fn paths(value: &[u8], bases: &[PathBuf]) -> Vec<PathBuf> {
    let words = words(value);
    let mut bases = bases.to_vec();
    // `cd tools && ./x`
    let folders: Vec<PathBuf> = words
        .iter()
        .flat_map(|(word, _)| bases.iter().map(|base| base.join(OsStr::from_bytes(word))))
        .filter(|path| look::is_dir(path) && path.file_name().is_some())
        .collect();
    bases.extend(folders);
    let mut found = Vec::new();
    for base in &bases {
        for (word, is_after_replaced) in &words {
            add(word, *is_after_replaced, base, &mut found);
        }
    }
    found
}

/// The words that start with `~`.
pub(super) fn from_home(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = value.split(|byte| BETWEEN.contains(byte));
    words.filter(|word| word.starts_with(b"~") && word.contains(&b'/'))
}

/// The words, and whether something that the shell replaces stands right before each.
fn words(value: &[u8]) -> Vec<(&[u8], bool)> {
    let mut words = Vec::new();
    let mut start = 0;
    for end in 0..=value.len() {
        if end < value.len() && !BETWEEN.contains(&value[end]) {
            continue;
        }
        let word = &value[start..end];
        let is_path = !word.is_empty() && !word.starts_with(b"~") && !word.contains(&0);
        if is_path && !contains(word, b"://") {
            let before = start.checked_sub(1).map(|at| value[at]);
            words.push((word, before.is_some_and(|byte| REPLACED.contains(&byte))));
        }
        start = end + 1;
    }
    words
}

fn add(word: &[u8], is_after_replaced: bool, base: &Path, found: &mut Vec<PathBuf>) {
    let path = base.join(OsStr::from_bytes(word));
    if look::is_file(&path) || word.contains(&b'/') && !look::is_dir(&path) {
        found.push(path);
    }
    // `$ROOT/tools/x`: where what is replaced ends nobody knows.
    for (at, _) in word.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let rest = &word[at + 1..];
        if rest.is_empty() || rest.starts_with(b"/") {
            continue;
        }
        let path = base.join(OsStr::from_bytes(rest));
        let may_come = is_after_replaced && rest.contains(&b'/') && !look::is_dir(&path);
        if look::is_file(&path) || may_come {
            found.push(path);
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
