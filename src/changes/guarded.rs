//! What links of protected names lead to in the work tree. Who may write that need not touch the
//! links.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{self, FileType};

use super::change::Kind;
use super::folders::{Folders, Tree};
use super::links::{self, Real};
use super::open;
use super::places::{self, Names, Places};
use super::scan;
use crate::refusal::Code;

/// A folder of the work tree.
struct Folder {
    parent: u32,
    name: CString,
    /// Whether it has a protected name, or lies in a folder that has.
    is_protected: bool,
}

impl Tree for [Folder] {
    fn parent(&self, index: u32) -> u32 {
        self[index as usize].parent
    }

    fn name(&self, index: u32) -> &CStr {
        &self[index as usize].name
    }
}

/// Adds to `found` the targets of links that have a protected name, or lie in a folder that has.
/// True where there are any.
pub(super) fn add(
    found: &mut Places,
    names: &Names,
    tree: BorrowedFd<'_>,
    tree_path: &Path,
) -> bool {
    let mut folders = vec![Folder {
        parent: 0,
        name: c".".to_owned(),
        is_protected: false,
    }];
    let mut open = Folders::of_tree(tree);
    let mut budget = links::BUDGET;
    let mut is_any = false;
    let mut left = vec![0];
    while let Some(index) = left.pop() {
        let Ok(folder) = open.at(folders.as_slice(), index) else {
            continue;
        };
        // One that cannot be listed is refused as a whole.
        let Ok(entries) = open::names(folder) else {
            continue;
        };
        let above = folders[index as usize].is_protected;
        for (name, kind) in entries {
            let bytes = name.to_bytes();
            let at = || places::joined(&path(&folders, index)).join(OsStr::from_bytes(bytes));
            let is_protected = above || names.has(bytes) || names.refuses(bytes, false, at);
            match kind_of(folder, &name, kind) {
                // Objects of a repository are no links, and many.
                Some(Kind::Folder) if above && name.as_c_str() == c"objects" => {}
                Some(Kind::Folder) => {
                    left.push(folders.len() as u32);
                    folders.push(Folder {
                        parent: index,
                        name,
                        is_protected,
                    });
                }
                Some(Kind::Symlink) if is_protected => {
                    let Ok(text) = fs::readlinkat(folder, &name, Vec::new()) else {
                        continue;
                    };
                    let at = path(&folders, index);
                    let view = Real(tree.as_fd());
                    let followed =
                        links::follow(&view, tree_path, &at, text.to_bytes(), &mut budget);
                    for place in followed.passed {
                        if !names.protect(&place) {
                            found.add(&place, Code::ProtectedLinkTarget);
                            is_any = true;
                        }
                    }
                }
                _ => {}
            }
        }
    }
    is_any
}

fn kind_of(folder: BorrowedFd<'_>, name: &CStr, kind: FileType) -> Option<Kind> {
    match kind {
        FileType::Directory => Some(Kind::Folder),
        FileType::Symlink => Some(Kind::Symlink),
        FileType::Unknown => Some(scan::kind(&scan::look(folder, name).ok()??)),
        _ => None,
    }
}

fn path(folders: &[Folder], index: u32) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut at = index;
    while at != 0 {
        let folder = &folders[at as usize];
        names.push(folder.name.to_bytes().to_vec());
        at = folder.parent;
    }
    names.reverse();
    names
}
