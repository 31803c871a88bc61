//! Where symbolic links of the work tree lead, without following any by the kernel.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{self, FileType, OFlags};
use rustix::io::Errno;

use crate::sys::no_links;

/// The names of a path below the work tree.
pub(super) type Names = Vec<Vec<u8>>;

/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: u32 = 40;

/// What is at a path whose folders are no links.
pub(super) enum Seen {
    Missing,
    Folder,
    Link(Vec<u8>),
    Other,
    /// It cannot be looked at.
    Unknown,
}

/// The work tree, as it is or as it would be.
pub(super) trait View {
    fn look(&self, path: &[Vec<u8>]) -> Seen;
}

/// What a link leads through and to.
#[derive(Default)]
pub(super) struct Followed {
    /// Each further link on the way, and the end.
    pub passed: Vec<Names>,
    /// Whether it leads out of the work tree, or to what cannot be looked at.
    pub leaves: bool,
}

/// Names on the paths that are looked at, for all links of a run. Links with targets of thousands of
/// names must not hold up a run.
pub(super) const BUDGET: u64 = 20_000_000;

/// Follows a link with this text in a folder of the work tree. What is left of `budget` when it is
/// used up counts as outside.
pub(super) fn follow(
    view: &dyn View,
    tree: &Path,
    folder: &[Vec<u8>],
    text: &[u8],
    budget: &mut u64,
) -> Followed {
    let mut followed = Followed::default();
    let mut at = folder.to_vec();
    let mut left = VecDeque::new();
    if !enter(tree, text, &mut at, &mut left) {
        followed.leaves = true;
        return followed;
    }
    let mut links = 0;
    while let Some(name) = left.pop_front() {
        if name == b".." {
            if at.pop().is_none() {
                followed.leaves = true;
                return followed;
            }
            continue;
        }
        at.push(name);
        *budget = budget.saturating_sub(at.len() as u64);
        match view.look(&at) {
            _ if *budget == 0 => {
                followed.leaves = true;
                return followed;
            }
            Seen::Folder => {}
            Seen::Link(text) => {
                followed.passed.push(at.clone());
                at.pop();
                links += 1;
                if links > MOST_LINKS {
                    return followed;
                }
                if !enter(tree, &text, &mut at, &mut left) {
                    followed.leaves = true;
                    return followed;
                }
            }
            Seen::Missing | Seen::Other => break,
            Seen::Unknown => {
                followed.leaves = true;
                break;
            }
        }
    }
    followed.passed.push(at);
    followed
}

/// Puts a link's text before what is left of the path. False: an absolute path outside the tree.
fn enter(tree: &Path, text: &[u8], at: &mut Names, left: &mut VecDeque<Vec<u8>>) -> bool {
    let text = Path::new(OsStr::from_bytes(text));
    let text = match text.is_absolute() {
        true => match text.strip_prefix(tree) {
            Ok(rest) => {
                at.clear();
                rest
            }
            Err(_) => return false,
        },
        false => text,
    };
    for part in text.components().rev() {
        match part {
            Component::Normal(name) => left.push_front(name.as_encoded_bytes().to_vec()),
            Component::ParentDir => left.push_front(b"..".to_vec()),
            _ => {}
        }
    }
    true
}

/// Whether a link's text goes down and up again. Where such a link leads can be changed later, by
/// putting a link in the place of the folder that it goes down to.
pub(super) fn climbs(text: &[u8]) -> bool {
    let parts = Path::new(OsStr::from_bytes(text)).components();
    let mut parts = parts.skip_while(|part| !matches!(part, Component::Normal(_)));
    parts.any(|part| part == Component::ParentDir)
}

/// The work tree as it is.
pub(super) struct Real<'a>(pub BorrowedFd<'a>);

impl View for Real<'_> {
    fn look(&self, path: &[Vec<u8>]) -> Seen {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let joined = path.join(&b'/');
        let joined = Path::new(OsStr::from_bytes(&joined));
        let found = match no_links::open(self.0, joined, flags) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Seen::Missing,
            Err(_) => return Seen::Unknown,
            Ok(found) => found,
        };
        let kind = fs::fstat(&found).map(|found| FileType::from_raw_mode(found.st_mode));
        match kind {
            Ok(FileType::Directory) => Seen::Folder,
            Ok(FileType::Symlink) => match fs::readlinkat(&found, c"", Vec::new()) {
                Ok(text) => Seen::Link(text.into_bytes()),
                Err(_) => Seen::Unknown,
            },
            Ok(_) => Seen::Other,
            Err(_) => Seen::Unknown,
        }
    }
}
