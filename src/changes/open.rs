//! Opens and lists folders by descriptors. No symbolic link is followed.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// The flags that every folder is opened with.
pub(super) const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A folder, for paths below it. Its content cannot be listed through this descriptor.
pub(super) fn place(at: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    fs::openat(at, name, FOLDER | OFlags::PATH, Mode::empty())
}

/// Names in a folder with their kinds, `.` and `..` left out.
///
/// All at once: names that are added and removed while it is read must not upset the reading.
pub(super) fn names(folder: BorrowedFd<'_>) -> io::Result<Vec<(CString, FileType)>> {
    let listed = fs::openat(folder, c".", FOLDER | OFlags::RDONLY, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::new(listed)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(names)
}

/// Whether a folder has no names; without reading all of them.
pub(super) fn is_empty(folder: BorrowedFd<'_>) -> io::Result<bool> {
    let listed = fs::openat(folder, c".", FOLDER | OFlags::RDONLY, Mode::empty())?;
    for entry in Dir::new(listed)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The path of a descriptor in /proc, for calls that take no `O_PATH` descriptor.
pub(super) fn in_proc(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// A folder that is to be emptied, made accessible to its owner.
pub(super) fn to_empty(at: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let folder = place(at, name)?;
    let mode = Mode::from_raw_mode(fs::fstat(&folder)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        // Only the owner can, and only the owner needs it.
        let _shown_by_what_follows = fs::chmod(in_proc(&folder), mode | Mode::RWXU);
    }
    Ok(folder)
}
