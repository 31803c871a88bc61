//! The walk to a path, by descriptors.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: u32 = 40;

const STICKY: u32 = 0o1000;
/// PROC_SUPER_MAGIC.
const PROC: i64 = 0x9fa0;

const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// The user who, beside root, may decide where a path leads.
#[derive(Clone, Copy, Debug)]
pub struct Keeper {
    /// The user.
    pub uid: u32,
    /// The user's primary group, which may have write permission.
    pub gid: u32,
}

impl Keeper {
    /// Nobody beside root.
    pub const ROOT: Keeper = Keeper { uid: 0, gid: 0 };

    /// The user that this process is.
    pub fn caller() -> Keeper {
        Keeper {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        }
    }

    fn is_root(self) -> bool {
        (self.uid, self.gid) == (0, 0)
    }

    fn owns(self, found: &Stat) -> bool {
        found.st_uid == 0 || found.st_uid == self.uid
    }

    /// Whether nobody else can change which entries a folder has.
    pub fn closes(self, folder: &Stat) -> bool {
        let is_own_group = folder.st_gid == 0 || folder.st_gid == self.gid;
        let others = if is_own_group { 0o002 } else { 0o022 };
        self.owns(folder) && folder.st_mode & others == 0
    }

    /// Whether nobody else can take away what the keeper makes in a folder.
    pub fn makes(self, folder: &Stat) -> bool {
        self.closes(folder) || self.owns(folder) && folder.st_mode & STICKY != 0
    }

    /// Whether nobody else can put something in the place of an entry of a folder, or has made it a link.
    fn holds(self, folder: &Stat, entry: &Stat) -> bool {
        // A sticky folder's entries are exchanged by their owners only.
        let is_kept = self.closes(folder) || self.makes(folder) && self.owns(entry);
        is_kept && (!is_link(entry) || self.owns(entry))
    }
}

fn is_link(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::Symlink
}

/// Which links a walk follows, and where it stops.
#[derive(Clone, Copy, Debug)]
pub enum Follow {
    /// All, with the rights that this process has.
    All,
    /// None: a link is an error (ELOOP).
    None,
    /// Those that lie in the work tree. Another link is an error (ELOOP).
    InTree,
    /// Those of the keeper's, and the walk stops where anybody else decides.
    Kept(Keeper),
}

/// Why a walk has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At its end.
    There,
    /// The next component is missing.
    Missing,
    /// Another user than the keeper decides what the next component is.
    NotKept,
}

/// A walk, as far as it has come.
#[derive(Debug)]
pub struct Step {
    /// What was reached (`O_PATH`).
    at: OwnedFd,
    /// Its owner, mode and the like, as they were then.
    found: Stat,
    /// Its path, without links.
    real: PathBuf,
    /// Whether root alone decides what all components so far are.
    is_roots: bool,
    /// The components that are left, and whether each is from a link.
    rest: VecDeque<(OsString, bool)>,
    links: u32,
    entered: bool,
    /// Whether the last component is left, unless it is a link.
    keeps_last: bool,
    /// Whether a link at the end is the end.
    keeps_link: bool,
}

impl Step {
    /// A walk to an absolute path, at `/` or at the nearest folder in which root alone is known to decide.
    ///
    /// # Errors
    /// EINVAL: the path is not absolute.
    pub fn start(path: &Path) -> io::Result<Step> {
        if !path.is_absolute() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let open = |folder: &Path| fs::open(folder, LOOK | OFlags::DIRECTORY, Mode::empty());
        let above = super::kept::above(path).and_then(|above| Some((open(above).ok()?, above)));
        let (at, above) = match above {
            Some(above) => above,
            None => (open(Path::new("/"))?, Path::new("/")),
        };
        let rest = path.strip_prefix(above).unwrap_or(path);
        let mut step = Step {
            found: fs::fstat(&at)?,
            at,
            real: above.to_owned(),
            is_roots: true,
            rest: VecDeque::new(),
            links: 0,
            entered: false,
            keeps_last: false,
            keeps_link: false,
        };
        step.push(rest, false);
        Ok(step)
    }

