//! Where a folder of the sandbox user's is, and that it is there: a cache, or what lies beside one.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, fchown, fstat, mkdirat, openat, renameat,
    unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::caches::{Missing, SYSTEM};
use super::identity::Who;
use super::{refused, scratch};
use crate::files::{self, FileId, Follow, Keeper, Step, Stop, look};
use crate::refusal::{Code, Refused};

/// A folder that was found.
#[derive(Debug)]
pub(super) struct Found {
    /// Its canonical path.
    pub real: PathBuf,
    /// Whether it is root's, and the sandbox user is another.
    pub of_root: bool,
    /// Which folder it is, and a descriptor (`O_PATH`); `None` where it is missing and was not to be made.
    pub opened: Option<(FileId, OwnedFd)>,
}

/// Looks at the folder that was found, before anything is made.
pub(super) type Check<'a> = &'a dyn Fn(&OwnedFd, &Path) -> anyhow::Result<()>;

/// Finds folders, for whom and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finder<'a> {
    pub who: &'a Who,
    /// The work tree, whose links lead nowhere out of it. Where it is root's, so is what is made in it.
    pub tree: Option<&'a Path>,
    pub missing: Missing,
}

impl Finder<'_> {
    /// Finds a folder, or makes it with those above it.
    ///
    /// # Errors
    /// It cannot be reached or made; `check` refuses it; a link of another user's, or of the work tree's, chooses it.
    pub fn find(&self, folder: &Path, check: Check<'_>) -> anyhow::Result<Found> {
        let mut step = Step::start(folder)?;
        if !self.who.identity.switch {
            return self.reach(step, check);
        }
        loop {
            let stop = step.walk(Follow::Kept(Keeper::ROOT), self.tree)?;
            self.stays(&step)?;
            match stop {
                Stop::There => return self.arrive(step, check),
                Stop::NotKept => return self.send(step, check),
                Stop::Missing if self.missing == Missing::Leave => return Ok(self.absent(&step)),
                Stop::Missing => self.make(&mut step)?,
            }
        }
    }

    /// With the rights that this process has.
    fn reach(&self, mut step: Step, check: Check<'_>) -> anyhow::Result<Found> {
        loop {
            let stop = step.walk(Follow::All, self.tree)?;
            self.stays(&step)?;
            match stop {
                Stop::Missing if self.missing == Missing::Leave => return Ok(self.absent(&step)),
                Stop::Missing => match step.make_folder(0o700) {
                    // A run beside this one was first.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    made => made?,
                },
                _ => return self.arrive(step, check),
            }
        }
    }

    /// Reaches it with the sandbox user's rights, where others than root decide. What is missing a process makes that is
    /// this user.
    fn send(&self, mut step: Step, check: Check<'_>) -> anyhow::Result<Found> {
        let user = self.who.user();
        let found = look::with_rights(user, || {
            let stop = step.walk(Follow::All, self.tree)?;
            self.stays(&step)?;
            Ok::<_, anyhow::Error>(match stop {
                Stop::There => Ok(self.arrive(step, check)?),
                _ => Err(step),
            })
        })??;
        let found = match found {
            Ok(found) => found,
            Err(step) => {
                let (told, mut opened) = files::as_user(user, || match self.reach(step, check) {
                    Ok(found) => {
                        let (id, opened) = found.opened.unzip();
                        let real = found.real;
                        (Ok(Told { real, id }), opened.into_iter().collect())
                    }
                    Err(error) => (Err(refused(&error)), Vec::new()),
                })?;
                let told = told?;
                Found {
                    real: told.real,
                    of_root: false,
                    opened: told.id.zip(opened.pop()),
                }
            }
        };
        if let Some((_, folder)) = &found.opened
            && fstat(folder)?.st_uid == 0
        {
            // Nor may anybody be told to give that folder to the one who made the link.
            let text = format!(
                "it is {}, which belongs to root, and a link or a folder of another user's leads there",
                found.real.display()
            );
            return Err(Refused::new(Code::CacheRefused, text)
                .option("--cache-dir \"$HOME/.cache/gosandbox\"")
                .into());
        }
        Ok(found)
    }

    fn arrive(&self, step: Step, check: Check<'_>) -> anyhow::Result<Found> {
        let found = *step.found();
        if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
            let text = format!("{} is not a folder", step.real().display());
            return Err(cache_elsewhere(text).into());
        }
        check(step.at(), step.real())?;
        Ok(Found {
            real: step.real().to_owned(),
            of_root: self.who.identity.switch && found.st_uid == 0,
            opened: Some((FileId::of(&found), step.into_at())),
        })
    }

    fn absent(&self, step: &Step) -> Found {
        Found {
            real: step.end(),
            of_root: false,
            opened: None,
        }
    }

    /// No link of the work tree's own leads a cache out of it: `GOCACHE=$PWD/.cache` would grant whatever folder the
    /// repository likes.
    fn stays(&self, step: &Step) -> anyhow::Result<()> {
        if step.leaves(self.tree) {
            let text = "a symbolic link in the work tree leads out of it".to_owned();
            return Err(cache_elsewhere(text).into());
        }
        Ok(())
    }

    /// Makes the next folder, as root, where root alone decides.
    fn make(&self, step: &mut Step) -> anyhow::Result<()> {
        let Some(name) = step.next() else {
            return Err(cache_elsewhere(format!("{} is missing", step.real().display())).into());
        };
        let path = step.real().join(name);
        let is_system = path == Path::new(SYSTEM) || path == Path::new("/var/cache");
        // Within root's own tree, which appears as the sandbox user's, all is root's on disk.
        let is_in_roots =
            self.tree.is_some_and(|tree| step.real().starts_with(tree)) && step.found().st_uid == 0;
        let made = match is_system || is_in_roots {
            true => step.make_folder(0o755),
            false => give(step.at(), Path::new(name), self.who),
        };
        match made {
            // A run beside this one was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => Ok(made?),
        }
    }
}

fn cache_elsewhere(text: String) -> Refused {
    Refused::new(Code::CacheUnusable, text).option("--cache-dir \"$HOME/.cache/gosandbox\"")
}

/// What the helper says.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    #[serde(with = "crate::paths")]
    real: PathBuf,
    id: Option<FileId>,
}

/// Makes a folder that belongs to the sandbox user, in one whose entries nobody but root exchanges.
fn give(within: &OwnedFd, name: &Path, who: &Who) -> io::Result<()> {
    // Under another name until it is the user's: a launcher that is killed leaves none that is not.
    let new = format!(".gosandbox-new-{}", scratch::unguessable()?);
    mkdirat(within, &new, Mode::RWXU)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = openat(within, &new, flags, Mode::empty())
        .and_then(|made| hand_over(&made, who))
        .and_then(|()| renameat(within, &new, within, name));
    if made.is_err() {
        let _another_run_was_first = unlinkat(within, &new, AtFlags::REMOVEDIR);
    }
    match made {
        // One that has something in it is there already.
        Err(Errno::NOTEMPTY | Errno::EXIST) => Err(io::ErrorKind::AlreadyExists.into()),
        made => Ok(made?),
    }
}

/// Gives a new folder to the sandbox user.
///
/// # Errors
/// ENOTEMPTY: it is another one, which has come in its place.
fn hand_over(folder: &OwnedFd, who: &Who) -> Result<(), Errno> {
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Err(Errno::NOTEMPTY);
        }
    }
    let (uid, gid) = (who.identity.uid, who.identity.gid);
    fchown(folder, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}
