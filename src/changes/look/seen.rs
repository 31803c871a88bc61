//! What is at a protected path, and which file or folder it is.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat, StatxFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::super::{open, scan};

/// Why something counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It has a protected name, or is at a protected path.
    Name,
    /// The `HEAD` of a folder that git takes for a repository.
    Repository,
    /// A folder that cannot be listed.
    Unlisted,
}

/// Something at a protected path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seen {
    /// Relative to the work tree.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// Why it counts.
    pub reason: Reason,
    /// Which file it is; of a repository its folder. `None`: it cannot be looked at.
    pub(super) identity: Option<Identity>,
}

impl Seen {
    /// The end of a symbolic link (absolute), where it has one.
    pub fn end(&self) -> Option<&Path> {
        let link = self.identity.as_ref()?.link.as_ref()?;
        link.end.as_ref().map(|end| end.path.as_path())
    }
}

/// Once more where a call fails: an error of the machine's may pass, and what cannot be told from what was
/// there before is moved away.
pub(super) fn again<T>(call: impl Fn() -> Result<T, Errno>) -> Result<T, Errno> {
    call().or_else(|_| call())
}

/// Device and inode, the time of its making, and of a link its text and end: a file system may give the number
/// of a file that was removed to the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Identity {
    dev: u64,
    ino: u64,
    born: Option<Born>,
    link: Option<Link>,
}

/// The time at which a file was made: seconds and nanoseconds.
pub(super) type Born = (i64, u32);

/// That of a name, or of a descriptor whose name is empty. `None`: the file system has none.
pub(super) fn born(folder: BorrowedFd<'_>, name: &CStr) -> Option<Born> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
    let found = again(|| fs::statx(folder, name, flags, StatxFlags::BTIME)).ok()?;
    let has_time = found.stx_mask & StatxFlags::BTIME.bits() != 0;
    has_time.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Link {
    text: Vec<u8>,
    end: Option<End>,
}

/// The end of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct End {
    #[serde(with = "crate::paths")]
    path: PathBuf,
    dev: u64,
    ino: u64,
}

impl Identity {
    /// That of a folder that is open.
    pub fn of_folder(folder: BorrowedFd<'_>) -> Option<Identity> {
        let found = again(|| fs::fstat(folder)).ok()?;
        Some(Identity {
            dev: found.st_dev,
            ino: found.st_ino,
            born: born(folder, c""),
            link: None,
        })
    }

    /// That of a name which was looked at.
    pub fn of(folder: BorrowedFd<'_>, name: &CStr, found: &Stat) -> Identity {
        let is_link = FileType::from_raw_mode(found.st_mode) == FileType::Symlink;
        Identity {
            dev: found.st_dev,
            ino: found.st_ino,
            born: born(folder, name),
            link: is_link.then(|| Link::at(folder, name)).flatten(),
        }
    }
}

impl Link {
    fn at(folder: BorrowedFd<'_>, name: &CStr) -> Option<Link> {
        let text = again(|| fs::readlinkat(folder, name, Vec::new()))
            .ok()?
            .into_bytes();
        let end = || {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let end = again(|| fs::openat(folder, name, flags, Mode::empty())).ok()?;
            let found = again(|| fs::fstat(&end)).ok()?;
            let path = again(|| fs::readlink(open::in_proc(&end), Vec::new())).ok()?;
            Some(End {
                path: OsStr::from_bytes(path.to_bytes()).into(),
                dev: found.st_dev,
                ino: found.st_ino,
            })
        };
        Some(Link { text, end: end() })
    }
}

/// What is at a path of the work tree, or the topmost link on the way to it.
pub(super) struct Spot {
    /// The folder that it is in.
    pub folder: OwnedFd,
    pub name: CString,
    pub found: Stat,
    /// Its path, which is shorter than the one that was asked for where a link is on the way.
    pub path: PathBuf,
}

impl Spot {
    /// Walks to a path, by one name at a time and through no link.
    ///
    /// # Errors
    /// Something on the way cannot be looked at.
    pub fn at(tree: BorrowedFd<'_>, path: &Path) -> io::Result<Option<Spot>> {
        let mut folder = open::place(tree, c".")?;
        let mut reached = PathBuf::new();
        let mut parts = path.components().peekable();
        while let Some(part) = parts.next() {
            let Component::Normal(part) = part else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let name = CString::new(part.as_bytes())?;
            let Some(found) = scan::look(folder.as_fd(), &name)? else {
                return Ok(None);
            };
            reached.push(part);
            let kind = FileType::from_raw_mode(found.st_mode);
            if parts.peek().is_none() || kind == FileType::Symlink {
                return Ok(Some(Spot {
                    folder,
                    name,
                    found,
                    path: reached,
                }));
            }
            if kind != FileType::Directory {
                return Ok(None);
            }
            folder = open::place(folder.as_fd(), &name)?;
        }
        Ok(None)
    }

    /// What identifies it.
    pub fn seen(&self) -> Seen {
        Seen {
            path: self.path.clone(),
            reason: Reason::Name,
            identity: Some(Identity::of(self.folder.as_fd(), &self.name, &self.found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_error_may_pass_once() {
        for (failing, calls, answered) in [(0, 1, true), (1, 2, true), (2, 2, false)] {
            let made = Cell::new(0);
            let answer = again(|| {
                made.set(made.get() + 1);
                match made.get() > failing {
                    true => Ok(()),
                    false => Err(Errno::IO),
                }
            });
            assert_eq!((made.get(), answer.is_ok()), (calls, answered));
        }
    }
}
