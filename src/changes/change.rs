//! What a run has changed, as data: one entry a changed name, with the verdict about it.
//!
//! Paths are not stored. An entry names its folder and its own name, so that a tree of any depth
//! takes memory by the number of its names. [`Changes::iter`] puts a path together when it is asked.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::refusal::Code;

/// What happened to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It was not there.
    Added,
    /// Its content is another one, or the target of a symbolic link is.
    Modified,
    /// It is of another kind than before: a file became a folder, a link or the reverse.
    Replaced,
    /// It is gone.
    Deleted,
    /// Only its mode is another one.
    Mode,
    /// Only its time of modification is another one.
    Times,
    /// Nothing. A folder that is listed for what lies in it, or content that is equal.
    Same,
}

/// What kind of file a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A device node.
    Device,
    /// A socket or a FIFO.
    Socket,
}

/// Why a change is not applied and nobody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dropped {
    /// The profile does not keep changes at this place.
    NotKept,
    /// The work tree has the same already.
    Equal,
    /// A socket or a FIFO, which nothing serves after the run.
    Socket,
    /// Git's index, which git itself writes again.
    GitIndex,
}

/// What becomes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is applied.
    Apply,
    /// It is not applied, and removed from the stage.
    Drop(Dropped),
    /// It is not applied, and stays in the stage.
    Refuse(Code),
    /// The work tree was changed here since the run began. The change stays in the stage.
    Conflict,
    /// It lies in a folder that is refused or in conflict, which stands for it.
    Covered,
}

/// A change, with its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// Relative to the work tree; `.` is the tree itself.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// What happened.
    pub what: What,
    /// What it is now, or was before it was deleted.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
    /// The target of a symbolic link.
    #[serde(with = "crate::paths", skip_serializing_if = "Option::is_none")]
    pub target: Option<PathBuf>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// A changed name, or a folder on the way to one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Index of the folder that it lies in. The first entry is the work tree itself.
    pub parent: u32,
    pub name: CString,
    pub what: What,
    pub kind: Kind,
    pub mode: u32,
    pub size: u64,
    pub target: Option<CString>,
    pub verdict: Verdict,
    /// What the work tree has at this place.
    pub real: Option<Kind>,
    /// Whether the work tree's folder cannot be listed or entered.
    pub is_closed: bool,
    /// Whether the stage holds something at this name. Else the deletion follows from an opaque
    /// folder or from the journal.
    pub is_staged: bool,
    /// Whether the staged file has extended attributes of the overlay's.
    pub is_marked: bool,
    /// Whether the staged file was in the work tree, and nothing is there now.
    pub is_copied_up: bool,
    /// Inode in the stage, where it has several names.
    pub inode: Option<u64>,
    /// Entries that lie in this folder, as a range.
    pub children: (u32, u32),
}

impl Entry {
    /// Whether only the mode of a folder differs. What lies in the folder is decided by itself.
    pub fn is_folder_mode(&self) -> bool {
        self.kind == Kind::Folder && self.what == What::Mode
    }

    /// Whether it is shown to a user.
    fn is_listed(&self) -> bool {
        let is_hidden = matches!(
            self.verdict,
            Verdict::Covered | Verdict::Drop(Dropped::Equal)
        );
        self.what != What::Same && !is_hidden
    }
}

/// All changes of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Changes {
    pub(super) entries: Vec<Entry>,
}

impl Changes {
    /// Whether there is nothing to apply, to refuse or to drop.
    pub fn is_empty(&self) -> bool {
        self.entries.iter().all(|entry| entry.what == What::Same)
    }

