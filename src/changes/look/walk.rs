//! The walk through a work tree by descriptors: protected names at any depth, and folders that git takes
//! for a repository. No link is followed, and the number of open descriptors is bounded.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::super::folders::{Folders, Tree};
use super::super::repository::Parts;
use super::super::{open, scan};
use super::matching::Names;

/// More folders of a work tree, or more protected names in one folder, are not looked at.
const MOST: usize = 1_000_000;

/// A folder of the work tree. The first one is the tree itself.
pub(super) struct Node {
    pub parent: u32,
    pub name: CString,
    /// Whether it lies in a repository.
    pub is_covered: bool,
    /// Whether it was moved away, so that nothing in it was there before.
    pub is_new: bool,
    /// Whether it is, or lies in, a folder of dependencies.
    pub is_of_dependencies: bool,
    /// Whether the walk starts here.
    pub is_root: bool,
}

impl Tree for [Node] {
    fn parent(&self, index: u32) -> u32 {
        self[index as usize].parent
    }

    fn name(&self, index: u32) -> &CStr {
        &self[index as usize].name
    }
}

/// The path of a folder below the work tree, which is the empty path.
pub(super) fn path_of(nodes: &[Node], index: u32) -> PathBuf {
    let mut names = Vec::new();
    let mut at = index;
    while at != 0 {
        let node = &nodes[at as usize];
        names.push(OsStr::from_bytes(node.name.to_bytes()));
        at = node.parent;
    }
    names.into_iter().rev().collect()
}

/// A name in a folder.
pub(super) struct Place<'p> {
    pub nodes: &'p [Node],
    /// The folder's index.
    pub folder: u32,
    /// The folder.
    pub at: BorrowedFd<'p>,
    pub name: &'p CStr,
    pub kind: FileType,
}

impl Place<'_> {
    /// The path below the work tree.
    pub fn path(&self) -> PathBuf {
        path_of(self.nodes, self.folder).join(OsStr::from_bytes(self.name.to_bytes()))
    }
}

/// What the walk does next with something that it has found.
pub(super) enum Next {
    /// Nothing.
    Pass,
    /// Walks into it, by this name. Nothing in it was there before.
    Enter(CString),
}

/// Does something about what the walk finds.
pub(super) trait Visit {
    /// A protected name.
    fn name(&mut self, place: &Place<'_>) -> Next;
    /// A folder that git takes for a repository, and its `HEAD`.
    fn repository(&mut self, place: &Place<'_>);
    /// A folder of one of the names at which the walk ends.
    fn end(&mut self, place: &Place<'_>);
    /// A folder that cannot be listed. True: it was opened, and is listed again.
    fn opens(&mut self, nodes: &[Node], folder: u32, at: BorrowedFd<'_>) -> bool;
    /// A folder that cannot be listed, as a name in the folder above.
    fn unlisted(&mut self, place: &Place<'_>);
    /// Something that makes the look incomplete.
    fn failed(&mut self, path: PathBuf, cause: io::Error);
}

/// Where the walk starts, and where it ends.
pub(super) struct Bounds<'b> {
    /// Folders, relative to the work tree, and whether nothing in them was there before.
    pub roots: &'b [(PathBuf, bool)],
    /// Names of folders that are not entered.
    pub ends: &'b [&'b str],
}

/// Walks through the folders.
pub(super) fn walk(
    tree: BorrowedFd<'_>,
    bounds: &Bounds<'_>,
    names: &Names<'_>,
    visit: &mut dyn Visit,
) {
    let mut walk = Walk {
        nodes: vec![Node {
            parent: 0,
            name: c".".to_owned(),
            is_covered: false,
            is_new: false,
            is_of_dependencies: false,
            is_root: false,
        }],
        left: Vec::new(),
        names,
        ends: bounds.ends,
    };
    for (root, is_new) in bounds.roots {
        walk.start(root, *is_new);
    }
    let mut folders = Folders::of_tree(tree);
    while let Some(index) = walk.left.pop() {
        let found = match folders.at(walk.nodes.as_slice(), index) {
            Ok(folder) => walk.folder(index, folder, visit),
            // It has gone, or something else is in its place: nothing is below it.
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        };
        let Err(cause) = found else { continue };
        let Node { parent, .. } = walk.nodes[index as usize];
        match folders.at(walk.nodes.as_slice(), parent) {
            Ok(above) if index != 0 && !is_own(&cause) => {
                let place = Place {
                    nodes: &walk.nodes,
                    folder: parent,
                    at: above,
                    name: &walk.nodes[index as usize].name,
                    kind: FileType::Directory,
                };
                visit.unlisted(&place);
            }
            _ => visit.failed(path_of(&walk.nodes, index), cause),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP];
    Errno::from_io_error(error).is_some_and(|error| gone.contains(&error))
}

/// Whether it is this process that lacks something.
fn is_own(error: &io::Error) -> bool {
    let own = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|error| own.contains(&error))
}

struct Walk<'w> {
    nodes: Vec<Node>,
    left: Vec<u32>,
    names: &'w Names<'w>,
    ends: &'w [&'w str],
}

/// What is of interest in a folder.
#[derive(Default)]
struct Listed {
    folders: Vec<CString>,
    protected: Vec<(CString, FileType)>,
    heads: Vec<CString>,
    is_repository: bool,
}

impl Walk<'_> {
    /// Adds a folder to start at, with the folders on the way to it.
    fn start(&mut self, root: &Path, is_new: bool) {
        let mut at = 0;
        for part in root.components() {
            if let Component::Normal(part) = part
                && let Ok(name) = CString::new(part.as_bytes())
            {
                at = self.add(at, name, false, is_new);
            }
        }
        self.nodes[at as usize].is_root = true;
        self.left.push(at);
    }

