//! Folders of links to what may run, kept from run to run: making a hundred and fifty links anew costs each start half a
//! millisecond.
//!
//! A folder's name is the digest of its links, so that what is there is what the plan says. Nothing inside can write it:
//! it is bound read-only, and is left aside where a grant shows the folder around it. Without a view it stands in PATH.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, renameat, statat, symlinkat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::{Session, cache, caches, scratch, token};
use crate::files::look;
use crate::launch::remove;
use crate::plan::system::PROGRAM_FOLDERS;
use crate::plan::{Isolation, NamedProgram, Node, Plan};

/// Within the launcher's caches.
pub(super) const NAME: &str = "path-links";

/// Has the view bind kept folders of links, and makes those that are missing. Where none can be had the view makes its own.
pub(super) fn keep(session: &Session<'_>, plan: &mut Plan) {
    let Isolation::Namespaces(view) = &mut plan.isolation else {
        return name_in_path(session, plan);
    };
    let is_folder = |node: &Node| matches!(node, Node::Programs { .. });
    if !view.nodes.iter().any(is_folder) {
        return;
    }
    let Some(kept) = Kept::open(session, &view.nodes) else {
        return;
    };
    for node in &mut view.nodes {
        if let Node::Programs { target, links } = node
            && let Some((source, held)) = kept.folder(links)
        {
            session.held.borrow_mut().push(held);
            *node = Node::Bind {
                source,
                target: std::mem::take(target),
                writable: false,
                id_map: false,
            };
        }
    }
}

/// Has PATH lead to a kept folder in the place of the system's: `exec.LookPath` would find what may not run in these.
fn name_in_path(session: &Session<'_>, plan: &mut Plan) {
    if plan.names.is_empty() {
        return;
    }
    let Some(kept) = Kept::open(session, &[]) else {
        return;
    };
    let rules = plan
        .landlock
        .iter()
        .chain(plan.program.iter().filter_map(|it| it.landlock.as_ref()));
    let mut rules = rules.flat_map(|ruleset| &ruleset.rules);
    if rules.any(|rule| kept.real.starts_with(&rule.path)) || !kept.is_passable(plan.identity.uid) {
        return;
    }
    let Some((folder, held)) = kept.folder(&plan.names) else {
        return;
    };
    session.held.borrow_mut().push(held);
    for (name, value) in &mut plan.command.environment {
        if name == "PATH" {
            *value = instead(value, &folder);
        }
    }
    if let Some(value) = plan.program.as_mut().and_then(|it| it.set.get_mut("PATH")) {
        *value = instead(OsStr::new(value), &folder)
            .to_string_lossy()
            .into_owned();
    }
}

/// A value of PATH with a folder where the system's come first, and without these.
fn instead(path: &OsStr, folder: &Path) -> OsString {
    let is_systems = |entry: &Path| {
        PROGRAM_FOLDERS
            .iter()
            .any(|known| entry == Path::new(known))
    };
    let all: Vec<PathBuf> = std::env::split_paths(path).collect();
    let first = all.iter().position(|entry| is_systems(entry));
    let entries = all
        .iter()
        .enumerate()
        .filter_map(|(at, entry)| match is_systems(entry) {
            true => (Some(at) == first).then_some(folder),
            false => Some(entry.as_path()),
        });
    // A folder whose name has a colon cannot be in PATH.
    std::env::join_paths(entries).unwrap_or_else(|_| path.to_owned())
}

/// The folder of kept folders.
struct Kept {
    at: OwnedFd,
    real: PathBuf,
    uid: u32,
}

impl Kept {
    fn open(session: &Session<'_>, nodes: &[Node]) -> Option<Kept> {
        // As root the sandbox user is another one, who follows the links.
        let mode = if session.host.is_root() { 0o755 } else { 0o700 };
        let open = |caches: PathBuf| token::open_with(&caches.join(NAME), mode);
        // A folder of caches that root's launcher is given may be another user's.
        let roots = || session.host.is_root().then(|| open(caches::SYSTEM.into()));
        let named = caches::launchers(session).and_then(open);
        let step = named.or_else(|| roots().flatten())?;
        let real = step.real().to_owned();
        let shows = |node: &Node| match node {
            Node::Bind { source, .. } => real.starts_with(source),
            _ => false,
        };
        if nodes.iter().any(shows) {
            return None;
        }
        let at = step.open_folder().ok()?;
        let uid = session.host.uid;
        Some(Kept { at, real, uid })
    }

    /// Whether a user comes through to it: the sandbox user of root's is another one.
    fn is_passable(&self, uid: u32) -> bool {
        let passes = |folder: &Path| {
            look::metadata(folder)
                .is_ok_and(|found| found.uid() == uid || found.mode() & 0o001 != 0)
        };
        self.real.ancestors().all(passes)
    }

    /// The kept folder with these links, which is made where it is missing.
    fn folder(&self, links: &[NamedProgram]) -> Option<(PathBuf, OwnedFd)> {
        let name = digest(links);
        let held = match self.held(&name) {
            Some(held) => held,
            None => {
                self.make(&name, links).ok()?;
                // The policy is another one than before: the old folders may be of no use any more.
                cache::sweep_links(&self.at);
                self.held(&name)?
            }
        };
        Some((self.real.join(name), held))
    }

    /// Marks a folder as in use.
    fn held(&self, name: &str) -> Option<OwnedFd> {
        let (held, found) = cache::hold(&self.at, name)?;
        (found.st_uid == self.uid && found.st_mode & 0o022 == 0).then_some(held)
    }

    /// Under another name first: what has its name is whole.
    fn make(&self, name: &str, links: &[NamedProgram]) -> std::io::Result<()> {
        let new = format!("new-{}", scratch::unguessable()?);
        mkdirat(&self.at, &new, Mode::RWXU)?;
        let made = (|| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let folder = openat(&self.at, &new, flags, Mode::empty())?;
            for NamedProgram { name, program } in links {
                symlinkat(program, &folder, name)?;
            }
            // Whatever the umask says.
            rustix::fs::fchmod(&folder, Mode::from_raw_mode(0o755))?;
            match renameat(&self.at, &new, &self.at, name) {
                // A run beside this one was first.
                Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(()),
                renamed => renamed,
            }
        })();
        if made.is_err() || statat(&self.at, &new, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            remove::tree(self.at.as_fd(), OsStr::new(&new));
        }
        Ok(made?)
    }
}

/// Of the links' names and of where they lead.
fn digest(links: &[NamedProgram]) -> String {
    let mut digest = Sha256::new();
    let mut add = |path: &Path| {
        digest.update(path.as_os_str().as_bytes());
        digest.update([0]);
    };
    for NamedProgram { name, program } in links {
        add(name);
        add(program);
    }
    crate::text::hex(&digest.finalize())
}
