//! A copy of a Go distribution in a folder of the launcher's own.
//!
//! It reads a tree that other users may change while it reads: by descriptors, no link is followed, and what it hashes
//! is the copy, which nobody else can write. What was copied counts only once the caller has compared its hash.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Dir, FileType, Mode, OFlags, fchmod, fstat, mkdirat, openat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::go::release;

/// Read, and no link followed; a FIFO is not waited for.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
const FOLDER: OFlags = READ.union(OFlags::DIRECTORY);
const NEW: OFlags = OFlags::RDWR
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::CLOEXEC);

/// No distribution has a file of more bytes, nor more files.
const LARGEST: u64 = 1 << 30;
const MOST: usize = 100_000;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// The distribution's file cannot be read, or the copy's not written.
    #[error("{name}: {source}")]
    File {
        /// Its name in the distribution.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// It is nothing that a distribution holds.
    #[error("{name} {what}")]
    Foreign {
        /// Its name in the distribution.
        name: String,
        /// What it is.
        what: &'static str,
    },
}

/// The copied files: their names in the published module, and the SHA-256 of each.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub digests: BTreeMap<String, [u8; 32]>,
    /// What `go.env` holds.
    pub settings: String,
}

/// Copies the published part of a distribution into an empty folder.
///
/// # Errors
/// Something cannot be read or written, or is a link or a device.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<Copied, CopyError> {
    let mut copied = Copied::default();
    folder(&mut copied, from, to, "")?;
    Ok(copied)
}

/// Writes another `go.env` into a copy.
pub(super) fn set_settings(to: BorrowedFd<'_>, text: &str) -> io::Result<[u8; 32]> {
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(to, "go.env", flags, Mode::empty())?;
    File::from(file).write_all(text.as_bytes())?;
    Ok(Sha256::digest(text).into())
}

fn folder(
    copied: &mut Copied,
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    prefix: &str,
) -> Result<(), CopyError> {
    let failed = |name: &str| {
        let name = format!("{prefix}{name}");
        move |source: Errno| CopyError::File {
            name,
            source: source.into(),
        }
    };
    for entry in Dir::read_from(from).map_err(failed(""))? {
        let entry = entry.map_err(failed(""))?;
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        let whole = format!("{prefix}{name}");
        if matches!(name, "." | "..") {
            continue;
        }
        let published = release::published(&whole);
        if published.is_none() && !release::is_searched(&whole) {
            continue;
        }
        let opened = match openat(from, entry.file_name(), READ, Mode::empty()) {
            Err(Errno::LOOP) => return Err(foreign(whole, "is a symbolic link")),
            opened => opened.map_err(failed(name))?,
        };
        let found = fstat(&opened).map_err(failed(name))?;
        match (FileType::from_raw_mode(found.st_mode), published) {
            (FileType::Directory, _) if release::is_searched(&whole) => {
                let made = make_folder(to, entry.file_name()).map_err(failed(name))?;
                folder(copied, opened.as_fd(), made.as_fd(), &format!("{whole}/"))?;
            }
            (FileType::RegularFile, Some(published)) => {
                if copied.digests.len() >= MOST || found.st_size as u64 > LARGEST {
                    return Err(foreign(whole, "is more than a distribution holds"));
                }
                let is_program = release::is_program(&whole) || found.st_mode & 0o111 != 0;
                let made = file(opened, to, entry.file_name(), is_program);
                let (digest, settings) = made.map_err(|source| CopyError::File {
                    name: whole.clone(),
                    source,
                })?;
                if whole == "go.env" {
                    copied.settings = settings;
                }
                if copied.digests.insert(published, digest).is_some() {
                    return Err(foreign(whole, "is there twice, as go.mod and as _go.mod"));
                }
            }
            _ => return Err(foreign(whole, "is no file that a distribution holds")),
        }
    }
    Ok(())
}

fn foreign(name: String, what: &'static str) -> CopyError {
    CopyError::Foreign { name, what }
}

fn make_folder(within: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    mkdirat(within, name, Mode::RWXU)?;
    let made = openat(within, name, FOLDER, Mode::empty())?;
    // Whatever the umask says: the sandbox user reads it.
    fchmod(&made, Mode::from_raw_mode(0o755))?;
    Ok(made)
}

/// The digest of the copy, and for a small file its text.
fn file(
    from: OwnedFd,
    within: BorrowedFd<'_>,
    name: &CStr,
    is_program: bool,
) -> io::Result<([u8; 32], String)> {
    let made = openat(within, name, NEW, Mode::RUSR | Mode::WUSR)?;
    let mode = if is_program { 0o755 } else { 0o644 };
    fchmod(&made, Mode::from_raw_mode(mode))?;
    let shares = rustix::fs::ioctl_ficlone(&made, &from).is_ok();
    let (mut from, mut made) = (File::from(from), File::from(made));
    let mut summary = Sha256::new();
    let mut text = Vec::new();
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    loop {
        // What was cloned is read from the copy, which nobody else can write.
        let source = if shares { &mut made } else { &mut from };
        let length = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        total += length as u64;
        if total > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let part = &buffer[..length];
        if !shares {
            made.write_all(part)?;
        }
        summary.update(part);
        if text.len() < 4096 {
            text.extend_from_slice(&part[..part.len().min(4096)]);
        }
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((summary.finalize().into(), text))
}
