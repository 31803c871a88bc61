//! Compares names of a walk with the protected ones, without a whole path for each.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::walk::Node;
use crate::policy::protected::Matcher;

/// A folder of dependencies, for [`Names::end`].
const DEPENDENCIES: &str = "vendor";

/// The protected names of a run.
pub(super) struct Names<'m> {
    pub matcher: &'m Matcher,
    longest: usize,
}

impl<'m> Names<'m> {
    pub fn new(matcher: &'m Matcher) -> Names<'m> {
        let longest = matcher.longest();
        Names { matcher, longest }
    }

    /// Whether a name in a folder is protected, or is a link in the place of a folder that holds what is.
    pub fn refuse(&self, nodes: &[Node], folder: u32, name: &[u8], is_link: bool) -> bool {
        let is_outside = !nodes[folder as usize].is_of_dependencies;
        self.matcher.matches_everywhere(name)
            || is_outside && self.matcher.matches(name)
            || (is_link || self.matcher.ends_a_path(name))
                && self
                    .matcher
                    .refuses(&self.end(nodes, folder, name), is_link)
    }

    /// The end of a path, which is all that decides: its last names, and a folder of dependencies before
    /// them where the path has one. Paths of thousands of names are not put together.
    fn end(&self, nodes: &[Node], folder: u32, name: &[u8]) -> PathBuf {
        let mut names = vec![OsStr::from_bytes(name)];
        let mut at = folder;
        while at != 0 && names.len() < self.longest {
            let node = &nodes[at as usize];
            names.push(OsStr::from_bytes(node.name.to_bytes()));
            at = node.parent;
        }
        if nodes[folder as usize].is_of_dependencies {
            names.push(OsStr::new(DEPENDENCIES));
        }
        names.into_iter().rev().collect()
    }
}
