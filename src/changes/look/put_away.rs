//! Moves something to a name that nothing looks for, within its folder.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Mode, RenameFlags, chmod, fstat, renameat, renameat_with, statat};
use rustix::io::Errno;

use super::super::open::in_proc;
use super::super::steps::step;

/// How often a name is tried that another process took first.
const TRIES: usize = 8;
/// So many characters of the old name are in the new one, which may be no longer than a name can be
/// (NAME_MAX).
const LONGEST: usize = 50;

/// Renames it, and returns the new name. The rename stays within the folder, so that it cannot fail half-way.
///
/// # Errors
/// ENOENT: it has gone. The folder cannot be written by its owner either.
pub(super) fn put_away(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<CString> {
    let shown = String::from_utf8_lossy(name.to_bytes());
    let shown = shown.trim_start_matches('.').chars().take(LONGEST);
    let shown: String = shown.collect();
    for _ in 0..TRIES {
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        // Unforeseeable: a program could take every name that is counted up.
        let random = u64::from_ne_bytes(random);
        let new = CString::new(format!("gosandbox-quarantine-{shown}-{random:016x}"))?;
        step()?;
        match rename_as_owner(folder, name, &new) {
            Err(Errno::EXIST) => {}
            renamed => return Ok(renamed.map(|()| new)?),
        }
    }
    Err(Errno::EXIST.into())
}

/// Renames in a folder from which a program may have taken its owner's right to write.
fn rename_as_owner(folder: BorrowedFd<'_>, name: &CStr, new: &CStr) -> Result<(), Errno> {
    match rename(folder, name, new) {
        Err(Errno::ACCESS) => {}
        renamed => return renamed,
    }
    let mode = Mode::from_raw_mode(fstat(folder)?.st_mode & 0o7777);
    // fchmod(2) takes no O_PATH descriptor.
    let path = in_proc(folder);
    chmod(&path, mode | Mode::RWXU)?;
    let renamed = rename(folder, name, new);
    chmod(&path, mode)?;
    renamed
}

/// Renames to a name that is free.
fn rename(folder: BorrowedFd<'_>, name: &CStr, new: &CStr) -> Result<(), Errno> {
    match renameat_with(folder, name, folder, new, RenameFlags::NOREPLACE) {
        // Some file systems have no such flag (rename(2)).
        Err(Errno::INVAL | Errno::NOSYS) => {}
        renamed => return renamed,
    }
    match statat(folder, new, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => renameat(folder, name, folder, new),
        found => found.and(Err(Errno::EXIST)),
    }
}
