//! What is done with a stage as a whole: list, apply.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, Mode};

use super::change::{Entry, Kind, Verdict, What, path};
use super::error::{Doing, Error};
use super::folders::Folders;
use super::journal::{Journal, Line};
use super::land::{self, Land};
use super::places::Names;
use super::steps::step;
use super::{Changes, Landed, Stage, State, judge, open, owner, scan};

impl Stage {
    /// Lists the changes and judges them. Nothing is applied.
    ///
    /// # Errors
    /// Where the stage or the work tree cannot be read.
    pub fn changes(&self) -> Result<Changes, Error> {
        if self.is_untouched()? {
            return Ok(Changes::default());
        }
        let journal = self.journal()?;
        owner::as_user(self.record().identity, || self.listed(&journal))
    }

    /// Applies the changes that may be, and removes from the stage what is applied or dropped. The
    /// stage is removed where nothing is left in it.
    ///
    /// A change that fails is reported in [`Landed::failed`], and the others are applied. After a
    /// kill at any moment, the same call on the stage opened again finishes.
    ///
    /// # Errors
    /// Where the changes cannot be listed. Nothing was applied then.
    pub fn apply(self) -> Result<Landed, Error> {
        if self.is_untouched()? && !self.has_journal() {
            self.discard()?;
            return Ok(Landed::default());
        }
        self.forget();
        let journal = self.journal()?;
        let landed = owner::as_user(self.record().identity, || self.landed(journal))?;
        if landed.is_left {
            let count = |wanted: fn(Verdict) -> bool| landed.changes.count(wanted) as u64;
            self.note(&State {
                is_for_review: false,
                refused: count(|verdict| matches!(verdict, Verdict::Refuse(_))),
                conflicts: count(|verdict| verdict == Verdict::Conflict),
                failed: landed.failed.len() as u64,
            });
        } else {
            // Everything has landed. What cannot be removed is removed by a later run.
            let _later = self.discard();
        }
        Ok(landed)
    }

    /// Whether programs have written nothing, at the cost of one listing.
    ///
    /// # Errors
    /// Where the stage cannot be read.
    pub fn is_untouched(&self) -> Result<bool, Error> {
        match open::is_empty(self.upper.as_fd()) {
            // A program has taken the rights from the folder.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            listed => listed.doing(|| format!("list {}", self.upper().display())),
        }
    }

