//! Lists what the stage holds, and compares it with the work tree.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::fs::{self, AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use super::change::{Dropped, Entry, Kind, Verdict, What, path};
use super::error::{Doing, Error};
use super::folders::{self, Folders};
use super::journal::Journal;
use super::open;
use super::origin;
use super::side::Side;

/// More changed names than this are not worked on.
const MOST: usize = 2_000_000;

/// Bits of a folder's mode that are compared and applied. The others are inherited.
pub(super) const FOLDER_BITS: u32 = 0o1777;

/// When the run began: seconds and nanoseconds.
pub(super) type Time = (i64, u32);

/// Whether something was changed since the run began. Every change of a file sets this time.
pub(super) fn is_newer(found: &Stat, started: Time) -> bool {
    (found.st_ctime, found.st_ctime_nsec as u32) >= started
}

/// The kind of what stat(2) has found.
pub(super) fn kind(found: &Stat) -> Kind {
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Symlink,
        FileType::CharacterDevice | FileType::BlockDevice => Kind::Device,
        _ => Kind::Socket,
    }
}

/// What is at a name, if anything.
pub(super) fn look(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<Stat>> {
    match fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Lists the staged names with what has happened to each. The first entry is the work tree itself.
pub(super) fn scan(
    upper: BorrowedFd<'_>,
    tree: BorrowedFd<'_>,
    journal: &Journal,
    started: Time,
) -> Result<Vec<Entry>, Error> {
    let mut scan = Scan {
        upper: Folders::of_stage(upper, journal),
        tree: Folders::of_tree(tree),
        journal,
        started,
        deletions: journal.deletions.as_deref().map(by_folder),
        entries: vec![root(upper, tree, journal).doing(|| "look at the work tree".to_owned())?],
    };
    let mut folders = vec![0];
    while let Some(folder) = folders.pop() {
        let first = scan.entries.len();
        scan.folder(folder)
            .doing(|| format!("list {}", path(&scan.entries, folder).display()))?;
        let last = scan.entries.len();
        if last > MOST {
            return Err(Error::TooMany { limit: MOST });
        }
        scan.entries[folder as usize].children = (first as u32, last as u32);
        let below = (first..last).filter(|index| {
            let entry = &scan.entries[*index];
            entry.kind == Kind::Folder && entry.is_staged && entry.what != What::Deleted
        });
        folders.extend(below.map(|index| index as u32));
    }
    origin::judge(&mut scan.entries, upper, tree, journal)
        .doing(|| "look at the work tree".to_owned())?;
    Ok(scan.entries)
}

fn by_folder(paths: &[PathBuf]) -> HashMap<PathBuf, Vec<CString>> {
    let mut deletions: HashMap<PathBuf, Vec<CString>> = HashMap::new();
    for path in paths {
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name())
            && let Ok(name) = CString::new(name.as_encoded_bytes())
        {
            deletions.entry(folder.to_owned()).or_default().push(name);
        }
    }
    deletions
}

fn root(upper: BorrowedFd<'_>, tree: BorrowedFd<'_>, journal: &Journal) -> io::Result<Entry> {
    folders::open_for_owner(journal, upper, Mode::RWXU)?;
    let real = fs::fstat(tree)?;
    let mut entry = entry(0, c".".to_owned(), Kind::Folder, real.st_mode, &real);
    entry.real = Some(Kind::Folder);
    entry.is_closed = folders::is_closed(tree);
    // The work tree keeps its mode.
    compare_folders(&mut entry, &real);
    Ok(entry)
}

pub(super) fn entry(parent: u32, name: CString, kind: Kind, mode: u32, found: &Stat) -> Entry {
    Entry {
        parent,
        name,
        what: What::Added,
        kind,
        mode: mode & 0o7777,
        size: match kind {
            Kind::File | Kind::Symlink => u64::try_from(found.st_size).unwrap_or(0),
            _ => 0,
        },
        target: None,
        verdict: Verdict::Apply,
        real: None,
        is_closed: false,
        is_staged: true,
        is_marked: false,
        is_copied_up: false,
        inode: (found.st_nlink > 1 && kind != Kind::Folder).then_some(found.st_ino),
        children: (0, 0),
    }
}

pub(super) fn compare_folders(entry: &mut Entry, real: &Stat) {
    let same = (entry.mode ^ real.st_mode) & FOLDER_BITS == 0;
    entry.what = if same { What::Same } else { What::Mode };
    if same {
        entry.verdict = Verdict::Drop(Dropped::Equal);
    }
}

struct Scan<'a> {
    upper: Folders<'a>,
    tree: Folders<'a>,
    journal: &'a Journal,
    started: Time,
    /// Deletions that an earlier process has written down, by folder.
    deletions: Option<HashMap<PathBuf, Vec<CString>>>,
    entries: Vec<Entry>,
}

