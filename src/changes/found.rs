//! The stages that earlier runs have left in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use std::os::fd::{AsFd, OwnedFd};

use super::error::Error;
use super::stage::{self, State};
use super::{Record, delete};

const SUFFIX: &str = ".stage";

/// A stage without a record is being made, or its making was interrupted.
const YOUNG: Duration = Duration::from_secs(60);

/// A stage that was found on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its folder, for [`super::Stage::open`].
    pub folder: PathBuf,
    /// What was written down when the run began.
    pub record: Record,
    /// Whether a process works on it: the run has not ended.
    pub is_running: bool,
    /// What is left to be done. `None`: the run was interrupted.
    pub state: Option<State>,
}

/// The stages in a folder, newest first. What is no stage is left out.
pub fn list(base: &Path) -> Vec<Found> {
    let mut found: Vec<Found> = folders(base).filter_map(look).collect();
    found.sort_by_key(|found| std::cmp::Reverse(found.record.started));
    found
}

/// Why the record of a stage cannot be understood, as of one that another version of gosandbox has made. A stage without
/// a record is being made, or its making was interrupted.
pub fn unreadable(base: &Path) -> Vec<(String, Error)> {
    let error = |folder: PathBuf| {
        let at = open(&folder)?;
        let error = stage::read_record(&folder, at.as_fd()).err()?;
        let is_there = matches!(error, Error::Record { .. });
        is_there.then(|| (stage::run_of(&folder), error))
    };
    folders(base).filter_map(error).collect()
}

fn look(folder: PathBuf) -> Option<Found> {
    let at = open(&folder)?;
    let record = stage::read_record(&folder, at.as_fd()).ok()?;
    // A shared lock: two that look at the same time do not see each other as running.
    let is_running = rustix::fs::flock(&at, FlockOperation::NonBlockingLockShared).is_err();
    let state = stage::read_state(at.as_fd());
    Some(Found {
        folder,
        record,
        is_running,
        state,
    })
}

/// Removes a stage, also one whose work tree is gone. The work tree stays as it is.
///
/// # Errors
/// Where another process works on it, or something cannot be removed.
pub fn discard(folder: &Path) -> Result<(), Error> {
    let (at, _) = stage::open_locked(folder)?;
    stage::remove(folder, at.as_fd())
}

/// Removes the stages whose time is over. One that a process works on stays.
pub fn sweep(base: &Path) {
    let now = SystemTime::now();
    for folder in folders(base) {
        // Most stages are kept for a user. This look spares each run to open them and read their records.
        if stage::end(CWD, &folder.join(stage::STATE)).is_some_and(|end| end > now) {
            continue;
        }
        let Some(at) = open(&folder) else {
            continue;
        };
        if rustix::fs::flock(&at, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        if is_over(&folder, &at, now) {
            let _a_later_run_tries_again = stage::remove(&folder, at.as_fd());
        }
    }
}

/// Whether a stage whose lock is held is kept for nobody.
fn is_over(folder: &Path, at: &OwnedFd, now: SystemTime) -> bool {
    if let Some(end) = stage::end(at.as_fd(), stage::STATE.as_ref()) {
        return end <= now;
    }
    let keep_for = match stage::read_record(folder, at.as_fd()) {
        // The run was interrupted before a program had changed anything, or the stage was whole.
        _ if holds_nothing(at) => YOUNG,
        Ok(record) => Duration::from_secs(record.keep_for),
        Err(_) => return false,
    };
    age(at).is_some_and(|age| age > keep_for)
}

/// Whether no program has written anything to it: its folder for that is not there yet, or is empty.
fn holds_nothing(at: &OwnedFd) -> bool {
    lacks(at, "upper") || delete::is_empty(at.as_fd(), "upper")
}

fn lacks(at: &OwnedFd, name: &str) -> bool {
    let found = rustix::fs::statat(at, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
    found.err() == Some(rustix::io::Errno::NOENT)
}

/// Time since something was added to or removed from the stage's own folder.
fn age(at: &OwnedFd) -> Option<Duration> {
    let found = rustix::fs::fstat(at).ok()?;
    let seconds = u64::try_from(found.st_mtime).ok()?;
    let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    SystemTime::now().duration_since(changed).ok()
}

fn open(folder: &Path) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, folder, flags, Mode::empty()).ok()
}

/// Folders that are named as a stage is: the sixteen hexadecimal digits of a run.
fn folders(base: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.strip_suffix(SUFFIX.as_bytes()).is_some_and(|run| {
            run.len() == 16
                && run
                    .iter()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    })
}
