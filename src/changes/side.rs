//! Compares a staged name with the same name in the work tree.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{self, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::change::{Dropped, Entry, Kind, Verdict, What};
use super::folders;
use super::journal::Journal;
use super::open;
use super::scan::{Time, compare_folders, entry, is_newer, kind, look};

/// A folder on both sides.
pub(super) struct Side<'a> {
    pub staged: BorrowedFd<'a>,
    pub real: Option<BorrowedFd<'a>>,
    pub journal: &'a Journal,
    pub started: Time,
}

impl Side<'_> {
    /// What has happened to a staged name.
    pub fn examine(&self, folder: u32, name: &CStr) -> io::Result<Option<Entry>> {
        let Some(found) = look(self.staged, name)? else {
            return Ok(None);
        };
        let real = match self.real {
            Some(real) => look(real, name)?,
            None => None,
        };
        let mode = self.journal.mode(found.st_ino).unwrap_or(found.st_mode);
        let mut entry = entry(folder, name.to_owned(), kind(&found), mode, &found);
        entry.real = real.as_ref().map(kind);
        let is_newer = real.is_some_and(|real| is_newer(&real, self.started));
        if is_whiteout(&found) {
            self.whiteout(&mut entry, real.as_ref(), is_newer);
            return Ok(Some(entry));
        }
        match (entry.kind, &real) {
            (Kind::Socket, _) => {
                entry.verdict = Verdict::Drop(Dropped::Socket);
                return Ok(Some(entry));
            }
            (Kind::Folder, Some(real)) if kind(real) == Kind::Folder => {
                compare_folders(&mut entry, real);
                // The mode is that of the run's beginning, or a program's: an overlay does not
                // tell. Whoever makes something in a folder makes it newer as well. A folder
                // without a mark was made by the run.
                if entry.what == What::Mode
                    && is_newer
                    && Marks::of(self.staged, name)?.is_copied_up
                {
                    entry.verdict = Verdict::Conflict;
                }
                let opened = self.real.map(|above| open::place(above, name));
                entry.is_closed = match opened {
                    Some(Ok(folder)) => folders::is_closed(folder.as_fd()),
                    _ => true,
                };
            }
            (Kind::File, real) => self.file(&mut entry, &found, real.as_ref(), is_newer)?,
            (Kind::Symlink, real) => self.link(&mut entry, real.as_ref())?,
            (_, Some(_)) => entry.what = What::Replaced,
            (_, None) => {}
        }
        let is_replaced = matches!(entry.what, What::Modified | What::Replaced);
        if is_newer && is_replaced && entry.real != Some(Kind::Folder) {
            entry.verdict = Verdict::Conflict;
        }
        Ok(Some(entry))
    }

    fn whiteout(&self, entry: &mut Entry, real: Option<&Stat>, is_newer: bool) {
        entry.what = What::Deleted;
        entry.inode = None;
        match real {
            Some(real) => {
                entry.kind = kind(real);
                entry.mode = real.st_mode & 0o7777;
                entry.size = u64::try_from(real.st_size).unwrap_or(0);
                if is_newer && entry.kind != Kind::Folder {
                    entry.verdict = Verdict::Conflict;
                }
            }
            None => {
                entry.what = What::Same;
                entry.verdict = Verdict::Drop(Dropped::Equal);
            }
        }
    }

    fn file(
        &self,
        entry: &mut Entry,
        found: &Stat,
        real: Option<&Stat>,
        is_newer: bool,
    ) -> io::Result<()> {
        let marks = Marks::of(self.staged, &entry.name)?;
        entry.is_marked = marks.is_marked;
        if marks.has_capability {
            // Judged as a set-id bit, which it amounts to.
            entry.mode |= 0o4000;
        }
        let Some(real) = real else {
            entry.is_copied_up = marks.is_copied_up;
            return Ok(());
        };
        if kind(real) != Kind::File {
            entry.what = What::Replaced;
            return Ok(());
        }
        if found.st_size != real.st_size || !self.is_equal(&entry.name)? {
            entry.what = What::Modified;
            return Ok(());
        }
        let times = |found: &Stat| (found.st_mtime, found.st_mtime_nsec as u32);
        entry.what = if (entry.mode ^ real.st_mode) & 0o7777 != 0 {
            What::Mode
        } else if times(found) != times(real) {
            What::Times
        } else {
            What::Same
        };
        // Whoever has changed an equal file since the run began has set its mode and time.
        let is_outside = is_newer && !self.journal.has_attributes_of(real);
        if entry.what == What::Same || is_outside {
            entry.verdict = Verdict::Drop(Dropped::Equal);
        }
        Ok(())
    }

    fn link(&self, entry: &mut Entry, real: Option<&Stat>) -> io::Result<()> {
        let target = fs::readlinkat(self.staged, &entry.name, Vec::new())?;
        if let (Some(at), Some(real)) = (self.real, real) {
            entry.what = if kind(real) != Kind::Symlink {
                What::Replaced
            } else if fs::readlinkat(at, &entry.name, Vec::new())? != target {
                What::Modified
            } else {
                entry.verdict = Verdict::Drop(Dropped::Equal);
                What::Same
            };
        }
        entry.target = Some(target);
        Ok(())
    }

    fn is_equal(&self, name: &CStr) -> io::Result<bool> {
        match self.real {
            Some(real) => is_equal_in(self.journal, self.staged, real, name),
            None => Ok(false),
        }
    }
}

