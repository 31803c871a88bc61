//! The token without which the gateway answers nobody.
//!
//! In a net namespace of the run's own it is a second line, and stays the same from run to run, since
//! go hashes the variables that tests read. On the host's loopback it is what keeps other users out,
//! and is never used twice.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Session;
use crate::plan::{Isolation, Node, Plan, Way};

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
        && let (Isolation::Namespaces(_), Some(path)) = (&plan.isolation, file(session))
        && !is_granted(plan, &path)
    {
        return Ok(kept(&path, session.host.uid, &fresh).unwrap_or(fresh));
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

fn file(session: &Session<'_>) -> Option<PathBuf> {
    Some(state(session)?.join("token"))
}

/// Whether the plan shows the file to anything inside.
fn is_granted(plan: &Plan, file: &Path) -> bool {
    // Where it will be, links on the way followed as far as they are there.
    let real = file
        .ancestors()
        .find_map(|folder| Some((folder.canonicalize().ok()?, folder)))
        .and_then(|(real, folder)| Some(real.join(file.strip_prefix(folder).ok()?)))
        .unwrap_or_else(|| file.to_owned());
    let Isolation::Namespaces(view) = &plan.isolation else {
        return true;
    };
    view.nodes.iter().any(|node| match node {
        Node::Bind { source, .. } => real.starts_with(source),
        _ => false,
    })
}

/// The token in the file, or this one, which is then in it. `None` where there can be no such file.
fn kept(path: &Path, uid: u32, fresh: &str) -> Option<String> {
    if let Some(token) = read(path, uid) {
        return Some(token);
    }
    let folder = path.parent()?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .ok()?;
    write(folder, path, fresh).ok()?;
    read(path, uid)
}

fn read(path: &Path, uid: u32) -> Option<String> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut options = OpenOptions::new();
    let mut file: File = options.read(true).custom_flags(flags).open(path).ok()?;
    let found = file.metadata().ok()?;
    let own = found.is_file() && found.uid() == uid && found.mode() & 0o077 == 0;
    let mut text = String::new();
    if !own || found.len() != LENGTH as u64 {
        return None;
    }
    file.read_to_string(&mut text).ok()?;
    let is_token = text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_token.then_some(text)
}

/// Under a name of its own, whole, before it has the name that others read. A run beside this one may
/// do the same: the first counts.
fn write(folder: &Path, path: &Path, token: &str) -> io::Result<()> {
    let temporary = folder.join(format!("token.{}", random().map_err(io::Error::other)?));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    let written = file.write_all(token.as_bytes());
    let linked = written.and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

fn random() -> anyhow::Result<String> {
    let mut bytes = [0; LENGTH / 2];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .context("cannot get random numbers")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_for_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/gosandbox/token");
        let uid = rustix::process::geteuid().as_raw();
        let first = kept(&path, uid, &random().unwrap()).unwrap();
        assert_eq!(kept(&path, uid, &random().unwrap()), Some(first.clone()));
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        // One that others could have read, or made, is none.
        assert_eq!(kept(&path, uid + 1, &first), None);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(kept(&path, uid, &first), None);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(kept(&path, uid, &first), None);
    }
}
