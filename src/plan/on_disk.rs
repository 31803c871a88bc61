//! What the launcher makes on disk for a run, and removes at its end.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Folders on disk that belong to one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Scratch {
    /// The folder that holds them, made by the launcher, mode 0700.
    #[serde(with = "crate::paths")]
    pub folder: PathBuf,
    /// Names of the folders in it.
    #[serde(with = "crate::paths")]
    pub parts: Vec<PathBuf>,
    /// A symbolic link in them, and what it leads to.
    pub link: Option<(PathBuf, PathBuf)>,
}

/// What fills the programs' own build cache before the command starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seed {
    /// GOCACHE.
    #[serde(with = "crate::paths")]
    pub from: PathBuf,
    /// The programs' own.
    #[serde(with = "crate::paths")]
    pub to: PathBuf,
    /// The name of a file there that says it was filled.
    #[serde(with = "crate::paths")]
    pub stamp: PathBuf,
    /// The beginnings of the names of the entries that are copied, in hexadecimal digits: those of Go's own packages.
    pub entries: Vec<String>,
}

/// A file or folder that is not there yet and is made, empty, so that it can be a mount of its own: an
/// output that a flag names, which is granted alone, or a protected path, which is refused alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Placeholder {
    /// Canonical folder and name.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// Permission bits, less the umask.
    pub mode: u32,
    /// What is made.
    pub kind: PlaceholderKind,
}

/// What stands at a place that is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceholderKind {
    /// An empty file.
    File,
    /// An empty folder.
    Folder,
    /// Something that tools pass over: a socket that nobody listens on. git does not see it, opening it
    /// fails at once, and a file system makes and removes it in a tenth of the time that a folder
    /// takes. An empty file where there are no sockets.
    Decoy,
}
