//! Which project a cache is of: a record that the launcher writes, out of reach of what runs inside.
//!
//! A cache is named by a digest of its project's path. A record that names another path counts for nothing, so that
//! nobody can say that a cache is another project's.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::files::{Keeper, Place};
use crate::run::token;

/// Within the launcher's caches.
const NAME: &str = "projects";

/// No path is longer.
const LONGEST: u64 = 4096;

/// Names a project's own cache.
pub(in crate::run) fn key(project: &Path) -> String {
    let hash = Sha256::digest(project.as_os_str().as_bytes());
    crate::text::hex(&hash[..8])
}

/// Notes where a project is whose cache is made. Without a record the cache is that of an unknown project.
pub(in crate::run) fn note(launchers: &Path, project: &Path) {
    // As root the sandbox user is another one, whose caches lie there too.
    let is_root = rustix::process::geteuid().is_root();
    let around = token::open_with(launchers, if is_root { 0o755 } else { 0o700 });
    let Some(folder) = around.and_then(|around| token::open(&around.real().join(NAME))) else {
        return;
    };
    let place = Place::find(&folder.real().join(key(project)), Keeper::caller(), None);
    let _is_of_an_unknown_project =
        place.and_then(|place| place.replace_with(project.as_os_str().as_bytes(), 0o600));
}

/// The project of a cache with this name, where that is known.
pub(super) fn known(launchers: &Path, name: &str) -> Option<PathBuf> {
    let place = find(launchers, name)?;
    let content = place.read_own(LONGEST).ok()??;
    let project = PathBuf::from(std::ffi::OsString::from_vec(content));
    (key(&project) == name).then_some(project)
}

/// Removes the record of a cache that is gone.
pub(super) fn forget(launchers: &Path, name: &str) {
    let _there_may_be_none = find(launchers, name).map(|place| place.remove());
}

fn find(launchers: &Path, name: &str) -> Option<Place> {
    Place::find(&launchers.join(NAME).join(name), Keeper::caller(), None).ok()
}
