//! `--audit-log`: opened before anything runs, where nothing inside can write it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use crate::plan::{Isolation, Node, Plan};
use crate::policy::Access;
use crate::text::visible;

/// Version of a line's schema, which is the gateway's.
const SCHEMA: u32 = 1;

/// The log.
#[derive(Debug)]
pub(super) struct Audit {
    file: File,
    path: PathBuf,
}

impl Audit {
    /// Opens the file for appending, or makes it.
    pub fn open(path: &Path) -> anyhow::Result<Audit> {
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_NOCTTY)
            .open(path)
            .and_then(|file| Ok((file, path.canonicalize()?)));
        let (file, path) =
            opened.with_context(|| format!("cannot open the audit log {}", path.display()))?;
        Ok(Audit { file, path })
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
        let mut written = granted.chain(bound);
        match written.find(|folder| self.path.starts_with(folder) && !folder.starts_with("/dev")) {
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
        let line = json!({
            "schema": SCHEMA,
            "time": format!("{:.3}", jiff::Timestamp::now()),
            "event": "run-refused",
            "reason": visible(reason),
        });
        let _full = (&self.file).write_all(format!("{line}\n").as_bytes());
    }
}
