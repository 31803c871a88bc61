//! Decides what becomes of each change.

use std::cell::Cell;
use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

use super::change::{Dropped, Entry, Kind, Verdict, What, names, path};
use super::delete::{self, Spare};
use super::folders::Folders;
use super::guarded;
use super::links::{Real, Seen, View};
use super::places::{Names, Places};
use super::record::{Keep, Rules};
use super::repository::{self, Parts};
use super::scan::{self, Time};
use super::targets;
use crate::refusal::Code;

/// Gives every entry its verdict.
pub(super) fn judge(
    entries: &mut [Entry],
    rules: &Rules,
    started: Time,
    tree: BorrowedFd<'_>,
    tree_path: &Path,
) -> io::Result<()> {
    let found: Vec<_> = entries
        .iter()
        .map(|entry| (entry.what, entry.verdict))
        .collect();
    let names = Names::new(&rules.protected_names);
    let mut places = Places::new(&rules.protected_paths, Code::ProtectedPath);
    let outputs = Places::new(&rules.outputs, Code::ProtectedPath);
    let judge_all = |entries: &mut [Entry], places: &Places| {
        let mut judge = Judge {
            keep: rules.keep,
            names: &names,
            places,
            outputs: &outputs,
            started,
            tree,
            folders: Folders::of_tree(tree),
            marks: Vec::new(),
        };
        judge.all(entries)
    };
    judge_all(entries, &places)?;
    let applies = |entry: &Entry| entry.verdict == Verdict::Apply && entry.what != What::Same;
    if !entries.iter().any(applies) {
        return Ok(());
    }
    // The walk over the whole work tree is made only where something would be applied.
    if guarded::add(&mut places, &names, tree, tree_path) {
        for (entry, (what, verdict)) in entries.iter_mut().zip(found) {
            (entry.what, entry.verdict) = (what, verdict);
        }
        judge_all(entries, &places)?;
    }
    targets::judge(entries, &names, &places, tree, tree_path);
    make_folders_of_what_is_applied(entries);
    Ok(())
}

/// What is known of an entry once it is judged.
#[derive(Clone, Copy, Default)]
struct Mark {
    /// The topmost entry that is refused or in conflict, and stands for this one.
    top: Option<u32>,
    /// Why what lies in this folder is refused.
    refusal: Option<Code>,
    place: Option<usize>,
    output: Option<usize>,
    /// Whether what lies in this folder is kept.
    keeps: bool,
    /// Whether this folder would become a repository by what is new in it.
    becomes_repository: bool,
}

struct Judge<'a> {
    keep: Keep,
    names: &'a Names,
    places: &'a Places,
    outputs: &'a Places,
    started: Time,
    tree: BorrowedFd<'a>,
    folders: Folders<'a>,
    marks: Vec<Mark>,
}

