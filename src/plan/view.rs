//! The mount view: a root file system made from nothing, as an ordered list of nodes.
//!
//! Every path is absolute and canonical; a bind has the same path inside as outside unless it says
//! otherwise, so that what go records in its output is the same as without a sandbox.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::files::Judged;

/// One thing to be placed in the new root, parents before children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Node {
    /// A folder on the root's own tmpfs.
    Folder {
        /// Where.
        #[serde(with = "crate::paths")]
        target: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// A file on the root's own tmpfs.
    File {
        /// Where.
        #[serde(with = "crate::paths")]
        target: PathBuf,
        /// What it holds. For a reader only how much.
        #[serde(with = "content", rename = "bytes")]
        content: Vec<u8>,
    },
    /// A symbolic link.
    Symlink {
        /// Where.
        #[serde(with = "crate::paths")]
        target: PathBuf,
        /// What it points to.
        #[serde(with = "crate::paths")]
        to: PathBuf,
    },
    /// A tmpfs of its own.
    Tmpfs {
        /// Where.
        #[serde(with = "crate::paths")]
        target: PathBuf,
        /// Permission bits of its root.
        mode: u32,
        /// Largest size in bytes.
        size: u64,
        /// User and group that own its root; `None`: whoever mounts it.
        owner: Option<(u32, u32)>,
    },
    /// A read-only folder of links to the programs that may run, in the place of the host's folder.
    Programs {
        /// Where.
        #[serde(with = "crate::paths")]
        target: PathBuf,
        /// The names in it, each with the program.
        links: Vec<NamedProgram>,
    },
    /// A part of the host's file system, with the mounts below it.
    Bind {
        /// The host's path.
        #[serde(with = "crate::paths")]
        source: PathBuf,
        /// Where it appears.
        #[serde(with = "crate::paths")]
        target: PathBuf,
        /// Whether it can be written.
        writable: bool,
        /// Whether the owner on disk appears as the sandbox user (`MOUNT_ATTR_IDMAP`).
        id_map: bool,
    },
    /// The staged work tree: an overlay over what is at its target already.
    Staged(Overlay),
    /// A read-only file over one that a bind shows.
    Cover(Cover),
    /// A fresh procfs, of the new pid namespace.
    Proc {
        /// Where.
        #[serde(with = "crate::paths")]
        target: PathBuf,
    },
    /// A devpts instance of its own, with `ptmx`.
    Terminals {
        /// Where.
        #[serde(with = "crate::paths")]
        target: PathBuf,
    },
}

impl Node {
    /// Where the node appears.
    pub fn target(&self) -> &Path {
        match self {
            Node::Folder { target, .. }
            | Node::File { target, .. }
            | Node::Symlink { target, .. }
            | Node::Tmpfs { target, .. }
            | Node::Programs { target, .. }
            | Node::Bind { target, .. }
            | Node::Staged(Overlay { target, .. })
            | Node::Cover(Cover { target, .. })
            | Node::Proc { target }
            | Node::Terminals { target } => target,
        }
    }

    fn target_bytes(&self) -> &[u8] {
        self.target().as_os_str().as_bytes()
    }

    /// A bind at its own path.
    pub fn bind(path: impl Into<PathBuf>, writable: bool) -> Node {
        let path = path.into();
        Node::Bind {
            source: path.clone(),
            target: path,
            writable,
            id_map: false,
        }
    }
}

/// A program, by the name that it is looked up by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NamedProgram {
    /// Its name, without a folder.
    #[serde(with = "crate::paths")]
    pub name: PathBuf,
    /// Where it is inside.
    #[serde(with = "crate::paths")]
    pub program: PathBuf,
}

/// A file that stands over one of the host's, whose content is not for code of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cover {
    /// The file.
    #[serde(with = "crate::paths")]
    pub target: PathBuf,
    /// What is read there instead. For a reader only how much.
    #[serde(with = "content", rename = "bytes")]
    pub content: Vec<u8>,
    /// When the host's file was changed: seconds and nanoseconds. Go's test cache looks at it.
    pub modified: (i64, u32),
}

/// An overlay file system whose lower layer is the work tree as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Overlay {
    /// The work tree: where the overlay appears.
    #[serde(with = "crate::paths")]
    pub target: PathBuf,
    /// The host's folder that takes what is written.
    #[serde(with = "crate::paths")]
    pub upper: PathBuf,
    /// The host's folder that the kernel works in, on the same file system.
    #[serde(with = "crate::paths")]
    pub work: PathBuf,
}

/// The root of programs that the `-exec` wrapper starts: a clone of the go command's root, with the
/// staged work tree in it, and read-only except for some mounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProgramRoot {
    /// Where it appears in the go command's root, in a folder that only the wrapper can enter.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// Mounts that stay writable.
    #[serde(with = "crate::paths")]
    pub writable: Vec<PathBuf>,
    /// The work tree in it.
    pub tree: Overlay,
    /// User and group that own that folder: the sandbox user's.
    pub owner: (u32, u32),
}

/// What a file holds: all of it for init, the number of bytes for a report.
mod content {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(content: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => content.len().serialize(serializer),
            false => content.serialize(serializer),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Vec::deserialize(deserializer)
    }
}

/// The whole view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct View {
    /// What is placed, in order.
    pub nodes: Vec<Node>,
    /// The root of programs, where they have another than the go command.
    pub programs: Option<ProgramRoot>,
    /// Sources that were judged, and what they were then. What is there by now must be the same.
    pub judged: Vec<Judged>,
}

impl View {
    /// Whether any bind has the owner on disk appear as the sandbox user.
    pub fn is_mapped(&self) -> bool {
        let is = |node: &Node| matches!(node, Node::Bind { id_map: true, .. });
        self.nodes.iter().any(is)
    }

    /// The overlay of a view whose work tree is staged.
    pub fn overlay(&self) -> Option<&Overlay> {
        let staged = self.nodes.iter().find_map(|node| match node {
            Node::Staged(overlay) => Some(overlay),
            _ => None,
        });
        staged.or(self.programs.as_ref().map(|programs| &programs.tree))
    }

    /// Sorts the nodes so that parents come before children, keeping the order of equals.
    pub fn sort(&mut self) {
        self.nodes
            .sort_by(|a, b| a.target_bytes().cmp(b.target_bytes()));
    }
}
