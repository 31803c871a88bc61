//! Opening a path in which no symbolic link is followed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{self, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Opens a path in which no symbolic link is followed. A relative path starts at `at` and stays below it.
///
/// With `O_PATH` and `O_NOFOLLOW` a link at the end is opened itself, as by openat2(2). `flags` make no file.
///
/// openat2(2) (Linux 5.6), or a walk where a filter hides it: a filter cannot look at its flags, so that
/// container filters answer ENOSYS. Docker before 23 answers EPERM.
///
/// # Errors
/// As openat2(2); ELOOP or ENOTDIR where there is a link.
pub fn open(at: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    if path.is_relative() {
        resolve |= ResolveFlags::BENEATH;
    }
    match fs::openat2(at, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM) => walk(at, path, flags),
        opened => opened,
    }
}

/// As [`open`], of an absolute path.
///
/// # Errors
/// The same.
pub fn open_absolute(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    open(CWD, path, flags)
}

fn walk(at: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    const FOLDER: OFlags = OFlags::PATH
        .union(OFlags::DIRECTORY)
        .union(OFlags::NOFOLLOW)
        .union(OFlags::CLOEXEC);
    if path.as_os_str().is_empty() {
        return Err(Errno::NOENT);
    }
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => names.push(name),
            _ => return Err(Errno::INVAL),
        }
    }
    let start = match path.is_absolute() {
        true => Some(fs::open("/", FOLDER, Mode::empty())?),
        false => None,
    };
    let start = start.as_ref().map_or(at, AsFd::as_fd);
    let Some((last, above)) = names.split_last() else {
        return fs::openat(start, c".", flags, Mode::empty());
    };
    let mut folder = None::<OwnedFd>;
    for name in above {
        let below = folder.as_ref().map_or(start, AsFd::as_fd);
        folder = Some(fs::openat(below, *name, FOLDER, Mode::empty())?);
    }
    let folder = folder.as_ref().map_or(start, AsFd::as_fd);
    let opened = fs::openat(folder, *last, flags | OFlags::NOFOLLOW, Mode::empty())?;
    let is_link = || {
        let found = fs::fstat(&opened);
        found.map(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
    };
    match flags.contains(OFlags::PATH) && !flags.contains(OFlags::NOFOLLOW) && is_link()? {
        true => Err(Errno::LOOP),
        false => Ok(opened),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_walk_opens_and_refuses_what_openat2_does() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/b/file"), "").unwrap();
        symlink("b", root.join("a/link")).unwrap();
        symlink("file", root.join("a/b/end")).unwrap();
        let at = fs::open(&root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let look = OFlags::PATH | OFlags::CLOEXEC;
        let read = OFlags::RDONLY | OFlags::CLOEXEC;
        let kinds = [
            look,
            look | OFlags::NOFOLLOW,
            look | OFlags::DIRECTORY,
            read,
        ];
        let paths = [
            "a/b",
            "a/b/file",
            "a/link/file",
            "a/b/end",
            "none/x",
            "a/../a",
            ".",
            "a/b/file/x",
            "",
        ];
        for (flags, path) in kinds
            .into_iter()
            .flat_map(|flags| paths.map(|path| (flags, path)))
        {
            let identity = |opened: Result<OwnedFd, Errno>| {
                opened.and_then(fs::fstat).map(|found| found.st_ino)
            };
            for path in [Path::new(path), &root.join(path)] {
                let found = identity(walk(at.as_fd(), path, flags));
                let expected = identity(open(at.as_fd(), path, flags));
                let is_refused = [Errno::LOOP, Errno::NOTDIR, Errno::INVAL];
                match (&found, &expected) {
                    (Err(found), Err(_)) if is_refused.contains(found) => {}
                    // `..` is refused by the walk alone.
                    (Err(Errno::INVAL), Ok(_)) => {}
                    _ => assert_eq!(found, expected, "{path:?} {flags:?}"),
                }
            }
        }
    }
}
