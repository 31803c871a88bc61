//! What makes a folder a git repository, whatever its name is. Git reads a configuration in it that
//! can name programs (setup.c, `is_git_directory`; git-config(1), `safe.bareRepository`).

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{self, AtFlags, OFlags};

use super::change::{Entry, Kind, What};
use crate::sys::no_links;

/// Names that a folder has of those that make a repository.
#[derive(Clone, Copy, Default)]
pub(super) struct Parts {
    head: bool,
    objects: bool,
    refs: bool,
    common: bool,
}

impl Parts {
    /// Of a folder of the work tree.
    pub fn of(folder: BorrowedFd<'_>) -> Parts {
        let has = |name: &CStr| fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        let head = has(c"HEAD");
        Parts {
            head,
            common: has(c"commondir"),
            objects: has(c"objects"),
            refs: has(c"refs"),
        }
    }

    /// Of a list of names.
    pub fn named(names: &[CString]) -> Parts {
        let mut parts = Parts::default();
        for name in names {
            parts.note(name.to_bytes());
        }
        parts
    }

    /// With what is staged in the folder.
    pub fn with<'e>(mut self, staged: impl Iterator<Item = &'e Entry>) -> Parts {
        for entry in staged {
            if entry.what != What::Deleted && entry.kind != Kind::Socket && is_part(entry) {
                self.note(entry.name.to_bytes());
            }
        }
        self
    }

    /// Adds a name of the folder.
    pub fn note(&mut self, name: &[u8]) {
        self.head |= name.eq_ignore_ascii_case(b"HEAD");
        self.objects |= name.eq_ignore_ascii_case(b"objects");
        self.refs |= name.eq_ignore_ascii_case(b"refs");
        self.common |= name.eq_ignore_ascii_case(b"commondir");
    }

    pub fn are_whole(&self) -> bool {
        self.head && (self.common || self.objects && self.refs)
    }
}

/// Whether an entry can be a part of a repository: `HEAD` and `commondir` are no folders.
pub(super) fn is_part(entry: &Entry) -> bool {
    let name = entry.name.to_bytes();
    let is = |part: &[u8]| name.eq_ignore_ascii_case(part);
    is(b"objects") || is(b"refs") || (is(b"HEAD") || is(b"commondir")) && entry.kind != Kind::Folder
}

/// Whether a path of the work tree is a repository or lies in one. What cannot be opened is none:
/// nothing leads there.
pub(super) fn is_above(tree: BorrowedFd<'_>, path: &[Vec<u8>]) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = None::<std::os::fd::OwnedFd>;
    for name in path {
        let above = folder.as_ref().map_or(tree, AsFd::as_fd);
        let Ok(opened) = no_links::open(above, Path::new(OsStr::from_bytes(name)), flags) else {
            return false;
        };
        if Parts::of(opened.as_fd()).are_whole() {
            return true;
        }
        folder = Some(opened);
    }
    false
}
