//! The journal of a stage: what a later process has to know to finish or undo a step.
//!
//! A line is written before the step that it is about. A last line that is not whole was written by
//! a process that was killed before the step.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode, OFlags, Stat};
use serde::{Deserialize, Serialize};

/// A line of the journal, as JSON.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    /// The mode that a program has given to a staged file or folder, which is opened for its owner.
    Mode { inode: u64, mode: u32 },
    /// The mode of a folder of the work tree, which is opened for its owner.
    TreeMode {
        #[serde(with = "crate::paths")]
        path: PathBuf,
        mode: u32,
    },
    /// A temporary name in a folder of the work tree.
    Temporary {
        #[serde(with = "crate::paths")]
        folder: PathBuf,
        name: String,
    },
    /// A file of the work tree whose mode and time are about to be set, which makes it look changed.
    Attributes { device: u64, inode: u64 },
    /// What opaque folders delete. From this line on, opaque folders delete nothing else: files that
    /// have landed have left them. With it the folders of which the mode is set: files that have
    /// landed in them make them look changed.
    Deletions {
        #[serde(with = "crate::paths")]
        paths: Vec<PathBuf>,
        // Stages of earlier versions have none.
        #[serde(default, with = "crate::paths")]
        modes: Vec<PathBuf>,
    },
}

/// The journal, read and open for more.
#[derive(Debug)]
pub(super) struct Journal {
    file: RefCell<File>,
    modes: RefCell<HashMap<u64, u32>>,
    attributes: HashSet<(u64, u64)>,
    /// What an earlier process has left.
    pub temporaries: Vec<(PathBuf, String)>,
    pub tree_modes: Vec<(PathBuf, u32)>,
    pub deletions: Option<Vec<PathBuf>>,
    folder_modes: HashSet<PathBuf>,
}

impl Journal {
    /// Opens the journal of a stage, and makes it where there is none.
    pub fn open(stage: BorrowedFd<'_>) -> io::Result<Journal> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let mut file = File::from(fs::openat(stage, "journal", flags, mode)?);
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        if text.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        let mut journal = Journal {
            file: RefCell::new(file),
            modes: RefCell::default(),
            attributes: HashSet::new(),
            temporaries: Vec::new(),
            tree_modes: Vec::new(),
            deletions: None,
            folder_modes: HashSet::new(),
        };
        let lines = text.split(|byte| *byte == b'\n');
        for line in lines.filter_map(|line| serde_json::from_slice(line).ok()) {
            journal.take(line);
        }
        Ok(journal)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Mode { inode, mode } => {
                self.modes.get_mut().insert(inode, mode);
            }
            Line::Attributes { device, inode } => {
                self.attributes.insert((device, inode));
            }
            Line::TreeMode { path, mode } => self.tree_modes.push((path, mode)),
            Line::Temporary { folder, name } => self.temporaries.push((folder, name)),
            Line::Deletions { paths, modes } => {
                self.deletions = Some(paths);
                self.folder_modes = modes.into_iter().collect();
            }
        }
    }

    /// Writes a line down.
    pub fn note(&self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.borrow_mut().write_all(&text)?;
        if let Line::Mode { inode, mode } = line {
            self.modes.borrow_mut().insert(*inode, *mode);
        }
        Ok(())
    }

    /// The mode that a program has given to something staged, where this program has changed it.
    pub fn mode(&self, inode: u64) -> Option<u32> {
        self.modes.borrow().get(&inode).copied()
    }

    /// Whether an earlier process was about to set the mode of a folder.
    pub fn sets_mode_of(&self, folder: &Path) -> bool {
        self.folder_modes.contains(folder)
    }

    /// Whether an earlier process was about to set the mode and time of a file.
    pub fn has_attributes_of(&self, found: &Stat) -> bool {
        self.attributes.contains(&(found.st_dev, found.st_ino))
    }
}
