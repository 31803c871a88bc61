//! Folders in which root alone decides, as the thread has found them: where they are, and what is in them.
//!
//! A path in such a folder need not be judged again. Only root could change that it is one; what a run inside changes
//! comes to the tree at its end ([`forget`]).

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

thread_local! {
    /// Their paths, without links.
    static KEPT: RefCell<HashSet<PathBuf>> = RefCell::default();
}

/// Notes a folder, by its path without links.
pub(super) fn note(folder: &Path) {
    KEPT.with_borrow_mut(|kept| {
        if !kept.contains(folder) {
            kept.insert(folder.to_owned());
        }
    });
}

/// A path whose last component root alone decides, as far as that is known. Links are not followed.
pub(super) fn entry(path: &Path) -> Option<PathBuf> {
    let (folder, name) = (path.parent()?, path.file_name()?);
    // Without `/` or `.` at its end, which would follow a link.
    KEPT.with_borrow(|kept| kept.contains(folder).then(|| folder.join(name)))
}

/// The folder that is nearest above what a path names, among those that are known.
pub(super) fn above(path: &Path) -> Option<&Path> {
    let mut above = path.ancestors().skip(1);
    KEPT.with_borrow(|kept| above.find(|folder| kept.contains(*folder)))
}

/// Forgets the folders. To be called where a change that somebody else has made may have come to one.
pub fn forget() {
    KEPT.with_borrow_mut(HashSet::clear);
}
