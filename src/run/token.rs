//! The token without which the gateway answers nobody.
//!
//! In a net namespace of the run's own it is a second line, and stays the same from run to run, since
//! go hashes the variables that tests read. On the host's loopback it is what keeps other users out,
//! and is never used twice.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, linkat, openat, unlinkat};

use super::Session;
use crate::files::{Step, own_folder};
use crate::plan::{Isolation, Node, Plan, Way};

/// The file's name in the launcher's folder.
const NAME: &str = "token";

/// Hexadecimal digits of a token: 128 bits.
const LENGTH: usize = 32;

/// The token for a run.
///
/// # Errors
/// The kernel has no random numbers.
pub(super) fn choose(session: &Session<'_>, plan: &Plan) -> anyhow::Result<String> {
    let fresh = random()?;
    // The way to hosts is the program cage's own, which is not to know the tool cage's token.
    if plan.way == Some(Way::Modules)
        && let (Isolation::Namespaces(_), Some(path)) = (&plan.isolation, state(session))
        && let Some(folder) = open(&path)
        && !is_granted(plan, folder.real())
    {
        let kept = folder.open_folder().ok();
        let kept = kept.and_then(|folder| kept_in(&folder, session.host.uid, &fresh));
        return Ok(kept.unwrap_or(fresh));
    }
    Ok(fresh)
}

/// `$XDG_STATE_HOME/gosandbox`: what the launcher keeps from run to run, out of every grant.
pub(super) fn state(session: &Session<'_>) -> Option<PathBuf> {
    let named = session.variable("XDG_STATE_HOME").map(PathBuf::from);
    let state = named
        .filter(|path| path.is_absolute())
        .or_else(|| Some(session.home.as_ref()?.join(".local/state")))?;
    Some(state.join("gosandbox"))
}

/// Opens a folder of the launcher's own, and makes it and those above it where they are missing. `None` where others than
/// root and the caller decide what lies there.
pub(super) fn open(path: &Path) -> Option<Step> {
    open_with(path, 0o700)
}

/// As [`open`], with another mode for what is made.
pub(super) fn open_with(path: &Path, mode: u32) -> Option<Step> {
    own_folder(path, mode).ok().flatten()
}

/// Whether the plan shows the folder to anything inside.
fn is_granted(plan: &Plan, folder: &Path) -> bool {
    let Isolation::Namespaces(view) = &plan.isolation else {
        return true;
    };
    let file = folder.join(NAME);
    view.nodes.iter().any(|node| match node {
        Node::Bind { source, .. } => file.starts_with(source),
        _ => false,
    })
}

/// The token in the folder, or this one, which is then in it. `None` where there can be no such file.
fn kept_in(folder: &OwnedFd, uid: u32, fresh: &str) -> Option<String> {
    if let Some(token) = read(folder, uid) {
        return Some(token);
    }
    write(folder, fresh).ok()?;
    read(folder, uid)
}

fn read(folder: &OwnedFd, uid: u32) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(folder, NAME, flags, Mode::empty()).ok()?;
    let found = fstat(&file).ok()?;
    let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
    let own = is_file && found.st_uid == uid && found.st_mode & 0o077 == 0;
    let mut text = String::new();
    if !own || found.st_size != LENGTH as i64 {
        return None;
    }
    File::from(file).read_to_string(&mut text).ok()?;
    let is_token = text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_token.then_some(text)
}

/// Under a name of its own, whole, before it has the name that others read. A run beside this one may
/// do the same: the first counts.
fn write(folder: &OwnedFd, token: &str) -> io::Result<()> {
    let temporary = format!("{NAME}.{}", random().map_err(io::Error::other)?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(folder, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
    let written = File::from(file).write_all(token.as_bytes());
    let linked = written.and_then(|()| {
        let linked = linkat(folder, &temporary, folder, NAME, AtFlags::empty());
        Ok(linked?)
    });
    unlinkat(folder, &temporary, AtFlags::empty())?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

fn random() -> anyhow::Result<String> {
    let mut bytes = [0; LENGTH / 2];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .context("cannot get random numbers")?;
    Ok(crate::text::hex(&bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_token_is_made_once_for_its_user_alone() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("state/gosandbox");
        let folder = open(&path).unwrap().open_folder().unwrap();
        let file = path.join(NAME);
        let uid = rustix::process::geteuid().as_raw();
        let kept = |uid, fresh: &str| kept_in(&folder, uid, fresh);
        let first = kept(uid, &random().unwrap()).unwrap();
        assert_eq!(kept(uid, &random().unwrap()), Some(first.clone()));
        assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        // One that others could have read, or made, is none.
        assert_eq!(kept(uid + 1, &first), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(kept(uid, &first), None);
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
        assert_eq!(kept(uid, &first), None);
    }

    #[test]
    fn nothing_is_kept_where_others_decide() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("open");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(open(&folder.join("gosandbox")).is_none());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}
