//! Builds the mount view with the mount API of Linux 5.2 and 5.12 and makes it the root.
//!
//! Sources are opened before the root changes, without following any symbolic link: a path that was
//! resolved when the plan was made and has a link in it now was swapped, and ends the run
//! (CVE-2026-87766). Every mount is nosuid and nodev; what is not writable is read-only as a mount.

use std::collections::BTreeSet;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
    mount_change, move_mount, open_tree, unmount,
};
use rustix::process;

use super::staged::{self, Folders, Staged};
use super::{Context, Error, cover, id_map, open_without_links};
use crate::files::Judged;
use crate::plan::{Identity, Node, Overlay, View};
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
    let mut filling = Filling {
        root: root.as_fd(),
        folders: BTreeSet::new(),
    };
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

/// Clones the tree at `source`, with the mounts below it, and sets its attributes.
///
/// Another user may have exchanged a folder since it was judged: root would bind whatever is there now.
fn bind(
    source: &Path,
    writable: bool,
    id_map: Option<BorrowedFd<'_>>,
    judged: &[Judged],
) -> io::Result<OwnedFd> {
    let at = open_without_links(source)?;
    if !Judged::allows(judged, source, &fs::fstat(&at)?) {
        return Err(io::Error::other(
            "it is another folder than the one that was looked at before",
        ));
    }
    let tree = open_tree(
        at.as_fd(),
        "",
        OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH
            | OpenTreeFlags::AT_RECURSIVE,
    )?;
    let mut attr = MountAttr {
        set: (libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV),
        ..MountAttr::default()
    };
    if is_device(&at)? {
        attr.set = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
    } else if !writable {
        attr.set |= libc::MOUNT_ATTR_RDONLY;
    }
    sys::mount_setattr(tree.as_fd(), c"", true, &attr)?;
    if let Some(namespace) = id_map {
        let attr = MountAttr {
            set: libc::MOUNT_ATTR_IDMAP,
            userns_fd: namespace.as_raw_fd() as u64,
            ..MountAttr::default()
        };
        sys::mount_setattr(tree.as_fd(), c"", false, &attr)?;
    }
    Ok(tree)
}

fn is_device(file: &OwnedFd) -> Result<bool, Errno> {
    Ok(FileType::from_raw_mode(fs::fstat(file)?.st_mode) == FileType::CharacterDevice)
}

fn tmpfs(mode: u32, size: u64, owner: Option<(u32, u32)>) -> io::Result<OwnedFd> {
    let (mode, size) = (format!("{mode:o}"), size.to_string());
    let ids = owner.map(|(uid, gid)| (uid.to_string(), gid.to_string()));
    let mut options = vec![("mode", mode.as_str()), ("size", &size)];
    if let Some((uid, gid)) = &ids {
        options.extend([("uid", uid.as_str()), ("gid", gid)]);
    }
    special("tmpfs", &options)
}

fn proc() -> io::Result<OwnedFd> {
    special("proc", &[])
}

fn terminals() -> io::Result<OwnedFd> {
    special(
        "devpts",
        &[("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620")],
    )
}

/// A new instance of a kernel file system; an option without a value is a flag.
fn special(kind: &str, options: &[(&str, &str)]) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        if value.is_empty() {
            rustix::mount::fsconfig_set_flag(context.as_fd(), *key)?;
        } else {
            fsconfig_set_string(context.as_fd(), *key, *value)?;
        }
    }
    fsconfig_create(context.as_fd())?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID;
    if kind == "devpts" {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
    } else {
        attributes |= MountAttrFlags::MOUNT_ATTR_NODEV;
    }
    if kind == "proc" {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
    }
    Ok(fsmount(
        context.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        attributes,
    )?)
}

/// The new root while it is filled, and the folders that are known to be in it.
struct Filling<'a> {
    root: BorrowedFd<'a>,
    folders: BTreeSet<&'a OsStr>,
}

impl<'a> Filling<'a> {
    /// Puts one node into the root.
    fn place(&mut self, node: &'a Node, mount: Option<OwnedFd>) -> io::Result<()> {
        let target = node.target().strip_prefix("/").unwrap_or(node.target());
        match node {
            Node::Folder { mode, .. } => self.folder(target, *mode)?,
            Node::File { content, .. } => File::from(self.file(target)?).write_all(content)?,
            Node::Symlink { to, .. } => {
                self.parents(target)?;
                fs::symlinkat(to, self.root, target)?;
            }
            Node::Bind { .. } | Node::Tmpfs { .. } | Node::Proc { .. } | Node::Terminals { .. } => {
                let Some(mount) = mount else { return Ok(()) };
                self.attach(target, &mount)?;
            }
            Node::Cover(cover) => cover::place(self.root, cover)?,
            // Its lower layer must be in place: [`Filling::stage`].
            Node::Staged(_) => {}
        }
        Ok(())
    }

    /// Puts the overlay over the work tree, which is in place.
    fn stage(&self, overlay: &Overlay, folders: &Folders) -> Result<Staged, Error> {
        let action = || format!("place {}", overlay.target.display());
        let target = overlay.target.strip_prefix("/").unwrap_or(&overlay.target);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lower =
            fs::openat(self.root, target, flags, Mode::empty()).during(Layer::MountView, action)?;
        let staged = staged::overlay(lower.as_fd(), overlay, folders)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(staged.mount.as_fd(), "", self.root, target, flags)
            .during(Layer::MountView, action)?;
        Ok(staged)
    }

    /// Attaches a mount, over a file or folder that is made for it where there is none.
    fn attach(&mut self, target: &'a Path, mount: &OwnedFd) -> io::Result<()> {
        match FileType::from_raw_mode(fs::fstat(mount)?.st_mode) {
            FileType::Directory => self.folder(target, 0o755)?,
            _ => match self.file(target) {
                Err(Errno::EXIST) => {}
                result => drop(result?),
            },
        }
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        Ok(move_mount(mount.as_fd(), "", self.root, target, flags)?)
    }

    fn folder(&mut self, target: &'a Path, mode: u32) -> Result<(), Errno> {
        if target.as_os_str().is_empty() || !self.folders.insert(target.as_os_str()) {
            return Ok(());
        }
        self.parents(target)?;
        match fs::mkdirat(self.root, target, Mode::from_raw_mode(mode)) {
            // In a folder that is bound from the host.
            Err(Errno::EXIST) => Ok(()),
            result => result,
        }
    }

    fn parents(&mut self, target: &'a Path) -> Result<(), Errno> {
        target
            .parent()
            .map_or(Ok(()), |parent| self.folder(parent, 0o755))
    }

    fn file(&mut self, target: &'a Path) -> Result<OwnedFd, Errno> {
        self.parents(target)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        fs::openat(self.root, target, flags, Mode::from_raw_mode(0o644))
    }
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
        CString::new(path.as_os_str().as_bytes())
            .map_err(|_| Errno::INVAL.into())
            .and_then(|name| sys::mount_setattr(CWD, &name, false, &thaw))
            .during(Layer::MountView, || {
                format!("make {} writable again", path.display())
            })?;
    }
    Ok(())
}