impl Judge<'_> {
    fn all(&mut self, entries: &mut [Entry]) -> io::Result<()> {
        for index in 0..entries.len() as u32 {
            let (mark, verdict) = self.one(entries, index)?;
            let entry = &mut entries[index as usize];
            if verdict == Verdict::Covered
                && let Some(top) = mark.top
            {
                entry.verdict = verdict;
                tell_of(&mut entries[top as usize], mark.refusal);
            } else {
                entry.verdict = verdict;
            }
            self.marks.push(mark);
        }
        Ok(())
    }

    fn one(&mut self, entries: &[Entry], index: u32) -> io::Result<(Mark, Verdict)> {
        let entry = &entries[index as usize];
        let above = match index {
            0 => Mark {
                keeps: self.keep == Keep::All,
                ..Mark::default()
            },
            _ => self.marks[entry.parent as usize],
        };
        let name = entry.name.to_bytes();
        let (place, output) = match index {
            0 => (Some(0), Some(0)),
            _ => (
                self.places.below(above.place, name),
                self.outputs.below(above.output, name),
            ),
        };
        let keeps = above.keeps
            || self.outputs.refusal(output).is_some()
            || self.keep == Keep::Testdata && entry.kind == Kind::Folder && name == b"testdata";
        let mut mark = Mark {
            top: above.top,
            refusal: above.refusal,
            place,
            output,
            keeps,
            becomes_repository: false,
        };
        let is_change = entry.what != What::Same && !matches!(entry.verdict, Verdict::Drop(_));
        if mark.top.is_some() {
            let verdict = match is_change {
                true if !keeps => Verdict::Drop(Dropped::NotKept),
                true if self.is_git_index(entries, entry) => Verdict::Drop(Dropped::GitIndex),
                true => Verdict::Covered,
                false => entry.verdict,
            };
            return Ok((mark, verdict));
        }
        let refusal = self.refusal(entries, index, &mut mark)?;
        if let Some(refusal) = refusal {
            mark.top = Some(index);
            mark.refusal = Some(refusal);
        } else if is_change && entry.verdict == Verdict::Conflict && !entry.is_folder_mode() {
            mark.top = Some(index);
        }
        let verdict = match refusal {
            _ if is_change && !keeps => Verdict::Drop(Dropped::NotKept),
            Some(refusal) if is_change => Verdict::Refuse(refusal),
            Some(_) => entry.verdict,
            None if is_change => self.change(entries, index, &mut mark)?,
            None => entry.verdict,
        };
        Ok((mark, verdict))
    }

    /// Git writes its index again when it has looked at files.
    fn is_git_index(&self, entries: &[Entry], entry: &Entry) -> bool {
        let above = &entries[entry.parent as usize];
        entry.kind == Kind::File
            && entry.name.as_c_str() == c"index"
            && above.name.as_c_str() == c".git"
    }

    /// Why a place is refused, whatever happens there.
    fn refusal(
        &mut self,
        entries: &[Entry],
        index: u32,
        mark: &mut Mark,
    ) -> io::Result<Option<Code>> {
        let entry = &entries[index as usize];
        let name = entry.name.to_bytes();
        let is_link = entry.kind == Kind::Symlink;
        let path = || -> PathBuf {
            let parts = names(entries, index).into_iter();
            parts
                .map(|name| OsString::from_vec(name.into_bytes()))
                .collect()
        };
        if index != 0
            && (self.names.has_everywhere(name) || self.names.refuses(name, is_link, path))
        {
            return Ok(Some(Code::ProtectedPath));
        }
        if let Some(refusal) = self.places.refusal(mark.place) {
            return Ok(Some(refusal));
        }
        let is_part = index != 0
            && self.marks[entry.parent as usize].becomes_repository
            && matches!(entry.what, What::Added | What::Replaced | What::Modified)
            && repository::is_part(entry);
        if is_part {
            return Ok(Some(Code::MakesRepository));
        }
        if entry.kind != Kind::Folder || !entry.is_staged || entry.what == What::Deleted {
            return Ok(None);
        }
        let mut real = Parts::default();
        if entry.real == Some(Kind::Folder) {
            if entry.is_closed {
                return Ok(Some(Code::UnreadableFolder));
            }
            if let Ok(folder) = self.folders.at(entries, index) {
                real = Parts::of(folder);
            }
            if real.are_whole() {
                return Ok(Some(Code::InsideRepository));
            }
        }
        let children = children(entries, entry);
        let kept = children.filter(|child| {
            mark.keeps || child.kind == Kind::Folder || self.is_output(mark, child)
        });
        if real.with(kept).are_whole() {
            if entry.real != Some(Kind::Folder) {
                return Ok(Some(Code::MakesRepository));
            }
            mark.becomes_repository = true;
        }
        Ok(None)
    }

    fn is_output(&self, mark: &Mark, child: &Entry) -> bool {
        let output = self.outputs.below(mark.output, child.name.to_bytes());
        self.outputs.refusal(output).is_some()
    }

    /// What becomes of a change at a place that is not refused.
    fn change(&mut self, entries: &[Entry], index: u32, mark: &mut Mark) -> io::Result<Verdict> {
        let entry = &entries[index as usize];
        let refusal = match entry.kind {
            _ if entry.what == What::Deleted => None,
            Kind::Device => Some(Code::DeviceNode),
            Kind::File if entry.mode & 0o6000 != 0 && entry.what != What::Times => {
                Some(Code::SetIdFile)
            }
            Kind::Symlink if self.places.is_on_the_way(mark.place) => Some(Code::HoldsProtected),
            _ => None,
        };
        if let Some(refusal) = refusal {
            mark.top = Some(index);
            mark.refusal = Some(refusal);
            return Ok(Verdict::Refuse(refusal));
        }
        let goes = entry.real == Some(Kind::Folder)
            && matches!(entry.what, What::Deleted | What::Replaced);
        if goes && entry.verdict == Verdict::Apply {
            // It has been exchanged since it was listed.
            let Ok(folder) = self.folders.at(entries, entry.parent) else {
                return Ok(Verdict::Conflict);
            };
            let held = Held {
                names: self.names,
                above: path(entries, entry.parent),
                started: self.started,
                is_protected: Cell::new(false),
            };
            let stay = delete::would_stay(folder, &entry.name, &held);
            let is_protected = held.is_protected.get()
                || stay.is_err()
                || self.holds_a_place(entries, index, mark.place);
            if is_protected {
                return Ok(Verdict::Refuse(Code::HoldsProtected));
            }
            if stay.is_ok_and(|stay| stay > 0) {
                return Ok(Verdict::Conflict);
            }
        }
        Ok(entry.verdict)
    }

    /// Whether a protected path below a folder is there.
    fn holds_a_place(&self, entries: &[Entry], index: u32, place: Option<usize>) -> bool {
        let Some(place) = place.filter(|place| self.places.is_on_the_way(Some(*place))) else {
            return false;
        };
        let above = names(entries, index);
        let above: Vec<Vec<u8>> = above.into_iter().map(CString::into_bytes).collect();
        self.places.ends_below(place).into_iter().any(|end| {
            let path = [above.as_slice(), end.as_slice()].concat();
            !matches!(Real(self.tree).look(&path), Seen::Missing)
        })
    }
}

