//! A stage on disk: `<run>.stage` with `record.json`, the folders `upper` and `work` of the
//! overlay, `journal` and `state`. Whoever works on it holds a lock (flock(2)) on the folder.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{self as rfs, CWD, FlockOperation, Mode, OFlags};
use rustix::process::{Gid, Uid};
use serde::{Deserialize, Serialize};

use super::Record;
use super::delete;
use super::error::{Doing, Error};
use crate::sys::no_links;

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
pub(super) const STATE: &str = "state";
const NEW_STATE: &str = "state.new";

/// A stage on disk, locked by this process.
#[derive(Debug)]
pub struct Stage {
    folder: PathBuf,
    pub(super) at: OwnedFd,
    pub(super) upper: OwnedFd,
    pub(super) tree: OwnedFd,
    record: Record,
}

/// What was left to be done when the last process that worked on a stage stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct State {
    /// The run ended in order and left its changes for review.
    pub is_for_review: bool,
    /// Changes that were refused.
    pub refused: u64,
    /// Changes in conflict.
    pub conflicts: u64,
    /// Changes that could not be applied.
    pub failed: u64,
}

impl Stage {
    /// Makes the stage of a new run.
    ///
    /// `tree` is an open descriptor of the work tree. The upper folder gets its mode, which the
    /// overlay shows as the tree's own. `owner` is the user and group that programs run as, where
    /// that is not the caller.
    ///
    /// # Errors
    /// Where something is there already, or cannot be made.
    pub fn create(
        folder: &Path,
        record: Record,
        tree: OwnedFd,
        owner: Option<(u32, u32)>,
    ) -> io::Result<Stage> {
        DirBuilder::new().mode(0o700).create(folder)?;
        let at = rfs::openat(CWD, folder, FOLDER | OFlags::RDONLY, Mode::empty())?;
        rfs::flock(&at, FlockOperation::NonBlockingLockExclusive)?;
        write_new(at.as_fd(), "record.json", &serde_json::to_vec(&record)?)?;
        for name in ["upper", "work"] {
            rfs::mkdirat(&at, name, Mode::RWXU)?;
        }
        let open = |name: &str| rfs::openat(&at, name, FOLDER | OFlags::RDONLY, Mode::empty());
        let (upper, work) = (open("upper")?, open("work")?);
        if let Some((uid, gid)) = owner {
            let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            rfs::fchown(&upper, uid, gid)?;
            rfs::fchown(&work, uid, gid)?;
        }
        let found = rfs::fstat(&tree)?;
        let mut mode = found.st_mode & 0o1777;
        // New files in a folder with this bit get its group.
        if found.st_mode & 0o2000 != 0
            && rfs::fchown(&upper, None, Some(Gid::from_raw(found.st_gid))).is_ok()
        {
            mode |= 0o2000;
        }
        rfs::fchmod(&upper, Mode::from_raw_mode(mode))?;
        Ok(Stage {
            folder: folder.to_owned(),
            at,
            upper,
            tree,
            record,
        })
    }

    /// Opens the stage of an earlier run.
    ///
    /// # Errors
    /// [`Error::Running`] where another process holds the lock; or where the stage or its work tree
    /// is not what it should be.
    pub fn open(folder: &Path) -> Result<Stage, Error> {
        let (at, record) = open_locked(folder)?;
        let uid = rustix::process::geteuid();
        if let (false, Some((owner, _))) = (uid.is_root(), record.identity)
            && owner != uid.as_raw()
        {
            return Err(Error::Identity {
                run: record.run,
                uid: owner,
            });
        }
        let open = |name: &str| rfs::openat(&at, name, FOLDER | OFlags::PATH, Mode::empty());
        let upper = open("upper").doing(|| format!("open {}", folder.join("upper").display()))?;
        let tree = open_tree(&record)?;
        Ok(Stage {
            folder: folder.to_owned(),
            at,
            upper,
            tree,
            record,
        })
    }

    /// The stage's own folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder for the overlay's `upperdir`.
    pub fn upper(&self) -> PathBuf {
        self.folder.join("upper")
    }

    /// The folder for the overlay's `workdir`.
    pub fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// What was written down when the run began.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Removes the stage and everything in it. The work tree stays as it is.
    ///
    /// # Errors
    /// Where something cannot be removed.
    pub fn discard(self) -> Result<(), Error> {
        remove(&self.folder, self.at.as_fd())
    }

    /// Leaves the stage on disk for a review.
    pub fn keep(self) {
        self.mark_for_review();
    }

    /// Writes down that the run ended in order and its changes wait for a review.
    pub fn mark_for_review(&self) {
        self.note(&State {
            is_for_review: true,
            ..State::default()
        });
    }

