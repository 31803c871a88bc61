//! Puts a staged file or symbolic link in its place: renamed where the stage is on the work tree's
//! file system, else copied beside the place first. At no moment is there half a file.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, Gid, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::change::{Entry, Kind};
use super::folders;
use super::land::{Land, Stop};
use super::open;
use super::scan;
use super::side;
use super::steps::step;

/// What is at hand for one file.
struct Item<'a> {
    entry: &'a Entry,
    staged: OwnedFd,
    tree: OwnedFd,
    /// The staged file.
    found: Stat,
    owner: (Option<Uid>, Option<Gid>),
}

/// Puts a staged file or link in its place, and takes it from the stage.
pub(super) fn put(land: &mut Land<'_>, entries: &[Entry], index: u32) -> Result<(), Stop> {
    let entry = &entries[index as usize];
    let staged = land.upper.at(entries, entry.parent)?.try_clone_to_owned()?;
    let tree = land.tree_at(entries, entry.parent)?.try_clone_to_owned()?;
    let found = fs::statat(&staged, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?;
    let real = match entry.real {
        Some(_) => scan::look(tree.as_fd(), &entry.name)?,
        None => None,
    };
    if !land.is_unchanged(entry, real.as_ref()) {
        return Err(Stop::Conflict);
    }
    let owner = owner(land, &tree, &found, real.as_ref())?;
    let item = Item {
        entry,
        staged,
        tree,
        found,
        owner,
    };
    land.touch(real.as_ref());
    if !land.copies {
        item.prepare(land)?;
        let done = match entry.real {
            Some(Kind::Folder) => item.over_folder(land, entries),
            _ => item.rename(),
        };
        match done {
            Err(Stop::Failed(error)) if Errno::from_io_error(&error) == Some(Errno::XDEV) => {
                land.copies = true;
            }
            done => return done,
        }
    }
    match entry.real {
        None => item.copy_new(land, entries)?,
        Some(Kind::Folder) => return item.over_folder(land, entries),
        Some(_) => {
            let temporary = land.temporary(entries, entry.parent)?;
            item.copy_beside(land, entries, &temporary)?;
            step()?;
            fs::renameat(&item.tree, &temporary, &item.tree, &entry.name)?;
        }
    }
    if let Some(inode) = entry.inode {
        land.copied.entry(inode).or_insert(index);
    }
    item.leave_stage()
}

/// The owner that a file gets where it is not the one it has: root, or the group of a folder that
/// hands its group on.
fn owner(
    land: &Land<'_>,
    tree: &OwnedFd,
    found: &Stat,
    real: Option<&Stat>,
) -> io::Result<(Option<Uid>, Option<Gid>)> {
    let folder = fs::fstat(tree)?;
    let group = match real {
        Some(real) if land.owned_by_root => Some(real.st_gid),
        _ if folder.st_mode & 0o2000 != 0 => Some(folder.st_gid),
        _ if land.owned_by_root => Some(0),
        _ => None,
    };
    let user = land.owned_by_root.then_some(0);
    let user = user.filter(|user| *user != found.st_uid);
    let group = group.filter(|group| *group != found.st_gid);
    Ok((user.map(Uid::from_raw), group.map(Gid::from_raw)))
}

impl Item<'_> {
    fn name(&self) -> &CStr {
        &self.entry.name
    }

    /// Gives a staged file the owner and mode that it is to have, and takes the overlay's extended
    /// attributes from it.
    fn prepare(&self, land: &Land<'_>) -> Result<(), Stop> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || fs::openat(&self.staged, self.name(), flags, Mode::empty());
        if self.entry.is_marked {
            let file = open()?;
            // Removing one takes the right to write.
            folders::open_for_owner(land.journal, file.as_fd(), Mode::RUSR | Mode::WUSR)?;
            for name in side::attributes(self.staged.as_fd(), self.name())? {
                if name.starts_with(b"user.overlay.") {
                    step()?;
                    fs::removexattr(open::in_proc(&file), name.as_slice())?;
                }
            }
        }
        let (user, group) = self.owner;
        if user.is_some() || group.is_some() {
            step()?;
            let given = fs::chownat(
                &self.staged,
                self.name(),
                user,
                group,
                AtFlags::SYMLINK_NOFOLLOW,
            );
            // Without the right to give a group away, the file keeps its own.
            if user.is_some() {
                given?;
            }
        }
        if self.entry.kind == Kind::File && self.mode_differs(land)? {
            let file = open()?;
            step()?;
            fs::chmod(open::in_proc(&file), self.mode())?;
        }
        Ok(())
    }

    fn mode(&self) -> Mode {
        Mode::from_raw_mode(self.entry.mode & 0o1777)
    }

    /// Whether this program has changed the mode of a staged file, to read or to clean it.
    fn mode_differs(&self, land: &Land<'_>) -> io::Result<bool> {
        let is_opened = land.journal.mode(self.found.st_ino).is_some();
        Ok(is_opened || self.found.st_mode & 0o7777 != self.mode().as_raw_mode())
    }

    fn rename(&self) -> Result<(), Stop> {
        step()?;
        if self.entry.real.is_some() {
            fs::renameat(&self.staged, self.name(), &self.tree, self.name())?;
            return Ok(());
        }
        let flags = RenameFlags::NOREPLACE;
        match fs::renameat_with(&self.staged, self.name(), &self.tree, self.name(), flags) {
            Err(Errno::EXIST) => Err(Stop::Conflict),
            // A file system without this flag.
            Err(Errno::INVAL) => {
                if scan::look(self.tree.as_fd(), self.name())?.is_some() {
                    return Err(Stop::Conflict);
                }
                fs::renameat(&self.staged, self.name(), &self.tree, self.name())?;
                Ok(())
            }
            done => Ok(done?),
        }
    }

    /// Puts the file in the place of a folder, which is deleted.
    fn over_folder(&self, land: &Land<'_>, entries: &[Entry]) -> Result<(), Stop> {
        let temporary = land.temporary(entries, self.entry.parent)?;
        match land.copies {
            true => self.copy_beside(land, entries, &temporary)?,
            false => self.link_beside(&temporary)?,
        }
        step()?;
        if let Err(error) = exchange(self.tree.as_fd(), &temporary, self.name()) {
            step()?;
            fs::unlinkat(&self.tree, &temporary, AtFlags::empty())?;
            return Err(error.into());
        }
        self.leave_stage()?;
        match land.delete_at(self.tree.as_fd(), &temporary) {
            Err(Stop::Conflict) => Err(Stop::Failed(io::Error::other(format!(
                "the folder in its place was changed at the same time; what is left of it is in {}",
                temporary.to_string_lossy()
            )))),
            done => done,
        }
    }

    fn link_beside(&self, name: &CStr) -> Result<(), Stop> {
        step()?;
        Ok(fs::linkat(
            &self.staged,
            self.name(),
            &self.tree,
            name,
            AtFlags::empty(),
        )?)
    }

    fn leave_stage(&self) -> Result<(), Stop> {
        step()?;
        Ok(fs::unlinkat(&self.staged, self.name(), AtFlags::empty())?)
    }

    /// Copies to a name that is new in the work tree.
    fn copy_new(&self, land: &mut Land<'_>, entries: &[Entry]) -> Result<(), Stop> {
        match self.copy_to(land, entries, self.name()) {
            Err(Stop::Failed(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Stop::Conflict)
            }
            // A file system without files that have no name.
            Err(Stop::Failed(error)) if is_unsupported(&error) => {
                let temporary = land.temporary(entries, self.entry.parent)?;
                self.copy_named(land, &temporary)?;
                step()?;
                let flags = RenameFlags::NOREPLACE;
                match fs::renameat_with(&self.tree, &temporary, &self.tree, self.name(), flags) {
                    Err(Errno::EXIST) => {
                        step()?;
                        fs::unlinkat(&self.tree, &temporary, AtFlags::empty())?;
                        Err(Stop::Conflict)
                    }
                    done => Ok(done?),
                }
            }
            done => done,
        }
    }

    /// Copies to a temporary name.
    fn copy_beside(&self, land: &Land<'_>, entries: &[Entry], name: &CStr) -> Result<(), Stop> {
        match self.copy_to(land, entries, name) {
            Err(Stop::Failed(error)) if is_unsupported(&error) => self.copy_named(land, name),
            done => done,
        }
    }

    /// Copies so that the name appears when the copy is whole.
    fn copy_to(&self, land: &Land<'_>, entries: &[Entry], name: &CStr) -> Result<(), Stop> {
        if let Some(target) = &self.entry.target {
            step()?;
            return Ok(fs::symlinkat(target, &self.tree, name)?);
        }
        let landed = self.entry.inode.and_then(|inode| land.copied.get(&inode));
        if let Some(landed) = landed {
            let landed = &entries[*landed as usize];
            let mut folders = super::folders::Folders::of_tree(land.top);
            let folder = folders.at(entries, landed.parent)?;
            step()?;
            if fs::linkat(folder, &landed.name, &self.tree, name, AtFlags::empty()).is_ok() {
                return Ok(());
            }
        }
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = fs::openat(&self.tree, c".", flags, Mode::RUSR | Mode::WUSR)?;
        self.fill(land, &file)?;
        let path = CString::new(open::in_proc(&file))?;
        step()?;
        let flags = AtFlags::SYMLINK_FOLLOW;
        Ok(fs::linkat(fs::CWD, path, &self.tree, name, flags)?)
    }

    fn copy_named(&self, land: &Land<'_>, name: &CStr) -> Result<(), Stop> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        step()?;
        let file = fs::openat(&self.tree, name, flags, Mode::RUSR | Mode::WUSR)?;
        let filled = self.fill(land, &file);
        if filled.is_err() {
            step()?;
            fs::unlinkat(&self.tree, name, AtFlags::empty())?;
        }
        filled
    }

    /// Copies content, owner, mode and time to a file that is new.
    fn fill(&self, land: &Land<'_>, file: &OwnedFd) -> Result<(), Stop> {
        let staged = folders::staged_file(land.journal, self.staged.as_fd(), self.name())?;
        copy(
            &File::from(staged),
            &File::from(file.try_clone()?),
            self.entry.size,
        )?;
        let (_, group) = self.owner;
        if group.is_some() {
            // Without the right to give a group away, the file keeps its own.
            let _kept = fs::fchown(file, None, group);
        }
        fs::fchmod(file, self.mode())?;
        fs::futimens(file, &times(&self.found))?;
        Ok(())
    }
}

