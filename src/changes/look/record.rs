//! What is written down before the command starts, so that a later process can look after a launcher that
//! was killed: `RUN.look` beside the run's folder. Whoever works on it holds a lock (flock(2)) on the file.

use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{self as rfs, AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::super::error::{Doing, Error};
use super::super::{open, stage};
use super::before::Before;
use super::launcher::Launcher;
use super::seen::{Born, born};

const SUFFIX: &str = "look";
/// The name of a file that is being written.
const NEW: &str = "look-new";
/// A file that is being written is as young as this.
const YOUNG: Duration = Duration::from_secs(60);
/// A work tree that is gone may come back: it was moved.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// So long another process may look, or init may kill.
const PATIENCE: Duration = Duration::from_secs(60);
/// The kernel ends a pid namespace a moment after the launcher.
const DYING: Duration = Duration::from_millis(200);

/// Which folder a work tree is. A file system may give the number of a folder that was removed to the next
/// one, so that the time of its making counts too, where the file system has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TreeId {
    /// Its canonical path.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    dev: u64,
    ino: u64,
    born: Option<Born>,
}

impl TreeId {
    /// Whether both are the same folder.
    pub fn is(&self, other: &TreeId) -> bool {
        let is_born = self.born.is_none() || other.born.is_none() || self.born == other.born;
        (self.dev, self.ino) == (other.dev, other.ino) && is_born
    }
}

/// Opens a work tree. A link on the way is refused.
pub(super) fn open_tree(path: &Path) -> Result<(OwnedFd, TreeId), Error> {
    let doing = || format!("open {}", path.display());
    let flags = open::FOLDER | OFlags::PATH;
    let tree = crate::sys::no_links::open_absolute(path, flags).doing(doing)?;
    let found = rfs::fstat(&tree).doing(doing)?;
    let id = TreeId {
        path: path.to_owned(),
        dev: found.st_dev,
        ino: found.st_ino,
        born: born(tree.as_fd(), c""),
    };
    Ok((tree, id))
}

/// What a look after a run needs, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LookRecord {
    /// Version of this file.
    pub schema: u32,
    /// Name of the run: sixteen hexadecimal digits.
    pub run: String,
    /// When the run began, in seconds.
    pub started: i64,
    /// The process that started the run. `None`: the lock alone says whether it is alive.
    pub launcher: Option<Launcher>,
    /// The command's words, for a reader.
    pub command: Vec<String>,
    /// Name of the profile, for a reader.
    pub profile: String,
    /// The user and group that look, where root has to become them. `None`: the caller, and root where the
    /// work tree is root's own.
    pub identity: Option<(u32, u32)>,
    /// Sockets and empty files that the launcher makes for the run, relative to the work tree.
    #[serde(with = "crate::paths")]
    pub decoys: Vec<PathBuf>,
    /// What was there before the run.
    pub before: Before,
}

impl LookRecord {
    /// The version of the file that this program writes and reads.
    pub const SCHEMA: u32 = 1;

    fn has_launcher(&self) -> bool {
        self.launcher.as_ref().is_none_or(Launcher::is_alive)
    }
}

/// A record on disk, locked by this process.
#[derive(Debug)]
pub(super) struct Held {
    base: OwnedFd,
    name: OsString,
    _lock: File,
}

impl Held {
    /// Writes a record to the disk, in the folder of all runs.
    pub fn write(base: &Path, record: &LookRecord) -> io::Result<Held> {
        let text = serde_json::to_vec(record)?;
        let base = rfs::openat(CWD, base, open::FOLDER | OFlags::RDONLY, Mode::empty())?;
        let (new, name) = (
            format!("{}.{NEW}", record.run),
            format!("{}.{SUFFIX}", record.run),
        );
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(rfs::openat(&base, &new, flags, Mode::from_raw_mode(0o600))?);
        // On a file system without locks nobody ever finds that the run has ended.
        let _shown_as_running = rfs::flock(&file, FlockOperation::NonBlockingLockExclusive);
        file.write_all(&text)?;
        file.sync_all()?;
        rfs::renameat(&base, &new, &base, &name)?;
        rfs::fsync(&base)?;
        Ok(Held {
            base,
            name: name.into(),
            _lock: file,
        })
    }

    /// Removes the record: everything was looked at.
    pub fn remove(self) {
        let _looked_at_once_more = rfs::unlinkat(&self.base, &self.name, AtFlags::empty());
    }
}

/// A run after which nobody has looked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchecked {
    /// The file of its record, for [`super::Look::open`].
    pub file: PathBuf,
    /// The record.
    pub record: LookRecord,
    /// Whether the launcher has not ended.
    pub is_running: bool,
}

/// The runs in a folder after which nobody has looked yet, newest first.
pub fn list(base: &Path) -> Vec<Unchecked> {
    let (records, _) = files(base);
    unchecked(records)
}

