//! Landlock domains as data, and the accesses that show what is in force.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::policy::Access;

/// A Landlock domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ruleset {
    /// The ABI version that is put in force: all rights and scopes that it knows are handled.
    pub abi: i32,
    /// Whether TCP connect and bind are refused (ABI 4): where there is no net namespace.
    pub refuse_tcp: bool,
    /// What is granted.
    pub rules: Vec<Rule>,
}

/// A grant for a file or for everything beneath a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rule {
    /// Canonical path, as seen where the domain is made.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// What may be done there.
    pub access: Access,
    /// Whether the path may be missing.
    pub optional: bool,
    /// Whether symbolic links may be made, where anything may.
    pub links: bool,
}

impl Rule {
    /// The same grant, less making symbolic links or giving one another name.
    pub fn without_links(self) -> Rule {
        Rule {
            links: false,
            ..self
        }
    }

    /// A grant of a path that must exist.
    pub fn new(path: impl Into<PathBuf>, access: Access) -> Rule {
        Rule {
            path: path.into(),
            access,
            optional: false,
            links: true,
        }
    }

    /// A grant of a path that may be missing.
    pub fn optional(path: impl Into<PathBuf>, access: Access) -> Rule {
        Rule {
            path: path.into(),
            access,
            optional: true,
            links: true,
        }
    }
}

/// What is shown before the command starts: an access that must fail, or one that must not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Opening the file for writing must fail.
    Unwritable(#[serde(with = "crate::paths")] PathBuf),
    /// Opening the file or folder must be refused, though it is there and its permission bits let it.
    Closed(#[serde(with = "crate::paths")] PathBuf),
    /// The work tree must be an overlay, so that what is written there is staged.
    Staged(#[serde(with = "crate::paths")] PathBuf),
    /// What is granted by name must be there: it is opened.
    Granted {
        /// Where.
        #[serde(with = "crate::paths")]
        path: PathBuf,
        /// Whether it is to be written.
        writes: bool,
    },
    /// A system call that the filter refuses must be refused.
    Filtered,
}
