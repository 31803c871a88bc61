//! Whose configuration git reads in a work tree, and what is said where it cannot be understood.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Session;
use crate::files::look;
use crate::go::hooks::{self, Unclear, User};
use crate::go::redact;
use crate::host::accounts;
use crate::plan::Cover;
use crate::refusal::Refused;

/// Whoever may call git in the work tree later: the caller, and the tree's owner where root is the caller.
pub(super) fn user(session: &Session<'_>, tree: &Path) -> User<'static> {
    let home = |uid: u32| accounts::by_uid(uid).map(|account| account.home);
    let mut homes: Vec<PathBuf> = session.home.clone().into_iter().collect();
    homes.extend(home(session.host.uid));
    if session.host.is_root() {
        homes.extend(
            look::metadata(tree)
                .ok()
                .and_then(|found| home(found.uid())),
        );
    }
    homes.dedup();
    let variable = |name: &str| session.variable(name).map(PathBuf::from);
    let mut configurations: Vec<PathBuf> = ["/etc/gitconfig", "/usr/local/etc/gitconfig"]
        .map(PathBuf::from)
        .into();
    for home in &homes {
        configurations.extend([home.join(".gitconfig"), home.join(".config/git/config")]);
    }
    let folder = variable("XDG_CONFIG_HOME").map(|folder| folder.join("git/config"));
    configurations.extend(folder);
    configurations.extend(
        ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"]
            .into_iter()
            .filter_map(variable),
    );
    // What the caller cannot read the caller's git cannot either.
    configurations.retain(|file| !is_refused(file));
    User {
        homes,
        home_of: Some(&home_of),
        configurations,
    }
}

fn home_of(name: &str) -> Option<PathBuf> {
    accounts::by_name(name).map(|account| account.home)
}

fn is_refused(file: &Path) -> bool {
    let opened = look::metadata(file);
    opened.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// What code of the source sees instead of the configuration of the repositories around a work tree, of their
/// submodules, and of those in folders at its top, where it holds secrets.
pub(super) fn covers(tree: Option<&Path>) -> Vec<Cover> {
    tree.map_or_else(Vec::new, |tree| {
        look::with_rights_of(tree, || covers_of(tree))
    })
}

fn covers_of(tree: &Path) -> Vec<Cover> {
    let below = look::read_dir(tree).into_iter().flatten();
    let below = below.map(|entry| entry.path());
    let tops = tree.ancestors().map(Path::to_owned).chain(below);
    let mut covers: Vec<Cover> = tops
        .filter(|top| look::symlink_metadata(top.join(".git")).is_ok())
        .flat_map(|top| hooks::configurations(&top))
        .filter_map(|file| cover(&file))
        .collect();
    covers.sort_by(|one, other| one.target.cmp(&other.target));
    covers.dedup_by(|one, other| one.target == other.target);
    covers
}

/// What stands over one file. Where it cannot be read, nobody knows what it holds.
fn cover(file: &Path) -> Option<Cover> {
    let target = look::canonicalize(file).ok()?;
    let found = look::symlink_metadata(&target).ok()?;
    if !found.is_file() {
        return None;
    }
    let content = match redact::of_file(&target) {
        Ok(text) => redact::redacted(&text)?,
        Err(_) => redact::MINIMAL.to_vec(),
    };
    let modified = (found.mtime(), found.mtime_nsec().try_into().unwrap_or(0));
    Some(Cover {
        target,
        content,
        modified,
    })
}

/// The refusal of a run whose programs could write what git executes, without anybody knowing what that is.
pub(super) fn refuse(unclear: &Unclear) -> anyhow::Error {
    let refused = Refused::of(unclear);
    refused
        .within("cannot tell which files git executes")
        .into()
}
