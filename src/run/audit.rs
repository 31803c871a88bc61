//! `--audit-log`: opened before anything runs, where nothing inside can write it.

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::guarded::{self, Guarded};
use crate::files::{Keeper, Place};
use crate::paths::clean;
use crate::plan::{Isolation, Node, Plan};
use crate::policy::{Access, is_device};
use crate::record::{Event, Log};
use crate::refusal::{Code, OrRefuse, Refused};

/// Of a new log.
const MODE: u32 = 0o600;

/// The log.
#[derive(Debug)]
pub(super) struct Audit {
    place: Place,
    named: PathBuf,
    /// What was there already. A new file is made once its place is judged.
    file: OnceCell<File>,
    settled: Cell<bool>,
    /// The run's name.
    run: String,
}

impl Audit {
    /// Opens the file for appending, where it is there.
    ///
    /// # Errors
    /// It cannot be opened; a link leads to what is not there.
    pub fn open(path: &Path, run: &str) -> anyhow::Result<Audit> {
        let open = || -> io::Result<Audit> {
            let place = guarded::find(path, Keeper::caller(), None)?;
            let file = OnceCell::new();
            match (place.open_special()?, place.look()?) {
                (Some(special), _) => drop(file.set(special)),
                (None, Some(_)) => drop(file.set(place.append(MODE)?)),
                (None, None) if place.is_led() && !is_link_free(path)? => {
                    return Err(io::ErrorKind::NotFound.into());
                }
                (None, None) => {}
            }
            Ok(Audit {
                file,
                settled: Cell::new(false),
                named: clean(&std::path::absolute(path)?),
                place,
                run: run.to_owned(),
            })
        };
        let failed = || format!("cannot open the audit log {}", path.display());
        Ok(open()
            .or_refuse(Code::AuditLogRefused, failed)
            .map_err(elsewhere)?)
    }

    /// Makes sure that no link of the work tree's own has led there, and that it is no protected path; then makes the
    /// file. Nothing is written before.
    ///
    /// # Errors
    /// It must not be used, or cannot be made.
    pub fn settle(&self, guarded: &Guarded<'_>) -> anyhow::Result<()> {
        let failed = || format!("cannot use the audit log {}", self.named.display());
        let judged = self.judge(guarded);
        let judged = judged.or_refuse(Code::AuditLogRefused, failed);
        judged.map_err(elsewhere)?;
        self.settled.set(true);
        Ok(())
    }

    fn judge(&self, guarded: &Guarded<'_>) -> anyhow::Result<()> {
        // Walked to again, now that it is known what the work tree is.
        let place = guarded.find(&self.named)?;
        anyhow::ensure!(
            place.path() == self.place.path(),
            "what leads there was exchanged"
        );
        let is_device = self.file.get().is_some_and(|file| !is_regular(file));
        guarded.judge(&place, is_device)?;
        self.make()?;
        Ok(())
    }

    fn make(&self) -> io::Result<&File> {
        match self.file.get() {
            Some(file) => Ok(file),
            None => {
                let made = self.place.append(MODE)?;
                Ok(self.file.get_or_init(|| made))
            }
        }
    }

    /// The log itself, with the events of a run of this name.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn log(&self, run: &str) -> anyhow::Result<Log> {
        let failed = || format!("cannot use the audit log {}", self.named.display());
        let twice = self.make().and_then(File::try_clone);
        let file = twice.or_refuse(Code::AuditLogRefused, failed);
        Ok(Log::new(file.map_err(elsewhere)?, run))
    }

    /// Refuses a plan that lets anything inside write the log.
    pub fn check(&self, plan: &Plan) -> anyhow::Result<()> {
        let is_written = |access| matches!(access, Access::Write | Access::WriteExecute);
        let rules = plan.landlock.iter().flat_map(|ruleset| &ruleset.rules);
        let granted = rules
            .filter(|rule| is_written(rule.access))
            .map(|rule| rule.path.as_path());
        let nodes = match &plan.isolation {
            Isolation::Namespaces(view) => view.nodes.as_slice(),
            Isolation::Shared => &[],
        };
        let bound = nodes.iter().filter_map(|node| match node {
            Node::Bind {
                source,
                writable: true,
                ..
            } => Some(source.as_path()),
            _ => None,
        });
        // A view shows its own /dev, and nothing of the host's below it.
        let is_own = |folder: &Path| is_device(folder) || folder == Path::new("/dev/shm");
        let mut written = granted.chain(bound);
        match written.find(|folder| self.place.path().starts_with(folder) && !is_own(folder)) {
            Some(folder) => {
                let text = format!(
                    "cannot use the audit log {}: the run can write {}",
                    self.place.path().display(),
                    folder.display()
                );
                Err(elsewhere(Refused::new(Code::AuditLogRefused, text)).into())
            }
            None => Ok(()),
        }
    }

    /// A run that did not start. A log that cannot be written does not hide why.
    pub fn refused(&self, event: Event) {
        // What the work tree's links and protected names are may not be known yet.
        if !self.settled.get()
            && (self.place.is_led() || guarded::has_guarded_name(self.place.path()))
        {
            return;
        }
        if let Ok(log) = self.log(&self.run) {
            log.write(event);
        }
    }
}

fn elsewhere(refused: Refused) -> Refused {
    refused.option("--audit-log \"$HOME/gosandbox-audit.log\"")
}

fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|found| found.is_file())
}

/// Whether a missing file's own name is not that of a link.
fn is_link_free(path: &Path) -> io::Result<bool> {
    match rustix::fs::lstat(path) {
        Err(rustix::io::Errno::NOENT) => Ok(true),
        found => Ok(
            rustix::fs::FileType::from_raw_mode(found?.st_mode) != rustix::fs::FileType::Symlink
        ),
    }
}
