//! A file that an option names, for the launcher to write: its folder is opened once, and its name is written to in that.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use super::walk::{Follow, Keeper, Step, Stop};

/// A file's name in an opened folder. The file need not be there.
#[derive(Debug)]
pub struct Place {
    folder: OwnedFd,
    name: OsString,
    path: PathBuf,
    is_kept: bool,
    is_led: bool,
    leaves: bool,
}

impl Place {
    /// Walks to a file's folder. Root follows no link of another user's, nor any in a folder that another user can change.
    ///
    /// # Errors
    /// There is no such folder; ELOOP: a link of another user's lies on the way.
    pub fn find(path: &Path, keeper: Keeper, tree: Option<&Path>) -> io::Result<Place> {
        let mut step = Step::start_to_file(&std::path::absolute(path)?)?;
        let follow = match keeper.uid {
            0 => Follow::Kept(keeper),
            _ => Follow::All,
        };
        let mut is_kept = true;
        let mut stop = step.walk(follow, tree)?;
        if stop == Stop::NotKept {
            is_kept = false;
            stop = step.walk(Follow::None, tree)?;
        }
        let (Some(name), Stop::There) = (step.next().map(OsStr::to_owned), stop) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if FileType::from_raw_mode(step.found().st_mode) != FileType::Directory {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Place {
            path: step.real().join(&name),
            is_kept,
            is_led: step.is_led(),
            leaves: step.leaves(tree),
            folder: step.into_at(),
            name,
        })
    }

    /// Its path, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether links led there.
    pub fn is_led(&self) -> bool {
        self.is_led
    }

    /// Whether a link of the work tree's own has led out of it.
    pub fn leaves_tree(&self) -> bool {
        self.leaves
    }

    /// What is there now; not what a link leads to.
    ///
    /// # Errors
    /// As fstatat(2).
    pub fn look(&self) -> io::Result<Option<Stat>> {
        match statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    /// Opens what is no regular file and is no link but one of this process's descriptors (`/dev/stdout`): a device, a
    /// FIFO. `None` for a regular file, and where nothing is there.
    ///
    /// # Errors
    /// It cannot be opened, or another user can have put it there.
    pub fn open_special(&self) -> io::Result<Option<File>> {
        let Some(found) = self.look()? else {
            return Ok(None);
        };
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        let flags = match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => return Ok(None),
            FileType::Directory => return Err(io::ErrorKind::IsADirectory.into()),
            FileType::Symlink if !self.is_own_descriptor() => return Err(Errno::LOOP.into()),
            FileType::Symlink => flags,
            _ => flags | OFlags::NOFOLLOW,
        };
        if !self.is_kept {
            return Err(io::Error::other(
                "it is no regular file, and another user may have put it there",
            ));
        }
        Ok(Some(
            openat(&self.folder, &self.name, flags, Mode::empty())?.into(),
        ))
    }

    fn is_own_descriptor(&self) -> bool {
        let own = format!("/proc/{}/fd", std::process::id());
        self.path.parent() == Some(Path::new(&own))
    }

    /// Opens the file for appending; where it is missing, makes it.
    ///
    /// # Errors
    /// It cannot be opened; it is a link; in a folder that another user can change, it is not the caller's or has another
    /// name too.
    pub fn append(&self, mode: u32) -> io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::APPEND | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let new = flags | OFlags::CREATE | OFlags::EXCL;
        let opened = match self.look()? {
            None => openat(&self.folder, &self.name, new, Mode::from_raw_mode(mode))?,
            Some(_) => openat(&self.folder, &self.name, flags, Mode::empty())?,
        };
        let found = fstat(&opened)?;
        let is_own = found.st_uid == rustix::process::geteuid().as_raw() && found.st_nlink == 1;
        if !self.is_kept && !is_own {
            return Err(io::Error::other("another user may have put it there"));
        }
        Ok(opened.into())
    }

    /// What a regular file of this process's own user holds; `None` for anything else, and for one that is longer.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_own(&self, longest: u64) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.folder, &self.name, flags, Mode::empty()) {
            Err(Errno::LOOP | Errno::NXIO) => return Ok(None),
            file => file?,
        };
        let found = fstat(&file)?;
        let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
        if !is_file || found.st_uid != rustix::process::geteuid().as_raw() {
            return Ok(None);
        }
        let mut content = Vec::new();
        File::from(file)
            .take(longest + 1)
            .read_to_end(&mut content)?;
        Ok((content.len() as u64 <= longest).then_some(content))
    }

    /// Removes what is there, if it is no folder.
    ///
    /// # Errors
    /// As unlinkat(2).
    pub fn remove(&self) -> io::Result<()> {
        Ok(unlinkat(&self.folder, &self.name, AtFlags::empty())?)
    }

    /// Puts a file with this content there, in the place of a regular file or of nothing. The old file itself is not
    /// written: it may have other names.
    ///
    /// # Errors
    /// It cannot be made; something else is there.
    pub fn replace(&self, content: &[u8]) -> io::Result<()> {
        self.replace_with(content, 0o666)
    }

    /// As [`Place::replace`], with this mode, less the umask, where the file is new.
    ///
    /// # Errors
    /// The same.
    pub fn replace_with(&self, content: &[u8], mode: u32) -> io::Result<()> {
        let found = self.look()?;
        if found.is_some_and(|it| FileType::from_raw_mode(it.st_mode) != FileType::RegularFile) {
            return Err(io::Error::other(
                "something that is no regular file has come there",
            ));
        }
        let new = format!(".gosandbox-{}", unguessable()?);
        let made = self.make(&new, content, mode, found.as_ref());
        let made = made.and_then(|()| Ok(renameat(&self.folder, &new, &self.folder, &self.name)?));
        match made {
            Ok(()) => Ok(()),
            Err(error) => {
                let _or_none_was_made = unlinkat(&self.folder, &new, AtFlags::empty());
                // A file that is a mount point, or lies in a folder that cannot be written.
                match found.filter(|it| self.is_kept && it.st_nlink == 1) {
                    Some(_) => self.overwrite(content),
                    None => Err(error),
                }
            }
        }
    }

    fn make(&self, name: &str, content: &[u8], mode: u32, old: Option<&Stat>) -> io::Result<()> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(&self.folder, name, flags, Mode::from_raw_mode(mode))?;
        if let Some(old) = old {
            rustix::fs::fchmod(&made, Mode::from_raw_mode(old.st_mode & 0o777))?;
        }
        File::from(made).write_all(content)
    }

    fn overwrite(&self, content: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.folder, &self.name, flags, Mode::empty())?;
        let found = fstat(&file)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || found.st_nlink != 1 {
            return Err(Errno::EXIST.into());
        }
        let mut file = File::from(file);
        file.set_len(0)?;
        file.write_all(content)
    }
}