    /// The changes, except names that are equal and names that another change stands for. A folder
    /// comes before what lies in it, and names in one folder are sorted.
    pub fn iter(&self) -> impl Iterator<Item = Change> + '_ {
        self.ordered()
            .filter(|index| self.entries[*index as usize].is_listed())
            .map(|index| self.change(index))
    }

    /// Every entry: a folder before what lies in it, and names in one folder sorted.
    pub(super) fn ordered(&self) -> impl Iterator<Item = u32> + '_ {
        let mut left: Vec<u32> = (0..).take(self.entries.len().min(1)).collect();
        std::iter::from_fn(move || {
            let index = left.pop()?;
            let (first, last) = self.entries[index as usize].children;
            let start = left.len();
            left.extend(first..last);
            left[start..].sort_unstable_by(|a, b| {
                let name = |index: &u32| &self.entries[*index as usize].name;
                name(b).cmp(name(a))
            });
            Some(index)
        })
    }

    /// How many changes [`Changes::iter`] yields for which `wanted` holds; without their paths.
    pub fn count(&self, wanted: impl Fn(Verdict) -> bool) -> usize {
        let entries = self.entries.iter();
        let listed = entries.filter(|entry| entry.is_listed() && wanted(entry.verdict));
        listed.count()
    }

    pub(super) fn indices<'a>(
        &'a self,
        wanted: impl Fn(&Entry) -> bool + 'a,
    ) -> impl Iterator<Item = u32> + 'a {
        (0..)
            .zip(&self.entries)
            .filter(move |(_, entry)| wanted(entry))
            .map(|(index, _)| index)
    }

    pub(super) fn change(&self, index: u32) -> Change {
        let entry = &self.entries[index as usize];
        let target = entry.target.as_ref();
        Change {
            path: self.path(index),
            what: entry.what,
            kind: entry.kind,
            mode: entry.mode & 0o7777,
            size: entry.size,
            target: target.map(|target| OsStr::from_bytes(target.to_bytes()).into()),
            verdict: entry.verdict,
        }
    }

    pub(super) fn path(&self, index: u32) -> PathBuf {
        match index {
            0 => ".".into(),
            index => path(&self.entries, index),
        }
    }
}

/// The path of an entry below the work tree, which is the empty path.
pub(super) fn path(entries: &[Entry], index: u32) -> PathBuf {
    let names = names(entries, index);
    let parts = names.iter().map(|name| OsStr::from_bytes(name.to_bytes()));
    parts.collect()
}

/// The names from the work tree down to an entry.
pub(super) fn names(entries: &[Entry], index: u32) -> Vec<CString> {
    let mut names = Vec::new();
    let mut at = index;
    while at != 0 {
        let entry = &entries[at as usize];
        names.push(entry.name.clone());
        at = entry.parent;
    }
    names.reverse();
    names
}

/// A change that could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The change.
    pub change: Change,
    /// Why.
    pub cause: String,
}

/// What has become of the changes of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Landed {
    pub(super) changes: Changes,
    pub(super) failed: Vec<(u32, String)>,
    /// Whether something stayed in the stage.
    pub(super) is_left: bool,
}

impl Landed {
    /// What was applied.
    pub fn applied(&self) -> impl Iterator<Item = Change> + '_ {
        self.with(|verdict| verdict == Verdict::Apply)
    }

    /// What was refused.
    pub fn refused(&self) -> impl Iterator<Item = (Change, Code)> + '_ {
        self.changes
            .iter()
            .filter_map(|change| match change.verdict {
                Verdict::Refuse(refusal) => Some((change, refusal)),
                _ => None,
            })
    }

    /// What was changed outside too, and therefore not applied.
    pub fn conflicts(&self) -> impl Iterator<Item = Change> + '_ {
        self.with(|verdict| verdict == Verdict::Conflict)
    }

    /// What the system refused.
    pub fn failed(&self) -> impl Iterator<Item = Failure> + '_ {
        self.failed.iter().map(|(index, cause)| Failure {
            change: self.changes.change(*index),
            cause: cause.clone(),
        })
    }

    /// Every change with its verdict, for reports. Those of [`Landed::failed`] are among them.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Whether the stage stays on disk.
    pub fn is_left(&self) -> bool {
        self.is_left
    }

    fn with<'a>(
        &'a self,
        wanted: impl Fn(Verdict) -> bool + 'a,
    ) -> impl Iterator<Item = Change> + 'a {
        let failed: std::collections::HashSet<u32> =
            self.failed.iter().map(|(index, _)| *index).collect();
        let entries = &self.changes.entries;
        let is_wanted = move |index: &u32| {
            let entry = &entries[*index as usize];
            entry.what != What::Same && wanted(entry.verdict) && !failed.contains(index)
        };
        self.changes
            .ordered()
            .filter(is_wanted)
            .map(|index| self.changes.change(index))
    }
}