    /// As [`Step::start`], to the folder that a file lies in, or may be made in. [`Step::next`] is the file's name at the
    /// end. A link to a file is followed; one in `/proc`, which names no path, is left.
    ///
    /// # Errors
    /// As for [`Step::start`].
    pub fn start_to_file(path: &Path) -> io::Result<Step> {
        let mut step = Step::start(path)?;
        step.keeps_last = true;
        Ok(step)
    }

    /// As [`Step::start`]. A link at the end is not followed: it is what is reached.
    ///
    /// # Errors
    /// As for [`Step::start`].
    pub fn start_to_link(path: &Path) -> io::Result<Step> {
        let mut step = Step::start(path)?;
        step.keeps_link = true;
        Ok(step)
    }

    /// Walks on. `tree`: the work tree, whose own links must not lead out of it ([`Step::leaves`]).
    ///
    /// # Errors
    /// A component cannot be opened; ELOOP: links in a circle.
    pub fn walk(&mut self, follow: Follow, tree: Option<&Path>) -> io::Result<Stop> {
        let is_in = |path: &Path| tree.is_some_and(|tree| path.starts_with(tree));
        self.entered |= is_in(&self.real);
        self.is_roots &= matches!(follow, Follow::Kept(keeper) if keeper.is_root());
        while let Some((name, of_link)) = self.rest.front().cloned() {
            if name == ".." {
                let above = fs::openat(&self.at, "..", LOOK | OFlags::DIRECTORY, Mode::empty())?;
                self.reach(above)?;
                self.real.pop();
                self.rest.pop_front();
                // A path that enters the tree and leaves it by `..` counts as outside, unless a link says so.
                self.entered &= of_link || is_in(&self.real);
                continue;
            }
            if self.is_roots && Keeper::ROOT.closes(&self.found) {
                super::kept::note(&self.real);
            }
            let is_last = self.keeps_last && self.is_last();
            let entry = match fs::openat(&self.at, &name, LOOK | OFlags::NOFOLLOW, Mode::empty()) {
                Err(Errno::NOENT) => {
                    return Ok(match follow {
                        Follow::Kept(keeper) if !keeper.makes(&self.found) => Stop::NotKept,
                        _ if is_last => Stop::There,
                        _ => Stop::Missing,
                    });
                }
                entry => entry?,
            };
            let found = fs::fstat(&entry)?;
            if let Follow::Kept(keeper) = follow
                && !keeper.holds(&self.found, &found)
            {
                return Ok(Stop::NotKept);
            }
            if is_last && (!is_link(&found) || self.is_in_proc()?) {
                return Ok(Stop::There);
            }
            self.rest.pop_front();
            match (is_link(&found), follow) {
                (true, Follow::None) => return Err(Errno::LOOP.into()),
                (true, Follow::InTree) if !is_in(&self.real) => return Err(Errno::LOOP.into()),
                (true, _) if !(self.keeps_link && self.rest.is_empty()) => self.follow(&entry)?,
                _ => {
                    (self.at, self.found) = (entry, found);
                    self.real.push(name);
                    self.entered |= is_in(&self.real);
                }
            }
        }
        Ok(Stop::There)
    }

    fn is_in_proc(&self) -> io::Result<bool> {
        Ok(fs::fstatfs(&self.at)?.f_type == PROC)
    }

