//! The folders of entries as descriptors, a bounded number of them open at a time.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, Mode, OFlags};

use super::change::Entry;
use super::journal::{Journal, Line};
use super::open;

/// Open descriptors at a time. What was opened earlier is opened again when it is needed.
const WINDOW: usize = 64;

/// Folders that are known by the folder above and their own name. The first one is the top.
pub(super) trait Tree {
    fn parent(&self, index: u32) -> u32;
    fn name(&self, index: u32) -> &CStr;
}

impl Tree for [Entry] {
    fn parent(&self, index: u32) -> u32 {
        self[index as usize].parent
    }

    fn name(&self, index: u32) -> &CStr {
        &self[index as usize].name
    }
}

/// One side of the entries: the stage's or the work tree's folders.
pub(super) struct Folders<'a> {
    top: BorrowedFd<'a>,
    /// The staged side: folders are opened for their owner, after their mode was written down.
    journal: Option<&'a Journal>,
    open: VecDeque<(u32, OwnedFd)>,
}

impl<'a> Folders<'a> {
    /// The work tree's.
    pub fn of_tree(top: BorrowedFd<'a>) -> Folders<'a> {
        Folders {
            top,
            journal: None,
            open: VecDeque::new(),
        }
    }

    /// The stage's.
    pub fn of_stage(top: BorrowedFd<'a>, journal: &'a Journal) -> Folders<'a> {
        Folders {
            top,
            journal: Some(journal),
            open: VecDeque::new(),
        }
    }

    /// The folder of an entry. Each component is opened by its own name below the one above it.
    pub fn at<T: Tree + ?Sized>(&mut self, tree: &T, folder: u32) -> io::Result<BorrowedFd<'_>> {
        let mut missing = Vec::new();
        let mut at = folder;
        loop {
            if at == 0 {
                self.open.clear();
                break;
            }
            if let Some(found) = self.open.iter().rposition(|(open, _)| *open == at) {
                self.open.truncate(found + 1);
                break;
            }
            missing.push(at);
            at = tree.parent(at);
        }
        for index in missing.into_iter().rev() {
            let above = self.open.back().map_or(self.top, |(_, open)| open.as_fd());
            let opened = self.enter(above, tree.name(index))?;
            self.open.push_back((index, opened));
            if self.open.len() > WINDOW {
                self.open.pop_front();
            }
        }
        Ok(self.open.back().map_or(self.top, |(_, open)| open.as_fd()))
    }

    fn enter(&self, above: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
        let folder = open::place(above, name)?;
        if let Some(journal) = self.journal {
            open_for_owner(journal, folder.as_fd(), Mode::RWXU)?;
        }
        Ok(folder)
    }
}

/// Gives the owner of something staged the rights to work on it, after its mode was written down.
pub(super) fn open_for_owner(
    journal: &Journal,
    staged: BorrowedFd<'_>,
    rights: Mode,
) -> io::Result<()> {
    let found = fs::fstat(staged)?;
    let mode = Mode::from_raw_mode(found.st_mode);
    if mode.contains(rights) {
        return Ok(());
    }
    if journal.mode(found.st_ino).is_none() {
        let mode = found.st_mode & 0o7777;
        journal.note(&Line::Mode {
            inode: found.st_ino,
            mode,
        })?;
    }
    Ok(fs::chmod(open::in_proc(staged), mode | rights)?)
}

/// Opens a staged regular file for reading.
pub(super) fn staged_file(
    journal: &Journal,
    folder: BorrowedFd<'_>,
    name: &CStr,
) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match fs::openat(folder, name, flags, Mode::empty()) {
        Err(rustix::io::Errno::ACCESS) => {
            let path = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let staged = fs::openat(folder, name, path, Mode::empty())?;
            open_for_owner(journal, staged.as_fd(), Mode::RUSR)?;
            Ok(fs::openat(folder, name, flags, Mode::empty())?)
        }
        opened => Ok(opened?),
    }
}

/// Whether the caller may list and enter a folder of the work tree.
pub(super) fn is_closed(folder: BorrowedFd<'_>) -> bool {
    let wanted = fs::Access::READ_OK | fs::Access::EXEC_OK;
    fs::accessat(folder, c".", wanted, AtFlags::EACCESS).is_err()
}