    fn has_journal(&self) -> bool {
        fs::statat(&self.at, "journal", AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    pub(super) fn journal(&self) -> Result<Journal, Error> {
        Journal::open(self.at.as_fd())
            .doing(|| format!("open {}", self.folder().join("journal").display()))
    }

    pub(super) fn listed(&self, journal: &Journal) -> Result<Changes, Error> {
        let record = self.record();
        let (upper, tree) = (self.upper.as_fd(), self.tree.as_fd());
        let mut entries = scan::scan(upper, tree, journal, record.started)?;
        judge::judge(
            &mut entries,
            &record.rules,
            record.started,
            tree,
            &record.tree,
        )
        .doing(|| "judge the changes".to_owned())?;
        Ok(Changes { entries })
    }

    fn landed(&self, journal: Journal) -> Result<Landed, Error> {
        let record = self.record();
        let names = Names::new(&record.rules.protected_names);
        let (upper, tree) = (self.upper.as_fd(), self.tree.as_fd());
        let land = Land {
            top: tree,
            upper: Folders::of_stage(upper, &journal),
            tree: Folders::of_tree(tree),
            journal: &journal,
            names: &names,
            started: record.started,
            owned_by_root: record.owned_by_root,
            touched: RefCell::new(HashSet::new()),
            copies: false,
            copied: HashMap::new(),
            opened: HashMap::new(),
            failed: Vec::new(),
            above: RefCell::default(),
        };
        undo(tree, &journal, &land);
        let mut changes = self.listed(&journal)?;
        write_deletions(&changes, &journal).doing(|| "write the journal".to_owned())?;
        let failed = land::land(land, &mut changes);
        let is_left = !failed.is_empty()
            || changes.count(|verdict| matches!(verdict, Verdict::Refuse(_) | Verdict::Conflict))
                > 0;
        if is_left {
            self.drop_the_rest(&changes, &journal);
        }
        Ok(Landed {
            changes,
            failed,
            is_left,
        })
    }

    /// Removes from the stage what is dropped, so that what is left is what has to be decided.
    fn drop_the_rest(&self, changes: &Changes, journal: &Journal) {
        let mut upper = Folders::of_stage(self.upper.as_fd(), journal);
        let entries = changes.entries.as_slice();
        for index in (1..entries.len()).rev() {
            let entry = &entries[index];
            let flags = match (entry.kind, entry.verdict) {
                (_, Verdict::Refuse(_) | Verdict::Conflict | Verdict::Covered) => continue,
                (Kind::Folder, _) if entry.what != What::Deleted => AtFlags::REMOVEDIR,
                (_, Verdict::Drop(_)) => AtFlags::empty(),
                _ => continue,
            };
            if !entry.is_staged {
                continue;
            }
            if let Ok(folder) = upper.at(entries, entry.parent)
                && step().is_ok()
            {
                // A folder that holds what is left stays.
                let _next_time_again = fs::unlinkat(folder, &entry.name, flags);
            }
        }
    }
}

/// Undoes what a process that was killed has not finished.
fn undo(tree: BorrowedFd<'_>, journal: &Journal, land: &Land<'_>) {
    for (folder, name) in &journal.temporaries {
        if let Some(folder) = open_below(tree, folder)
            && let Ok(name) = std::ffi::CString::new(name.as_str())
        {
            let _stays_for_the_user = match scan::look(folder.as_fd(), &name) {
                Ok(Some(found)) if scan::kind(&found) == Kind::Folder => {
                    land.delete_at(folder.as_fd(), &name).is_ok()
                }
                // New and not put in its place, or old and exchanged for what is new.
                _ => step().is_ok() && fs::unlinkat(&folder, &name, AtFlags::empty()).is_ok(),
            };
        }
    }
    for (path, mode) in &journal.tree_modes {
        if let Some(folder) = open_below(tree, path)
            && step().is_ok()
        {
            let _as_it_is = fs::chmod(open::in_proc(&folder), Mode::from_raw_mode(*mode));
        }
    }
}

/// Opens a folder of the work tree name by name.
fn open_below(tree: BorrowedFd<'_>, path: &Path) -> Option<std::os::fd::OwnedFd> {
    let mut folder = open::place(tree, c".").ok()?;
    for name in path {
        let name = std::ffi::CString::new(name.as_encoded_bytes()).ok()?;
        folder = open::place(folder.as_fd(), &name).ok()?;
    }
    Some(folder)
}

/// Writes down what opaque folders delete and which folders get another mode, before anything lands
/// in them.
fn write_deletions(changes: &Changes, journal: &Journal) -> io::Result<()> {
    if journal.deletions.is_some() {
        return Ok(());
    }
    let is_implied = |entry: &Entry| entry.what == What::Deleted && !entry.is_staged;
    let deletions = changes.indices(is_implied);
    let paths: Vec<_> = deletions
        .map(|index| path(&changes.entries, index))
        .collect();
    let is_set = |entry: &Entry| entry.is_folder_mode() && entry.verdict == Verdict::Apply;
    let modes = changes.indices(is_set);
    let modes = modes.map(|index| path(&changes.entries, index)).collect();
    let has_folders = changes.entries[1..]
        .iter()
        .any(|entry| entry.kind == Kind::Folder && entry.is_staged);
    if has_folders {
        step()?;
        journal.note(&Line::Deletions { paths, modes })?;
    }
    Ok(())
}