/// Has the topmost refused folder stand for a change in it.
fn tell_of(top: &mut Entry, refusal: Option<Code>) {
    if let Some(refusal) = refusal {
        if top.what == What::Same {
            top.what = What::Modified;
        }
        top.verdict = Verdict::Refuse(refusal);
    }
}

fn children<'e>(entries: &'e [Entry], entry: &Entry) -> impl Iterator<Item = &'e Entry> {
    let (first, last) = entry.children;
    entries[first as usize..last as usize].iter()
}

/// What a folder that goes may hold that must stay.
struct Held<'a> {
    names: &'a Names,
    /// The folder that it lies in.
    above: PathBuf,
    started: Time,
    is_protected: Cell<bool>,
}

impl Spare for Held<'_> {
    fn stays(&self, name: &CStr, path: &dyn Fn() -> PathBuf, found: &Stat) -> bool {
        let path = || self.above.join(path());
        let name = name.to_bytes();
        if self.names.has_everywhere(name) || self.names.refuses(name, false, path) {
            self.is_protected.set(true);
            return true;
        }
        let is_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
        !is_folder && scan::is_newer(found, self.started)
    }

    fn folder_stays(&self, names: &[CString]) -> bool {
        let is_repository = Parts::named(names).are_whole();
        if is_repository {
            self.is_protected.set(true);
        }
        is_repository
    }
}

/// A folder that is not kept itself is made where something in it is applied.
fn make_folders_of_what_is_applied(entries: &mut [Entry]) {
    for index in (1..entries.len()).rev() {
        let entry = &entries[index];
        let parent = entry.parent as usize;
        let is_applied = entry.verdict == Verdict::Apply && entry.what != What::Same;
        let above = &mut entries[parent];
        if is_applied
            && above.verdict == Verdict::Drop(Dropped::NotKept)
            && above.what == What::Added
        {
            above.verdict = Verdict::Apply;
        }
    }
    // What was no folder before stays: it is not kept that a program has replaced it.
    for index in 1..entries.len() {
        let above = &entries[entries[index].parent as usize];
        let stays = above.verdict == Verdict::Drop(Dropped::NotKept)
            && matches!(above.what, What::Added | What::Replaced);
        let entry = &mut entries[index];
        if stays && entry.verdict == Verdict::Apply {
            entry.verdict = Verdict::Drop(Dropped::NotKept);
        }
    }
}
