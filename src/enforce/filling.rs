//! Puts nodes of a mount view into its root, each at its place.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, move_mount};

use super::staged::{self, Folders, Staged};
use super::{Context, Error, cover};
use crate::plan::{Node, Overlay};
use crate::policy::Layer;

/// The new root while it is filled, and the folders that are known to be in it.
pub(super) struct Filling<'a> {
    root: BorrowedFd<'a>,
    folders: BTreeSet<&'a OsStr>,
}

impl<'a> Filling<'a> {
    /// Of a root with nothing in it.
    pub(super) fn new(root: BorrowedFd<'a>) -> Filling<'a> {
        Filling {
            root,
            folders: BTreeSet::new(),
        }
    }

    /// Puts one node into the root.
    pub(super) fn place(&mut self, node: &'a Node, mount: Option<OwnedFd>) -> io::Result<()> {
        let target = node.target().strip_prefix("/").unwrap_or(node.target());
        match node {
            Node::Folder { mode, .. } => self.folder(target, *mode)?,
            Node::File { content, .. } => File::from(self.file(target)?).write_all(content)?,
            Node::Symlink { to, .. } => {
                self.parents(target)?;
                fs::symlinkat(to, self.root, target)?;
            }
            Node::Bind { .. }
            | Node::Tmpfs { .. }
            | Node::Programs { .. }
            | Node::Proc { .. }
            | Node::Terminals { .. } => {
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
    pub(super) fn stage(&self, overlay: &Overlay, folders: &Folders) -> Result<Staged, Error> {
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
