//! Mounts that are not attached yet: clones of trees, and new file systems of the kernel.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, FileType};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string,
    fsmount, fsopen, open_tree,
};

use super::open_without_links;
use crate::files::Judged;
use crate::plan::NamedProgram;
use crate::sys::{self, MountAttr};

/// Clones the tree at `source`, with the mounts below it, and sets its attributes.
///
/// Another user may have exchanged a folder since it was judged: root would bind whatever is there now.
pub(super) fn bind(
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

pub(super) fn tmpfs(mode: u32, size: u64, owner: Option<(u32, u32)>) -> io::Result<OwnedFd> {
    let (mode, size) = (format!("{mode:o}"), size.to_string());
    let ids = owner.map(|(uid, gid)| (uid.to_string(), gid.to_string()));
    let mut options = vec![("mode", mode.as_str()), ("size", &size)];
    if let Some((uid, gid)) = &ids {
        options.extend([("uid", uid.as_str()), ("gid", gid)]);
    }
    special("tmpfs", &options)
}

/// A folder with a link for each name, which nobody can change.
pub(super) fn programs(links: &[NamedProgram]) -> io::Result<OwnedFd> {
    let folder = tmpfs(0o755, 1 << 20, None)?;
    for NamedProgram { name, program } in links {
        fs::symlinkat(program, &folder, name)?;
    }
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_RDONLY,
        ..MountAttr::default()
    };
    sys::mount_setattr(folder.as_fd(), c"", false, &attr)?;
    Ok(folder)
}

pub(super) fn proc() -> io::Result<OwnedFd> {
    special("proc", &[])
}

pub(super) fn terminals() -> io::Result<OwnedFd> {
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
