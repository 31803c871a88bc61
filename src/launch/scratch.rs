//! Folders on disk that belong to one run: made before it, removed after it. Those of a run that
//! crashed are removed by a later one, after its command has started.
//!
//! A folder in use is locked (flock(2)) by the launcher; the lock goes with it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, lchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use super::{Error, placeholder, remove};
use crate::plan::{Isolation, PROGRAM_PLAN, Plan, Scratch};

/// A folder is made before it is locked: one as young as this is left alone.
const YOUNG: Duration = Duration::from_secs(60);

/// The folders of a run, while it lasts.
#[derive(Debug)]
pub struct Guard {
    folder: PathBuf,
    _lock: Option<File>,
}

impl Guard {
    /// Makes the folders, owned by the user that the run changes to.
    pub fn make(scratch: &Scratch, plan: &Plan) -> Result<Guard, Error> {
        make(scratch, plan).map_err(|e| {
            Error::launcher(format!("make the folder {}", scratch.folder.display()), e)
        })
    }

    /// Removes what is in the folders, for which nobody has to wait.
    pub fn clear(&self) {
        remove::content(&self.folder);
    }

    /// Removes what earlier runs left beside this one's folder. What cannot be removed stays.
    pub fn sweep(&self) {
        let Some(entries) = self
            .folder
            .parent()
            .and_then(|base| fs::read_dir(base).ok())
        else {
            return;
        };
        for entry in entries.flatten() {
            if entry.path() != self.folder && is_runs(&entry) {
                sweep_one(&entry.path());
            }
        }
    }
}

/// Removes the folders; what cannot be removed stays and is tried again by a later run.
impl Drop for Guard {
    fn drop(&mut self) {
        remove::tree(&self.folder);
    }
}

fn make(scratch: &Scratch, plan: &Plan) -> io::Result<Guard> {
    let identity = &plan.identity;
    let owner = identity.switch.then_some((identity.uid, identity.gid));
    make_folder(&scratch.folder)?;
    let guard = Guard {
        folder: scratch.folder.clone(),
        _lock: lock(&scratch.folder),
    };
    let parts = scratch.parts.iter().map(|part| scratch.folder.join(part));
    let parts: Vec<_> = parts.collect();
    parts.iter().try_for_each(|part| make_folder(part))?;
    if let (Isolation::Shared, Some(program)) = (&plan.isolation, &plan.program) {
        let content = serde_json::to_vec(program)?;
        fs::write(scratch.folder.join(PROGRAM_PLAN), content)?;
    }
    if let Some((uid, gid)) = owner {
        // What holds the others last: from then on its owner can exchange them.
        for folder in parts.iter().chain([&scratch.folder]) {
            lchown(folder, Some(uid), Some(gid))?;
        }
    }
    Ok(guard)
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// `None`: another process has it, or the file system knows no locks (then nothing is ever swept).
fn lock(folder: &Path) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(folder, flags, Mode::empty()).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file.into())
}

/// Sixteen hexadecimal digits, as every run's folder is named, and old enough.
fn is_runs(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let is_digits = name.len() == 16
        && name
            .as_encoded_bytes()
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_old = || {
        let changed = entry.metadata().ok()?.modified().ok()?;
        Some(SystemTime::now().duration_since(changed).ok()? > YOUNG)
    };
    is_digits && is_old().unwrap_or(false)
}

fn sweep_one(folder: &Path) {
    if let Some(_lock) = lock(folder) {
        placeholder::sweep(folder);
        remove::tree(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

    fn run_folder(base: &Path, name: &str, is_old: bool) -> PathBuf {
        let folder = base.join(name);
        fs::create_dir_all(folder.join("work/go-build1")).unwrap();
        fs::write(folder.join("work/go-build1/x.o"), "x").unwrap();
        if is_old {
            let long_ago = Timespec {
                tv_sec: 1_000_000,
                tv_nsec: 0,
            };
            let times = Timestamps {
                last_access: long_ago,
                last_modification: long_ago,
            };
            utimensat(CWD, &folder, &times, AtFlags::empty()).unwrap();
        }
        folder
    }

    #[test]
    fn what_a_crashed_run_left_is_swept_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let own = run_folder(base.path(), "00000000000000aa", true);
        let crashed = run_folder(base.path(), "00000000000000bb", true);
        let young = run_folder(base.path(), "00000000000000cc", false);
        let other = run_folder(base.path(), "something-else", true);
        let live = run_folder(base.path(), "00000000000000dd", true);
        let _held = lock(&live).unwrap();
        let guard = Guard {
            folder: own.clone(),
            _lock: lock(&own),
        };
        guard.sweep();
        assert!(!crashed.exists());
        for kept in [&own, &young, &other, &live] {
            assert!(kept.join("work/go-build1/x.o").exists(), "{kept:?}");
        }
        drop(guard);
        assert!(!own.exists());
    }
}
