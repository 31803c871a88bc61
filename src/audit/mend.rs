//! What an audit can put right by itself, and how that is taken back.
//!
//! Only files of the caller's own are touched, and only so that nothing is lost: a line becomes a comment, a mode loses
//! bits. Before the first change everything that will be changed is on disk in the caller's state folder.

mod backups;

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, openat, unlinkat};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use self::backups::{Backups, FOLDER, load, name, store};
use super::Found;
use super::machine::{Kind, kind};
use crate::files::{Keeper, Place, look};
use crate::finding::FindingCode;

/// The largest file that is changed, in bytes.
const LARGEST: u64 = 1 << 20;
/// What a line begins with that has been put out of force.
const MARK: &[u8] = b"# gosandbox audit: ";
const RECORD: &str = "record.json";
const WRITABLE_OR_SET_ID: u32 = 0o6022;

/// Something that can be put right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mend {
    /// A line of a settings file becomes a comment.
    Comment {
        /// The file.
        #[serde(with = "crate::paths")]
        path: PathBuf,
        /// The line, from 1.
        line: u32,
    },
    /// A file or folder loses permission bits.
    Mode {
        /// The file or folder.
        #[serde(with = "crate::paths")]
        path: PathBuf,
        /// Its bits now.
        from: u32,
        /// Its bits afterwards.
        to: u32,
    },
}

/// Why something was not put right, or not taken back.
#[derive(Debug, Error)]
pub enum MendError {
    /// The backup cannot be made, so nothing was changed.
    #[error("cannot keep a copy in {}: {source}", folder.display())]
    Backup {
        /// The folder of the backup.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// One file cannot be changed.
    #[error("cannot change {}: {source}", path.display())]
    Change {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// There is nothing to take back.
    #[error("there is nothing to take back in {}", .0.display())]
    Nothing(PathBuf),
    /// A file is not as the mend has left it.
    #[error("{} has changed since: nothing was taken back; its copy is {}", path.display(), copy.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The copy from before the mend.
        copy: PathBuf,
    },
    /// The record cannot be read.
    #[error("cannot read {}: {text}", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// The cause.
        text: String,
    },
}

/// A file as it was before, and as it was left.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(with = "crate::paths")]
    path: PathBuf,
    /// The copy's name in the backup; `None` where only the mode has changed.
    copy: Option<String>,
    mode: u32,
    /// SHA-256 of the content afterwards.
    left: Option<String>,
    left_mode: u32,
}

/// What can be put right of what was found, without duplicates. `uid`: whose files may be changed.
pub fn mends(found: &[Found], uid: u32) -> Vec<Mend> {
    let mut all = Vec::new();
    for one in found {
        let mend = match one.code {
            FindingCode::WritableByOthers | FindingCode::SetIdProgram => mode(one, uid),
            FindingCode::TlsUnverified
            | FindingCode::GoProxyInsecure
            | FindingCode::GoChecksumsOff
            | FindingCode::GoPatternWide
            | FindingCode::GoInsecure
            | FindingCode::GoVcsWide
            | FindingCode::GoFlagsDangerous
            | FindingCode::CredentialsInCheckout => comment(one, uid),
            _ => None,
        };
        all.extend(mend.filter(|mend| !all.contains(mend)));
    }
    all
}

fn mode(found: &Found, uid: u32) -> Option<Mend> {
    let path = found.path.clone()?;
    let is = look::symlink_metadata(&path).ok()?;
    let from = is.mode() & 0o7777;
    // A sticky folder is meant to be written by others.
    let to = from & !WRITABLE_OR_SET_ID;
    let is_own = is.uid() == uid && kind(is.mode()) != Kind::Other;
    (is_own && to != from && from & 0o1000 == 0).then_some(Mend::Mode { path, from, to })
}

fn comment(found: &Found, uid: u32) -> Option<Mend> {
    let (path, line) = (found.path.clone()?, found.line?);
    let is = look::symlink_metadata(&path).ok()?;
    if kind(is.mode()) != Kind::File || is.uid() != uid || is.nlink() != 1 {
        return None;
    }
    let content = look::read(&path).ok()?;
    commented(&content, line)?;
    Some(Mend::Comment { path, line })
}