/// Whether a file has the same content on both sides. One that cannot be read has not.
pub(super) fn is_equal_in(
    journal: &Journal,
    staged: BorrowedFd<'_>,
    real: BorrowedFd<'_>,
    name: &CStr,
) -> io::Result<bool> {
    let staged = File::from(folders::staged_file(journal, staged, name)?);
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match fs::openat(real, name, flags, Mode::empty()) {
        Ok(real) => Ok(is_equal(staged, File::from(real)).unwrap_or(false)),
        Err(_) => Ok(false),
    }
}

fn is_equal(mut one: File, mut other: File) -> io::Result<bool> {
    let mut buffers = [vec![0; 64 << 10], vec![0; 64 << 10]];
    loop {
        let [first, second] = &mut buffers;
        let read = one.read(first)?;
        if read == 0 {
            return Ok(other.read(&mut second[..1])? == 0);
        }
        match other.read_exact(&mut second[..read]) {
            Ok(()) if first[..read] == second[..read] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

fn is_whiteout(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice && found.st_rdev == 0
}

/// Extended attributes that decide something.
#[derive(Default)]
struct Marks {
    /// There are some of the overlay's.
    is_marked: bool,
    /// The file was in the work tree when a program opened it for writing.
    is_copied_up: bool,
    /// Executing the file gives capabilities.
    has_capability: bool,
}

impl Marks {
    fn of(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<Marks> {
        let mut marks = Marks::default();
        for name in attributes(folder, name)? {
            marks.is_marked |= name.starts_with(b"user.overlay.");
            marks.is_copied_up |= name == b"user.overlay.origin";
            marks.has_capability |= name == b"security.capability";
        }
        Ok(marks)
    }
}

/// The path of a name in a folder that is open, for calls that take paths only.
pub(super) fn path_in(folder: BorrowedFd<'_>, name: &CStr) -> Vec<u8> {
    let mut path = open::in_proc(folder).into_bytes();
    path.push(b'/');
    path.extend_from_slice(name.to_bytes());
    path
}

/// Names of the extended attributes of a name; none where the file system has none.
pub(super) fn attributes(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<Vec<Vec<u8>>> {
    let path = path_in(folder, name);
    let mut buffer = vec![0; 256];
    loop {
        match fs::llistxattr(path.as_slice(), &mut buffer[..]) {
            Ok(length) => {
                let names = buffer[..length].split(|byte| *byte == 0);
                let names = names.filter(|name| !name.is_empty()).map(<[u8]>::to_vec);
                return Ok(names.collect());
            }
            // The kernel gives at most 64 KiB of names.
            Err(Errno::RANGE) if buffer.len() < 64 << 10 => buffer.resize(64 << 10, 0),
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
    }
}
