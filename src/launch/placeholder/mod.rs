//! Files and folders that are made, empty, before the run, so that each can be a mount of its own: an
//! output, granted without its folder; a protected path, refused within a folder that is granted.
//!
//! The folders they are made in are held open, and reached through no link: what is exchanged meanwhile
//! moves nothing elsewhere. After a launcher that was killed, a later run removes what it made.

mod record;

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, linkat, mkdirat, mknodat,
    openat, statat,
};
use rustix::io::Errno;

use super::Error;
use crate::enforce::open_without_links;
use crate::plan::{Isolation, Placeholder, PlaceholderKind, Plan};
use record::Entry;

/// A file or folder that was made, and the folder it was made in.
#[derive(Debug)]
struct Made {
    folder: Rc<OwnedFd>,
    entry: Entry,
}

/// A decoy that others in its folder are links of: a file system may take a thousand times as long for a
/// new inode, where many were removed lately (ext4).
#[derive(Debug)]
struct Decoy {
    folder: Rc<OwnedFd>,
    file: OwnedFd,
    found: Stat,
}

impl Decoy {
    /// The one that was just made, unless something else stands in its place already.
    fn open(folder: &Rc<OwnedFd>, name: &Path, made: &Stat) -> Option<Decoy> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(folder, name, flags, Mode::empty()).ok()?;
        let found = rustix::fs::fstat(&file).ok()?;
        let is_socket = FileType::from_raw_mode(found.st_mode) == FileType::Socket;
        let is_same = (found.st_dev, found.st_ino) == (made.st_dev, made.st_ino);
        let is_own = found.st_uid == rustix::process::geteuid().as_raw();
        (is_socket && is_same && is_own).then(|| Decoy {
            folder: Rc::clone(folder),
            file,
            found,
        })
    }

    /// Links it beside itself. What the descriptor is, and not what is at its path by now.
    fn link(&self, folder: &Rc<OwnedFd>, name: &Path) -> Option<Stat> {
        if !Rc::ptr_eq(&self.folder, folder) {
            return None;
        }
        let file = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        linkat(CWD, file, folder, name, AtFlags::SYMLINK_FOLLOW).ok()?;
        Some(self.found)
    }
}

/// What was made, until it is removed.
#[derive(Debug, Default)]
pub struct Guard {
    made: Vec<Made>,
    decoy: Option<Decoy>,
    record: Option<PathBuf>,
}

impl Guard {
    /// Makes the files and folders; each must be new.
    pub fn make(plan: &Plan) -> Result<Guard, Error> {
        let mut guard = Guard::default();
        // In a view root's files can appear as the sandbox user's; without one they must be its own.
        let Plan { identity, .. } = plan;
        let is_shared = matches!(plan.isolation, Isolation::Shared);
        let owner = (is_shared && identity.switch).then_some((identity.uid, identity.gid));
        for placeholder in &plan.placeholders {
            let made = guard.make_one(placeholder, owner);
            made.map_err(|source| match placeholder.kind {
                PlaceholderKind::Decoy => {
                    let path = placeholder.path.display();
                    Error::launcher(format!("make {path} for the run"), source)
                }
                PlaceholderKind::File | PlaceholderKind::Folder => Error::Output {
                    path: placeholder.path.clone(),
                    source,
                },
            })?;
        }
        if let (Some(scratch), false) = (&plan.scratch, guard.made.is_empty()) {
            guard.record = Some(record::of_run(&scratch.folder));
        }
        Ok(guard)
    }

    /// Writes down what was made, once nobody waits for it. Where it cannot be written, only a launcher that
    /// is killed as well leaves something behind.
    pub fn record(&self) {
        if let Some(record) = &self.record {
            let entries = self.made.iter().map(|made| &made.entry);
            let _nothing_is_lost = record::write(record, entries);
        }
    }

    fn make_one(&mut self, placeholder: &Placeholder, owner: Option<(u32, u32)>) -> io::Result<()> {
        let path = &placeholder.path;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Errno::INVAL.into());
        };
        let last = self.made.last();
        let folder = match last.filter(|made| made.entry.path.parent() == Some(parent)) {
            Some(made) => Rc::clone(&made.folder),
            None => Rc::new(open_or_make(parent)?),
        };
        let found = match placeholder.kind {
            PlaceholderKind::Decoy => {
                self.make_decoy(&folder, name.as_ref(), placeholder, owner)?
            }
            _ => make(folder.as_fd(), name.as_ref(), placeholder, owner)?,
        };
        let entry = Entry {
            path: path.clone(),
            dev: found.st_dev,
            ino: found.st_ino,
        };
        self.made.push(Made { folder, entry });
        Ok(())
    }

    fn make_decoy(
        &mut self,
        folder: &Rc<OwnedFd>,
        name: &Path,
        placeholder: &Placeholder,
        owner: Option<(u32, u32)>,
    ) -> io::Result<Stat> {
        let linked = self
            .decoy
            .as_ref()
            .and_then(|decoy| decoy.link(folder, name));
        if let Some(found) = linked {
            return Ok(found);
        }
        let made = make(folder.as_fd(), name, placeholder, owner)?;
        self.decoy = Decoy::open(folder, name, &made);
        Ok(made)
    }

    /// Whether nothing was made.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// Whether what is at the path was made for the run.
    pub fn has(&self, path: &Path) -> bool {
        let made = self.made.iter().find(|made| made.entry.path == path);
        made.is_some_and(|made| found(made.folder.as_fd(), &made.entry).is_some())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        for made in &self.made {
            remove(made.folder.as_fd(), &made.entry);
        }
        if let Some(record) = &self.record {
            let _a_later_run_finds_nothing_to_remove = fs::remove_file(record);
        }
    }
}