/// The content with that line as a comment; `None` where it is not a setting that stands alone in its line.
fn commented(content: &[u8], line: u32) -> Option<Vec<u8>> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let mut lines: Vec<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
    let one = *lines.get(index)?;
    let goes_on = |line: &[u8]| line.trim_ascii_end().ends_with(b"\\");
    let is_continued = index > 0 && goes_on(lines[index - 1]);
    let text = one.trim_ascii();
    // More than a setting: what a shell would do besides, a section's header, a text of several lines.
    let has_more = text.iter().any(|byte| b";&|`()".contains(byte)) || text.starts_with(b"[");
    let quotes = |quote| text.iter().filter(|byte| **byte == quote).count();
    let is_open = quotes(b'"') % 2 == 1 || quotes(b'\'') % 2 == 1;
    let assigned = text.iter().filter(|byte| **byte == b'=').count();
    let is_option = !text.contains(&b'=') && text.split(u8::is_ascii_whitespace).count() <= 2;
    let has_several = assigned > 1
        && text
            .split(u8::is_ascii_whitespace)
            .filter(|word| word.contains(&b'='))
            .count()
            > 1;
    if goes_on(one)
        || is_continued
        || has_more
        || is_open
        || has_several
        || !(assigned > 0 || is_option)
    {
        return None;
    }
    let replaced = [MARK, one].concat();
    lines[index] = &replaced;
    Some(lines.concat())
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Puts things right. `state` is the folder for backups; each call makes one of its own there.
///
/// # Errors
/// The backup cannot be made: nothing was changed. One file cannot be changed: those before it are, and the backup has all.
pub fn fix(mends: &[Mend], state: &Path) -> Result<PathBuf, MendError> {
    let backups = Backups::open(state)?;
    let refused = |source| MendError::Backup {
        folder: state.to_owned(),
        source,
    };
    let plan = plan(mends).map_err(refused)?;
    let number = backups.numbers().map_err(refused)?;
    let number = number.last().map_or(1, |number| number + 1);
    keep(&backups, number, &plan).map_err(refused)?;
    for (one, _, after) in &plan {
        let changed = put(&one.path, after.as_deref(), one.mode, one.left_mode);
        changed.map_err(|source| MendError::Change {
            path: one.path.clone(),
            source,
        })?;
    }
    Ok(backups.folder(number))
}

/// Has copies of all on disk, and then the record that names them.
fn keep(backups: &Backups, number: u64, plan: &[Planned]) -> io::Result<()> {
    rustix::fs::mkdirat(&backups.at, name(number), Mode::from_raw_mode(0o700))?;
    let folder = openat(&backups.at, name(number), FOLDER, Mode::empty())?;
    let mut kept = Vec::new();
    for (index, (one, before, _)) in plan.iter().enumerate() {
        let copy = before.as_ref().map(|_| index.to_string());
        if let (Some(copy), Some(before)) = (&copy, before) {
            store(&folder, copy, before)?;
        }
        kept.push(Kept {
            copy,
            path: one.path.clone(),
            left: one.left.clone(),
            ..*one
        });
    }
    store(&folder, RECORD, &serde_json::to_vec_pretty(&kept)?)
}

/// Each file once, with its content before and after.
type Planned = (Kept, Option<Vec<u8>>, Option<Vec<u8>>);

fn plan(mends: &[Mend]) -> io::Result<Vec<Planned>> {
    let mut plan: Vec<Planned> = Vec::new();
    for mend in mends {
        let (Mend::Comment { path, .. } | Mend::Mode { path, .. }) = mend;
        let index = match plan.iter().position(|(one, ..)| one.path == *path) {
            Some(index) => index,
            None => {
                let mode = look::symlink_metadata(path)?.mode() & 0o7777;
                let kept = Kept {
                    path: path.clone(),
                    copy: None,
                    mode,
                    left: None,
                    left_mode: mode,
                };
                plan.push((kept, None, None));
                plan.len() - 1
            }
        };
        let (kept, before, after) = &mut plan[index];
        match mend {
            Mend::Mode { to, .. } => kept.left_mode = *to,
            Mend::Comment { line, .. } => {
                if before.is_none() {
                    let place = Place::find(path, Keeper::caller(), None)?;
                    let own = place.read_own(LARGEST)?;
                    *before = Some(
                        own.ok_or_else(|| io::Error::other("it is no file of yours any more"))?,
                    );
                }
                // A comment takes no line away: numbers stay true.
                let content = after
                    .as_ref()
                    .or(before.as_ref())
                    .map_or(&[][..], Vec::as_slice);
                let new = commented(content, *line)
                    .ok_or_else(|| io::Error::other("it has changed meanwhile"))?;
                kept.left = Some(digest(&new));
                *after = Some(new);
            }
        }
    }
    Ok(plan)
}

