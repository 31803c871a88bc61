//! What is at a path, and what a file holds: as `std::fs`, but for a launcher that root has started.
//!
//! Root walks to the path by descriptors, as far as root alone decides where it leads. From there on the walk has the
//! rights of the user who decides ([`super::rights`]): a link of that user's shows nothing that the user could not read.
//! What was reached is looked at or read by its descriptor. No FIFO is waited for, and no device is read.
//!
//! An ordinary user's launcher makes the same system calls as with `std::fs`.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, OFlags, Stat, statat};
use rustix::io::Errno;

use super::kept;
use super::rights::{Lent, judges};
pub use super::rights::{with_rights, with_rights_of};
use super::walk::{Follow, Keeper, Step, Stop};
use crate::sys::no_links;

/// What root has reached, and the rights that it has lent on the way.
struct Reached {
    step: Step,
    lent: Option<Lent>,
}

impl Reached {
    /// Walks to a path. A link at its end is followed, or is itself the end.
    fn at(path: &Path, follows_last: bool) -> io::Result<Reached> {
        let path = std::path::absolute(path)?;
        let step = match follows_last {
            true => Step::start(&path)?,
            false => Step::start_to_link(&path)?,
        };
        Reached::walked(step, Follow::All)
    }

    /// `follow`: which links count where root alone does not decide.
    fn walked(mut step: Step, follow: Follow) -> io::Result<Reached> {
        let mut lent = None;
        let mut stop = step.walk(Follow::Kept(Keeper::ROOT), None)?;
        if stop == Stop::NotKept {
            lent = Some(Lent::of_decider(&step)?);
            stop = step.walk(follow, None)?;
        }
        match stop {
            Stop::There => Ok(Reached { step, lent }),
            _ => Err(Errno::NOENT.into()),
        }
    }

    fn metadata(self) -> io::Result<Metadata> {
        File::from(self.step.into_at()).metadata()
    }

    /// Opens what was reached, and nothing else.
    fn open(&self) -> io::Result<File> {
        let number = self.step.at().as_raw_fd();
        options(0).open(format!("/proc/self/fd/{number}"))
    }
}

/// Does the one thing where this process may walk to the path by itself, and the other where the path must be judged.
fn done<T>(
    path: &Path,
    plain: impl Fn(&Path) -> io::Result<T>,
    judged: impl FnOnce(&Path) -> io::Result<T>,
) -> io::Result<T> {
    if !judges()? {
        return plain(path);
    }
    if let Some(kept) = kept_entry(path) {
        return plain(&kept?.0);
    }
    if let Some(_lent) = Lent::known(path)? {
        match plain(path) {
            // A folder above the user's that root owns may be closed to the user.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            done => return done,
        }
    }
    judged(path)
}

/// A path that need not be judged, since root alone decides what is there and it is no link, and what is there. The path
/// has no links.
pub(super) fn kept_entry(path: &Path) -> Option<io::Result<(PathBuf, Stat)>> {
    let path = kept::entry(path)?;
    match rustix::fs::lstat(&path) {
        Ok(found) if FileType::from_raw_mode(found.st_mode).is_symlink() => None,
        found => Some(found.map(|found| (path, found)).map_err(Into::into)),
    }
}

fn options(flags: u32) -> OpenOptions {
    let flags = OFlags::NONBLOCK.bits() | OFlags::NOCTTY.bits() | flags;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.cast_signed());
    options
}

/// As stat(2).
///
/// # Errors
/// As stat(2).
pub fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    let path = path.as_ref();
    if judges()?
        && let Some(entry) = kept::entry(path)
    {
        match std::fs::symlink_metadata(entry) {
            Ok(found) if found.is_symlink() => {}
            found => return found,
        }
    }
    done(
        path,
        |path| std::fs::metadata(path),
        |path| Reached::at(path, true)?.metadata(),
    )
}

/// As lstat(2).
///
/// # Errors
/// As lstat(2).
pub fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    let path = path.as_ref();
    if judges()?
        && let Some(path) = kept::entry(path)
    {
        return std::fs::symlink_metadata(path);
    }
    done(
        path,
        |path| std::fs::symlink_metadata(path),
        |path| Reached::at(path, false)?.metadata(),
    )
}

/// Whether something is there, behind links.
pub fn exists(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    metadata(path).is_ok()
}

/// Whether a folder is there, behind links.
pub fn is_dir(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    metadata(path).is_ok_and(|found| found.is_dir())
}

/// Whether a regular file is there, behind links.
pub fn is_file(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    metadata(path).is_ok_and(|found| found.is_file())
}

/// The path of what is there, without links.
///
/// # Errors
/// As realpath(3).
pub fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = path.as_ref();
    done(
        path,
        |path| std::fs::canonicalize(path),
        |path| Ok(Reached::at(path, true)?.step.real().to_owned()),
    )
}

