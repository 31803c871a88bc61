//! Builds the mount view with the mount API of Linux 5.2 and 5.12 and makes it the root.
//!
//! Sources are opened before the root changes, without following any symbolic link: a path that was
//! resolved when the plan was made and has a link in it now was swapped, and ends the run
//! (CVE-2026-87766). Every mount is nosuid and nodev; what is not writable is read-only as a mount.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{CWD, Mode};
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount,
};
use rustix::process;

use super::filling::Filling;
use super::mounts::{bind, proc, programs, terminals, tmpfs};
use super::staged::{self, Folders, Staged};
use super::{Context, Error, id_map};
use crate::files::Judged;
use crate::plan::{Identity, Node, View};
use crate::policy::{self, Layer};
use crate::sys::{self, MountAttr};

/// A folder that exists on every host and is not looked into while it is covered.
const BASE: &str = "/tmp";

/// Mounts that every view has, not yet attached.
#[derive(Debug)]
pub struct Mounts {
    root: OwnedFd,
    proc: Option<OwnedFd>,
    terminals: Option<OwnedFd>,
    /// The user namespace for id-mapped binds.
    id_map: Option<OwnedFd>,
}

impl Mounts {
    /// Makes them, in a mount namespace whose mounts are taken out of propagation first.
    ///
    /// # Errors
    /// All are the fault of [`Layer::Namespaces`].
    pub fn make() -> Result<Mounts, Error> {
        let layer = Layer::Namespaces;
        let alone = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", alone).during(layer, || "take the mounts out of propagation".into())?;
        let root = tmpfs(0o755, 16 << 20, None).during(layer, || "make the root".into())?;
        let proc = proc().during(layer, || "make the mount for /proc".into())?;
        let terminals = terminals().during(layer, || "make the mount for /dev/pts".into())?;
        Ok(Mounts {
            root,
            proc: Some(proc),
            terminals: Some(terminals),
            id_map: None,
        })
    }

    /// Has root's folders appear as this user's where the view binds them so. Nothing, if they already do.
    ///
    /// # Errors
    /// As for [`Mounts::make`].
    pub fn map_to(&mut self, identity: &Identity) -> Result<(), Error> {
        if let (None, Some(proc)) = (&self.id_map, &self.proc) {
            let made = id_map::user_namespace(identity, proc.as_fd());
            self.id_map = Some(made.during(Layer::Namespaces, || {
                "make a user namespace for the id-mapped work tree".into()
            })?);
        }
        Ok(())
    }

    /// The mount for a node of which there is one.
    fn take(&mut self, node: &Node) -> Option<OwnedFd> {
        match node {
            Node::Proc { .. } => self.proc.take(),
            Node::Terminals { .. } => self.terminals.take(),
            _ => None,
        }
    }
}

