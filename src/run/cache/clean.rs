//! Removes caches.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, renameat, statat, unlinkat};

use super::{Kept, Kind, find, held, measure, projects};
use crate::files::{self, Follow, Step, Stop};
use crate::launch::remove;
use crate::run::{Console, Request, Session, caches, scratch};

/// A folder of links that no run has used for so long is of an old policy.
const OLD_LINKS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What is made under another name first is whole before it is as old as this, or its launcher was killed.
const YOUNG: Duration = Duration::from_secs(60 * 60);

/// Which caches are to be removed. Without any of these: what nothing uses any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those as well that no run has used for so many seconds.
    pub older: Option<u64>,
    /// That of the project in this folder or around it, and no other.
    pub project: Option<PathBuf>,
    /// All.
    pub all: bool,
    /// Whether it is only said what would be removed.
    pub dry_run: bool,
}

/// What became of a cache that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It would be removed.
    Would,
    /// It is gone.
    Removed,
    /// A run uses it.
    InUse,
    /// Some of it is still there.
    Stays,
}

/// A cache that was to be removed.
#[derive(Clone, Debug)]
pub struct Cleaned {
    /// It, as it was.
    pub kept: Kept,
    /// What became of it.
    pub outcome: Outcome,
    /// How much was freed, or would be.
    pub freed: u64,
}

/// Removes caches.
///
/// # Errors
/// Others can change the folder of caches.
pub fn clean(
    request: &Request,
    wanted: &Wanted,
    console: &dyn Console,
) -> anyhow::Result<Vec<Cleaned>> {
    let session = Session::open(request, console, String::new())?;
    let caches = find::all(&session)?;
    let named = wanted.project.as_deref();
    let key = named.and_then(|folder| nearest(&caches, folder));
    let chosen = caches.into_iter().filter(|kept| match named {
        Some(_) => kept.kind == Kind::Project && kept.path.file_name() == key.as_deref(),
        None => is_wanted(kept, wanted),
    });
    let launchers = caches::launchers(&session);
    let cleaned = chosen.map(|kept| {
        let (outcome, freed) = match wanted.dry_run {
            true if kept.is_held => (Outcome::InUse, 0),
            true => (Outcome::Would, kept.bytes),
            false => remove(&kept),
        };
        if outcome == Outcome::Removed
            && kept.kind == Kind::Project
            && let (Some(launchers), Some(name)) = (&launchers, kept.path.file_name())
        {
            projects::forget(launchers, &name.to_string_lossy());
        }
        Cleaned {
            kept,
            outcome,
            freed,
        }
    });
    Ok(cleaned.collect())
}

fn is_wanted(kept: &Kept, wanted: &Wanted) -> bool {
    let age = held::age(kept.used);
    let is_old = wanted
        .older
        .is_some_and(|older| age >= Duration::from_secs(older));
    match kept.kind {
        Kind::GoBuild | Kind::GoModules => false,
        Kind::Leftover => age >= YOUNG,
        _ if wanted.all || is_old => true,
        Kind::Project => kept.is_abandoned,
        Kind::Links => age >= OLD_LINKS,
        _ => false,
    }
}

/// The name of the cache of the project in a folder, or of the nearest one around it that has a cache.
fn nearest(caches: &[Kept], folder: &Path) -> Option<OsString> {
    let projects = caches.iter().filter(|kept| kept.kind == Kind::Project);
    let names: Vec<&OsStr> = projects.filter_map(|kept| kept.path.file_name()).collect();
    let mut keys = folder
        .ancestors()
        .map(|folder| projects::key(folder).into());
    keys.find(|key: &OsString| names.contains(&key.as_os_str()))
}

/// Removes a cache that nothing holds; what became of it, and how much that freed.
fn remove(kept: &Kept) -> (Outcome, u64) {
    let removed = match kept.user() {
        None => remove_here(&kept.path),
        // The rights of the user who owns it, for good: no name in it leads to what that user could not remove.
        Some(user) => match as_owner(kept, user) {
            Some(outcome) => outcome,
            None => (Outcome::Stays, kept.bytes),
        },
    };
    let (outcome, left) = removed;
    (outcome, kept.bytes.saturating_sub(left))
}

/// As root, of a cache that another user owns. What root alone may unlink in the end is an empty folder.
fn as_owner(kept: &Kept, user: files::User) -> Option<(Outcome, u64)> {
    let (code, _) = files::as_user(user, || {
        let (outcome, left) = remove_here(&kept.path);
        (
            (outcome == Outcome::InUse, outcome == Outcome::Removed, left),
            Vec::new(),
        )
    })
    .ok()?;
    let (is_held, is_removed, left) = code;
    match (is_held, is_removed) {
        (true, _) => Some((Outcome::InUse, left)),
        (_, true) => Some((Outcome::Removed, 0)),
        _ => {
            let (parent, name) = (kept.path.parent()?, kept.path.file_name()?);
            let area = find::area(parent).ok().flatten()?;
            match unlinkat(&area.at, name, AtFlags::REMOVEDIR) {
                Ok(()) => Some((Outcome::Removed, 0)),
                Err(_) => Some((Outcome::Stays, left)),
            }
        }
    }
}

/// With the rights that the process has; what became of the cache, and how much of it is left.
fn remove_here(path: &Path) -> (Outcome, u64) {
    let stays = (Outcome::Stays, u64::MAX);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return stays;
    };
    match reach(parent) {
        Some(at) => remove_in(at.as_fd(), name),
        None => stays,
    }
}

fn reach(folder: &Path) -> Option<OwnedFd> {
    let mut step = Step::start(folder).ok()?;
    let stop = step.walk(Follow::None, None).ok()?;
    (stop == Stop::There).then(|| step.open_folder().ok())?
}

/// Under another name from the first moment on: a run that begins meanwhile makes a new one.
pub(super) fn remove_in(at: BorrowedFd<'_>, name: &OsStr) -> (Outcome, u64) {
    let Ok(folder) = remove::open(at, name) else {
        return (Outcome::Stays, u64::MAX);
    };
    if held::seize(&folder).is_none() {
        return (Outcome::InUse, u64::MAX);
    }
    let new = scratch::unguessable().ok();
    let new = new.map(|digits| OsString::from(format!("new-{digits}")));
    let new = new.filter(|new| renameat(at, name, at, new).is_ok());
    // Where its parent is root's it keeps its name, and is emptied.
    let name = new.as_deref().unwrap_or(name);
    remove::tree(at, name);
    match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(_) => (Outcome::Removed, 0),
        Ok(_) => (Outcome::Stays, measure::bytes(at, name)),
    }
}

/// Removes the folders of links that no run uses any more, from among those in a folder. For a run that has made one,
/// which is when others have become old.
pub(in crate::run) fn sweep_links(at: &OwnedFd) {
    let Ok(entries) = Dir::read_from(at) else {
        return;
    };
    for entry in entries.flatten() {
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        let Ok(found) = statat(at, name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let age = held::age(held::used(&found));
        let is_new = name.as_bytes().starts_with(b"new-");
        if !matches!(name.as_bytes(), b"." | b"..") && age >= if is_new { YOUNG } else { OLD_LINKS }
        {
            let _stays_for_later = remove_in(at.as_fd(), name);
        }
    }
}