    fn add(&mut self, parent: u32, name: CString, is_covered: bool, is_new: bool) -> u32 {
        let above = &self.nodes[parent as usize];
        self.nodes.push(Node {
            parent,
            is_covered,
            is_new,
            is_of_dependencies: above.is_of_dependencies
                || crate::policy::protected::Matcher::is_of_dependencies(name.to_bytes()),
            name,
            is_root: false,
        });
        (self.nodes.len() - 1) as u32
    }

    /// Goes through one folder.
    ///
    /// # Errors
    /// It cannot be listed.
    fn folder(
        &mut self,
        index: u32,
        folder: BorrowedFd<'_>,
        visit: &mut dyn Visit,
    ) -> io::Result<()> {
        let listed = match self.list(index, folder) {
            Err(_) if visit.opens(&self.nodes, index, folder) => self.list(index, folder),
            // Once more: an error may pass.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                self.list(index, folder)
            }
            listed => listed,
        };
        let (listed, error) = match listed {
            Ok(listed) => (listed, None),
            Err(error) => (self.named(folder), Some(error)),
        };
        let Node {
            is_covered, is_new, ..
        } = self.nodes[index as usize];
        let is_covered = is_covered || listed.is_repository;
        for head in &listed.heads {
            visit.repository(&self.place(index, folder, head, FileType::RegularFile));
        }
        for (name, kind) in &listed.protected {
            let place = self.place(index, folder, name, *kind);
            let is_end = self
                .ends
                .iter()
                .any(|end| name.to_bytes() == end.as_bytes());
            if is_end && *kind == FileType::Directory {
                visit.end(&place);
                continue;
            }
            if let Next::Enter(name) = visit.name(&place)
                && *kind == FileType::Directory
            {
                let added = self.add(index, name, is_covered, true);
                self.left.push(added);
            }
        }
        if self.nodes.len() + listed.folders.len() > MOST {
            let cause = io::Error::other(format!("there are more than {MOST} folders"));
            visit.failed(path_of(&self.nodes, index), cause);
            return error.map_or(Ok(()), Err);
        }
        for name in listed.folders {
            let added = self.add(index, name, is_covered, is_new);
            self.left.push(added);
        }
        error.map_or(Ok(()), Err)
    }

    fn place<'p>(
        &'p self,
        folder: u32,
        at: BorrowedFd<'p>,
        name: &'p CStr,
        kind: FileType,
    ) -> Place<'p> {
        Place {
            nodes: &self.nodes,
            folder,
            at,
            name,
            kind,
        }
    }

    /// Lists a folder. Names are kept that the walk has to do with, so that memory is bounded.
    fn list(&self, index: u32, folder: BorrowedFd<'_>) -> io::Result<Listed> {
        let listed = fs::openat(folder, c".", open::FOLDER | OFlags::RDONLY, Mode::empty())?;
        let mut found = Listed::default();
        let mut parts = Parts::default();
        for entry in Dir::new(listed)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => kind_of(folder, name),
                kind => kind,
            };
            parts.note(name.to_bytes());
            if name.to_bytes().eq_ignore_ascii_case(b"HEAD") {
                found.heads.push(name.to_owned());
            }
            let is_folder = kind == FileType::Directory;
            let is_end = is_folder
                && self
                    .ends
                    .iter()
                    .any(|end| name.to_bytes() == end.as_bytes());
            let is_link = kind == FileType::Symlink;
            if is_end
                || self
                    .names
                    .refuse(&self.nodes, index, name.to_bytes(), is_link)
            {
                found.protected.push((name.to_owned(), kind));
            } else if is_folder {
                found.folders.push(name.to_owned());
            }
            if found.protected.len() + found.folders.len() > MOST {
                return Err(io::Error::other(format!(
                    "there are more than {MOST} names"
                )));
            }
        }
        found.is_repository = parts.are_whole();
        if !found.is_repository {
            found.heads.clear();
        }
        Ok(found)
    }

    /// Looks up the protected names of a folder that cannot be listed, where it can be entered.
    fn named(&self, folder: BorrowedFd<'_>) -> Listed {
        let mut found = Listed::default();
        for name in self.names.matcher.names() {
            let Ok(name) = CString::new(name.as_os_str().as_bytes()) else {
                continue;
            };
            match fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(it) => found
                    .protected
                    .push((name, FileType::from_raw_mode(it.st_mode))),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => {}
                Err(_) => found.protected.push((name, FileType::Unknown)),
            }
        }
        found
    }
}

/// The kind of a name in a file system that does not list it.
fn kind_of(folder: BorrowedFd<'_>, name: &CStr) -> FileType {
    match scan::look(folder, name) {
        Ok(Some(found)) => FileType::from_raw_mode(found.st_mode),
        _ => FileType::Unknown,
    }
}
