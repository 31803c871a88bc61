//! The staged work tree: an overlay over the real one, and the root of programs that has it.
//!
//! Programs write the overlay's upper folder, which lies outside every view. The real tree is the
//! lower layer, which an overlay never writes.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, Gid, Mode, OFlags, StatxAttributes, StatxFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, fspick, move_mount,
    open_tree,
};

use super::{Context, Error, open_without_links};
use crate::plan::{Node, Overlay, ProgramRoot};
use crate::policy::Layer;
use crate::sys::{self, MountAttr};

/// Why an overlay could not be made here. A plan that does not stage may do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CannotStage(io::Error);

impl CannotStage {
    /// The error number, if an error says that the work tree cannot be staged.
    pub fn errno(error: &io::Error) -> Option<i32> {
        let refused = error.get_ref()?.downcast_ref::<CannotStage>()?;
        Some(refused.0.raw_os_error().unwrap_or(libc::EINVAL))
    }
}

/// An overlay that was mounted.
#[derive(Debug)]
pub struct Staged {
    /// Its root.
    pub mount: OwnedFd,
    /// A context to reconfigure it with (fspick(2)). That drops cached entries, so that later changes
    /// of the lower layer are seen.
    pub context: OwnedFd,
}

/// The open folders of a stage.
#[derive(Debug)]
pub(super) struct Folders {
    upper: OwnedFd,
    work: OwnedFd,
}

impl Folders {
    /// Opens them while the host's paths are in reach.
    pub(super) fn open(overlay: &Overlay) -> Result<Folders, Error> {
        let open = |path: &Path| {
            open_without_links(path).during(Layer::MountView, || format!("open {}", path.display()))
        };
        Ok(Folders {
            upper: open(&overlay.upper)?,
            work: open(&overlay.work)?,
        })
    }
}

/// Makes the overlay, not yet attached. `lower` is the work tree, attached in this mount namespace.
///
/// Linux 5.11 for an ordinary user (`userxattr`), 5.19 where the lower layer is id-mapped.
pub(super) fn overlay(
    lower: BorrowedFd<'_>,
    overlay: &Overlay,
    folders: &Folders,
) -> Result<Staged, Error> {
    make(lower, folders)
        .map_err(|error| io::Error::other(CannotStage(error)))
        .during(Layer::MountView, || {
            format!("stage the work tree {}", overlay.target.display())
        })
}

fn make(lower: BorrowedFd<'_>, folders: &Folders) -> io::Result<Staged> {
    // By descriptor: a path could hold `:` or `,`, and be exchanged.
    let path = |file: BorrowedFd<'_>| format!("/proc/self/fd/{}", file.as_raw_fd());
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let layers = [
        ("lowerdir", path(lower)),
        ("upperdir", path(folders.upper.as_fd())),
        ("workdir", path(folders.work.as_fd())),
    ];
    for (key, value) in &layers {
        fsconfig_set_string(context.as_fd(), *key, value.as_str())?;
    }
    // `volatile` (Linux 5.10): nobody mounts it again, and the end of a run waits for no disk.
    for flag in ["userxattr", "volatile"] {
        fsconfig_set_flag(context.as_fd(), flag)?;
    }
    fsconfig_set_string(context.as_fd(), "index", "off")?;
    fsconfig_create(context.as_fd())?;
    let mount = fsmount(
        context.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV,
    )?;
    let flags = FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH;
    let context = fspick(mount.as_fd(), "", flags)?;
    Ok(Staged { mount, context })
}

/// Makes the root of programs in `root`, whose nodes are all in place.
pub(super) fn program_root(
    root: BorrowedFd<'_>,
    nodes: &[Node],
    programs: &ProgramRoot,
    folders: &Folders,
) -> Result<Staged, Error> {
    let tree = below(&programs.tree.target);
    let lower = open(root, tree).during(Layer::MountView, || "open the work tree".into())?;
    let staged = overlay(lower.as_fd(), &programs.tree, folders)?;
    fill(root, nodes, programs, &staged).during(Layer::MountView, || {
        format!("make the root of programs at {}", programs.path.display())
    })?;
    Ok(staged)
}

fn fill(
    root: BorrowedFd<'_>,
    nodes: &[Node],
    programs: &ProgramRoot,
    staged: &Staged,
) -> io::Result<()> {
    let clone = clone_of(root, "".as_ref())?;
    let path = below(&programs.path);
    let folder = path.parent().unwrap_or(path);
    fs::mkdirat(root, folder, Mode::RWXU)?;
    fs::mkdirat(root, path, Mode::RWXU)?;
    attach(&clone, root, path)?;
    let inside = open(root, path)?;
    set(inside.as_fd(), "".as_ref(), true, true)?;
    let tree = &programs.tree.target;
    attach(&staged.mount, inside.as_fd(), below(tree))?;
    let is_below = |path: &Path| path != tree && path.starts_with(tree);
    for node in nodes.iter().filter(|node| is_below(node.target())) {
        // The overlay covers what was mounted in the work tree.
        let target = below(node.target());
        let mount = clone_of(root, target)?;
        set(mount.as_fd(), "".as_ref(), true, true)?;
        attach(&mount, inside.as_fd(), target)?;
    }
    for path in &programs.writable {
        let path = below(path);
        if is_mount_point(inside.as_fd(), path) {
            set(inside.as_fd(), path, false, false)?;
        }
    }
    // Only the wrapper enters: in its user namespace it has the capability for that, and mode 0
    // keeps out the go command, which must not compile what programs write.
    let (uid, gid) = programs.owner;
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    fs::chownat(root, folder, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(fs::chmodat(root, folder, Mode::empty(), AtFlags::empty())?)
}

fn below(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

fn open(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(root, path, flags, Mode::empty())
}

fn clone_of(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(root, path, flags)
}

fn attach(mount: &OwnedFd, root: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(mount.as_fd(), "", root, path, flags)
}

/// Makes a mount read-only or not, `recursive` with those below it.
fn set(root: BorrowedFd<'_>, path: &Path, recursive: bool, read_only: bool) -> io::Result<()> {
    let path = sys::c_string(path.as_os_str().as_bytes())?;
    let attr = match read_only {
        true => MountAttr {
            set: libc::MOUNT_ATTR_RDONLY,
            ..MountAttr::default()
        },
        false => MountAttr {
            clear: libc::MOUNT_ATTR_RDONLY,
            ..MountAttr::default()
        },
    };
    sys::mount_setattr(root, &path, recursive, &attr)
}

fn is_mount_point(root: BorrowedFd<'_>, path: &Path) -> bool {
    let found = fs::statx(root, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
