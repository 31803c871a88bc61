//! Protected names and repositories at any depth of a folder: before a run to be mounted over, and after it to
//! be moved away where they have come.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::links::ends_of_links;
use super::on_disk::{Identity, Link};
use crate::policy::protected::Matcher;

/// Something of a protected name; or, without an identity, what makes a folder a repository, which is
/// protected as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    path: PathBuf,
    identity: Option<Identity>,
}

impl Seen {
    fn link(&self) -> Option<&Link> {
        self.identity.as_ref()?.link.as_ref()
    }
}

/// Where protected paths may be planted, for a second look after the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    roots: Vec<PathBuf>,
    matcher: Matcher,
    known: Vec<Seen>,
}

impl Planted {
    /// Looks at folders that code of the source is about to write; what in them can be mounted over is added
    /// to `protected`.
    pub(super) fn before(
        roots: Vec<PathBuf>,
        matcher: &Matcher,
        protected: &mut Vec<PathBuf>,
    ) -> Planted {
        let mut known = Vec::new();
        for root in &roots {
            let mut found = walk(root, matcher, &[]);
            protected.extend(ends_of_links(root, &found.to_mount));
            protected.append(&mut found.to_mount);
            known.append(&mut found.planted);
        }
        known.sort();
        known.dedup();
        let links = known.iter().filter_map(Seen::link);
        protected.extend(links.flat_map(|link| roots.iter().find_map(|root| link.end_in(root))));
        let matcher = matcher.clone();
        Planted {
            roots,
            matcher,
            known,
        }
    }

    /// Whether there was anything at a path, a link that leads nowhere too.
    pub(super) fn knew(&self, path: &Path) -> bool {
        let search = |seen: &Seen| seen.path.as_path().cmp(path);
        self.known.binary_search_by(search).is_ok()
    }

    /// Protected paths that are there now and were not, sorted: links of these names too, which git
    /// follows; folders of any name that git takes for a repository of its own; and what is another than it
    /// was, or a link that leads elsewhere: a mount is gone where what it was on is replaced from outside.
    /// Folders that have come and cannot be listed or entered are opened for their owner first: who knows a
    /// name in one that can only be entered finds it there.
    pub fn found(&self) -> Vec<PathBuf> {
        let mut found = self.come();
        // What opens shows what is below it; what does not open is put away as it is.
        while open_closed(&found) {
            found = self.come();
        }
        found
    }

    /// The same of a folder that was moved away, under which nothing was there before.
    pub fn within(&self, folder: PathBuf) -> Vec<PathBuf> {
        Planted {
            roots: vec![folder],
            matcher: self.matcher.clone(),
            known: Vec::new(),
        }
        .come()
    }

