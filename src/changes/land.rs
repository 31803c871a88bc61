//! Applies changes to the work tree: folders first, then files, deletions last.
//!
//! What has landed leaves the stage, so that the stage itself is what a later process goes on with.
//! Nothing is opened through a link, and no path is handed to the kernel.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;

use rustix::fs::{self, AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::change::{Changes, Entry, Kind, Verdict, What};
use super::delete::{self, Spare};
use super::folders::Folders;
use super::journal::{Journal, Line};
use super::open;
use super::places::Names;
use super::put;
use super::repository::Parts;
use super::scan::{self, FOLDER_BITS, Time};
use super::side;
use super::steps::step;

/// Why a change did not land.
pub(super) enum Stop {
    /// The work tree was changed at this place since the changes were listed.
    Conflict,
    /// A system call failed.
    Failed(io::Error),
}

impl<E: Into<io::Error>> From<E> for Stop {
    fn from(error: E) -> Stop {
        Stop::Failed(error.into())
    }
}

/// A file with several names: its device and inode, size and modification time. The inode alone may
/// be that of a file which somebody has made since, once the last name is gone.
pub(super) type Touched = (u64, u64, i64, i64, u32);

fn touched(found: &Stat) -> Touched {
    let time = (found.st_mtime, found.st_mtime_nsec as u32);
    (found.st_dev, found.st_ino, found.st_size, time.0, time.1)
}

/// What the changes are applied with.
pub(super) struct Land<'a> {
    /// The work tree.
    pub top: BorrowedFd<'a>,
    pub upper: Folders<'a>,
    pub tree: Folders<'a>,
    pub journal: &'a Journal,
    pub names: &'a Names,
    pub started: Time,
    /// Whether what lands is given to root.
    pub owned_by_root: bool,
    /// Files of the work tree of which a name was replaced or deleted. That changes the times of
    /// their other names.
    pub touched: RefCell<HashSet<Touched>>,
    /// Whether the stage is on another file system: what lands is copied.
    pub copies: bool,
    /// Inodes with several names that were copied, by the entry that has landed.
    pub copied: HashMap<u64, u32>,
    /// Folders of the work tree that were opened for their owner, with their modes.
    pub opened: HashMap<u32, u32>,
    pub failed: Vec<(u32, String)>,
    /// The folder in which something is deleted.
    pub above: RefCell<PathBuf>,
}

/// Applies what is to be applied. Changes that fail are noted, and the others go on.
pub(super) fn land(mut land: Land<'_>, changes: &mut Changes) -> Vec<(u32, String)> {
    let entries = &mut changes.entries;
    for index in 0..entries.len() as u32 {
        if !land.stands(entries, index) {
            continue;
        }
        let entry = &entries[index as usize];
        let done = match (entry.kind, entry.what) {
            (_, What::Deleted | What::Same) => continue,
            (Kind::Folder, What::Mode) => continue,
            (Kind::Folder, _) => land.make_folder(entries, index),
            (_, What::Mode | What::Times) => land.set_attributes(entries, index),
            _ => put::put(&mut land, entries, index),
        };
        let done = match done {
            Err(Stop::Conflict) => land.settle(entries, index),
            done => done,
        };
        land.note(entries, index, done);
    }
    for index in 0..entries.len() as u32 {
        if entries[index as usize].what == What::Deleted && land.stands(entries, index) {
            let done = land.delete(entries, index);
            land.note(entries, index, done);
        }
    }
    for index in (0..entries.len() as u32).rev() {
        if entries[index as usize].kind == Kind::Folder {
            let done = land.leave_folder(entries, index);
            land.note(entries, index, done);
        }
    }
    land.failed
}

