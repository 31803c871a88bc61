//! Judges the targets of new symbolic links.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use super::change::{Entry, Kind, Verdict, What, names};
use super::links::{self, Real, Seen, View};
use super::places::{Names, Places};
use super::repository;
use crate::refusal::Code;

/// Refuses links that lead out of the work tree or to something protected.
pub(super) fn judge(
    entries: &mut [Entry],
    names_protected: &Names,
    places: &Places,
    tree: BorrowedFd<'_>,
    tree_path: &Path,
) {
    let is_new_link = |entry: &Entry| {
        entry.kind == Kind::Symlink
            && entry.verdict == Verdict::Apply
            && matches!(entry.what, What::Added | What::Modified | What::Replaced)
    };
    let links = (0..entries.len()).filter(|index| is_new_link(&entries[*index]));
    let links: Vec<usize> = links.collect();
    if links.is_empty() {
        return;
    }
    let mut budget = links::BUDGET;
    let mut refused = Vec::new();
    let merged = Merged::new(entries, tree);
    for index in links {
        let entry = &entries[index];
        let text = entry
            .target
            .as_ref()
            .map_or(&b""[..], |text| text.to_bytes());
        let folder = names(entries, entry.parent);
        let folder: links::Names = folder.into_iter().map(CString::into_bytes).collect();
        let mut refusal = links::climbs(text).then_some(Code::LinkLeavesTree);
        for view in [&merged as &dyn View, &Real(tree.as_fd())] {
            let followed = links::follow(view, tree_path, &folder, text, &mut budget);
            let is_protected = |path: &links::Names| {
                // Each folder on the way is looked into.
                budget = budget.saturating_sub(10 * path.len() as u64);
                names_protected.protect(path)
                    || places.refusal_of(path).is_some()
                    || repository::is_above(tree, path)
            };
            if followed.leaves {
                refusal.get_or_insert(Code::LinkLeavesTree);
            } else if followed.passed.iter().any(is_protected) {
                refusal.get_or_insert(Code::LinkToProtected);
            }
            if budget == 0 {
                refusal.get_or_insert(Code::LinkLeavesTree);
            }
        }
        refused.extend(refusal.map(|refusal| (index, refusal)));
    }
    drop(merged);
    for (index, refusal) in refused {
        entries[index].verdict = Verdict::Refuse(refusal);
    }
}

/// The work tree as it would be with everything that is staged.
struct Merged<'a> {
    entries: &'a [Entry],
    index: HashMap<(u32, &'a [u8]), u32>,
    tree: BorrowedFd<'a>,
}

impl<'a> Merged<'a> {
    fn new(entries: &'a [Entry], tree: BorrowedFd<'a>) -> Merged<'a> {
        let named = (0..).zip(entries).skip(1);
        let index = named.map(|(index, entry)| ((entry.parent, entry.name.to_bytes()), index));
        Merged {
            entries,
            index: index.collect(),
            tree,
        }
    }
}

impl View for Merged<'_> {
    fn look(&self, path: &[Vec<u8>]) -> Seen {
        let mut at = 0;
        for name in path {
            let Some(index) = self.index.get(&(at, name.as_slice())) else {
                return match self.entries[at as usize].real {
                    Some(Kind::Folder) => Real(self.tree).look(path),
                    _ => Seen::Missing,
                };
            };
            let entry = &self.entries[*index as usize];
            match entry.kind {
                _ if entry.what == What::Deleted => return Seen::Missing,
                Kind::Folder => at = *index,
                Kind::Symlink => {
                    let text = entry.target.as_ref().map(|text| text.to_bytes().to_vec());
                    return text.map_or(Seen::Unknown, Seen::Link);
                }
                _ => return Seen::Other,
            }
        }
        Seen::Folder
    }
}