/// Removes what a run that ended without it has made, and what says so.
pub(super) fn sweep(folder: &Path) {
    let record = record::of_run(folder);
    let Ok(content) = fs::read(&record) else {
        return;
    };
    for entry in record::read(&content) {
        if let Some(Ok(folder)) = entry.path.parent().map(open_without_links) {
            remove(folder.as_fd(), &entry);
        }
    }
    let _tried_again_by_a_later_run = fs::remove_file(record);
}

/// Removes what is still the same, and as empty as it was made.
fn remove(folder: BorrowedFd<'_>, entry: &Entry) {
    let (Some(name), Some(found)) = (entry.path.file_name(), found(folder, entry)) else {
        return;
    };
    let flags = match FileType::from_raw_mode(found.st_mode) {
        // One that is not empty stays (ENOTEMPTY).
        FileType::Directory => AtFlags::REMOVEDIR,
        _ if found.st_size == 0 => AtFlags::empty(),
        _ => return,
    };
    let _or_it_is_used = rustix::fs::unlinkat(folder, name, flags);
}

/// What was made, while it is still there.
fn found(folder: BorrowedFd<'_>, entry: &Entry) -> Option<Stat> {
    let name = entry.path.file_name()?;
    let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    ((found.st_dev, found.st_ino) == (entry.dev, entry.ino)).then_some(found)
}

/// A folder, with those above it made where they are missing.
fn open_or_make(folder: &Path) -> Result<OwnedFd, Errno> {
    match (
        open_without_links(folder),
        folder.parent(),
        folder.file_name(),
    ) {
        (Err(Errno::NOENT), Some(parent), Some(name)) => {
            let above = open_or_make(parent)?;
            match mkdirat(&above, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => open_beneath(above.as_fd(), name.as_ref()),
                Err(errno) => Err(errno),
            }
        }
        (opened, _, _) => opened,
    }
}

fn open_beneath(above: BorrowedFd<'_>, name: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(above, name, flags, Mode::empty())
}

fn make(
    folder: BorrowedFd<'_>,
    name: &Path,
    placeholder: &Placeholder,
    owner: Option<(u32, u32)>,
) -> Result<Stat, Errno> {
    let mode = Mode::from_raw_mode(placeholder.mode);
    let file = || {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        openat(folder, name, flags, mode).map(drop)
    };
    match placeholder.kind {
        PlaceholderKind::Folder => mkdirat(folder, name, mode)?,
        PlaceholderKind::File => file()?,
        PlaceholderKind::Decoy => {
            mknodat(folder, name, FileType::Socket, mode, 0).or_else(|_| file())?;
        }
    }
    if let Some((uid, gid)) = owner {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        chownat(folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

    fn entry(path: PathBuf) -> Entry {
        let found = fs::symlink_metadata(&path).unwrap();
        let (dev, ino) = (found.dev(), found.ino());
        Entry { path, dev, ino }
    }

    fn placeholder(path: PathBuf, kind: PlaceholderKind) -> Placeholder {
        let mode = 0o644;
        Placeholder { path, mode, kind }
    }

    #[test]
    fn what_a_killed_launcher_left_is_swept_unless_it_was_used() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let run = folder.join("00000000000000bb");
        let made = ["empty", "used", "other"].map(|name| {
            fs::write(folder.join(name), "").unwrap();
            entry(folder.join(name))
        });
        record::write(&record::of_run(&run), made.iter()).unwrap();
        fs::write(folder.join("used"), "content").unwrap();
        fs::write(folder.join("new"), "").unwrap();
        fs::rename(folder.join("new"), folder.join("other")).unwrap();
        sweep(&run);
        assert!(!folder.join("empty").exists() && !record::of_run(&run).exists());
        assert!(folder.join("used").exists() && folder.join("other").exists());
    }

    #[test]
    fn decoys_of_a_folder_are_one_socket_whatever_is_put_in_the_place_of_the_first() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        let mut guard = Guard::default();
        let mut make = |name: &str| {
            let decoy = placeholder(base.join(name), PlaceholderKind::Decoy);
            guard.make_one(&decoy, None).unwrap();
            fs::symlink_metadata(base.join(name)).unwrap()
        };
        assert_eq!(make("first").ino(), make("second").ino());
        for name in ["first", "second"] {
            fs::remove_file(base.join(name)).unwrap();
            fs::write(base.join(name), "planted").unwrap();
        }
        let third = make("third");
        assert!(third.file_type().is_socket() && third.len() == 0);
        drop(guard);
        assert!(!base.join("third").exists() && base.join("first").exists());
    }

    #[test]
    fn a_folder_exchanged_for_a_link_moves_nothing_elsewhere() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        let (tree, elsewhere) = (base.join("tree"), base.join("elsewhere"));
        fs::create_dir_all(tree.join("ci")).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        let mut guard = Guard::default();
        let mut make = |path: PathBuf, kind| guard.make_one(&placeholder(path, kind), None).is_ok();
        let (file, decoy) = (PlaceholderKind::File, PlaceholderKind::Decoy);
        assert!(make(tree.join("ci/deploy.yml"), file));
        assert!(make(tree.join("ci/new/.github"), decoy));
        fs::rename(tree.join("ci"), tree.join("moved")).unwrap();
        symlink(&elsewhere, tree.join("ci")).unwrap();
        assert!(!make(tree.join("ci/.envrc"), file), "through the link");
        fs::write(elsewhere.join("deploy.yml"), "").unwrap();
        drop(guard);
        assert!(!tree.join("moved/deploy.yml").exists());
        assert!(!tree.join("moved/new/.github").exists());
        assert!(elsewhere.join("deploy.yml").exists());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
    }
}
