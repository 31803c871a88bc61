//! Whose configuration git reads in a work tree, and what is said where it cannot be understood.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::Session;
use crate::go::hooks::{Unclear, User};
use crate::host::accounts;

/// Whoever may call git in the work tree later: the caller, and the tree's owner where root is the caller.
pub(super) fn user(session: &Session<'_>, tree: &Path) -> User<'static> {
    let home = |uid: u32| accounts::by_uid(uid).map(|account| account.home);
    let mut homes: Vec<PathBuf> = session.home.clone().into_iter().collect();
    homes.extend(home(session.host.uid));
    if session.host.is_root() {
        homes.extend(fs::metadata(tree).ok().and_then(|found| home(found.uid())));
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
    let opened = fs::metadata(file);
    opened.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The refusal of a run whose programs could write what git executes, without anybody knowing what that is.
pub(super) fn refuse(unclear: &Unclear) -> anyhow::Error {
    let file = unclear.path.file_name().unwrap_or(OsStr::new("it"));
    anyhow!(
        "cannot tell which files git executes: {unclear}\n\
         help: correct {}, or move it away; `git config --list --show-origin` shows what git reads",
        crate::text::visible(&file.to_string_lossy())
    )
}
