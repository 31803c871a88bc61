//! Protected names, and sets of paths that are looked up one name at a time.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use crate::policy::protected::Matcher;
use crate::refusal::Code;

/// Names that are protected at any depth, as git and file systems compare them.
pub(super) struct Names {
    matcher: Matcher,
}

impl Names {
    pub fn new(names: &[PathBuf]) -> Names {
        Names {
            matcher: Matcher::new(names),
        }
    }

    /// Whether a name is protected, or a file system or git takes it for one that is.
    ///
    /// Git's `is_ntfs_dotgit` stops at `:` and `\` (CVE-2019-1352).
    pub fn has(&self, name: &[u8]) -> bool {
        let mut parts = name.split(|byte| matches!(byte, b':' | b'\\'));
        let start = parts.next().unwrap_or_default();
        !start.is_empty() && (self.matcher.matches(start) || self.matcher.matches(name))
    }

    /// The same, wherever it is.
    pub fn has_everywhere(&self, name: &[u8]) -> bool {
        self.matcher.matches_everywhere(name)
    }

    /// Whether a path is protected that has this name at its end, as `.cargo/config.toml` is, or is
    /// a link in the place of a folder on the way to one.
    pub fn refuses(&self, name: &[u8], is_link: bool, path: impl FnOnce() -> PathBuf) -> bool {
        (is_link || self.matcher.ends_a_path(name)) && self.matcher.refuses(&path(), is_link)
    }

    /// Whether a path is protected or lies in something that is.
    pub fn protect(&self, path: &[Vec<u8>]) -> bool {
        (0..path.len()).any(|last| {
            let name = &path[last];
            self.has(name) || self.refuses(name, false, || joined(&path[..=last]))
        })
    }
}

/// A path of these names.
pub(super) fn joined(names: &[Vec<u8>]) -> PathBuf {
    names.iter().map(|name| OsStr::from_bytes(name)).collect()
}

/// A set of paths below the work tree, in any case of ASCII letters.
#[derive(Default)]
pub(super) struct Places {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    below: HashMap<Vec<u8>, usize>,
    refusal: Option<Code>,
}

impl Places {
    /// Paths with one refusal for all of them. What is not below the work tree is left out.
    pub fn new(paths: &[PathBuf], refusal: Code) -> Places {
        let mut places = Places {
            nodes: vec![Node::default()],
        };
        for path in paths {
            if let Some(names) = relative(path) {
                places.add(&names, refusal);
            }
        }
        places
    }

    pub fn add(&mut self, names: &[Vec<u8>], refusal: Code) {
        let mut at = 0;
        for name in names {
            let name = name.to_ascii_lowercase();
            let next = self.nodes.len();
            let below = *self.nodes[at].below.entry(name).or_insert(next);
            if below == next {
                self.nodes.push(Node::default());
            }
            at = below;
        }
        self.nodes[at].refusal.get_or_insert(refusal);
    }

    /// The place of a name below another place, if a path of the set leads there.
    pub fn below(&self, at: Option<usize>, name: &[u8]) -> Option<usize> {
        let below = &self.nodes[at?].below;
        match below.is_empty() {
            true => None,
            false => below.get(&name.to_ascii_lowercase()).copied(),
        }
    }

    /// Why a place is refused, where a path of the set ends there.
    pub fn refusal(&self, at: Option<usize>) -> Option<Code> {
        self.nodes[at?].refusal
    }

    /// Whether paths of the set go on below a place.
    pub fn is_on_the_way(&self, at: Option<usize>) -> bool {
        at.is_some_and(|at| !self.nodes[at].below.is_empty())
    }

    /// Why a path, or a folder above it, is refused.
    pub fn refusal_of(&self, names: &[Vec<u8>]) -> Option<Code> {
        let mut at = Some(0);
        for name in names {
            if let Some(refusal) = self.refusal(at) {
                return Some(refusal);
            }
            at = self.below(at, name);
        }
        self.refusal(at)
    }

    /// The paths of the set below a place, relative to it, with their letters folded.
    pub fn ends_below(&self, at: usize) -> Vec<Vec<Vec<u8>>> {
        let mut ends = Vec::new();
        let mut left = vec![(at, Vec::new())];
        while let Some((at, names)) = left.pop() {
            for (name, below) in &self.nodes[at].below {
                let names: Vec<Vec<u8>> = [names.as_slice(), std::slice::from_ref(name)].concat();
                if self.nodes[*below].refusal.is_some() {
                    ends.push(names.clone());
                }
                left.push((*below, names));
            }
        }
        ends
    }
}

/// The names of a path relative to the work tree; none for a path that is absolute or has `..`.
fn relative(path: &Path) -> Option<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name.as_encoded_bytes().to_vec()),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_git_or_a_file_system_takes_for_a_protected_name_are_found() {
        let names = [".git", "git~1", ".github", ".envrc"].map(PathBuf::from);
        let names = Names::new(&names);
        for name in [
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            ".git ",
            ".git. .",
            ".git:stream",
            ".git::$INDEX_ALLOCATION",
            ".git\\config",
            ".g\u{200c}it",
            "\u{feff}.git\u{206f}",
            ".GitHub",
            ".envrc",
        ] {
            assert!(names.has(name.as_bytes()), "{name:?}");
        }
        for name in [
            "git",
            ".gitx",
            ".gitignore",
            "a.git",
            "git~2",
            "",
            ".",
            "x~1",
        ] {
            assert!(!names.has(name.as_bytes()), "{name:?}");
        }
    }

    #[test]
    fn a_path_is_refused_at_its_end_and_below_it() {
        let places = Places::new(
            &["a/B".into(), "c".into(), "../d".into()],
            Code::ProtectedPath,
        );
        let names = |path: &str| -> Vec<Vec<u8>> {
            path.split('/')
                .map(|name| name.as_bytes().to_vec())
                .collect()
        };
        for (path, is_refused) in [
            ("a", false),
            ("a/b", true),
            ("A/b/c", true),
            ("c", true),
            ("d", false),
        ] {
            assert_eq!(
                places.refusal_of(&names(path)).is_some(),
                is_refused,
                "{path}"
            );
        }
        assert!(places.is_on_the_way(places.below(Some(0), b"a")));
        assert_eq!(places.ends_below(0).len(), 2);
    }
}