    fn come(&self) -> Vec<PathBuf> {
        let all = self
            .roots
            .iter()
            .flat_map(|root| walk(root, &self.matcher, &[]).planted);
        let mut found: Vec<PathBuf> = all
            .filter(|seen| self.known.binary_search(seen).is_err())
            .map(|seen| seen.path)
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

/// Opens folders for their owner; whether any did open.
fn open_closed(found: &[PathBuf]) -> bool {
    let closed = found.iter().filter(|path| is_closed(path));
    closed.filter(|path| open_for_owner(path).is_ok()).count() > 0
}

/// What a walk has found.
#[derive(Default)]
pub(super) struct Found {
    /// What can be mounted over: no links, and repositories as a whole.
    pub(super) to_mount: Vec<PathBuf>,
    /// What must not come: links too, and of a repository the file that makes it one.
    planted: Vec<Seen>,
}

/// Looks for protected names at any depth, and for repositories without such a name. Links are not followed.
/// A folder of one of the names `ends` is found as well, and not entered.
pub(super) fn walk(root: &Path, matcher: &Matcher, ends: &[&str]) -> Found {
    let mut found = Found::default();
    let mut folders = vec![(root.to_owned(), false)];
    while let Some((folder, is_covered)) = folders.pop() {
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let Ok(entries) = entries else {
            // An error means protected: what has a protected name is looked up by it.
            for path in matcher.names().map(|name| folder.join(name)) {
                let Some(is_link) = is_link(&path) else {
                    continue;
                };
                if !is_link && !is_covered {
                    found.to_mount.push(path.clone());
                }
                let identity = Identity::at(&path);
                found.planted.push(Seen { path, identity });
            }
            let closed = closed(root, &folder);
            // A path that is too long, for example: nobody knows what is in there.
            let is_unknown = closed.is_none() && folder != *root && !is_gone(&folder);
            found.planted.extend(is_unknown.then(|| Seen {
                path: folder.clone(),
                identity: None,
            }));
            found
                .to_mount
                .extend(closed.clone().filter(|_| !is_covered));
            found.planted.extend(closed.map(|path| Seen {
                path,
                identity: None,
            }));
            continue;
        };
        let mut parts = RepositoryParts::default();
        let mut below = Vec::new();
        for entry in entries {
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name();
            parts.note(&name);
            let path = entry.path();
            let below_root = path.strip_prefix(root).unwrap_or(&path);
            let is_end = is_folder && ends.iter().any(|end| name == *end);
            if is_end || matcher.refuses(below_root, is_link) {
                if !is_link && !is_covered {
                    found.to_mount.push(path.clone());
                }
                let identity = Identity::at(&path);
                found.planted.push(Seen { path, identity });
            } else if is_folder {
                below.push(path);
            }
        }
        // The work tree itself cannot be moved away.
        let is_repository = parts.are_whole() && folder != *root;
        if is_repository && !is_covered {
            found.to_mount.push(folder.clone());
        }
        if parts.are_whole() {
            // Without it the folder is none.
            let path = folder.join("HEAD");
            found.planted.push(Seen {
                path,
                identity: None,
            });
        }
        let is_covered = is_covered || is_repository;
        folders.extend(below.into_iter().map(|folder| (folder, is_covered)));
    }
    found
}

/// Whether a path is a link. `None` where nothing is there, or nobody can look; another error means that something is.
fn is_link(path: &Path) -> Option<bool> {
    const MISSING: [io::ErrorKind; 3] = [
        io::ErrorKind::NotFound,
        io::ErrorKind::NotADirectory,
        io::ErrorKind::PermissionDenied,
    ];
    match fs::symlink_metadata(path) {
        Ok(found) => Some(found.is_symlink()),
        Err(error) if MISSING.contains(&error.kind()) => None,
        Err(_) => Some(false),
    }
}

/// The topmost folder on the way to one that cannot be listed which the caller may not list or enter,
/// if that is why.
fn closed(root: &Path, folder: &Path) -> Option<PathBuf> {
    let rest = folder.strip_prefix(root).ok()?;
    let mut way = root.to_owned();
    for part in rest {
        way.push(part);
        if is_closed(&way) {
            return Some(way);
        }
    }
    None
}

fn is_gone(path: &Path) -> bool {
    let found = fs::symlink_metadata(path);
    found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn is_closed(path: &Path) -> bool {
    let wanted = rustix::fs::Access::READ_OK | rustix::fs::Access::EXEC_OK;
    let is_folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    is_folder && rustix::fs::access(path, wanted) == Err(Errno::ACCESS)
}

fn open_for_owner(folder: &Path) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let mode = rustix::fs::fstat(&folder)?.st_mode | Mode::RWXU.as_raw_mode();
    // fchmod(2) takes no O_PATH descriptor.
    let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
    rustix::fs::chmod(path, Mode::from_raw_mode(mode & 0o7777))
}

/// What git looks for in a folder before it takes it for a repository, whose configuration can name
/// programs (setup.c, `is_git_directory`; git-config(1), `safe.bareRepository`).
#[derive(Default)]
struct RepositoryParts {
    head: bool,
    objects: bool,
    refs: bool,
    common: bool,
}

impl RepositoryParts {
    fn note(&mut self, name: &OsStr) {
        match name.as_encoded_bytes() {
            b"HEAD" => self.head = true,
            b"objects" => self.objects = true,
            b"refs" => self.refs = true,
            b"commondir" => self.common = true,
            _ => {}
        }
    }

    fn are_whole(&self) -> bool {
        self.head && (self.common || self.objects && self.refs)
    }
}
