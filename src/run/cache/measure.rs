//! How much a folder takes up, whatever programs have made in it.
//!
//! By descriptors, of which two are open at a time: no link is followed, no mount entered, and no depth exhausts anything.

use std::collections::HashSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, statat,
};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::files::FileId;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A folder on the way down, and the folders in it that are left to be measured.
struct Level {
    id: FileId,
    left: Vec<CString>,
}

/// The bytes that a folder and what is in it take up on disk. What cannot be read counts as nothing.
pub(super) fn bytes(within: impl AsFd, name: impl Arg) -> u64 {
    let Ok(top) = openat(within, name, FOLDER, Mode::empty()) else {
        return 0;
    };
    let mut sum = Sum::default();
    let _measured_so_far = sum.walk(top);
    sum.bytes
}

#[derive(Default)]
struct Sum {
    bytes: u64,
    /// Files with several names that were counted.
    counted: HashSet<(u64, u64)>,
}

impl Sum {
    fn walk(&mut self, top: OwnedFd) -> io::Result<()> {
        self.add(&fstat(&top)?);
        let mut levels = vec![self.level(&top)?];
        let mut at = top;
        while let Some(level) = levels.last_mut() {
            if let Some(name) = level.left.pop() {
                if let Ok(folder) = enter(at.as_fd(), &name)
                    && let Ok(level) = self.level(&folder)
                {
                    levels.push(level);
                    at = folder;
                }
                continue;
            }
            levels.pop();
            let Some(above) = levels.last() else {
                break;
            };
            at = openat(&at, "..", FOLDER, Mode::empty())?;
            if FileId::of(&fstat(&at)?) != above.id {
                // It was moved meanwhile.
                return Err(Errno::STALE.into());
            }
        }
        Ok(())
    }

    /// Counts what is in a folder.
    fn level(&mut self, folder: &OwnedFd) -> io::Result<Level> {
        let mut left = Vec::new();
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(found) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            self.add(&found);
            if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                left.push(name.to_owned());
            }
        }
        let id = FileId::of(&fstat(folder)?);
        Ok(Level { id, left })
    }

    fn add(&mut self, found: &Stat) {
        const BLOCK: u64 = 512;
        let is_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
        let is_known =
            !is_folder && found.st_nlink > 1 && !self.counted.insert((found.st_dev, found.st_ino));
        if !is_known {
            let blocks = u64::try_from(found.st_blocks).unwrap_or_default();
            self.bytes = self.bytes.saturating_add(blocks.saturating_mul(BLOCK));
        }
    }
}

/// Goes into a folder that is on the same mount.
fn enter(at: BorrowedFd<'_>, name: &CString) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    match openat2(at, name, FOLDER, Mode::empty(), resolve) {
        // Container filters hide openat2(2).
        Err(Errno::NOSYS | Errno::PERM) => openat(at, name, FOLDER, Mode::empty()),
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::CWD;

    use super::*;

    #[test]
    fn a_file_of_two_names_counts_once_and_a_link_leads_nowhere() {
        let base = tempfile::tempdir().unwrap();
        let (cache, outside) = (base.path().join("cache"), base.path().join("outside"));
        fs::create_dir_all(cache.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        let empty = bytes(CWD, &cache);
        fs::write(outside.join("large"), vec![1; 1 << 20]).unwrap();
        symlink(&outside, cache.join("a/b/link")).unwrap();
        assert!(bytes(CWD, &cache) < empty + (1 << 20));
        fs::write(cache.join("a/file"), vec![1; 1 << 20]).unwrap();
        let one = bytes(CWD, &cache);
        assert!(one >= empty + (1 << 20));
        fs::hard_link(cache.join("a/file"), cache.join("a/b/again")).unwrap();
        assert_eq!(bytes(CWD, &cache), one);
    }
}
