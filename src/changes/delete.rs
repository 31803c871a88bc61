//! Deletes a folder and everything in it by descriptors, whatever is in it and however deep it is.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Stat};
use rustix::io::Errno;

use super::open;
use super::steps::step;

/// Open descriptors at a time. What was opened earlier is opened again when it is needed.
const WINDOW: usize = 64;

/// What stays, decided name by name.
pub(super) trait Spare {
    /// Whether this stays, and with it the folders above it.
    fn stays(&self, name: &CStr, found: &Stat) -> bool;
    /// Whether a folder with these names stays with everything in it.
    fn folder_stays(&self, names: &[CString]) -> bool;
}

/// Nothing stays.
struct Nothing;

impl Spare for Nothing {
    fn stays(&self, _: &CStr, _: &Stat) -> bool {
        false
    }

    fn folder_stays(&self, _: &[CString]) -> bool {
        false
    }
}

/// Deletes `name` and everything in it. A name that is not there is no error.
pub(super) fn everything(at: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let name = CString::new(name)?;
    match below(at, &name, &Nothing)? {
        0 => Ok(()),
        _ => Err(Errno::NOTEMPTY.into()),
    }
}

/// Whether a folder is there and empty.
pub(super) fn is_empty(at: BorrowedFd<'_>, name: &str) -> bool {
    let folder = fs::openat(at, name, open::FOLDER | fs::OFlags::PATH, fs::Mode::empty());
    folder.is_ok_and(|folder| open::is_empty(folder.as_fd()).unwrap_or(false))
}

/// A folder that is being emptied.
struct Level {
    name: CString,
    left: Vec<CString>,
}

/// Deletes `name` and everything in it, except what stays. The number of names that stayed.
///
/// # Errors
/// The first one. What can be deleted is deleted all the same.
pub(super) fn below(at: BorrowedFd<'_>, name: &CStr, spare: &dyn Spare) -> io::Result<u64> {
    walk(at, name, spare, true)
}

/// The number of names that would stay. Nothing is deleted or changed.
///
/// # Errors
/// Where a folder cannot be listed.
pub(super) fn would_stay(at: BorrowedFd<'_>, name: &CStr, spare: &dyn Spare) -> io::Result<u64> {
    walk(at, name, spare, false)
}

fn walk(at: BorrowedFd<'_>, name: &CStr, spare: &dyn Spare, deletes: bool) -> io::Result<u64> {
    let mut walk = Walk {
        at,
        spare,
        deletes,
        levels: Vec::new(),
        open: VecDeque::new(),
        stayed: 0,
        first_error: None,
    };
    walk.take(at, name.to_owned())?;
    while !walk.levels.is_empty() {
        walk.next()?;
    }
    match walk.first_error {
        Some(error) => Err(error),
        None => Ok(walk.stayed),
    }
}

struct Walk<'a> {
    at: BorrowedFd<'a>,
    spare: &'a dyn Spare,
    deletes: bool,
    levels: Vec<Level>,
    /// The innermost levels' folders, the last of `levels` last.
    open: VecDeque<OwnedFd>,
    stayed: u64,
    first_error: Option<io::Error>,
}

impl Walk<'_> {
    fn next(&mut self) -> io::Result<()> {
        let Some(level) = self.levels.last_mut() else {
            return Ok(());
        };
        let next = level.left.pop();
        if self.open.is_empty() {
            self.reopen()?;
        }
        match next {
            Some(name) => {
                let Some(folder) = self.open.back() else {
                    return Ok(());
                };
                let folder = folder.try_clone()?;
                self.take(folder.as_fd(), name)
            }
            None => self.leave(),
        }
    }

    /// Deletes a name, or enters it where it is a folder.
    fn take(&mut self, folder: BorrowedFd<'_>, name: CString) -> io::Result<()> {
        let found = match fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            found => found?,
        };
        if self.spare.stays(&name, &found) {
            self.stayed += 1;
            return Ok(());
        }
        let is_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
        if !is_folder {
            if !self.deletes {
                return Ok(());
            }
            step()?;
            self.noted(fs::unlinkat(folder, &name, AtFlags::empty()));
            return Ok(());
        }
        let opened = match self.deletes {
            true => open::to_empty(folder, &name),
            false => open::place(folder, &name),
        };
        let listed = opened
            .map_err(io::Error::from)
            .and_then(|folder| Ok((open::names(folder.as_fd())?, folder)));
        match listed {
            Ok((left, folder)) => {
                let left: Vec<_> = left.into_iter().map(|(name, _)| name).collect();
                if self.spare.folder_stays(&left) {
                    self.stayed += 1;
                    return Ok(());
                }
                self.levels.push(Level { name, left });
                self.open.push_back(folder);
                if self.open.len() > WINDOW {
                    self.open.pop_front();
                }
            }
            Err(error) => {
                self.first_error.get_or_insert(error);
            }
        }
        Ok(())
    }

    /// Removes the innermost folder, which has been gone through.
    fn leave(&mut self) -> io::Result<()> {
        self.open.pop_back();
        let Some(level) = self.levels.pop() else {
            return Ok(());
        };
        if self.open.is_empty() && !self.levels.is_empty() {
            self.reopen()?;
        }
        if !self.deletes {
            return Ok(());
        }
        step()?;
        let parent = self.open.back().map_or(self.at, AsFd::as_fd);
        match fs::unlinkat(parent, &level.name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY) if self.stayed > 0 || self.first_error.is_some() => {}
            done => self.noted(done),
        }
        Ok(())
    }

    /// Opens the innermost folders again, from the top.
    fn reopen(&mut self) -> io::Result<()> {
        let mut folder = None::<OwnedFd>;
        for level in &self.levels {
            let at = folder.as_ref().map_or(self.at, AsFd::as_fd);
            let opened = open::place(at, &level.name)?;
            self.open.push_back(opened.try_clone()?);
            if self.open.len() > WINDOW {
                self.open.pop_front();
            }
            folder = Some(opened);
        }
        Ok(())
    }

    fn noted(&mut self, done: Result<(), Errno>) {
        if let Err(error) = done
            && error != Errno::NOENT
        {
            self.first_error.get_or_insert(error.into());
        }
    }
}
