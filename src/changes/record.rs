//! What is written down about a stage before the command starts, so that a later process can go on
//! after the launcher was killed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which changes to the work tree the profile lets through, except refused ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// All of them.
    All,
    /// Those below a folder named `testdata`, and named outputs.
    Testdata,
    /// Named outputs alone.
    Outputs,
}

/// What decides about each change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rules {
    /// Which changes are wanted at all.
    pub keep: Keep,
    /// Files and folders that flags of the command name, relative to the work tree.
    #[serde(with = "crate::paths")]
    pub outputs: Vec<PathBuf>,
    /// Names that are refused at any depth and in any case of letters.
    #[serde(with = "crate::paths")]
    pub protected_names: Vec<PathBuf>,
    /// Files and folders that are refused, relative to the work tree.
    #[serde(with = "crate::paths")]
    pub protected_paths: Vec<PathBuf>,
}

/// The state of a stage, as JSON in its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// Version of this file.
    pub schema: u32,
    /// Name of the run: sixteen hexadecimal digits.
    pub run: String,
    /// The work tree, canonical.
    #[serde(with = "crate::paths")]
    pub tree: PathBuf,
    /// Its device and inode when the run began.
    pub tree_identity: (u64, u64),
    /// `CLOCK_REALTIME_COARSE` before the command started, by which file systems give their times:
    /// seconds and nanoseconds.
    pub started: (i64, u32),
    /// The command's words, for a reader.
    pub command: Vec<String>,
    /// Name of the profile, for a reader.
    pub profile: String,
    /// What decides about each change.
    pub rules: Rules,
    /// The user and group that apply the changes, where root has to become them. `None`: the
    /// caller, and root where the work tree is root's own.
    pub identity: Option<(u32, u32)>,
    /// Whether the changes are given to root: the sandbox user wrote them to a work tree of root's.
    pub owned_by_root: bool,
    /// Seconds after which a stage that nobody wants any more is removed.
    pub keep_for: u64,
}

impl Record {
    /// The version of the file that this program writes and reads.
    pub const SCHEMA: u32 = 1;
}