    fn follow(&mut self, link: &OwnedFd) -> io::Result<()> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = fs::readlinkat(link, "", Vec::new())?;
        let target = Path::new(OsStr::from_bytes(target.to_bytes()));
        if target.is_absolute() {
            let root = fs::open("/", LOOK | OFlags::DIRECTORY, Mode::empty())?;
            self.reach(root)?;
            self.real = PathBuf::from("/");
        }
        self.push(target, true);
        Ok(())
    }

    fn push(&mut self, path: &Path, of_link: bool) {
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.rest.push_front((name.to_owned(), of_link)),
                Component::ParentDir => self.rest.push_front(("..".into(), of_link)),
                _ => {}
            }
        }
    }

    /// Makes the next component, which is missing, a folder, and goes there.
    ///
    /// # Errors
    /// It cannot be made; EEXIST, where it has come meanwhile.
    pub fn make_folder(&mut self, mode: u32) -> io::Result<()> {
        let name = self.next().ok_or(Errno::INVAL)?.to_owned();
        fs::mkdirat(&self.at, &name, Mode::from_raw_mode(mode))?;
        let flags = LOOK | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let made = fs::openat(&self.at, &name, flags, Mode::empty())?;
        self.reach(made)?;
        self.real.push(name);
        self.rest.pop_front();
        Ok(())
    }

    fn reach(&mut self, folder: OwnedFd) -> io::Result<()> {
        self.found = fs::fstat(&folder)?;
        self.at = folder;
        Ok(())
    }

    /// The next component; not `..`, for which there is no name.
    pub fn next(&self) -> Option<&OsStr> {
        let (name, _) = self.rest.front()?;
        (name != "..").then_some(name)
    }

    /// Whether there is one more component and no further.
    pub fn is_last(&self) -> bool {
        self.rest.len() == 1 && self.next().is_some()
    }

    /// What was reached (`O_PATH`).
    pub fn at(&self) -> &OwnedFd {
        &self.at
    }

    /// What was reached, to be kept (`O_PATH`).
    pub fn into_at(self) -> OwnedFd {
        self.at
    }

    /// Whether a link was followed.
    pub fn is_led(&self) -> bool {
        self.links > 0
    }

    /// The path of what was reached, without links.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// The path of the end, by the names that are left.
    pub fn end(&self) -> PathBuf {
        let rest = self.rest.iter().map(|(name, _)| name);
        crate::paths::clean(&rest.fold(self.real.clone(), |path, name| path.join(name)))
    }

    /// Owner, mode and the like of what was reached, as they were then.
    pub fn found(&self) -> &Stat {
        &self.found
    }

    /// Whether the walk came into the tree and a link of the tree's has led out of it again.
    pub fn leaves(&self, tree: Option<&Path>) -> bool {
        self.entered && tree.is_some_and(|tree| !self.real.starts_with(tree))
    }

    /// Opens the folder that was reached for reading its entries.
    ///
    /// # Errors
    /// It is none, or cannot be read.
    pub fn open_folder(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(fs::openat(self.at.as_fd(), ".", flags, Mode::empty())?)
    }
}

/// Where a path leads, there or not: links are followed, also those that lead to what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The path without links.
    pub path: PathBuf,
    /// Whether something is there.
    pub is_there: bool,
    /// Whether a link of the work tree's own has led out of it.
    pub leaves: bool,
}

/// Where an absolute path leads. With a keeper that is root, no link that another user can change is followed, but in the
/// work tree.
///
/// # Errors
/// A component cannot be opened; ELOOP.
pub fn end_of(path: &Path, keeper: Option<Keeper>, tree: Option<&Path>) -> io::Result<End> {
    let mut step = Step::start(path)?;
    let mut stop = match keeper {
        Some(keeper) if keeper.uid == 0 => step.walk(Follow::Kept(keeper), tree)?,
        _ => step.walk(Follow::All, tree)?,
    };
    if stop == Stop::NotKept {
        stop = step.walk(Follow::InTree, tree)?;
    }
    let path = step.end();
    // The missing rest counts too: a link of the tree's may lead to what is not there.
    let leaves = step.entered && tree.is_some_and(|tree| !path.starts_with(tree));
    let is_there = stop == Stop::There;
    Ok(End {
        path,
        is_there,
        leaves,
    })
}

#[cfg(test)]
mod tests;
