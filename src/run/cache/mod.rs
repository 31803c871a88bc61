//! `gosandbox cache`: what the launcher keeps from run to run, and how it is removed.
//!
//! It finds the caches that `run` makes, and owns the marks by which a run says that it uses one ([`hold`]). It removes
//! no changes that a run has left staged, and nothing that plain go uses too. Called by `cli`, and by a run.

mod clean;
mod find;
mod held;
mod measure;
mod modules;
mod projects;

use std::path::{Path, PathBuf};

pub(super) use self::clean::sweep_links;
pub use self::clean::{Cleaned, Outcome, Wanted, clean};
pub use self::find::list;
pub(super) use self::held::hold;
pub(super) use self::modules::{Modules, Removal, remove_modules};
pub(super) use self::projects::key;
use super::{Session, caches, direct};
use crate::files::User;

/// What a cache is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What programs, linters and go commands of one project keep: GOCACHE and XDG_CACHE_HOME of the program cage.
    Project,
    /// GOCACHE of the tool cage, where plain go does not use it.
    Build,
    /// GOMODCACHE, where plain go does not use it.
    Modules,
    /// What the checksum database has said.
    Checksums,
    /// Modules that came from their own repositories.
    Direct,
    /// A verified copy of a Go toolchain.
    Toolchain,
    /// A folder of links to what may run, for one policy.
    Links,
    /// What a run that was killed had begun to make or to remove.
    Leftover,
    /// GOCACHE, which plain go uses too.
    GoBuild,
    /// GOMODCACHE, which plain go uses too.
    GoModules,
}

impl Kind {
    /// Every kind, in the order of lists.
    pub const ALL: [Kind; 10] = [
        Kind::Project,
        Kind::Build,
        Kind::Modules,
        Kind::Checksums,
        Kind::Direct,
        Kind::Toolchain,
        Kind::Links,
        Kind::Leftover,
        Kind::GoBuild,
        Kind::GoModules,
    ];

    /// The word for it, of lists and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Project => "project",
            Kind::Build => "build",
            Kind::Modules => "modules",
            Kind::Checksums => "checksums",
            Kind::Direct => "direct",
            Kind::Toolchain => "toolchain",
            Kind::Links => "links",
            Kind::Leftover => "leftover",
            Kind::GoBuild => "go-build",
            Kind::GoModules => "go-modules",
        }
    }

    /// Whether plain go uses it too, so that it is not removed here.
    pub fn is_gos(self) -> bool {
        matches!(self, Kind::GoBuild | Kind::GoModules)
    }
}

/// A cache on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is for.
    pub kind: Kind,
    /// Its folder, without links.
    pub path: PathBuf,
    /// The project that it is of, where that is known.
    pub project: Option<PathBuf>,
    /// Whether the project's folder is gone.
    pub is_abandoned: bool,
    /// What it takes up on disk.
    pub bytes: u64,
    /// When it was used last, in seconds since 1970.
    pub used: i64,
    /// Whether a run uses it now.
    pub is_held: bool,
    /// Whose rights it is removed with, where the launcher is root and the cache is not.
    user: Option<(u32, u32)>,
}

impl Kept {
    fn user(&self) -> Option<User> {
        self.user.map(|(uid, gid)| User { uid, gid })
    }
}

/// Notes which project the cache is of that was just made.
pub(super) fn note(session: &Session<'_>, project: &Path) {
    if let Some(launchers) = caches::launchers(session) {
        projects::note(&launchers, project);
    }
}

/// Marks the modules that came from their repositories as in use, if there are any yet.
pub(super) fn hold_direct(session: &Session<'_>, launchers: &Path) {
    let found = find::area(launchers).ok().flatten();
    let held = found.and_then(|area| hold(&area.at, direct::NAME));
    session.held.borrow_mut().extend(held.map(|(held, _)| held));
}
