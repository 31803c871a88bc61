//! What identifies something on disk, so that it can be told whether it is the same after a run.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What identifies something on disk: device and inode, and of a link what it says and leads to, since a
/// file system may give the number of one that was removed to the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    dev: u64,
    ino: u64,
    pub(super) link: Option<Link>,
}

/// A symbolic link: what it says, and the canonical path, device and inode of what that leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    text: PathBuf,
    end: Option<(PathBuf, u64, u64)>,
}

impl Identity {
    /// That of what is at a path, where there is anything.
    pub fn at(path: &Path) -> Option<Identity> {
        let found = fs::symlink_metadata(path).ok()?;
        let link = found.is_symlink().then(|| Link::at(path)).flatten();
        Some(Identity {
            dev: found.dev(),
            ino: found.ino(),
            link,
        })
    }
}

impl Link {
    fn at(path: &Path) -> Option<Link> {
        let text = fs::read_link(path).ok()?;
        let end = fs::canonicalize(path).ok().and_then(|path| {
            let found = fs::symlink_metadata(&path).ok()?;
            Some((path, found.dev(), found.ino()))
        });
        Some(Link { text, end })
    }

    /// What it leads to, where that lies in the tree: whoever may write that need not touch the link.
    pub(super) fn end_in(&self, tree: &Path) -> Option<PathBuf> {
        let (path, _, _) = self.end.as_ref()?;
        (path != tree && path.starts_with(tree)).then(|| path.clone())
    }
}