impl Scan<'_> {
    fn folder(&mut self, folder: u32) -> io::Result<()> {
        let staged = self.upper.at(self.entries.as_slice(), folder)?;
        let mut names = open::names(staged)?;
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let entry = &self.entries[folder as usize];
        // What lies in a folder that cannot be entered is refused, whatever is there.
        let is_merged = entry.real == Some(Kind::Folder) && !entry.is_closed;
        let opened = match is_merged {
            true => Some(self.tree.at(self.entries.as_slice(), folder)),
            false => None,
        };
        let real = match opened {
            // It has gone or been replaced since it was looked at: what is staged is all there is.
            Some(Err(error)) if is_gone(&error) => None,
            Some(opened) => Some(opened?),
            None => None,
        };
        let mut found = Vec::new();
        for (name, _) in &names {
            let side = Side {
                staged,
                real,
                journal: self.journal,
                started: self.started,
            };
            found.extend(side.examine(folder, name)?);
        }
        if let Some(real) = real {
            let above = path(&self.entries, folder);
            for entry in found.iter_mut().filter(|entry| entry.is_folder_mode()) {
                let name = OsStr::from_bytes(entry.name.to_bytes());
                // What has landed in it made it newer.
                if self.journal.sets_mode_of(&above.join(name)) {
                    entry.verdict = Verdict::Apply;
                }
            }
            let deleted = match &self.deletions {
                Some(deletions) => {
                    let path = path(&self.entries, folder);
                    deletions.get(&path).cloned().unwrap_or_default()
                }
                None if is_opaque(staged) => names_in(real)?,
                None => Vec::new(),
            };
            for name in deleted {
                if names.binary_search_by(|(one, _)| one.cmp(&name)).is_err() {
                    let is_first = self.deletions.is_none();
                    found.extend(deletion(folder, real, name, self.started, is_first)?);
                }
            }
        }
        self.entries.append(&mut found);
        Ok(())
    }
}

/// The deletion of a name that an opaque folder hides. Who has made or changed it since the run
/// began did so after the program had made the folder: it stays.
fn deletion(
    folder: u32,
    real: BorrowedFd<'_>,
    name: CString,
    started: Time,
    is_first: bool,
) -> io::Result<Option<Entry>> {
    let Some(found) = look(real, &name)? else {
        return Ok(None);
    };
    if is_newer(&found, started) && is_first {
        return Ok(None);
    }
    let mut entry = entry(folder, name, kind(&found), found.st_mode, &found);
    entry.what = What::Deleted;
    entry.real = Some(entry.kind);
    entry.is_staged = false;
    if entry.kind != Kind::Folder && is_newer(&found, started) {
        entry.verdict = Verdict::Conflict;
    }
    Ok(Some(entry))
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
    )
}

/// Names of a folder of the work tree. One that cannot be listed is refused as a whole later.
fn names_in(folder: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    match open::names(folder) {
        Ok(names) => Ok(names.into_iter().map(|(name, _)| name).collect()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn is_opaque(folder: BorrowedFd<'_>) -> bool {
    let mut value = [0; 2];
    let read = fs::getxattr(
        open::in_proc(folder),
        c"user.overlay.opaque",
        &mut value[..],
    );
    read == Ok(1) && value[0] == b'y'
}
