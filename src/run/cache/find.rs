//! Finds the caches, as runs place them.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Stat, fstat, statat};

use super::{Kept, Kind, held, measure, projects};
use crate::files::{Follow, Keeper, Step, Stop, User, look};
use crate::refusal::{Code, Refused, shell_path};
use crate::run::caches::{self, SYSTEM};
use crate::run::{Console, Request, Session, direct, kept_links, loose};

/// What a launcher that was killed leaves begins so.
const NEW: [&str; 2] = ["new-", ".gosandbox-new-"];

/// A folder of caches.
pub(super) struct Area {
    /// It, for its entries.
    pub at: OwnedFd,
    /// Its path, without links.
    pub real: PathBuf,
}

/// The caches of this user, or those in the folder of `--cache-dir`: by kind, the largest first.
///
/// # Errors
/// Others can change the folder of caches.
pub fn list(request: &Request, console: &dyn Console) -> anyhow::Result<Vec<Kept>> {
    let session = Session::open(request, console, String::new())?;
    all(&session)
}

pub(super) fn all(session: &Session<'_>) -> anyhow::Result<Vec<Kept>> {
    let mut found = Found {
        caches: Vec::new(),
        launchers: caches::launchers(session).unwrap_or_default(),
        is_root: session.host.is_root(),
    };
    if let Some(area) = found.open(&found.launchers)? {
        found.launchers = area.real;
        found.own();
    }
    match (&session.request.cache_dir, session.host.is_root()) {
        (Some(_), _) => {
            let folder = found.launchers.clone();
            found.of_folder(&folder);
        }
        (None, true) => found.of_users(),
        (None, false) => {
            for (folder, kind) in caches::of_go(session) {
                if let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) {
                    found.one(parent, name, kind);
                }
            }
            if let Some(beside) = caches::beside_named(session) {
                found.entries(&beside, Kind::Project, &is_key);
            }
        }
    }
    let mut all = found.caches;
    for kept in all.iter_mut().filter(|kept| kept.kind == Kind::Project) {
        let name = kept.path.file_name().map(|name| name.to_string_lossy());
        kept.project = name.and_then(|name| projects::known(&found.launchers, &name));
        kept.is_abandoned = kept.project.as_deref().is_some_and(is_gone);
    }
    all.sort_by(|a, b| {
        (a.kind, b.bytes)
            .cmp(&(b.kind, a.bytes))
            .then_with(|| a.path.cmp(&b.path))
    });
    all.dedup_by(|a, b| a.path == b.path);
    Ok(all)
}

