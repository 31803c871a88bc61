//! A folder laid out as a module proxy. Nothing outside it is ever opened, whatever links lie in it.

use std::fs::File;
use std::io;
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::files::look;

/// Opens a file beneath the folder; `None` where there is none.
pub(super) fn open(folder: &Path, path: &str) -> io::Result<Option<(File, u64)>> {
    let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
    let opened = openat(CWD, folder, flags, Mode::empty()).and_then(|folder| {
        // A FIFO in the folder must not make anybody wait.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        openat2(folder, path, flags, Mode::empty(), resolve)
    });
    let file = match opened {
        Ok(file) => File::from(file),
        // Container filters hide openat2(2). No link is followed then.
        Err(Errno::NOSYS | Errno::PERM) => match without_links(folder, path) {
            Ok(file) => file,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error),
        },
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(Errno::XDEV) => {
            return Err(io::Error::other(
                "it is a link that leads out of the folder",
            ));
        }
        Err(errno) => return Err(errno.into()),
    };
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok(Some((file, metadata.len()))),
        false => Ok(None),
    }
}

fn without_links(folder: &Path, path: &str) -> io::Result<File> {
    let folder = look::canonicalize(folder)?;
    if Path::new(path)
        .components()
        .any(|part| !matches!(part, Component::Normal(_)))
    {
        return Err(io::ErrorKind::NotFound.into());
    }
    look::open_in_place(folder.join(path))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_plain_files_beneath_the_folder_are_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("a/dir")).expect("made");
        fs::write(folder.path().join("secret"), "s").expect("written");
        fs::write(root.join("a/file"), "four").expect("written");
        symlink("a/file", root.join("inside")).expect("linked");
        symlink("../secret", root.join("outside")).expect("linked");
        symlink(folder.path().join("secret"), root.join("absolute")).expect("linked");
        without_links(&root, "a/file").expect("opened");
        for path in [
            "inside",
            "outside",
            "absolute",
            "../secret",
            "/a/file",
            "a/none",
        ] {
            without_links(&root, path).expect_err(path);
        }
        symlink("..", root.join("up")).expect("linked");
        symlink("/proc/self/root/etc", root.join("magic")).expect("linked");
        let length = |path: &str| open(&root, path).map(|found| found.map(|(_, length)| length));
        assert_eq!(length("a/file").ok(), Some(Some(4)));
        assert_eq!(length("inside").ok(), Some(Some(4)));
        for missing in ["a/dir", "a/none", "a/file/x"] {
            assert_eq!(length(missing).ok(), Some(None), "{missing}");
        }
        for out in [
            "outside",
            "absolute",
            "up/secret",
            "../secret",
            "magic/passwd",
        ] {
            assert!(length(out).is_err(), "{out}");
        }
    }
}
