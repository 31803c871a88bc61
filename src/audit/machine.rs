//! Where an audit looks, and how: each file once, of a sensible size, by the caller's own rights.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::Found;
use crate::files::look;
use crate::finding::FindingCode;
use crate::go::trust::Trust;
use crate::go::{self, toolchain, vcs};

/// The largest settings file that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// How many entries of one folder are looked at.
const MOST_ENTRIES: usize = 4096;

/// The machine and the account that are looked at.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The root of the file system: `/`, or a copy with other files in a test.
    pub root: PathBuf,
    /// The caller's environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The work tree that the caller stands in, if it is one.
    pub checkout: Option<PathBuf>,
    /// GOROOT of the Go that a run would use.
    pub goroot: Option<PathBuf>,
    /// The release there, as `go1.26.8`.
    pub release: Option<String>,
    /// Who is asked for.
    pub who: Who,
}

/// The account.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Every group id of the process.
    pub groups: Vec<u32>,
}

impl Machine {
    /// This machine and the calling account, with the checkout around `folder`.
    pub fn here(folder: &Path) -> Machine {
        let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
        let (uid, gid) = (uid.as_raw(), gid.as_raw());
        let groups = rustix::process::getgroups().unwrap_or_default();
        let path = environment.iter().find(|(name, _)| name == "PATH");
        // Whoever could change it is what the audit finds.
        let noted = RefCell::new(Vec::new());
        let toolchain = toolchain::discover(&toolchain::Choice {
            goroot: None,
            path: path.map(|(_, value)| value.as_os_str()),
            trust: Trust::new(uid, gid).noting(&noted),
            work_tree: None,
        });
        let toolchain = toolchain.ok();
        Machine {
            root: "/".into(),
            checkout: vcs::checkout(folder).map(Path::to_owned),
            goroot: toolchain.as_ref().map(|found| found.goroot.clone()),
            release: toolchain.map(|found| format!("go{}", found.version.as_str())),
            who: Who {
                uid,
                gid,
                groups: groups.into_iter().map(|group| group.as_raw()).collect(),
            },
            environment,
        }
    }

    /// A variable of the environment that is not empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        let mut all = self.environment.iter();
        let found = all.find(|(one, value)| one == name && !value.is_empty());
        found.map(|(_, value)| value.as_os_str())
    }

    /// The caller's home folder.
    pub fn home(&self) -> Option<PathBuf> {
        let home = Path::new(self.variable("HOME")?);
        home.is_absolute().then(|| home.to_owned())
    }

    /// The folder for settings: XDG_CONFIG_HOME, else `~/.config`.
    pub fn config(&self) -> Option<PathBuf> {
        let named = self.variable("XDG_CONFIG_HOME").map(PathBuf::from);
        let named = named.filter(|path| path.is_absolute());
        named.or_else(|| Some(self.home()?.join(".config")))
    }

    /// Where an absolute path of the machine's lies below the root that is looked at.
    pub fn at(&self, path: &Path) -> PathBuf {
        match path.strip_prefix("/") {
            Ok(below) => self.root.join(below),
            Err(_) => path.to_owned(),
        }
    }
}

/// What lies at a path, as far as owners and modes count: those of a link do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Other,
}

/// By the mode of stat(2).
pub(super) fn kind(mode: u32) -> Kind {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        _ => Kind::Other,
    }
}

/// What an audit has found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: RefCell<Vec<Found>>,
}

impl Report {
    pub fn add(&self, found: Found) {
        self.found.borrow_mut().push(found);
    }

    pub fn into_found(self) -> Vec<Found> {
        self.found.into_inner()
    }

    /// The lines of a settings file, with their numbers from 1. A file that is not there has none; one that cannot be
    /// read is found to be so, since nobody knows what it holds.
    pub fn lines(&self, machine: &Machine, path: &Path) -> Vec<(u32, String)> {
        let Some(content) = self.bytes(machine, path) else {
            return Vec::new();
        };
        let text = String::from_utf8_lossy(&content);
        let lines = text.lines().map(str::to_owned);
        (1..).zip(lines).collect()
    }

    /// The same, whole.
    pub fn bytes(&self, machine: &Machine, path: &Path) -> Option<Vec<u8>> {
        match go::read_plain(&machine.at(path), LARGEST) {
            Ok(content) => Some(content),
            Err(error) if is_not_there(&error) => None,
            // What only root may read is root's: the account cannot have changed it, nor does it take effect here.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
            Err(error) => {
                let message = format!("cannot be read: {error}");
                self.add(Found::at(FindingCode::Unreadable, path, None, message));
                None
            }
        }
    }

    /// The files of a folder whose names end so, in order. A folder that is not there has none.
    pub fn files(&self, machine: &Machine, folder: &Path, ending: &str) -> Vec<PathBuf> {
        let mut entries = match look::read_dir(machine.at(folder)) {
            Ok(entries) => entries,
            Err(error)
                if is_not_there(&error) || error.kind() == io::ErrorKind::PermissionDenied =>
            {
                return Vec::new();
            }
            Err(error) => {
                let message = format!("cannot be listed: {error}");
                self.add(Found::at(FindingCode::Unreadable, folder, None, message));
                return Vec::new();
            }
        };
        if entries.len() > MOST_ENTRIES {
            let message = format!(
                "has {} entries: {MOST_ENTRIES} were looked at",
                entries.len()
            );
            self.add(Found::at(FindingCode::Unreadable, folder, None, message));
        }
        entries.truncate(MOST_ENTRIES);
        let names = entries.iter().map(look::Entry::file_name);
        let mut names: Vec<OsString> = names
            .filter(|name| name.as_encoded_bytes().ends_with(ending.as_bytes()))
            .collect();
        names.sort();
        names.iter().map(|name| folder.join(name)).collect()
    }
}

fn is_not_there(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}