/// The times of a file: the staged file's modification, and now for the access.
pub(super) fn times(found: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: fs::UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: found.st_mtime,
            tv_nsec: found.st_mtime_nsec as _,
        },
    }
}

/// Exchanges two names of a folder.
pub(super) fn exchange(folder: BorrowedFd<'_>, one: &CStr, other: &CStr) -> Result<(), Errno> {
    fs::renameat_with(folder, one, folder, other, RenameFlags::EXCHANGE)
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL)
    )
}

/// Copies the content of a file. Holes stay holes.
fn copy(from: &File, to: &File, size: u64) -> io::Result<()> {
    let mut at = 0;
    while at < size {
        let start = match fs::seek(from, fs::SeekFrom::Data(at)) {
            Err(Errno::NXIO) => break,
            // A file system that does not tell where the holes are.
            Err(_) => at,
            Ok(start) => start,
        };
        let end = fs::seek(from, fs::SeekFrom::Hole(start)).unwrap_or(size);
        fs::seek(from, fs::SeekFrom::Start(start))?;
        fs::seek(to, fs::SeekFrom::Start(start))?;
        let mut part = io::Read::take(from, end - start);
        let copied = io::copy(&mut part, &mut { to })?;
        if copied == 0 {
            break;
        }
        at = start + copied;
    }
    to.set_len(size)
}
