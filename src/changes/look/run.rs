//! The look of one run, from before its start to after its end.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use super::super::error::{Doing as _, Error};
use super::super::owner;
use super::after::{self, IsOwn};
use super::record::{Held, LookRecord, open_locked, open_tree};
use super::report::Report;

/// The look after a run, which is to be done when nothing of the run is alive.
#[derive(Debug)]
pub struct Look {
    tree: OwnedFd,
    record: LookRecord,
    held: Option<Held>,
    /// Whether the launcher of the run was killed.
    is_late: bool,
}

impl Look {
    /// Keeps the work tree open for the look.
    ///
    /// # Errors
    /// It was exchanged since it was looked at.
    pub fn begin(record: LookRecord) -> Result<Look, Error> {
        let tree = open_same(&record)?;
        Ok(Look {
            tree,
            record,
            held: None,
            is_late: false,
        })
    }

    /// Writes the record to the disk, in the folder of all runs, for a launcher that is killed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_down(&mut self, base: &Path) -> Result<(), Error> {
        let doing = || format!("write down in {} what is to be looked at", base.display());
        self.held = Some(Held::write(base, &self.record).doing(doing)?);
        Ok(())
    }

    /// Opens the look of an earlier run, whose launcher was killed.
    ///
    /// # Errors
    /// [`Error::Running`]: the run has not ended, or another process looks. The work tree is not the one any
    /// more, or the record cannot be read.
    pub fn open(file: &Path) -> Result<Look, Error> {
        let (held, record) = open_locked(file, true)?;
        let tree = open_same(&record)?;
        Ok(Look {
            tree,
            record,
            held: Some(held),
            is_late: true,
        })
    }

    /// What was written down.
    pub fn record(&self) -> &LookRecord {
        &self.record
    }

    /// Names what has come, and changes nothing.
    ///
    /// # Errors
    /// The process of the run's user has failed.
    pub fn show(&self) -> Result<Report, Error> {
        owner::as_user(self.record.identity, || {
            let is_decoy = |path: &Path| self.record.decoys.iter().any(|decoy| decoy == path);
            Ok(after::look(
                self.tree.as_fd(),
                &self.record.before,
                false,
                &is_decoy,
            ))
        })
    }

    /// Looks, and moves away what has come, but for what `is_own` says is the launcher's. Paths are relative to
    /// the work tree. The record is removed once everything was looked at and nothing stayed.
    ///
    /// # Errors
    /// The process of the run's user has failed. The record stays.
    pub fn end(self, is_own: IsOwn<'_>) -> Result<Report, Error> {
        let before = &self.record.before;
        let tree = self.tree.as_fd();
        // Nothing to list, and no other process to start for that.
        if before.scope.roots.is_empty() && after::look(tree, before, false, is_own).is_empty() {
            return Ok(self.finish(Report::default()));
        }
        let report = owner::as_user(self.record.identity, || {
            if self.is_late {
                after::remove_decoys(tree, &self.record.decoys);
            }
            Ok(after::look(tree, before, true, is_own))
        })?;
        Ok(self.finish(report))
    }

    fn finish(self, report: Report) -> Report {
        if let (Some(held), true) = (self.held, report.stayed.is_empty()) {
            held.remove();
        }
        report
    }
}

fn open_same(record: &LookRecord) -> Result<OwnedFd, Error> {
    let expected = &record.before.tree;
    let (tree, id) = open_tree(&expected.path)?;
    match id.is(expected) {
        true => Ok(tree),
        false => Err(Error::OtherTree {
            tree: expected.path.clone(),
        }),
    }
}
