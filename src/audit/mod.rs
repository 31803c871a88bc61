//! What is wrong with a machine and an account before anything is built on them.
//!
//! It reads files, modes and the environment, and runs nothing. Settings are read where they stand, so that each
//! finding has a place, and judged by one table whatever file they stand in ([`variables`]).

mod account;
mod kernel;
mod machine;
pub mod mend;
mod places;
mod releases;
mod start_up;
mod tools;
mod variables;

use std::path::{Path, PathBuf};

use crate::finding::{Finding, FindingCode, Place};

pub use self::machine::{Machine, Who};

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub code: FindingCode,
    /// What it is about: a variable, a path, a group.
    pub subject: String,
    /// The file, where it stands in one.
    pub path: Option<PathBuf>,
    /// The line there, from 1.
    pub line: Option<u32>,
    /// What was found, without secrets.
    pub message: String,
}

impl Found {
    fn at(code: FindingCode, path: &Path, line: Option<u32>, message: String) -> Found {
        Found {
            code,
            subject: path.display().to_string(),
            path: Some(path.to_owned()),
            line,
            message,
        }
    }

    fn about(code: FindingCode, subject: impl Into<String>, message: impl Into<String>) -> Found {
        Found {
            code,
            subject: subject.into(),
            path: None,
            line: None,
            message: message.into(),
        }
    }
}

impl From<&Found> for Finding {
    fn from(found: &Found) -> Finding {
        let mut finding = Finding::new(found.code, found.subject.clone(), found.message.clone());
        finding.place = found.path.as_ref().map(|path| Place {
            path: path.display().to_string(),
            line: found.line,
        });
        finding
    }
}

/// Examines a machine. What it cannot read is a finding too.
pub fn examine(machine: &Machine) -> Vec<Found> {
    let report = machine::Report::default();
    let settings = start_up::settings(machine, &report);
    variables::judge(&settings, &report);
    tools::examine(machine, &report);
    places::examine(machine, &settings, &report);
    account::examine(machine, &report);
    kernel::examine(machine, &report);
    releases::examine(machine, &report);
    let mut found = report.into_found();
    found.dedup();
    found
}

/// Where copies of mended files are kept: `$XDG_STATE_HOME/gosandbox/audit`, else `~/.local/state/gosandbox/audit`.
pub fn state() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let named = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let home = || variable("HOME").filter(|path| path.is_absolute());
    let state = named.or_else(|| Some(home()?.join(".local/state")))?;
    Some(state.join("gosandbox/audit"))
}

/// A value fit for a message: the user information of URLs is left out.
fn masked(value: &str) -> String {
    let mut shown = String::new();
    let mut rest = value;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after
            .find(['/', ',', '|', ' ', '"', '\''])
            .unwrap_or(after.len());
        let (host, tail) = after.split_at(end);
        match host.rsplit_once('@') {
            Some((_, host)) => {
                shown.push_str("***@");
                shown.push_str(host);
            }
            None => shown.push_str(host),
        }
        rest = tail;
    }
    shown.push_str(rest);
    // A proxy without a scheme: user:password@host.
    if !value.contains("://")
        && let Some((_, host)) = value.rsplit_once('@')
    {
        return format!("***@{host}");
    }
    shown
}

#[cfg(test)]
mod tests;
