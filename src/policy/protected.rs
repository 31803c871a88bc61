//! Protected names: which names in a work tree nothing inside may write, and how a name is compared
//! with them.
//!
//! The built-in names are data, in `protected.txt`. A profile adds and removes names. This module
//! looks at no file: callers give it the names that they have found.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

mod fold;

/// The built-in names, each with its reason.
const TABLE: &str = include_str!("protected.txt");

/// The groups of names that no profile can remove.
const ALWAYS: [&str; 2] = ["Version control", "gosandbox"];

/// A built-in protected name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The heading that it stands under.
    pub group: &'static str,
    /// A name, a pattern, or a path of several names.
    pub name: &'static str,
    /// The program that reads it.
    pub reader: &'static str,
    /// What is executed, and when.
    pub effect: &'static str,
}

/// The built-in names, in the order of the table.
pub fn built_in() -> impl Iterator<Item = Entry> {
    let mut group = "";
    TABLE.lines().filter_map(move |line| {
        if let Some(heading) = line.strip_prefix("## ") {
            group = heading;
            return None;
        }
        let (name, rest) = line.split_once(" | ")?;
        let (reader, effect) = rest.split_once(" | ")?;
        (!line.starts_with('#')).then_some(Entry {
            group,
            name,
            reader,
            effect,
        })
    })
}

/// The built-in names, sorted.
pub fn names() -> Vec<PathBuf> {
    let mut names: Vec<_> = built_in().map(|entry| PathBuf::from(entry.name)).collect();
    names.sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    names
}

/// Whether no profile can remove a name.
pub fn is_always(name: &Path) -> bool {
    built_in().any(|entry| ALWAYS.contains(&entry.group) && Path::new(entry.name) == name)
}

/// Whether an item of the list stands for names that nobody can list beforehand.
pub fn is_pattern(item: &Path) -> bool {
    item.as_os_str().as_encoded_bytes().contains(&b'*')
}

/// Compares names with a list of protected ones. Letters are compared without case, as some file
/// systems do; there, `.GIT` is `.git`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// Names without `*`, folded and sorted.
    names: Vec<Vec<u8>>,
    /// Names with `*`, folded.
    patterns: Vec<Vec<u8>>,
    /// Paths of several names, each of which may have a `*`, folded.
    paths: Vec<Vec<Vec<u8>>>,
}

impl Matcher {
    /// Takes the items of `files.protected`. An absolute path names no part of a tree, and is left out.
    pub fn new<P: AsRef<Path>>(items: impl IntoIterator<Item = P>) -> Matcher {
        let mut matcher = Matcher::default();
        for item in items {
            let parts: Option<Vec<Vec<u8>>> = item.as_ref().components().map(folded).collect();
            let mut parts = parts.unwrap_or_default();
            match (parts.len(), parts.pop()) {
                (1, Some(name)) if name.contains(&b'*') => matcher.patterns.push(name),
                (1, Some(name)) => matcher.names.push(name),
                (_, Some(last)) => {
                    parts.push(last);
                    matcher.paths.push(parts);
                }
                (_, None) => {}
            }
        }
        matcher.names.sort_unstable();
        matcher
    }

    /// The names that are protected by themselves, without patterns, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &Path> {
        use std::os::unix::ffi::OsStrExt as _;
        let names = self.names.iter().map(Vec::as_slice);
        names.map(|name| Path::new(std::ffi::OsStr::from_bytes(name)))
    }

    /// Whether a name is protected by itself, in whatever folder.
    pub fn matches(&self, name: &[u8]) -> bool {
        let name = fold::fold(name);
        let known = |one: &Vec<u8>| one.as_slice().cmp(&name);
        self.names.binary_search_by(known).is_ok()
            || self.patterns.iter().any(|pattern| glob(pattern, &name))
    }

    /// Whether a protected path of several names has this one at its end.
    pub fn ends_a_path(&self, name: &[u8]) -> bool {
        let name = fold::fold(name);
        let mut lasts = self.paths.iter().filter_map(|parts| parts.last());
        lasts.any(|last| glob(last, &name))
    }

    /// Whether what a path ends with is protected: its last name, or its last names together. The
    /// path is relative to the work tree.
    pub fn matches_end(&self, path: &Path) -> bool {
        let bytes = path.as_os_str().as_encoded_bytes();
        let last = bytes.rsplit(|byte| *byte == b'/').next();
        last.is_some_and(|name| self.matches(name))
            || self.paths.iter().any(|parts| ends_with(bytes, parts))
    }

    /// Whether a path is protected or lies in something protected. The path is relative to the work
    /// tree.
    pub fn protects(&self, path: &Path) -> bool {
        let mut within = path.ancestors();
        within.any(|path| !path.as_os_str().is_empty() && self.matches_end(path))
    }

    /// Whether a protected path may lie below a folder, as `.cargo/config.toml` does below `.cargo`. A
    /// link in the place of such a folder protects nothing, so it must not be made.
    pub fn is_on_the_way(&self, folder: &Path) -> bool {
        let bytes = folder.as_os_str().as_encoded_bytes();
        let starts = |parts: &Vec<Vec<u8>>| (1..parts.len()).any(|n| ends_with(bytes, &parts[..n]));
        self.paths.iter().any(starts)
    }

    /// Whether a path is protected, or is a link in the place of a folder that holds what is. The
    /// path is relative to the work tree.
    pub fn refuses(&self, path: &Path, is_link: bool) -> bool {
        self.matches_end(path) || is_link && self.is_on_the_way(path)
    }
}

/// A part of an item, folded; `None` for what names no part of a tree.
fn folded(part: Component<'_>) -> Option<Vec<u8>> {
    match part {
        Component::Normal(name) => Some(fold::fold(name.as_encoded_bytes()).into_owned()),
        _ => None,
    }
}

fn ends_with(path: &[u8], parts: &[Vec<u8>]) -> bool {
    let mut names = path.rsplit(|byte| *byte == b'/');
    parts.iter().rev().all(|part| {
        let name: Option<Cow<'_, [u8]>> = names.next().map(fold::fold);
        name.is_some_and(|name| glob(part, &name))
    })
}

/// Whether a pattern, in which `*` stands for any number of bytes, matches all of a name.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go on after a mismatch: after the last star, with one byte more for it.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, from));
            }
            Some(byte) if *byte == name[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((after, taken)) = star else {
                    return false;
                };
                star = Some((after, taken + 1));
                at = after;
                from = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests;
