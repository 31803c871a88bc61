//! What is at protected paths before a run.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{self as rfs, AtFlags};
use serde::{Deserialize, Serialize};

use super::super::error::Error;
use super::super::owner;
use super::matching::Names;
use super::record::{TreeId, open_tree};
use super::seen::{Identity, Reason, Seen, Spot, again};
use super::walk::{Bounds, Next, Node, Place, Visit, path_of, walk};
use crate::policy::protected::Matcher;

/// What is looked at. Paths are relative to the work tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Scope {
    /// Folders that programs may write, in which nothing protected may come at any depth. The empty path is
    /// the work tree.
    #[serde(with = "crate::paths")]
    pub roots: Vec<PathBuf>,
    /// The items of the policy's list of protected names.
    #[serde(with = "crate::paths")]
    pub names: Vec<PathBuf>,
    /// Other paths that are protected.
    #[serde(with = "crate::paths")]
    pub watched: Vec<PathBuf>,
    /// Paths at which every launcher makes sockets or empty files for its run.
    #[serde(with = "crate::paths")]
    pub stand_ins: Vec<PathBuf>,
}

/// What was at protected paths before the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Before {
    /// The work tree.
    pub tree: TreeId,
    /// What is looked at.
    pub scope: Scope,
    /// What was there in the roots, sorted.
    pub known: Vec<Seen>,
    /// What was at each watched path, in their order.
    pub watched: Vec<Option<Seen>>,
    /// What can be mounted over: no links, and repositories as a whole. It is not written down.
    #[serde(skip)]
    pub to_mount: Vec<PathBuf>,
}

/// What the process of another user finds, with what is not written down.
type Answer = (Before, Vec<Vec<u8>>);

/// Looks at a work tree before a run, as the user of the run where that is not the caller.
///
/// # Errors
/// The tree or a watched path cannot be looked at. What is there would be taken for new after the run.
pub fn before(
    tree: &Path,
    scope: &Scope,
    matcher: &Matcher,
    user: Option<(u32, u32)>,
) -> Result<Before, Error> {
    let (at, id) = open_tree(tree)?;
    // For paths alone nothing is listed, and a link's end is opened for its identity only (O_PATH): root can do
    // that itself.
    let user = user.filter(|_| !scope.roots.is_empty());
    let (mut before, to_mount): Answer = owner::as_user(user, || {
        let mut look = Looking::default();
        let roots: Vec<_> = scope
            .roots
            .iter()
            .map(|root| (root.clone(), false))
            .collect();
        let bounds = Bounds {
            roots: &roots,
            ends: &[],
        };
        walk(at.as_fd(), &bounds, &Names::new(matcher), &mut look);
        if let Some((path, cause)) = look.failed {
            return Err(cannot_look(tree, &path, cause));
        }
        look.known.sort();
        look.known.dedup();
        let watched = scope.watched.iter().map(|path| {
            let spot = Spot::at(at.as_fd(), path);
            spot.map(|spot| spot.map(|spot| spot.seen()))
                .map_err(|cause| cannot_look(tree, path, cause))
        });
        let to_mount = look.to_mount.into_iter();
        let to_mount = to_mount.map(|path| path.into_os_string().into_encoded_bytes());
        Ok((
            Before {
                tree: id.clone(),
                scope: scope.clone(),
                known: look.known,
                watched: watched.collect::<Result<_, _>>()?,
                to_mount: Vec::new(),
            },
            to_mount.collect(),
        ))
    })?;
    let to_mount = to_mount.iter().map(|path| OsStr::from_bytes(path).into());
    before.to_mount = to_mount.collect();
    Ok(before)
}

/// The folders of a name at any depth, relative to the work tree and sorted. Folders of the names `ends` and
/// protected ones are not looked into.
///
/// # Errors
/// The work tree cannot be looked at.
pub fn folders_named(
    tree: &Path,
    name: &str,
    ends: &[&str],
    matcher: &Matcher,
    user: Option<(u32, u32)>,
) -> Result<Vec<PathBuf>, Error> {
    let (at, _) = open_tree(tree)?;
    let found: Vec<Vec<u8>> = owner::as_user(user, || {
        let mut look = Looking::default();
        let bounds = Bounds {
            roots: &[(PathBuf::new(), false)],
            ends,
        };
        walk(at.as_fd(), &bounds, &Names::new(matcher), &mut look);
        let ends = look.ends.into_iter();
        let named = ends.filter(|path| path.file_name() == Some(OsStr::new(name)));
        Ok(named
            .map(|path| path.into_os_string().into_encoded_bytes())
            .collect())
    })?;
    let mut found: Vec<PathBuf> = found
        .iter()
        .map(|path| OsStr::from_bytes(path).into())
        .collect();
    found.sort();
    Ok(found)
}

fn cannot_look(tree: &Path, path: &Path, cause: io::Error) -> Error {
    Error::System {
        action: format!("look at {}", tree.join(path).display()),
        cause,
    }
}

/// Notes what is there.
#[derive(Default)]
struct Looking {
    known: Vec<Seen>,
    to_mount: Vec<PathBuf>,
    ends: Vec<PathBuf>,
    failed: Option<(PathBuf, io::Error)>,
}

impl Looking {
    fn add(&mut self, path: PathBuf, reason: Reason, identity: Option<Identity>) {
        self.known.push(Seen {
            path,
            reason,
            identity,
        });
    }
}

impl Visit for Looking {
    fn name(&mut self, place: &Place<'_>) -> Next {
        let path = place.path();
        let is_link = place.kind == rustix::fs::FileType::Symlink;
        if !is_link && !place.nodes[place.folder as usize].is_covered {
            self.to_mount.push(path.clone());
        }
        self.add(path, Reason::Name, identity(place));
        Next::Pass
    }

    fn repository(&mut self, place: &Place<'_>) {
        let node = &place.nodes[place.folder as usize];
        // A folder that programs may write is not mounted over.
        if !node.is_root && place.folder != 0 && !node.is_covered {
            self.to_mount.push(path_of(place.nodes, place.folder));
        }
        self.add(
            place.path(),
            Reason::Repository,
            Identity::of_folder(place.at),
        );
    }

    fn end(&mut self, place: &Place<'_>) {
        if !place.nodes[place.folder as usize].is_covered {
            self.ends.push(place.path());
        }
    }

    fn opens(&mut self, _: &[Node], _: u32, _: BorrowedFd<'_>) -> bool {
        false
    }

    fn unlisted(&mut self, place: &Place<'_>) {
        let path = place.path();
        if !place.nodes[place.folder as usize].is_covered {
            self.to_mount.push(path.clone());
        }
        self.add(path, Reason::Unlisted, identity(place));
    }

    fn failed(&mut self, path: PathBuf, cause: io::Error) {
        self.failed.get_or_insert((path, cause));
    }
}

/// What identifies a name. `None`: it cannot be looked at.
pub(super) fn identity(place: &Place<'_>) -> Option<Identity> {
    let found = again(|| rfs::statat(place.at, place.name, AtFlags::SYMLINK_NOFOLLOW)).ok()?;
    Some(Identity::of(place.at, place.name, &found))
}
