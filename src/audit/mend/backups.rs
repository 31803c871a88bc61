//! Copies of files from before a mend, in a folder that is the caller's alone.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags, openat};

use super::MendError;
use crate::files::own_folder;

/// The folder of backups, by descriptor: what lies in it is the caller's alone.
pub struct Backups {
    /// The folder.
    pub at: OwnedFd,
    path: PathBuf,
}

impl Backups {
    /// Opens it, and makes it where it is missing.
    pub fn open(state: &Path) -> Result<Backups, MendError> {
        let refused = |source| MendError::Backup {
            folder: state.to_owned(),
            source,
        };
        let step = own_folder(state, 0o700).map_err(refused)?;
        let step = step.ok_or_else(|| refused(io::Error::other("another user can change it")))?;
        Ok(Backups {
            at: step.into_at(),
            path: state.to_owned(),
        })
    }

    /// The numbers of backups, in order.
    pub fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut all = Vec::new();
        let readable = openat(&self.at, ".", FOLDER, Mode::empty())?;
        for entry in Dir::new(readable)? {
            let name = entry?
                .file_name()
                .to_str()
                .ok()
                .and_then(|name| name.parse::<u64>().ok());
            all.extend(name);
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The path of one.
    pub fn folder(&self, number: u64) -> PathBuf {
        self.path.join(name(number))
    }
}

/// The name of a backup.
pub fn name(number: u64) -> String {
    format!("{number:06}")
}

/// To open a folder that is no link.
pub const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Makes a file in it.
pub fn store(folder: &OwnedFd, name: &str, content: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = fs::File::from(openat(folder, name, flags, Mode::from_raw_mode(0o600))?);
    file.write_all(content)?;
    file.sync_all()
}

/// Reads a file in it.
pub fn load(folder: &OwnedFd, name: &str) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut content = Vec::new();
    fs::File::from(openat(folder, name, flags, Mode::empty())?).read_to_end(&mut content)?;
    Ok(content)
}
