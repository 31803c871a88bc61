//! Removes a tree that was written by what ran inside, and trusts nothing in it.
//!
//! By descriptors: no symbolic link is followed and the tree is never left, whatever is exchanged
//! meanwhile. Without recursion: a folder in a folder is moved to the top first, so that no depth
//! exhausts the stack or the descriptors.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Removes the folder `name` in another, and everything in it, as far as that can be done.
pub fn tree(within: BorrowedFd<'_>, name: &OsStr) {
    content(within, name);
    let _stays_for_a_later_run = fs::unlinkat(within, name, AtFlags::REMOVEDIR);
}

/// Removes everything in the folder `name` in another, as far as that can be done.
pub fn content(within: BorrowedFd<'_>, name: &OsStr) {
    let Ok(top) = open(within, name) else {
        return;
    };
    let mut moved = 0;
    // Each pass empties the folders at the top, and moves what is in them up.
    while let Ok(left) = pass(top.as_fd(), &mut moved)
        && left
    {}
}

/// Whether something was moved to the top, for another pass.
fn pass(top: BorrowedFd<'_>, moved: &mut u64) -> io::Result<bool> {
    let before = *moved;
    for (name, kind) in entries(top)? {
        if kind != FileType::Directory && unlink(top, &name, AtFlags::empty()) {
            continue;
        }
        let Ok(folder) = enter(top, &name) else {
            continue;
        };
        for (inner, kind) in entries(folder.as_fd())? {
            if kind != FileType::Directory && unlink(folder.as_fd(), &inner, AtFlags::empty())
                || unlink(folder.as_fd(), &inner, AtFlags::REMOVEDIR)
            {
                continue;
            }
            move_up(folder.as_fd(), &inner, top, moved);
        }
        unlink(top, &name, AtFlags::REMOVEDIR);
    }
    Ok(*moved > before)
}

/// To a name of this program's own; one that is taken by something hostile is passed over.
fn move_up(folder: BorrowedFd<'_>, name: &CStr, top: BorrowedFd<'_>, moved: &mut u64) {
    // A folder that is not writable cannot be moved: its `..` changes.
    drop(enter(folder, name));
    for _ in 0..3 {
        *moved += 1;
        let new = format!(".gosandbox-{moved}");
        match fs::renameat_with(folder, name, top, &new, fs::RenameFlags::NOREPLACE) {
            Ok(()) => return,
            Err(Errno::EXIST) => {}
            Err(_) => {
                *moved -= 1;
                return;
            }
        }
    }
}

fn unlink(folder: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> bool {
    fs::unlinkat(folder, name, flags).is_ok()
}

/// All at once: what is removed and added meanwhile must not upset the reading.
fn entries(folder: BorrowedFd<'_>) -> io::Result<Vec<(CString, FileType)>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            entries.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(entries)
}

/// Opens a folder, not through a link, and makes it readable and writable where it is not.
///
/// # Errors
/// It is none, or another user's.
pub fn open<P: rustix::path::Arg + Copy>(at: BorrowedFd<'_>, name: P) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let all = Mode::RWXU;
    let opened = fs::openat(at, name, flags, Mode::empty());
    let folder = match opened {
        Err(Errno::ACCESS) => {
            let path = fs::openat(at, name, flags | OFlags::PATH, Mode::empty())?;
            make_accessible(&path)?;
            return fs::openat(at, name, flags, Mode::empty());
        }
        opened => opened?,
    };
    if !Mode::from_raw_mode(fs::fstat(&folder)?.st_mode).contains(all) {
        let _or_what_is_in_it_stays = fs::fchmod(&folder, all);
    }
    Ok(folder)
}

/// As [`open`], of a folder on the same mount: what is mounted in the tree is not part of it.
fn enter(at: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    match fs::openat2(at, name, flags, Mode::empty(), resolve) {
        // Container filters hide openat2(2).
        Err(Errno::NOSYS | Errno::PERM) => open(at, name),
        found => {
            let found = found?;
            match open(found.as_fd(), c".") {
                // Without permission to search it `.` is not found.
                Err(Errno::ACCESS) => {
                    make_accessible(&found)?;
                    open(found.as_fd(), c".")
                }
                opened => opened,
            }
        }
    }
}

/// fchmod(2) takes no `O_PATH` descriptor; the link in /proc leads to exactly what it refers to.
fn make_accessible(path: &OwnedFd) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    let link = format!("/proc/self/fd/{}", path.as_raw_fd());
    fs::chmod(link, Mode::RWXU)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn unwritable_folders_go_too_and_links_are_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let (top, outside) = (base.path().join("top"), base.path().join("outside"));
        std::fs::create_dir_all(top.join("a/b/c/d")).unwrap();
        std::fs::create_dir_all(outside.join("kept")).unwrap();
        std::fs::write(outside.join("kept/file"), "kept").unwrap();
        std::fs::set_permissions(&outside, Permissions::from_mode(0o500)).unwrap();
        symlink(&outside, top.join("link")).unwrap();
        symlink(&outside, top.join("a/b/link")).unwrap();
        symlink("../../../outside", top.join("a/b/c/d/link")).unwrap();
        std::fs::write(top.join("a/b/c/file"), "x").unwrap();
        for folder in ["a/b/c/d", "a/b/c", "a/b", "a"] {
            let mode = if folder.len() % 3 == 0 { 0 } else { 0o500 };
            std::fs::set_permissions(top.join(folder), Permissions::from_mode(mode)).unwrap();
        }
        tree(CWD, top.as_os_str());
        assert!(!top.exists());
        assert_eq!(std::fs::read(outside.join("kept/file")).unwrap(), b"kept");
        let mode = outside.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o500);
    }

    #[test]
    fn a_tree_deeper_than_stack_and_descriptors_goes() {
        let base = tempfile::tempdir().unwrap();
        let top = base.path().join("top");
        std::fs::create_dir(&top).unwrap();
        let mut at = open(CWD, &top).unwrap();
        for _ in 0..3000 {
            fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = open(at.as_fd(), "d").unwrap();
        }
        tree(CWD, top.as_os_str());
        assert!(!top.exists());
    }

    #[test]
    fn a_link_in_place_of_the_folder_is_left_alone() {
        let base = tempfile::tempdir().unwrap();
        std::fs::create_dir(base.path().join("kept")).unwrap();
        std::fs::write(base.path().join("kept/file"), "kept").unwrap();
        symlink("kept", base.path().join("top")).unwrap();
        tree(CWD, base.path().join("top").as_os_str());
        assert!(base.path().join("kept/file").exists());
    }
}