/// Builds the view and makes it the root of this mount namespace.
///
/// What fails for want of rights alone, before any path of the project's is looked at, is the fault of
/// [`Layer::Namespaces`]: there the launcher may go on without a view. What the project's own paths
/// make fail is that of [`Layer::MountView`], and ends the run: no layout of a repository's chooses
/// the weaker layers.
///
/// Yields the overlay of a staged work tree.
///
/// `made` is called when nothing else is left to do but the nodes that are `late`.
pub fn build(
    view: &View,
    mut ready: Mounts,
    late: impl Fn(&Node) -> bool,
    made: impl FnOnce() -> Result<(), Error>,
) -> Result<Option<Staged>, Error> {
    let early = view.nodes.iter().map(|node| match ready.take(node) {
        Some(mount) => Ok(Some(mount)),
        None if late(node) => Ok(None),
        None => detached(node, None, &view.judged),
    });
    let mut mounts = early.collect::<Result<Vec<_>, _>>()?;
    let root = ready.root;
    made()?;
    for (node, mount) in view.nodes.iter().zip(&mut mounts) {
        if late(node) {
            let id_map = ready.id_map.as_ref().map(AsFd::as_fd);
            *mount = detached(node, id_map, &view.judged)?;
        }
    }
    let folders = view.overlay().map(Folders::open).transpose()?;
    move_mount(
        root.as_fd(),
        "",
        CWD,
        BASE,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
    .during(Layer::Namespaces, || format!("mount the root on {BASE}"))?;
    let mut filling = Filling::new(root.as_fd());
    let mut staged = None;
    // Not the caller's: what is made here must be reachable for the sandbox user.
    let umask = process::umask(Mode::from_raw_mode(0o022));
    for (node, mount) in view.nodes.iter().zip(mounts) {
        if let (Node::Staged(overlay), Some(folders)) = (node, &folders) {
            staged = Some(filling.stage(overlay, folders)?);
            continue;
        }
        filling.place(node, mount).during(Layer::MountView, || {
            format!("place {}", node.target().display())
        })?;
    }
    if let (Some(programs), Some(folders)) = (&view.programs, &folders) {
        let root = root.as_fd();
        staged = Some(staged::program_root(root, &view.nodes, programs, folders)?);
    }
    process::umask(umask);
    pivot(root.as_fd())?;
    let read_only = MountAttr {
        set: libc::MOUNT_ATTR_RDONLY,
        ..MountAttr::default()
    };
    sys::mount_setattr(root.as_fd(), c"", false, &read_only)
        .during(Layer::MountView, || "make the root read-only".into())?;
    Ok(staged)
}

/// The mount for a node, not yet attached; `None` for nodes that are no mounts.
fn detached(
    node: &Node,
    id_map: Option<BorrowedFd<'_>>,
    judged: &[Judged],
) -> Result<Option<OwnedFd>, Error> {
    let mount = match node {
        Node::Bind {
            source,
            writable,
            id_map: mapped,
            ..
        } => {
            let id_map = id_map.filter(|_| *mapped);
            bind(source, *writable, id_map, judged).map(Some)
        }
        Node::Tmpfs {
            mode, size, owner, ..
        } => tmpfs(*mode, *size, *owner).map(Some),
        Node::Programs { links, .. } => programs(links).map(Some),
        Node::Proc { .. } => proc().map(Some),
        Node::Terminals { .. } => terminals().map(Some),
        Node::Folder { .. }
        | Node::File { .. }
        | Node::Symlink { .. }
        | Node::Staged(_)
        | Node::Cover(_) => Ok(None),
    };
    let layer = match node {
        Node::Bind { id_map: true, .. } => Layer::Identity,
        Node::Bind { source, .. } if !policy::is_device(source) => Layer::MountView,
        _ => Layer::Namespaces,
    };
    mount.during(layer, || match node {
        Node::Bind {
            source,
            id_map: true,
            ..
        } => format!(
            "bind {} so that root's files are the sandbox user's (an id-mapped mount, which its file \
             system may not have; give it to a user with chown, or name one with --user)",
            source.display()
        ),
        Node::Bind { source, .. } => format!("bind {}", source.display()),
        _ => format!("make the mount for {}", node.target().display()),
    })
}

/// Makes `root` the root and lets go of the old one (pivot_root(2), the variant with `.` twice).
fn pivot(root: BorrowedFd<'_>) -> Result<(), Error> {
    let action = || "change to the new root".to_owned();
    process::fchdir(root).during(Layer::MountView, action)?;
    process::pivot_root(".", ".").during(Layer::MountView, action)?;
    unmount(".", UnmountFlags::DETACH)
        .during(Layer::MountView, || "let go of the old root".into())?;
    process::chdir("/").during(Layer::MountView, action)
}

/// Makes every mount read-only but the named ones, in a mount namespace of the caller's own.
///
/// mount_setattr(2) and no mount(2): a Landlock domain refuses the latter.
pub fn freeze(writable: &[std::path::PathBuf]) -> Result<(), Error> {
    let read_only = MountAttr {
        set: libc::MOUNT_ATTR_RDONLY,
        ..MountAttr::default()
    };
    sys::mount_setattr(CWD, c"/", true, &read_only)
        .during(Layer::MountView, || "make the mounts read-only".into())?;
    let thaw = MountAttr {
        clear: libc::MOUNT_ATTR_RDONLY,
        ..MountAttr::default()
    };
    for path in writable {
        sys::c_string(path.as_os_str().as_bytes())
            .and_then(|name| sys::mount_setattr(CWD, &name, false, &thaw))
            .during(Layer::MountView, || {
                format!("make {} writable again", path.display())
            })?;
    }
    Ok(())
}