/// Opens a folder of the caller's own, and makes it and those above it where they are missing, with that mode. `None` where
/// others than root and the caller decide what lies there.
///
/// # Errors
/// One cannot be made or opened.
pub fn own_folder(path: &Path, mode: u32) -> io::Result<Option<Step>> {
    let mut step = Step::start(path)?;
    loop {
        match step.walk(Follow::Kept(Keeper::caller()), None)? {
            Stop::There => return Ok(Keeper::caller().closes(step.found()).then_some(step)),
            Stop::NotKept => return Ok(None),
            Stop::Missing => match step.make_folder(mode) {
                // A run beside this one was first.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            },
        }
    }
}

/// Makes a folder and those above it, where they are missing. Root goes through no link that another user can change.
///
/// # Errors
/// One cannot be made.
pub fn make_folders(path: &Path, keeper: Keeper) -> io::Result<()> {
    let mut step = Step::start(&std::path::absolute(path)?)?;
    let mut follow = match keeper.uid {
        0 => Follow::Kept(keeper),
        _ => Follow::All,
    };
    loop {
        match step.walk(follow, None)? {
            Stop::There => return Ok(()),
            Stop::NotKept => follow = Follow::None,
            Stop::Missing => match step.make_folder(0o777) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            },
        }
    }
}

fn unguessable() -> io::Result<String> {
    let mut random = [0; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!("{:016x}", u64::from_ne_bytes(random)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_replaced_and_its_other_names_stay() {
        let base = tempfile::tempdir().unwrap();
        let (file, other) = (base.path().join("file"), base.path().join("other"));
        std::fs::write(&file, "old").unwrap();
        std::fs::hard_link(&file, &other).unwrap();
        symlink("file", base.path().join("link")).unwrap();
        let place = Place::find(&base.path().join("link"), Keeper::caller(), None).unwrap();
        assert!(place.is_led() && place.open_special().unwrap().is_none());
        place.replace(b"new").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert_eq!(std::fs::read(&other).unwrap(), b"old");
        std::fs::remove_file(&file).unwrap();
        symlink("other", &file).unwrap();
        assert!(place.replace(b"new").is_err() && place.append(0o600).is_err());
        assert_eq!(std::fs::read(&other).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 3);
    }

    #[test]
    fn streams_are_opened_and_folders_are_not() {
        let place = |path: &str| Place::find(Path::new(path), Keeper::caller(), None).unwrap();
        assert!(place("/dev/null").open_special().unwrap().is_some());
        assert!(place("/dev/stdout").open_special().unwrap().is_some());
        assert!(place("/dev/shm").open_special().is_err());
        assert!(Place::find(Path::new("/"), Keeper::caller(), None).is_err());
        assert!(Place::find(Path::new("/missing/file"), Keeper::caller(), None).is_err());
    }

    #[test]
    fn root_goes_through_no_link_of_another_users() {
        if !crate::skip::needs_root("another user's links are made by root") {
            return;
        }
        let base = tempfile::tempdir().unwrap();
        let (theirs, own) = (base.path().join("theirs"), base.path().join("own"));
        for folder in [&theirs, &own] {
            std::fs::create_dir(folder).unwrap();
        }
        symlink(&own, theirs.join("link")).unwrap();
        std::fs::write(own.join("file"), "root's").unwrap();
        std::fs::hard_link(own.join("file"), theirs.join("hard")).unwrap();
        for path in [theirs.join("link"), theirs.clone()] {
            std::os::unix::fs::lchown(path, Some(1000), Some(1000)).unwrap();
        }
        assert!(Place::find(&theirs.join("link/file"), Keeper::ROOT, None).is_err());
        let place = Place::find(&theirs.join("hard"), Keeper::ROOT, None).unwrap();
        assert!(place.append(0o600).is_err());
        place.replace(b"new").unwrap();
        assert_eq!(std::fs::read(own.join("file")).unwrap(), b"root's");
        std::fs::remove_file(theirs.join("hard")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            theirs.join("hard"),
            FileType::Fifo,
            Mode::RWXU,
            0,
        )
        .unwrap();
        let place = Place::find(&theirs.join("hard"), Keeper::ROOT, None).unwrap();
        assert!(place.open_special().is_err());
    }
}
