//! Opens what the launcher needs in places that other users can change.
//!
//! Owns the walk from `/` to a file or folder: one component at a time, each judged, no path resolved twice. What was
//! opened is then used by its descriptor ([`Step`]). Where another user decides what lies at a path, root does not walk
//! on: a [`helper`] does, which has become that user for good.
//!
//! It prints nothing and follows no link that the [`Keeper`] has not made. Called by `cli` before a run, and by `launch`
//! for the run's own folders.

pub mod helper;
mod kept;
pub mod look;
pub mod place;
mod rights;
pub mod walk;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

pub use helper::{User, as_user};
pub use kept::forget;
pub use place::{Place, make_folders, own_folder};
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

/// A path that was judged, and what was there then. Whoever opens the path later compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The path, without links.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// What it was.
    pub id: FileId,
}

impl Judged {
    /// What is at a path that has no links, and a descriptor of it (`O_PATH`), which keeps its inode from being used again.
    ///
    /// # Errors
    /// It is missing or cannot be opened; ELOOP: there is a link on the way.
    pub fn open(path: &Path) -> io::Result<(Judged, OwnedFd)> {
        let mut step = Step::start(path)?;
        if step.walk(Follow::None, None)? != Stop::There {
            return Err(io::ErrorKind::NotFound.into());
        }
        let judged = Judged {
            path: step.real().to_owned(),
            id: FileId::of(step.found()),
        };
        Ok((judged, step.into_at()))
    }

    /// Whether what was found at a path is what was judged there. A path that nobody judged is as it is.
    pub fn allows(all: &[Judged], path: &Path, found: &Stat) -> bool {
        let judged = all.iter().find(|judged| judged.path == path);
        judged.is_none_or(|judged| judged.id == FileId::of(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_the_place_of_another_is_not_the_one_that_was_judged() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().canonicalize().unwrap().join("folder");
        std::fs::create_dir(&path).unwrap();
        let (judged, _opened) = Judged::open(&path).unwrap();
        let allows = |path: &Path| {
            let found = rustix::fs::stat(path).unwrap();
            Judged::allows(std::slice::from_ref(&judged), path, &found)
        };
        assert!(allows(&path) && allows(base.path()));
        std::fs::remove_dir(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(!allows(&path));
    }
}
