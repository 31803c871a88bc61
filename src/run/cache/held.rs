//! What marks a cache as in use, and when it was used last.
//!
//! A run holds a shared lock (flock(2)) on the folder for as long as its launcher lives, and sets the folder's time. Who
//! removes a cache holds the lock alone.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{
    FlockOperation, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, flock, fstat, futimens,
    openat,
};
use rustix::io::Errno;
use rustix::path::Arg;

/// A folder's time is set no more often than this.
const FRESH: Duration = Duration::from_secs(60 * 60);

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Opens a folder of another one for its lock: not through a link.
pub(super) fn open(within: impl AsFd, name: impl Arg) -> Option<OwnedFd> {
    openat(within, name, FOLDER, Mode::empty()).ok()
}

/// How often it is tried to hold a folder that somebody else has locked: who lists caches locks each for a moment.
const TRIES: u32 = 20;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(1);

/// Marks a folder as in use, until the descriptor is closed, and notes the time. `None` where it is just being removed,
/// is gone, or cannot be opened.
pub(in crate::run) fn hold(within: impl AsFd, name: impl Arg) -> Option<(OwnedFd, Stat)> {
    let folder = open(within, name)?;
    let mut tries = 1;
    while let Err(error) = flock(&folder, FlockOperation::NonBlockingLockShared) {
        if error != Errno::WOULDBLOCK || tries == TRIES {
            return None;
        }
        tries += 1;
        std::thread::sleep(PAUSE);
    }
    let found = fstat(&folder).ok()?;
    if found.st_nlink == 0 {
        return None;
    }
    if age(found.st_mtime) >= FRESH {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        };
        let times = Timestamps {
            last_access: now,
            last_modification: now,
        };
        // One that cannot be set makes the cache look older than it is.
        let _looks_older = futimens(&folder, &times);
    }
    Some((folder, found))
}

/// Locks a folder for its removal. `None`: something uses it, or its file system knows no locks.
pub(super) fn seize(folder: &OwnedFd) -> Option<()> {
    flock(folder, FlockOperation::NonBlockingLockExclusive).ok()
}

/// Whether something holds the folder.
pub(super) fn is_held(folder: &OwnedFd) -> bool {
    let is_held = seize(folder).is_none();
    let _it_is_closed_next = flock(folder, FlockOperation::Unlock);
    is_held
}

/// When a cache was used last, in seconds. What runs inside can set the first of a folder's two times.
pub(super) fn used(found: &Stat) -> i64 {
    found.st_mtime.min(found.st_ctime)
}

/// How long ago a moment was; nothing for one that is still to come.
pub(super) fn age(moment: i64) -> Duration {
    let moment = UNIX_EPOCH + Duration::from_secs(u64::try_from(moment).unwrap_or_default());
    SystemTime::now().duration_since(moment).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rustix::fs::CWD;

    use super::*;

    #[test]
    fn a_folder_is_held_by_many_or_removed_by_one() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("cache");
        std::fs::create_dir(&path).unwrap();
        let look = || is_held(&open(CWD, &path).unwrap());
        assert!(!look());
        let (first, second) = (hold(CWD, &path), hold(CWD, &path));
        assert!(first.is_some() && second.is_some() && look());
        drop(first);
        assert!(look());
        drop(second);
        assert!(!look());
        let remover = open(CWD, &path).unwrap();
        seize(&remover).unwrap();
        assert!(hold(CWD, &path).is_none());
        std::fs::remove_dir(&path).unwrap();
        // Whoever has opened it before cannot take it for one that lasts.
        let opened = format!(
            "/proc/self/fd/{}",
            std::os::fd::AsRawFd::as_raw_fd(&remover)
        );
        flock(&remover, FlockOperation::Unlock).unwrap();
        assert!(hold(CWD, opened + "/.").is_none());
        std::os::unix::fs::symlink(base.path(), &path).unwrap();
        assert!(hold(CWD, &path).is_none());
    }

    #[test]
    fn a_time_to_come_is_not_when_a_cache_was_used() {
        let base = tempfile::tempdir().unwrap();
        let folder = open(CWD, base.path()).unwrap();
        let long = SystemTime::now() + Duration::from_secs(1 << 30);
        std::fs::File::from(folder.try_clone().unwrap())
            .set_modified(long)
            .unwrap();
        let used = used(&fstat(&folder).unwrap());
        assert!(UNIX_EPOCH + Duration::from_secs(used.cast_unsigned()) <= SystemTime::now());
    }
}
