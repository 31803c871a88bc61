//! `--audit-log`: opened before anything runs, where nothing inside can write it.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use crate::paths::clean;
use crate::plan::inputs::leads_out;
use crate::plan::{Isolation, Node, Plan};
use crate::policy::{Access, is_device};
use crate::text::visible;

/// Version of a line's schema, which is the gateway's.
const SCHEMA: u32 = 1;

/// The log.
#[derive(Debug)]
pub(super) struct Audit {
    file: File,
    named: PathBuf,
    path: PathBuf,
    /// Not yet where a link leads there, of which only the work tree tells whose it is.
    settled: Cell<bool>,
}

impl Audit {
    /// Opens the file for appending, or makes it: not where a link leads to what is not there.
    pub fn open(path: &Path) -> anyhow::Result<Audit> {
        let is_link = path
            .symlink_metadata()
            .is_ok_and(|found| found.is_symlink());
        let open = || {
            let file = OpenOptions::new()
                .append(true)
                .create(!is_link)
                .mode(0o600)
                .custom_flags(libc::O_NOCTTY)
                .open(path)?;
            let named = clean(&std::path::absolute(path)?);
            let path = path.canonicalize()?;
            Ok(Audit {
                file,
                settled: Cell::new(path == named),
                named,
                path,
            })
        };
        let opened: std::io::Result<Audit> = open();
        opened.with_context(|| format!("cannot open the audit log {}", path.display()))
    }

    /// Makes sure that no link of the work tree's own has led there. Nothing is written before.
    pub fn settle(&self, tree: Option<&Path>) -> anyhow::Result<()> {
        if tree.is_some_and(|tree| leads_out(&self.named, &self.path, tree)) {
            bail!(
                "cannot use the audit log {}: a symbolic link in the work tree leads out of it; remove the link",
                self.named.display()
            );
        }
        self.settled.set(true);
        Ok(())
    }

    /// For the gateway, which writes a line for every fetch.
    pub fn file(&self) -> anyhow::Result<File> {
        let twice = self.file.try_clone();
        twice.with_context(|| format!("cannot use the audit log {}", self.path.display()))
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
        match written.find(|folder| self.path.starts_with(folder) && !is_own(folder)) {
            Some(folder) => bail!(
                "cannot use the audit log {}: the run can write {}; name a file elsewhere",
                self.path.display(),
                folder.display()
            ),
            None => Ok(()),
        }
    }

    /// A run that did not start. A log that cannot be written does not hide why.
    pub fn refused(&self, reason: &str) {
        if !self.settled.get() {
            return;
        }
        let line = json!({
            "schema": SCHEMA,
            "time": format!("{:.3}", jiff::Timestamp::now()),
            "event": "run-refused",
            "reason": visible(reason),
        });
        let _full = (&self.file).write_all(format!("{line}\n").as_bytes());
    }
}