/// Changes a file whose mode is `from`. What has come to its path meanwhile is left alone.
fn put(path: &Path, content: Option<&[u8]>, from: u32, to: u32) -> io::Result<()> {
    let is_meant = |file: &fs::File| {
        let is = rustix::fs::fstat(file)?;
        let is_same =
            is.st_mode & 0o7777 == from && is.st_uid == rustix::process::geteuid().as_raw();
        let is_alone = kind(is.st_mode) == Kind::Folder
            || (kind(is.st_mode) == Kind::File && is.st_nlink == 1);
        match is_same && is_alone {
            true => Ok(()),
            false => Err(io::Error::other("it is another file by now")),
        }
    };
    let file = look::open_in_place(path)?;
    is_meant(&file)?;
    let Some(content) = content else {
        return file.set_permissions(fs::Permissions::from_mode(to));
    };
    Place::find(path, Keeper::caller(), None)?.replace(content)?;
    let file = look::open_in_place(path)?;
    file.set_permissions(fs::Permissions::from_mode(to))
}

/// Takes the newest mend back, to the byte, and says which files those were.
///
/// # Errors
/// A file has changed since: nothing was taken back.
pub fn undo(state: &Path) -> Result<Vec<PathBuf>, MendError> {
    let backups = Backups::open(state)?;
    let record = |number: u64, text: String| MendError::Record {
        path: backups.folder(number).join(RECORD),
        text,
    };
    let numbers = backups
        .numbers()
        .map_err(|error| record(0, error.to_string()))?;
    let number = *numbers
        .last()
        .ok_or_else(|| MendError::Nothing(state.to_owned()))?;
    let failed = |error: io::Error| record(number, error.to_string());
    let folder = openat(&backups.at, name(number), FOLDER, Mode::empty());
    let folder = folder.map_err(|error| failed(error.into()))?;
    let content = load(&folder, RECORD).map_err(failed)?;
    let kept: Vec<Kept> = serde_json::from_slice(&content).map_err(|error| failed(error.into()))?;
    let mut back = Vec::new();
    for one in &kept {
        let before = one.copy.as_ref().map(|name| load(&folder, name));
        let before = before.transpose().map_err(failed)?;
        let now = look::read(&one.path).ok().filter(|_| one.left.is_some());
        // A fix that was ended in the middle has left some as they were.
        let is_before = now == before && mode_of(&one.path) == Some(one.mode);
        if is_before {
            continue;
        }
        if now.as_deref().map(digest) != one.left {
            let copy = one.copy.as_deref().unwrap_or_default();
            return Err(MendError::Changed {
                path: one.path.clone(),
                copy: backups.folder(number).join(copy),
            });
        }
        back.push((one, before));
    }
    for (one, before) in &back {
        let restored = put(&one.path, before.as_deref(), one.left_mode, one.mode);
        restored.map_err(|source| MendError::Change {
            path: one.path.clone(),
            source,
        })?;
    }
    let copies = kept.iter().filter_map(|one| one.copy.as_deref());
    for file in copies.chain([RECORD]) {
        unlinkat(&folder, file, AtFlags::empty()).map_err(|error| failed(error.into()))?;
    }
    unlinkat(&backups.at, name(number), AtFlags::REMOVEDIR)
        .map_err(|error| failed(error.into()))?;
    Ok(kept.into_iter().map(|one| one.path).collect())
}

fn mode_of(path: &Path) -> Option<u32> {
    let found = look::symlink_metadata(path).ok()?;
    Some(found.mode() & 0o7777)
}

#[cfg(test)]
mod tests;
