//! Compares what is at protected paths with what was there, and moves away what has come.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use super::super::{open, scan};
use super::before::{Before, identity};
use super::matching::Names;
use super::put_away::put_away;
use super::report::Report;
use super::seen::{Identity, Reason, Seen, Spot};
use super::walk::{Bounds, Next, Node, Place, Visit, path_of, walk};
use crate::policy::protected::Matcher;

/// Whether something at a path (relative) was made by the launcher, which removes it.
pub(super) type IsOwn<'o> = &'o dyn Fn(&Path) -> bool;

/// Looks at everything once. What has come is moved away, or only named where `moves` is false.
pub(super) fn look(
    tree: BorrowedFd<'_>,
    before: &Before,
    moves: bool,
    is_own: IsOwn<'_>,
) -> Report {
    let matcher = Matcher::new(&before.scope.names);
    let names = Names::new(&matcher);
    let mut comparing = Comparing {
        known: &before.known,
        stand_ins: &before.scope.stand_ins,
        moves,
        is_own,
        moved: Vec::new(),
        report: Report::default(),
    };
    let go = |roots: &[(PathBuf, bool)], comparing: &mut Comparing<'_>| {
        let bounds = Bounds { roots, ends: &[] };
        walk(tree, &bounds, &names, comparing);
    };
    let roots = before.scope.roots.iter();
    let roots: Vec<_> = roots.map(|root| (root.clone(), false)).collect();
    // First of all, since it opens folders that a program has closed.
    go(&roots, &mut comparing);
    for (path, known) in before.scope.watched.iter().zip(&before.watched) {
        comparing.watched(tree, path, known.as_ref());
    }
    // A repository is one under any name: nothing in what was moved away stays one.
    let moved = std::mem::take(&mut comparing.moved);
    go(&moved, &mut comparing);
    comparing.report
}

/// Removes the sockets and empty files that the launcher of a run had made at these paths. It removes them
/// itself, unless it is killed.
pub(super) fn remove_decoys(tree: BorrowedFd<'_>, decoys: &[PathBuf]) {
    for path in decoys {
        if let Ok(Some(spot)) = Spot::at(tree, path)
            && spot.path == *path
            && is_decoy(&spot.found)
        {
            let _or_it_is_moved_away =
                fs::unlinkat(&spot.folder, &spot.name, AtFlags::empty()).is_ok();
        }
    }
}

fn is_decoy(found: &Stat) -> bool {
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Socket => true,
        FileType::RegularFile => found.st_size == 0,
        _ => false,
    }
}

struct Comparing<'c> {
    /// Sorted.
    known: &'c [Seen],
    stand_ins: &'c [PathBuf],
    moves: bool,
    is_own: IsOwn<'c>,
    /// Watched folders that were moved away.
    moved: Vec<(PathBuf, bool)>,
    report: Report,
}

impl Comparing<'_> {
    fn is_known(&self, place: &Place<'_>, reason: Reason, identity: Option<Identity>) -> bool {
        if place.nodes[place.folder as usize].is_new || self.known.is_empty() {
            return false;
        }
        let path = place.path();
        let seen = Seen {
            path,
            reason,
            identity,
        };
        self.known.binary_search(&seen).is_ok()
    }

    /// Whether it is what another run's launcher, or its init, has made: there is nothing in it.
    fn is_stand_in(&self, path: &Path, found: &Stat) -> bool {
        is_decoy(found) && self.stand_ins.iter().any(|stand_in| stand_in == path)
    }

    fn watched(&mut self, tree: BorrowedFd<'_>, path: &Path, known: Option<&Seen>) {
        let spot = match Spot::at(tree, path) {
            Ok(None) => return,
            Ok(Some(spot)) => spot,
            Err(cause) => return self.report.stayed(path.to_owned(), &cause),
        };
        let is_socket = FileType::from_raw_mode(spot.found.st_mode) == FileType::Socket;
        if is_socket
            || Some(&spot.seen()) == known
            || self.is_stand_in(&spot.path, &spot.found)
            || (self.is_own)(&spot.path)
        {
            return;
        }
        let is_folder = FileType::from_raw_mode(spot.found.st_mode) == FileType::Directory;
        let name = self.away(spot.folder.as_fd(), &spot.name, || spot.path.clone());
        if let (Some(name), true) = (name, is_folder) {
            let name = OsStr::from_bytes(name.to_bytes());
            self.moved.push((spot.path.with_file_name(name), true));
        }
    }

    /// Moves something away, and says what its name is then. `None`: it has gone.
    fn away(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &CStr,
        path: impl Fn() -> PathBuf,
    ) -> Option<CString> {
        if !self.moves {
            self.report.moved(path(), None);
            return Some(name.to_owned());
        }
        match put_away(folder, name) {
            Ok(new) => {
                let place = path().with_file_name(OsStr::from_bytes(new.to_bytes()));
                self.report.moved(path(), Some(place));
                Some(new)
            }
            Err(cause) if Errno::from_io_error(&cause) == Some(Errno::NOENT) => None,
            Err(cause) => {
                self.report.stayed(path(), &cause);
                Some(name.to_owned())
            }
        }
    }
}

impl Visit for Comparing<'_> {
    fn name(&mut self, place: &Place<'_>) -> Next {
        // Git and most tools pass over sockets, and other runs may have theirs here.
        if place.kind == FileType::Socket
            || self.is_known(place, Reason::Name, identity(place))
            || (self.is_own)(&place.path())
            || scan::look(place.at, place.name)
                .is_ok_and(|found| found.is_some_and(|it| self.is_stand_in(&place.path(), &it)))
        {
            return Next::Pass;
        }
        let name = self.away(place.at, place.name, || place.path());
        match (name, self.moves) {
            (Some(name), true) => Next::Enter(name),
            _ => Next::Pass,
        }
    }

    fn repository(&mut self, place: &Place<'_>) {
        if !self.is_known(place, Reason::Repository, Identity::of_folder(place.at)) {
            // Without it the folder is none.
            self.away(place.at, place.name, || place.path());
        }
    }

    fn end(&mut self, _: &Place<'_>) {}

    fn opens(&mut self, nodes: &[Node], folder: u32, at: BorrowedFd<'_>) -> bool {
        let node = &nodes[folder as usize];
        let is_known = || {
            let seen = Seen {
                path: path_of(nodes, folder),
                reason: Reason::Unlisted,
                identity: Identity::of_folder(at),
            };
            self.known.binary_search(&seen).is_ok()
        };
        if !self.moves || !node.is_new && is_known() {
            return false;
        }
        let Ok(found) = fs::fstat(at) else {
            return false;
        };
        let mode = Mode::from_raw_mode(found.st_mode & 0o7777);
        let rights = Mode::RUSR | Mode::XUSR;
        // Only the owner can. fchmod(2) takes no O_PATH descriptor.
        !mode.contains(rights) && fs::chmod(open::in_proc(at), mode | Mode::RWXU).is_ok()
    }

    fn unlisted(&mut self, place: &Place<'_>) {
        if !self.is_known(place, Reason::Unlisted, identity(place)) {
            // Nobody knows what is in there.
            self.away(place.at, place.name, || place.path());
        }
    }

    fn failed(&mut self, path: PathBuf, cause: io::Error) {
        self.report.stayed(path, &cause);
    }
}