fn unchecked(records: Vec<PathBuf>) -> Vec<Unchecked> {
    let mut found: Vec<Unchecked> = records
        .into_iter()
        .filter_map(|file| {
            let mut opened = open_file(&file).ok()?;
            let record = read(&file, &mut opened).ok()?;
            // A shared lock: two that look at the same time do not see each other as running.
            let locked = rfs::flock(&opened, FlockOperation::NonBlockingLockShared);
            Some(Unchecked {
                file,
                is_running: locked.is_err() && record.has_launcher(),
                record,
            })
        })
        .collect();
    found.sort_by_key(|found| std::cmp::Reverse(found.record.started));
    found
}

/// Removes what nobody needs any more: records of work trees that are gone, and files whose writing was
/// interrupted, before a command had started. Yields the other records, as [`list`].
pub fn sweep(base: &Path) -> Vec<Unchecked> {
    let (records, interrupted) = files(base);
    for file in interrupted {
        if age(&file).is_some_and(|age| age > YOUNG) {
            let _a_later_run_tries_again = fs::remove_file(&file);
        }
    }
    let mut found = unchecked(records);
    found.retain(|found| {
        let is_old = age(&found.file).is_some_and(|age| age > KEPT);
        if found.is_running || !is_old || !is_gone(&found.record.before.tree) {
            return true;
        }
        match open_locked(&found.file, false) {
            Ok((held, _)) => {
                held.remove();
                false
            }
            Err(_) => true,
        }
    });
    found
}

fn is_gone(tree: &TreeId) -> bool {
    match open_tree(&tree.path) {
        Ok((_, id)) => !id.is(tree),
        Err(Error::System { cause, .. }) => {
            let gone = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP];
            Errno::from_io_error(&cause).is_some_and(|error| gone.contains(&error))
        }
        Err(_) => false,
    }
}

/// Time since a file was written.
fn age(file: &Path) -> Option<Duration> {
    let found = fs::symlink_metadata(file).ok()?;
    SystemTime::now()
        .duration_since(found.modified().ok()?)
        .ok()
}

/// Removes a record without a look.
///
/// # Errors
/// The run has not ended, or the record cannot be read.
pub fn forget(file: &Path) -> Result<(), Error> {
    let (held, _) = open_locked(file, false)?;
    held.remove();
    Ok(())
}

/// Opens and locks the record of a run that has ended. With `is_over` nothing of the run is alive any more.
pub(super) fn open_locked(file: &Path, is_over: bool) -> Result<(Held, LookRecord), Error> {
    let doing = || format!("open {}", file.display());
    let mut opened = open_file(file).doing(doing)?;
    let record = read(file, &mut opened)?;
    let start = Instant::now();
    // Init of a launcher that was killed kills what is inside, or another process looks.
    while !stage::lock(&opened) {
        if record.has_launcher() || start.elapsed() > PATIENCE {
            return Err(Error::Running {
                run: stage::run_of(file),
            });
        }
    }
    // Another process has looked and removed the name.
    if rfs::fstat(&opened).doing(doing)?.st_nlink == 0 {
        return Err(Errno::NOENT).doing(doing);
    }
    if is_over {
        std::thread::sleep(DYING);
    }
    let (Some(base), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(Errno::INVAL).doing(doing);
    };
    let flags = open::FOLDER | OFlags::RDONLY;
    let held = Held {
        base: rfs::openat(CWD, base, flags, Mode::empty()).doing(doing)?,
        name: name.to_owned(),
        _lock: opened,
    };
    Ok((held, record))
}

fn open_file(file: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let name = CString::new(file.as_os_str().as_encoded_bytes())?;
    Ok(rfs::openat(CWD, name, flags, Mode::empty())?.into())
}

fn read(path: &Path, file: &mut File) -> Result<LookRecord, Error> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)
        .doing(|| format!("read {}", path.display()))?;
    let wrong = |cause: String| Error::Record {
        path: path.to_owned(),
        cause,
    };
    let record: LookRecord =
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    match record.schema {
        LookRecord::SCHEMA => Ok(record),
        schema => Err(wrong(format!(
            "this version of gosandbox does not know schema {schema}"
        ))),
    }
}

/// The records of runs in a folder, and those that are being written.
fn files(base: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    let is_run = |path: &PathBuf| {
        let run = path.file_stem().unwrap_or_default().as_encoded_bytes();
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        run.len() == 16 && run.iter().all(is_hex)
    };
    let (mut records, mut interrupted) = (Vec::new(), Vec::new());
    for path in entries.map(|entry| entry.path()).filter(is_run) {
        match path.extension() {
            Some(suffix) if suffix == SUFFIX => records.push(path),
            Some(suffix) if suffix == NEW => interrupted.push(path),
            _ => {}
        }
    }
    (records, interrupted)
}