/// Opens a folder in which only root and the caller decide what lies there. `None`: there is none.
///
/// # Errors
/// Others can change it, or the way to it.
pub(super) fn area(path: &Path) -> io::Result<Option<Area>> {
    let mut step = Step::start(path)?;
    match step.walk(Follow::Kept(Keeper::caller()), None)? {
        Stop::Missing => Ok(None),
        Stop::There if Keeper::caller().closes(step.found()) => Ok(Some(Area {
            at: step.open_folder()?,
            real: step.real().to_owned(),
        })),
        _ => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

struct Found {
    caches: Vec<Kept>,
    launchers: PathBuf,
    is_root: bool,
}

impl Found {
    /// As [`area`], with the refusal of a folder that others can change.
    fn open(&self, path: &Path) -> Result<Option<Area>, Refused> {
        area(path).map_err(|error| {
            let text = format!("cannot use the caches in {}", path.display());
            match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    let text =
                        format!("{text}: other users can change that folder, or the way to it");
                    let refused = Refused::new(Code::CacheNotOwn, text);
                    match self.is_root {
                        true => refused.words("gosandbox cache list, as the user who owns them"),
                        false => refused.words(format!("chmod go-w {}", shell_path(path))),
                    }
                }
                _ => Refused::new(Code::CacheNotOwn, format!("{text}: {error}"))
                    .words(format!("ls -ld {}", shell_path(path))),
            }
        })
    }

    /// What lies in the launcher's own folder.
    fn own(&mut self) {
        let folder = self.launchers.clone();
        self.entries(&folder.join("programs"), Kind::Project, &is_key);
        self.entries(&folder.join(kept_links::NAME), Kind::Links, &|name| {
            is_hex(name, 64)
        });
        self.entries(&folder.join(loose::COPIES), Kind::Toolchain, &|name| {
            name.starts_with(b"go")
        });
        self.one(&folder, direct::NAME, Kind::Direct);
        self.entries(&folder, Kind::Leftover, &|_| false);
    }

    /// Root's launcher keeps caches of users that have no home.
    fn of_users(&mut self) {
        let Ok(Some(system)) = area(Path::new(SYSTEM)) else {
            return;
        };
        for (name, found) in folders(&system.at) {
            if name.to_bytes().iter().all(u8::is_ascii_digit) {
                let folder = system.real.join(path_of(&name));
                let user = (found.st_uid != 0).then_some((found.st_uid, found.st_gid));
                as_user(user, || self.of_user(&folder));
            }
        }
    }

    fn of_user(&mut self, folder: &Path) {
        self.entries(&folder.join("programs"), Kind::Project, &is_key);
        self.entries(folder, Kind::Leftover, &|_| false);
        self.of_folder(folder);
    }

    /// What is the go command's in a folder that plain go knows nothing of.
    fn of_folder(&mut self, folder: &Path) {
        self.one(folder, "go-build", Kind::Build);
        self.one(folder, "mod", Kind::Modules);
        self.one(&folder.join("pkg"), "sumdb", Kind::Checksums);
    }

    /// The caches in a folder, by their names.
    fn entries(&mut self, folder: &Path, kind: Kind, is_one: &dyn Fn(&[u8]) -> bool) {
        let Some(area) = reach(folder) else {
            return;
        };
        for (name, found) in folders(&area.at) {
            let text = name.to_string_lossy();
            if NEW.iter().any(|new| text.starts_with(new)) {
                self.add(&area, &name, &found, Kind::Leftover);
            } else if is_one(name.to_bytes()) {
                self.add(&area, &name, &found, kind);
            }
        }
    }

    /// A cache with a fixed name in its folder.
    fn one(&mut self, folder: &Path, name: impl AsRef<Path>, kind: Kind) {
        let name = CString::new(name.as_ref().as_os_str().as_bytes()).unwrap_or_default();
        if let Some(area) = reach(folder)
            && let Ok(found) = statat(&area.at, &name, AtFlags::SYMLINK_NOFOLLOW)
            && is_folder(&found)
        {
            self.add(&area, &name, &found, kind);
        }
    }

    /// Who decides what lies there: the owner of the folder around it, or its own. `None`: root, or the caller.
    fn owner(&self, area: &Area, found: &Stat) -> Option<(u32, u32)> {
        let around = fstat(&area.at).ok();
        let both = around.iter().chain([found]);
        let mut others = both.filter(|one| self.is_root && one.st_uid != 0);
        others.next().map(|one| (one.st_uid, one.st_gid))
    }

    fn add(&mut self, area: &Area, name: &CString, found: &Stat, kind: Kind) {
        let user = self.owner(area, found);
        let (bytes, is_held) = as_user(user, || {
            let opened = held::open(&area.at, name);
            let is_held = opened.is_some_and(|folder| held::is_held(&folder));
            (measure::bytes(&area.at, name), is_held)
        })
        .unwrap_or_default();
        self.caches.push(Kept {
            path: area.real.join(path_of(name)),
            project: None,
            is_abandoned: false,
            used: held::used(found),
            bytes,
            is_held,
            user,
            kind,
        });
    }
}

/// Opens a folder with the rights that the thread has: its user's, or root's where root alone decides.
fn reach(folder: &Path) -> Option<Area> {
    let mut step = Step::start(folder).ok()?;
    if step.walk(Follow::None, None).ok()? != Stop::There {
        return None;
    }
    Some(Area {
        at: step.open_folder().ok()?,
        real: step.real().to_owned(),
    })
}

/// Looks as a user; `None` where root cannot.
fn as_user<T>(user: Option<(u32, u32)>, work: impl FnOnce() -> T) -> Option<T> {
    match user {
        None => Some(work()),
        Some((uid, gid)) => look::with_rights(User { uid, gid }, work).ok(),
    }
}

/// The folders in a folder.
fn folders(at: &OwnedFd) -> Vec<(CString, Stat)> {
    let Ok(entries) = Dir::read_from(at) else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_owned());
    let names = names.filter(|name| !matches!(name.to_bytes(), b"." | b".."));
    let found = names.filter_map(|name| {
        let found = statat(at, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        is_folder(&found).then_some((name, found))
    });
    found.collect()
}

fn is_folder(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::Directory
}

fn path_of(name: &CString) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()))
}

/// Whether a project's folder is not there. One that cannot be looked at counts as there.
fn is_gone(project: &Path) -> bool {
    let found = look::symlink_metadata(project);
    found.is_err_and(|error| {
        use io::ErrorKind::{NotADirectory, NotFound};
        matches!(error.kind(), NotFound | NotADirectory)
    })
}

/// Whether a name is that of a project's cache.
fn is_key(name: &[u8]) -> bool {
    is_hex(name, 16)
}

fn is_hex(name: &[u8], length: usize) -> bool {
    name.len() == length
        && name
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