/// As [`canonicalize`], of a folder to work in. What is read there is read by its path, so that it must be decided by
/// the user whose link has led to it.
///
/// # Errors
/// As realpath(3); ELOOP: another user's link leads to a folder that root owns.
pub fn canonicalize_folder(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = path.as_ref();
    if !judges()? {
        return std::fs::canonicalize(path);
    }
    if let Some(kept) = kept_entry(path) {
        return Ok(kept?.0);
    }
    let reached = Reached::at(path, true)?;
    let real = reached.step.real().to_owned();
    if reached.lent.is_some() {
        drop(reached);
        let mut again = Step::start(&real)?;
        if again.walk(Follow::Kept(Keeper::ROOT), None)? != Stop::NotKept {
            return Err(Errno::LOOP.into());
        }
    }
    Ok(real)
}

/// What a symbolic link says.
///
/// # Errors
/// As readlink(2).
pub fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = path.as_ref();
    if !judges()? {
        return std::fs::read_link(path);
    }
    if let Some(path) = kept::entry(path) {
        return std::fs::read_link(path);
    }
    let reached = Reached::at(path, false)?;
    if !rustix::fs::FileType::from_raw_mode(reached.step.found().st_mode).is_symlink() {
        return Err(Errno::INVAL.into());
    }
    let target = rustix::fs::readlinkat(reached.step.at(), "", Vec::new())?;
    Ok(PathBuf::from(OsStr::from_bytes(target.to_bytes())))
}

/// Opens a file for reading, without waiting for the other end of a FIFO.
///
/// # Errors
/// As open(2).
pub fn open(path: impl AsRef<Path>) -> io::Result<File> {
    let path = path.as_ref();
    done(
        path,
        |path| options(0).open(path),
        |path| Reached::at(path, true)?.open(),
    )
}

/// As [`open`], but not what a link at the end of the path leads to.
///
/// # Errors
/// As open(2); ELOOP: it is a link.
pub fn open_unlinked(path: impl AsRef<Path>) -> io::Result<File> {
    let path = path.as_ref();
    if !judges()? {
        return options(OFlags::NOFOLLOW.bits()).open(path);
    }
    if let Some(path) = kept::entry(path) {
        return options(OFlags::NOFOLLOW.bits()).open(path);
    }
    let reached = Reached::at(path, false)?;
    match FileType::from_raw_mode(reached.step.found().st_mode) {
        FileType::Symlink => Err(Errno::LOOP.into()),
        _ => reached.open(),
    }
}

/// As [`open`], of a path in which no link is followed: the file that is opened is the one that was judged.
///
/// # Errors
/// As open(2); ELOOP: there is a link.
pub fn open_in_place(path: impl AsRef<Path>) -> io::Result<File> {
    let path = path.as_ref();
    if judges()? {
        if let Some(path) = kept::entry(path) {
            return options(OFlags::NOFOLLOW.bits()).open(path);
        }
        let reached = Reached::walked(Step::start(path)?, Follow::None)?;
        return match reached.step.is_led() {
            true => Err(Errno::LOOP.into()),
            false => reached.open(),
        };
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let path = std::path::absolute(path)?;
    Ok(no_links::open_absolute(&path, flags)?.into())
}

/// What a regular file holds.
///
/// # Errors
/// It cannot be read, or is no regular file.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let path = path.as_ref();
    let mut file = regular(path)?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// What a regular file holds, as text.
///
/// # Errors
/// It cannot be read, is no regular file, or is not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    let path = path.as_ref();
    let mut file = regular(path)?;
    let mut content = String::new();
    file.read_to_string(&mut content)?;
    Ok(content)
}

fn regular(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    let found = file.metadata()?;
    match found.is_file() {
        true => Ok(file),
        false if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// An entry of a folder.
#[derive(Clone, Debug)]
pub struct Entry {
    path: PathBuf,
    kind: FileType,
}

impl Entry {
    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Its name.
    pub fn file_name(&self) -> OsString {
        self.path.file_name().unwrap_or_default().to_owned()
    }

    /// What it is; a link is a link.
    pub fn kind(&self) -> FileType {
        self.kind
    }
}

/// The entries of a folder, in no order.
///
/// # Errors
/// As opendir(3) and readdir(3).
pub fn read_dir(path: impl AsRef<Path>) -> io::Result<Vec<Entry>> {
    let path = path.as_ref();
    if !judges()? {
        return entries(path, options(OFlags::DIRECTORY.bits()).open(path)?.into());
    }
    if let Some(kept) = kept_entry(path) {
        return entries(
            path,
            options(OFlags::DIRECTORY.bits()).open(kept?.0)?.into(),
        );
    }
    let reached = Reached::at(path, true)?;
    if !FileType::from_raw_mode(reached.step.found().st_mode).is_dir() {
        return Err(Errno::NOTDIR.into());
    }
    // The rights are kept until everything is read: the kind of an entry may have to be looked up.
    entries(path, reached.open()?.into())
}

fn entries(path: &Path, folder: OwnedFd) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    let mut reader = Dir::new(folder)?;
    while let Some(entry) = reader.read() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not tell (readdir(3)).
            FileType::Unknown => statat(reader.fd()?, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_or(FileType::Unknown, |found| {
                    FileType::from_raw_mode(found.st_mode)
                }),
            kind => kind,
        };
        found.push(Entry {
            path: path.join(OsStr::from_bytes(name.to_bytes())),
            kind,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
