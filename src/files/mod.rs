//! Opens what the launcher needs in places that other users can change.
//!
//! Owns the walk from `/` to a file or folder: one component at a time, each judged, no path resolved twice. What was
//! opened is then used by its descriptor ([`Step`]). Where another user decides what lies at a path, root does not walk
//! on: a [`helper`] does, which has become that user for good.
//!
//! It prints nothing and follows no link that the [`Keeper`] has not made. Called by `cli` before a run, and by `launch`
//! for the run's own folders.

pub mod helper;
pub mod place;
pub mod walk;

use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

pub use helper::{User, as_user};
pub use place::{Place, make_folders};
pub use walk::{End, Follow, Keeper, Step, Stop, end_of};

/// Which file or folder it is, whatever its path is by now. It is the same for as long as a descriptor of it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    /// The file system's device number.
    pub dev: u64,
    /// The inode number there.
    pub ino: u64,
}

impl FileId {
    /// That of a file which was looked at.
    pub fn of(found: &Stat) -> FileId {
        FileId {
            dev: found.st_dev,
            ino: found.st_ino,
        }
    }
}