    /// Writes down what is left. A state that cannot be written is shown as an interrupted run.
    pub(super) fn note(&self, state: &State) {
        let Ok(text) = serde_json::to_vec(state) else {
            return;
        };
        self.forget();
        let _shown_as_interrupted = self.write_state(&text);
    }

    /// From here on the stage is one that was interrupted, until [`Stage::note`] says otherwise.
    pub(super) fn forget(&self) {
        let _absent_is_fine = rfs::unlinkat(&self.at, STATE, rfs::AtFlags::empty());
    }

    /// Writes the state's file, whose time says when the stage expires ([`end`]). It gets its name
    /// last: a kill in between leaves an interrupted stage and not one that has expired.
    fn write_state(&self, text: &[u8]) -> io::Result<()> {
        let end = SystemTime::now().checked_add(Duration::from_secs(self.record.keep_for));
        let _absent_is_fine = rfs::unlinkat(&self.at, NEW_STATE, rfs::AtFlags::empty());
        let file = write_new(self.at.as_fd(), NEW_STATE, text)?;
        file.set_modified(end.ok_or(io::ErrorKind::InvalidInput)?)?;
        Ok(rfs::renameat(&self.at, NEW_STATE, &self.at, STATE)?)
    }
}

/// When a stage expires: the time of its state's file. `None` without such a file.
///
/// The time is of that file and not of the stage's folder, since work on the stage changes the folder.
pub(super) fn end(at: BorrowedFd<'_>, state: &Path) -> Option<SystemTime> {
    let found = rfs::statat(at, state, rfs::AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let seconds = u64::try_from(found.st_mtime).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Opens and locks a stage, and reads its record.
pub(super) fn open_locked(folder: &Path) -> Result<(OwnedFd, Record), Error> {
    let at = rfs::openat(CWD, folder, FOLDER | OFlags::RDONLY, Mode::empty())
        .doing(|| format!("open {}", folder.display()))?;
    if !lock(&at) {
        return Err(Error::Running {
            run: run_of(folder),
        });
    }
    let record = read_record(folder, at.as_fd())?;
    Ok((at, record))
}

/// Takes the lock. Who only looks at a stage holds it for a moment, so that this waits for one.
pub(super) fn lock(at: impl AsFd) -> bool {
    for _ in 0..20 {
        if rfs::flock(&at, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    false
}

/// The run's name, from that of its stage.
pub(super) fn run_of(folder: &Path) -> String {
    let name = folder.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

pub(super) fn read_record(folder: &Path, at: BorrowedFd<'_>) -> Result<Record, Error> {
    let path = folder.join("record.json");
    let text = read(at, "record.json").doing(|| format!("read {}", path.display()))?;
    let wrong = |cause: String| Error::Record {
        path: path.clone(),
        cause,
    };
    let record: Record = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    if record.schema != Record::SCHEMA {
        return Err(wrong(format!(
            "this version of gosandbox does not know schema {}",
            record.schema
        )));
    }
    Ok(record)
}

pub(super) fn read_state(at: BorrowedFd<'_>) -> Option<State> {
    serde_json::from_slice(&read(at, STATE).ok()?).ok()
}

fn read(at: BorrowedFd<'_>, name: &str) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut text = Vec::new();
    File::from(rfs::openat(at, name, flags, Mode::empty())?).read_to_end(&mut text)?;
    Ok(text)
}

fn write_new(at: BorrowedFd<'_>, name: &str, text: &[u8]) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(rfs::openat(at, name, flags, Mode::from_raw_mode(0o600))?);
    file.write_all(text)?;
    Ok(file)
}

/// Opens the work tree that a record names. A folder that is on the way may have been exchanged for
/// a link, or the tree for another folder: both are refused.
fn open_tree(record: &Record) -> Result<OwnedFd, Error> {
    let other = || Error::OtherTree {
        tree: record.tree.clone(),
    };
    let flags = FOLDER | OFlags::PATH;
    let tree = no_links::open_absolute(&record.tree, flags)
        .doing(|| format!("open {}", record.tree.display()))?;
    let found = rfs::fstat(&tree).map_err(|_| other())?;
    match (found.st_dev, found.st_ino) == record.tree_identity {
        true => Ok(tree),
        false => Err(other()),
    }
}

/// Removes a stage whose lock is held.
pub(super) fn remove(folder: &Path, at: BorrowedFd<'_>) -> Result<(), Error> {
    let action = || format!("remove {}", folder.display());
    // The record goes last: what is left of a stage without one is removed by a later run.
    for name in ["upper", "work"] {
        delete::everything(at, name).doing(action)?;
    }
    for name in ["journal", NEW_STATE, STATE, "record.json"] {
        match rfs::unlinkat(at, name, rfs::AtFlags::empty()) {
            Err(rustix::io::Errno::NOENT) => {}
            done => done.doing(action)?,
        }
    }
    fs::remove_dir(folder).doing(action)
}