impl Land<'_> {
    /// Whether a change is to be applied and what it depends on has been.
    fn stands(&self, entries: &mut [Entry], index: u32) -> bool {
        let above = entries[index as usize].parent;
        let entry = &entries[above as usize];
        let is_stopped = index != 0
            && matches!(
                entry.verdict,
                Verdict::Refuse(_) | Verdict::Conflict | Verdict::Covered
            )
            && !(entry.verdict == Verdict::Conflict && entry.is_folder_mode());
        let has_failed = entry.kind == Kind::Folder
            && matches!(entry.what, What::Added | What::Replaced)
            && self
                .failed
                .binary_search_by_key(&above, |(index, _)| *index)
                .is_ok();
        let entry = &mut entries[index as usize];
        if (is_stopped || has_failed) && entry.verdict == Verdict::Apply {
            entry.verdict = Verdict::Covered;
        }
        entry.verdict == Verdict::Apply
    }

    /// After a conflict that was not there when the changes were listed: nothing is to be done where
    /// somebody has just made the same file, as another run in the same tree does.
    fn settle(&mut self, entries: &[Entry], index: u32) -> Result<(), Stop> {
        let entry = &entries[index as usize];
        if entry.kind != Kind::File {
            return Err(Stop::Conflict);
        }
        let staged = self.upper.at(entries, entry.parent)?.try_clone_to_owned()?;
        let tree = self.tree_at(entries, entry.parent)?.try_clone_to_owned()?;
        let found = scan::look(tree.as_fd(), &entry.name)?;
        let is_file = found.is_some_and(|found| scan::kind(&found) == Kind::File);
        let (one, other) = (staged.as_fd(), tree.as_fd());
        if !is_file || !side::is_equal_in(self.journal, one, other, &entry.name)? {
            return Err(Stop::Conflict);
        }
        step()?;
        Ok(fs::unlinkat(&staged, &entry.name, AtFlags::empty())?)
    }

    fn note(&mut self, entries: &mut [Entry], index: u32, done: Result<(), Stop>) {
        match done {
            Ok(()) => {}
            Err(Stop::Conflict) => entries[index as usize].verdict = Verdict::Conflict,
            Err(Stop::Failed(error)) => {
                let at = self.failed.partition_point(|(other, _)| *other < index);
                if self.failed.get(at).is_none_or(|(other, _)| *other != index) {
                    self.failed.insert(at, (index, error.to_string()));
                }
            }
        }
    }

    /// The folder of the work tree that an entry lies in, opened for its owner where it must be.
    pub fn tree_at(&mut self, entries: &[Entry], folder: u32) -> io::Result<BorrowedFd<'_>> {
        let place = self.tree.at(entries, folder)?;
        let found = fs::fstat(place)?;
        let mode = Mode::from_raw_mode(found.st_mode);
        let is_owner = found.st_uid == rustix::process::geteuid().as_raw();
        if is_owner && !mode.contains(Mode::WUSR | Mode::XUSR) && !self.opened.contains_key(&folder)
        {
            step()?;
            let path = super::change::path(entries, folder);
            let mode = found.st_mode & 0o7777;
            self.journal.note(&Line::TreeMode { path, mode })?;
            let open = Mode::from_raw_mode(mode) | Mode::RWXU;
            step()?;
            fs::chmod(open::in_proc(place), open)?;
            self.opened.insert(folder, mode);
        }
        Ok(place)
    }

    /// A name in a folder of the work tree that nobody else uses, written down before it is used.
    pub fn temporary(&self, entries: &[Entry], folder: u32) -> io::Result<CString> {
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let name = format!(".gosandbox-{:016x}", u64::from_ne_bytes(random));
        step()?;
        self.journal.note(&Line::Temporary {
            folder: super::change::path(entries, folder),
            name: name.clone(),
        })?;
        Ok(CString::new(name)?)
    }

    /// Whether what is at a place is still what was there when the changes were listed.
    pub fn is_unchanged(&self, entry: &Entry, found: Option<&Stat>) -> bool {
        let Some(found) = found else {
            return entry.real.is_none();
        };
        let kind = scan::kind(found);
        let is_touched = || self.touched.borrow().contains(&touched(found));
        entry.real == Some(kind)
            && (kind == Kind::Folder || !scan::is_newer(found, self.started) || is_touched())
    }

    pub fn touch(&self, found: Option<&Stat>) {
        let has_names = |found: &&Stat| found.st_nlink > 1 && scan::kind(found) != Kind::Folder;
        if let Some(found) = found.filter(has_names) {
            self.touched.borrow_mut().insert(touched(found));
        }
    }

    fn make_folder(&mut self, entries: &[Entry], index: u32) -> Result<(), Stop> {
        let entry = &entries[index as usize];
        let tree = self.tree_at(entries, entry.parent)?.try_clone_to_owned()?;
        // Its own mode at once, but open for its owner: a program of another run that sees the folder would keep
        // the mode that it sees.
        let mode = Mode::from_raw_mode(entry.mode & 0o777) | Mode::RWXU;
        if entry.what == What::Added {
            step()?;
            return match fs::mkdirat(&tree, &entry.name, mode) {
                // Somebody has made the same folder: the files in it are looked at one by one.
                Err(Errno::EXIST) if is_folder(tree.as_fd(), &entry.name) => Ok(()),
                Err(Errno::EXIST) => Err(Stop::Conflict),
                made => Ok(made?),
            };
        }
        let found = scan::look(tree.as_fd(), &entry.name)?;
        if !self.is_unchanged(entry, found.as_ref()) {
            return Err(Stop::Conflict);
        }
        self.touch(found.as_ref());
        let temporary = self.temporary(entries, entry.parent)?;
        step()?;
        fs::mkdirat(&tree, &temporary, mode)?;
        step()?;
        let done = put::exchange(tree.as_fd(), &temporary, &entry.name);
        step()?;
        match done {
            Ok(()) => Ok(fs::unlinkat(&tree, &temporary, AtFlags::empty())?),
            Err(error) => {
                fs::unlinkat(&tree, &temporary, AtFlags::REMOVEDIR)?;
                Err(error.into())
            }
        }
    }

    /// Sets the mode and the time of a file whose content stays.
    fn set_attributes(&mut self, entries: &[Entry], index: u32) -> Result<(), Stop> {
        let entry = &entries[index as usize];
        let staged = self.upper.at(entries, entry.parent)?;
        let times = fs::statat(staged, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?;
        let tree = self.tree_at(entries, entry.parent)?.try_clone_to_owned()?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&tree, &entry.name, flags, Mode::empty())?;
        let found = fs::fstat(&file)?;
        let is_same_file =
            self.journal.has_attributes_of(&found) || self.is_unchanged(entry, Some(&found));
        if scan::kind(&found) != Kind::File || !is_same_file {
            return Err(Stop::Conflict);
        }
        self.touch(Some(&found));
        step()?;
        self.journal.note(&Line::Attributes {
            device: found.st_dev,
            inode: found.st_ino,
        })?;
        let path = open::in_proc(&file);
        step()?;
        fs::utimensat(fs::CWD, &path, &put::times(&times), AtFlags::empty())?;
        step()?;
        fs::chmod(&path, Mode::from_raw_mode(entry.mode & 0o7777))?;
        self.touch(Some(&fs::fstat(&file)?));
        let staged = self.upper.at(entries, entry.parent)?;
        step()?;
        Ok(fs::unlinkat(staged, &entry.name, AtFlags::empty())?)
    }

    fn delete(&mut self, entries: &[Entry], index: u32) -> Result<(), Stop> {
        let entry = &entries[index as usize];
        let tree = self.tree_at(entries, entry.parent)?.try_clone_to_owned()?;
        let found = scan::look(tree.as_fd(), &entry.name)?;
        if found.is_some() {
            if !self.is_unchanged(entry, found.as_ref()) {
                return Err(Stop::Conflict);
            }
            self.above
                .replace(super::change::path(entries, entry.parent));
            self.delete_at(tree.as_fd(), &entry.name)?;
        }
        if entry.is_staged {
            let staged = self.upper.at(entries, entry.parent)?;
            step()?;
            fs::unlinkat(staged, &entry.name, AtFlags::empty())?;
        }
        Ok(())
    }

    /// Deletes a file or folder of the work tree, except what is protected or was changed since the
    /// run began.
    pub fn delete_at(&self, tree: BorrowedFd<'_>, name: &CStr) -> Result<(), Stop> {
        match delete::below(tree, name, self)? {
            0 => Ok(()),
            _ => Err(Stop::Conflict),
        }
    }

    /// Gives a folder its mode, once everything is in it, and removes it from the stage.
    fn leave_folder(&mut self, entries: &[Entry], index: u32) -> Result<(), Stop> {
        let entry = &entries[index as usize];
        let sets_mode = entry.verdict == Verdict::Apply && entry.what != What::Same;
        let mode = match sets_mode {
            true => Some(entry.mode),
            false => self.opened.get(&index).copied(),
        };
        if entry.what == What::Deleted {
            return Ok(());
        }
        if let Some(mode) = mode {
            self.set_folder_mode(entries, index, mode)?;
        }
        let (first, last) = entry.children;
        let is_open = |child: u32| {
            let entry = &entries[child as usize];
            entry.what == What::Deleted && !entry.is_staged && self.has_failed(child)
        };
        // What is refused or in conflict stays, even if it is an empty folder.
        let stays = !matches!(entry.verdict, Verdict::Apply | Verdict::Drop(_));
        if index == 0 || stays || !entry.is_staged || (first..last).any(is_open) {
            return Ok(());
        }
        let staged = self.upper.at(entries, entry.parent)?;
        step()?;
        match fs::unlinkat(staged, &entry.name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn has_failed(&self, index: u32) -> bool {
        self.failed
            .binary_search_by_key(&index, |(index, _)| *index)
            .is_ok()
    }

    fn set_folder_mode(&mut self, entries: &[Entry], index: u32, mode: u32) -> io::Result<()> {
        let folder = self.tree.at(entries, index)?;
        let found = fs::fstat(folder)?.st_mode & 0o7777;
        let mode = mode & FOLDER_BITS | found & !FOLDER_BITS;
        if mode != found {
            step()?;
            fs::chmod(open::in_proc(folder), Mode::from_raw_mode(mode))?;
        }
        Ok(())
    }
}

fn is_folder(tree: BorrowedFd<'_>, name: &CStr) -> bool {
    let found = scan::look(tree, name);
    found.is_ok_and(|found| found.is_some_and(|found| scan::kind(&found) == Kind::Folder))
}

/// What stays of a folder of the work tree that is deleted.
impl Spare for Land<'_> {
    fn stays(&self, name: &CStr, path: &dyn Fn() -> PathBuf, found: &Stat) -> bool {
        let path = || self.above.borrow().join(path());
        let bytes = name.to_bytes();
        if self.names.has_everywhere(bytes) || self.names.refuses(bytes, false, path) {
            return true;
        }
        if scan::kind(found) == Kind::Folder {
            return false;
        }
        let is_touched = || self.touched.borrow().contains(&touched(found));
        if scan::is_newer(found, self.started) && !is_touched() {
            return true;
        }
        self.touch(Some(found));
        false
    }

    fn folder_stays(&self, names: &[CString]) -> bool {
        Parts::named(names).are_whole()
    }
}
