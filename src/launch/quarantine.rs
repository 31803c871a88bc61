//! Moves away what a run has planted, and trusts nothing on the way to it.
//!
//! By descriptors, within the folder in which it lies: whoever owns the tree can exchange a folder on the way for a
//! link meanwhile, and the launcher may be root.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, RenameFlags, chmod, fstat, renameat, renameat_with, statat};
use rustix::io::Errno;

use crate::enforce::open_without_links;

/// How often a name is tried that another process took first.
const TRIES: usize = 8;
/// So many characters of the old name are in the new one, which may be no longer than a name can be (NAME_MAX).
const LONGEST: usize = 50;

/// Renames what is at an absolute path within its folder, so that it cannot fail half-way, to a name that nothing
/// looks for, and returns what has moved and its new place. Where a symbolic link leads to the path, that is the link:
/// then nothing is at the path any more either.
///
/// # Errors
/// The folder is gone or cannot be written by its owner either; ELOOP where a link comes to the way meanwhile.
pub fn put_away(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let path = led_by(path).unwrap_or(path);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = open_without_links(folder)?;
    let folder = folder.as_fd();
    let shown = name.to_string_lossy();
    let shown = shown.trim_start_matches('.').chars().take(LONGEST);
    let shown: String = shown.collect();
    for _ in 0..TRIES {
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        // Unforeseeable: whoever plants could take every name that is counted up.
        let random = u64::from_ne_bytes(random);
        let new = format!("gosandbox-quarantine-{shown}-{random:016x}");
        match rename_as_owner(folder, Path::new(name), Path::new(&new)) {
            Err(Errno::EXIST) => {}
            renamed => {
                renamed?;
                return Ok((path.to_owned(), path.with_file_name(new)));
            }
        }
    }
    Err(Errno::EXIST.into())
}

/// The topmost link on the way to a path.
fn led_by(path: &Path) -> Option<&Path> {
    let above = path.ancestors().skip(1).filter(|above| above.is_symlink());
    above.last()
}

/// Renames in a folder from which a program may have taken its owner's right to write.
fn rename_as_owner(folder: BorrowedFd<'_>, name: &Path, new: &Path) -> Result<(), Errno> {
    match rename(folder, name, new) {
        Err(Errno::ACCESS) => {}
        renamed => return renamed,
    }
    let mode = Mode::from_raw_mode(fstat(folder)?.st_mode & 0o7777);
    // fchmod(2) takes no O_PATH descriptor.
    let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
    chmod(&path, mode | Mode::RWXU)?;
    let renamed = rename(folder, name, new);
    chmod(&path, mode)?;
    renamed
}

/// Renames to a name that is free.
fn rename(folder: BorrowedFd<'_>, name: &Path, new: &Path) -> Result<(), Errno> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn scene() -> (tempfile::TempDir, PathBuf) {
        let base = tempfile::tempdir().unwrap();
        let tree = base.path().canonicalize().unwrap().join("tree");
        fs::create_dir_all(tree.join("a/.git")).unwrap();
        (base, tree)
    }

    #[test]
    fn names_that_are_taken_are_left_alone() {
        let (_base, tree) = scene();
        let folder = tree.join("a");
        fs::write(folder.join("gosandbox-quarantine-git-0"), "kept").unwrap();
        symlink("nowhere", folder.join("gosandbox-quarantine-git-1")).unwrap();
        let (moved, place) = put_away(&folder.join(".git")).unwrap();
        assert_eq!(moved, folder.join(".git"));
        let name = place.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with("gosandbox-quarantine-git-"), "{name}");
        assert!(place.is_dir() && !moved.exists());
        assert_eq!(
            fs::read(folder.join("gosandbox-quarantine-git-0")).unwrap(),
            b"kept"
        );
    }

    #[test]
    fn a_folder_that_may_not_be_written_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let (_base, tree) = scene();
        let folder = tree.join("a");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
        put_away(&folder.join(".git")).unwrap();
        assert!(!folder.join(".git").exists());
        let mode = folder.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o555);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_name_that_is_as_long_as_can_be_is_no_reason_to_stay() {
        let (_base, tree) = scene();
        let planted = tree.join("é".repeat(127));
        fs::write(&planted, "planted").unwrap();
        let (_, place) = put_away(&planted).unwrap();
        assert!(place.is_file() && !planted.exists());
    }

    #[test]
    fn a_folder_that_was_exchanged_for_a_link_is_not_gone_through() {
        let (base, tree) = scene();
        let another = base.path().canonicalize().unwrap().join("another");
        fs::create_dir_all(another.join(".git")).unwrap();
        fs::remove_dir_all(tree.join("a")).unwrap();
        symlink(&another, tree.join("a")).unwrap();
        let (moved, place) = put_away(&tree.join("a/.git")).unwrap();
        assert_eq!(moved, tree.join("a"));
        assert!(place.is_symlink());
        assert!(another.join(".git").is_dir());
        assert!(!tree.join("a/.git").exists());
    }
}
