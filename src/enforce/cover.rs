//! Places a file of the root's own over one that a bind shows.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{self, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use crate::plan::Cover;
use crate::sys::{self, MountAttr};

/// The folder in which the files are made. They keep their names: a file without one cannot be mounted again
/// in the root of programs.
const FOLDER: [&str; 3] = ["run", "run/gosandbox", "run/gosandbox/covers"];

/// Makes the file and mounts it over its target.
pub(super) fn place(root: BorrowedFd<'_>, cover: &Cover) -> io::Result<()> {
    for folder in FOLDER {
        match fs::mkdirat(root, folder, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (name, file) = make(root)?;
    fill(file, cover)?;
    mount(root, &name, cover)
}

/// Makes a file of a name that is free.
fn make(root: BorrowedFd<'_>) -> io::Result<(String, File)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut number = 0_u32;
    loop {
        let name = format!("{}/{number}", FOLDER[2]);
        match fs::openat(root, &name, flags, Mode::from_raw_mode(0o644)) {
            Err(Errno::EXIST) => number += 1,
            file => return Ok((name, file?.into())),
        }
    }
}

fn fill(mut file: File, cover: &Cover) -> io::Result<()> {
    file.write_all(&cover.content)?;
    let (seconds, nanoseconds) = cover.modified;
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.into(),
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(fs::futimens(&file, &times)?)
}

fn mount(root: BorrowedFd<'_>, name: &str, cover: &Cover) -> io::Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(root, name, flags)?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_RDONLY
            | libc::MOUNT_ATTR_NOSUID
            | libc::MOUNT_ATTR_NODEV
            | libc::MOUNT_ATTR_NOEXEC,
        ..MountAttr::default()
    };
    sys::mount_setattr(mount.as_fd(), c"", false, &attr)?;
    let target = cover.target.strip_prefix("/").unwrap_or(&cover.target);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // A link that was put on the way since the plan was made ends the run.
    let at = sys::no_links::open(root.as_fd(), target, flags)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount.as_fd(), "", at.as_fd(), "", flags)?)
}
