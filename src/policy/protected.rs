//! Protected names: which names in a work tree nothing inside may write, and how a name is compared
//! with them.
//!
//! The built-in names are data, in `protected.txt`. A profile adds and removes names. This module
//! looks at no file: callers give it the names that they have found.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

mod fold;

/// The built-in names, each with its reason.
const TABLE: &str = include_str!("protected.txt");

/// The groups of names that no profile can remove.
const ALWAYS: [&str; 2] = ["Version control", "gosandbox"];

/// The groups whose names are protected in the folders of dependencies as well.
const EVERYWHERE: [&str; 3] = ["Version control", "gosandbox", "Work spaces and shells"];

/// Further names that are protected there: packages seldom have them.
const SELDOM: [&str; 10] = [
    ".circleci",
    ".claude",
    ".cursor",
    ".github",
    ".gitlab-ci.yml",
    ".husky",
    ".idea",
    ".mcp.json",
    ".pre-commit-config.yaml",
    ".vscode",
];

/// Folders into which package managers write.
const DEPENDENCIES: [&[u8]; 2] = [b"node_modules", b"vendor"];

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

impl Entry {
    /// Whether the name is protected in the folders of dependencies as well.
    pub fn is_everywhere(&self) -> bool {
        EVERYWHERE.contains(&self.group) || SELDOM.contains(&self.name)
    }
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
///
/// Package managers write whole packages below `vendor` and `node_modules`, and nothing reads most of
/// the settings there. In these folders only [`Entry::is_everywhere`] and what a profile has added
/// count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    everywhere: Items,
    /// What counts outside the folders of dependencies alone.
    outside: Items,
}

impl Matcher {
    /// Takes the items of `files.protected`. An absolute path names no part of a tree, and is left out.
    pub fn new<P: AsRef<Path>>(items: impl IntoIterator<Item = P>) -> Matcher {
        static OUTSIDE: OnceLock<HashSet<&OsStr>> = OnceLock::new();
        let outside = OUTSIDE.get_or_init(|| {
            let entries = built_in().filter(|entry| !entry.is_everywhere());
            entries.map(|entry| OsStr::new(entry.name)).collect()
        });
        let mut matcher = Matcher::default();
        for item in items {
            match outside.contains(item.as_ref().as_os_str()) {
                true => matcher.outside.add(item.as_ref()),
                false => matcher.everywhere.add(item.as_ref()),
            }
        }
        matcher.outside.names.sort_unstable();
        matcher.everywhere.names.sort_unstable();
        matcher
    }

    /// The names that are protected by themselves, without patterns, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &Path> {
        use std::os::unix::ffi::OsStrExt as _;
        let names = self.everywhere.names.iter().chain(&self.outside.names);
        let names = names.map(Vec::as_slice);
        names.map(|name| Path::new(std::ffi::OsStr::from_bytes(name)))
    }

    /// Whether a name is protected by itself, outside the folders of dependencies at least.
    pub fn matches(&self, name: &[u8]) -> bool {
        let name = fold::fold(name);
        self.everywhere.matches(&name) || self.outside.matches(&name)
    }

    /// Whether a name is protected by itself, in whatever folder.
    pub fn matches_everywhere(&self, name: &[u8]) -> bool {
        self.everywhere.matches(&fold::fold(name))
    }

    /// Whether the path decides about this name: a protected path of several names has it at its
    /// end, or it is protected outside the folders of dependencies alone.
    pub fn ends_a_path(&self, name: &[u8]) -> bool {
        let name = fold::fold(name);
        let paths = self.everywhere.paths.iter().chain(&self.outside.paths);
        let mut lasts = paths.filter_map(|parts| parts.last());
        lasts.any(|last| glob(last, &name)) || self.outside.matches(&name)
    }

    /// Whether what a path ends with is protected: its last name, or its last names together. The
    /// path is relative to the work tree.
    pub fn matches_end(&self, path: &Path) -> bool {
        self.that_count(path).any(|items| items.match_end(path))
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
        self.that_count(folder)
            .any(|items| items.paths.iter().any(starts))
    }

    /// Whether a path is protected, or is a link in the place of a folder that holds what is. The
    /// path is relative to the work tree.
    pub fn refuses(&self, path: &Path, is_link: bool) -> bool {
        self.matches_end(path) || is_link && self.is_on_the_way(path)
    }

    /// Whether a folder of this name holds dependencies.
    pub fn is_of_dependencies(name: &[u8]) -> bool {
        DEPENDENCIES.contains(&&*fold::fold(name))
    }

    /// The number of names in the longest protected path: so much of a path's end decides.
    pub fn longest(&self) -> usize {
        let paths = self.everywhere.paths.iter().chain(&self.outside.paths);
        paths.map(Vec::len).max().unwrap_or(1)
    }

    /// The items that count at a path.
    fn that_count(&self, path: &Path) -> impl Iterator<Item = &Items> {
        let above = path.parent().into_iter().flat_map(Path::components);
        let is_of_dependencies =
            |part: Component<'_>| Matcher::is_of_dependencies(part.as_os_str().as_encoded_bytes());
        let outside = match above.into_iter().any(is_of_dependencies) {
            true => None,
            false => Some(&self.outside),
        };
        std::iter::once(&self.everywhere).chain(outside)
    }
}

/// Items of a list, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Items {
    /// Names without `*`, sorted.
    names: Vec<Vec<u8>>,
    /// Names with `*`.
    patterns: Vec<Vec<u8>>,
    /// Paths of several names, each of which may have a `*`.
    paths: Vec<Vec<Vec<u8>>>,
}

impl Items {
    fn add(&mut self, item: &Path) {
        let parts: Option<Vec<Vec<u8>>> = item.components().map(folded).collect();
        let mut parts = parts.unwrap_or_default();
        match (parts.len(), parts.pop()) {
            (1, Some(name)) if name.contains(&b'*') => self.patterns.push(name),
            (1, Some(name)) => self.names.push(name),
            (_, Some(last)) => {
                parts.push(last);
                self.paths.push(parts);
            }
            (_, None) => {}
        }
    }

    /// Whether one of the names and patterns is this one, folded.
    fn matches(&self, name: &[u8]) -> bool {
        let known = |one: &Vec<u8>| one.as_slice().cmp(name);
        self.names.binary_search_by(known).is_ok()
            || self.patterns.iter().any(|pattern| glob(pattern, name))
    }

    fn match_end(&self, path: &Path) -> bool {
        let bytes = path.as_os_str().as_encoded_bytes();
        let last = bytes.rsplit(|byte| *byte == b'/').next();
        last.is_some_and(|name| self.matches(&fold::fold(name)))
            || self.paths.iter().any(|parts| ends_with(bytes, parts))
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
