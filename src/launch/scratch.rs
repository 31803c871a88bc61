//! Folders on disk that belong to one run: made before it, removed after it. Those of a run that
//! crashed are removed by a later one, after its command has started.
//!
//! A folder in use is locked (flock(2)) by the launcher; the lock goes with it.

use crate::policy::places::PROGRAM_PLAN;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{
    AtFlags, Dir, FlockOperation, Gid, Mode, OFlags, Uid, chownat, flock, mkdirat, openat, statat,
    symlinkat,
};
use rustix::io::Errno;

use super::{Error, placeholder, remove};
use crate::files::{Follow, Step, Stop};
use crate::plan::{Isolation, Plan, Scratch};

/// A folder is made before it is locked: one as young as this is left alone.
const YOUNG: Duration = Duration::from_secs(60);

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The folders of a run, while it lasts. All is reached from the descriptor of the folder above, which is the caller's own.
#[derive(Debug)]
pub struct Guard {
    base: OwnedFd,
    path: PathBuf,
    name: OsString,
    _lock: Option<File>,
}

impl Guard {
    /// Makes the folders, owned by the user that the run changes to.
    ///
    /// # Errors
    /// They cannot be made; the folder above is not the caller's own.
    pub fn make(scratch: &Scratch, plan: &Plan) -> Result<Guard, Error> {
        make(scratch, plan).map_err(|e| {
            Error::launcher(format!("make the folder {}", scratch.folder.display()), e)
        })
    }

    /// Removes what is in the folders, for which nobody has to wait.
    pub fn clear(&self) {
        remove::content(self.base.as_fd(), &self.name);
    }

    /// Removes what earlier runs left beside this one's folder. What cannot be removed stays.
    pub fn sweep(&self) {
        let Ok(entries) = Dir::read_from(&self.base) else {
            return;
        };
        for entry in entries.flatten() {
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != self.name && is_runs(&self.base, name) {
                sweep_one(&self.base, name, &self.path.join(name));
            }
        }
    }
}

/// Removes the folders; what cannot be removed stays and is tried again by a later run.
impl Drop for Guard {
    fn drop(&mut self) {
        remove::tree(self.base.as_fd(), &self.name);
    }
}

fn make(scratch: &Scratch, plan: &Plan) -> io::Result<Guard> {
    let identity = &plan.identity;
    let owner = identity.switch.then_some((identity.uid, identity.gid));
    let (Some(parent), Some(name)) = (scratch.folder.parent(), scratch.folder.file_name()) else {
        return Err(Errno::INVAL.into());
    };
    let base = own_folder(parent)?;
    mkdirat(&base, name, Mode::RWXU)?;
    let guard = Guard {
        _lock: lock(&base, name),
        path: parent.to_owned(),
        name: name.to_owned(),
        base,
    };
    let folder = openat(&guard.base, name, FOLDER, Mode::empty())?;
    for part in &scratch.parts {
        mkdirat(&folder, part, Mode::RWXU)?;
    }
    if let Some((link, to)) = &scratch.link {
        symlinkat(to, &folder, link)?;
    }
    if let (Isolation::Shared, Some(program)) = (&plan.isolation, &plan.program) {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&folder, PROGRAM_PLAN, flags, Mode::from_raw_mode(0o644))?;
        File::from(file).write_all(&serde_json::to_vec(program)?)?;
    }
    if let Some((uid, gid)) = owner {
        // What holds the others last: from then on its owner can exchange them.
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        let link = scratch.link.iter().map(|(link, _)| link);
        for part in scratch.parts.iter().chain(link) {
            chownat(&folder, part, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        rustix::fs::fchown(&folder, uid, gid)?;
    }
    Ok(guard)
}

/// The folder of all runs, which only the caller can write.
fn own_folder(path: &Path) -> io::Result<OwnedFd> {
    let mut step = Step::start(path)?;
    let stop = step.walk(Follow::None, None)?;
    let found = *step.found();
    let is_own = found.st_uid == rustix::process::geteuid().as_raw() && found.st_mode & 0o022 == 0;
    if stop != Stop::There || !is_own {
        return Err(Errno::PERM.into());
    }
    step.open_folder()
}

/// `None`: another process has it, or the file system knows no locks (then nothing is ever swept).
fn lock(base: &OwnedFd, name: &OsStr) -> Option<File> {
    let file = openat(base, name, FOLDER, Mode::empty()).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file.into())
}

/// Sixteen hexadecimal digits, as every run's folder is named, and old enough.
fn is_runs(base: &OwnedFd, name: &OsStr) -> bool {
    let is_digits = name.len() == 16
        && name
            .as_encoded_bytes()
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_old = || {
        let found = statat(base, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let changed = Duration::from_secs(u64::try_from(found.st_mtime).ok()?);
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed);
        Some(age.ok()? > YOUNG)
    };
    is_digits && is_old().unwrap_or(false)
}

fn sweep_one(base: &OwnedFd, name: &OsStr, path: &Path) {
    if let Some(_lock) = lock(base, name) {
        placeholder::sweep(path);
        remove::tree(base.as_fd(), name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Timespec, Timestamps, utimensat};
    use std::fs;

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
        let folder = openat(CWD, base.path(), FOLDER, Mode::empty()).unwrap();
        let _held = lock(&folder, live.file_name().unwrap()).unwrap();
        let name = own.file_name().unwrap().to_owned();
        let guard = Guard {
            _lock: lock(&folder, &name),
            path: base.path().to_owned(),
            name,
            base: folder,
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
