//! Removes the module cache for `go clean -modcache`, as go does it: the folder with all that is in it, or the link that
//! GOMODCACHE names and nothing behind it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, statat, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{Outcome, clean, find};
use crate::files::{self, Follow, Keeper, Step, Stop, User};
use crate::launch::remove;

/// The module cache of a run that has ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::run) struct Modules<'a> {
    /// As it is named.
    pub named: &'a Path,
    /// Where that leads.
    pub real: &'a Path,
    /// Whose rights it is removed with; `None`: those of this process.
    pub user: Option<User>,
    /// Whether runs hold it.
    pub is_held: bool,
}

/// What became of the module cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::run) enum Removal {
    Gone,
    /// Another run uses it.
    InUse,
    /// Something is still there, for this reason (errno).
    Left(i32),
}

/// Removes it.
pub(in crate::run) fn remove_modules(modules: &Modules<'_>) -> Removal {
    let Some(user) = modules.user else {
        return remove_here(modules);
    };
    let removal = match files::as_user(user, || (remove_here(modules), Vec::new())) {
        Ok((removal, _)) => removal,
        Err(error) => Removal::Left(error.raw_os_error().unwrap_or(libc::EIO)),
    };
    // What root alone may take out of root's folder is an empty one.
    match removal {
        Removal::Left(_) if remove_empty(modules.real).is_some() => Removal::Gone,
        removal => removal,
    }
}

fn remove_empty(path: &Path) -> Option<()> {
    let area = find::area(path.parent()?).ok()??;
    unlinkat(&area.at, path.file_name()?, AtFlags::REMOVEDIR).ok()
}

/// With the rights that the process has.
fn remove_here(modules: &Modules<'_>) -> Removal {
    match remove_at(modules) {
        Ok(removal) => removal,
        Err(error) => Removal::Left(error.raw_os_error()),
    }
}

fn remove_at(modules: &Modules<'_>) -> Result<Removal, Errno> {
    // Root goes on only where root alone decides.
    let follow = match rustix::process::geteuid().is_root() {
        true => Follow::Kept(Keeper::ROOT),
        false => Follow::All,
    };
    let Some((at, found)) = entry(modules.named, follow)? else {
        return Ok(Removal::Gone);
    };
    let named = modules.named.file_name().unwrap_or_default();
    if found == FileType::Symlink {
        unlinkat(&at, named, AtFlags::empty())?;
        return Ok(Removal::Gone);
    }
    let Some((at, _)) = entry(modules.real, Follow::None)? else {
        return Ok(Removal::Gone);
    };
    let name = modules.real.file_name().unwrap_or_default();
    if modules.is_held {
        // Under another name first: a run that begins meanwhile makes a new one.
        return Ok(match clean::remove_in(at.as_fd(), name) {
            (Outcome::InUse, _) => Removal::InUse,
            (Outcome::Removed, _) => Removal::Gone,
            _ => Removal::Left(Errno::NOTEMPTY.raw_os_error()),
        });
    }
    remove::tree(at.as_fd(), name);
    Ok(match unlinkat(&at, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Removal::Gone,
        Err(error) => Removal::Left(error.raw_os_error()),
    })
}

/// The folder around a path, and what lies there. `None`: nothing.
fn entry(path: &Path, follow: Follow) -> Result<Option<(OwnedFd, FileType)>, Errno> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::INVAL);
    };
    let reach = || {
        let mut step = Step::start(parent)?;
        match step.walk(follow, None)? {
            Stop::There => step.open_folder().map(Some),
            Stop::Missing => Ok(None),
            Stop::NotKept => Err(std::io::ErrorKind::PermissionDenied.into()),
        }
    };
    let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::ACCESS);
    let Some(at) = reach().map_err(errno)? else {
        return Ok(None);
    };
    match statat(&at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some((at, FileType::from_raw_mode(found.st_mode)))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
