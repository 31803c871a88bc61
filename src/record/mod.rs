//! What happens in a run, as one type of event: the lines of the audit log.
//!
//! [`Log`] writes events and [`read`] reads them back. docs/audit-log.md describes each field.
//! The gateway and the pipeline make events; this room decides nothing.

mod read;
mod write;

use serde::{Deserialize, Serialize};

pub use self::read::{Unread, read};
pub use self::write::Log;
use crate::refusal::{Code, Refused};

/// Version of a line: raised when a field changes its meaning or goes.
pub const SCHEMA: u32 = 2;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A file of a module has come whole.
    ModuleFetched,
    /// An upstream failed, or broke off in the middle.
    ModuleFailed,
    /// A rule refused a request for a module.
    ModuleRefused,
    /// Somebody asked the gateway without the run's token.
    AccessDenied,
    /// A tunnel leads to a host.
    TunnelOpened,
    /// A tunnel has ended.
    TunnelClosed,
    /// A host cannot be connected to.
    TunnelFailed,
    /// A rule refused a tunnel.
    TunnelRefused,
    /// A change was made in the work tree.
    ChangeApplied,
    /// A change was kept from the work tree, or taken out of it.
    ChangeRefused,
    /// The run was refused, and nothing was executed.
    RunRefused,
}

/// What has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The module gateway.
    Gateway,
    /// The launcher.
    Launcher,
}

/// One event. A field that does not apply is left out of the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Why something was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What has decided.
    #[serde(rename = "layer")]
    pub by: By,
    /// What it is about: a module, a host, a path, a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The profile's rule that decided, with its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What would allow it: an option, a line of a profile or a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What only some kinds have.
    #[serde(flatten)]
    pub detail: Detail,
}

/// Fields of events about modules and tunnels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Path of a module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `info`, `mod` or `zip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// `HOST:PORT` of a tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Address of the upstream, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The HTTP status that the go command was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Length of the file, or of what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Digest of the file as it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Bytes that went to a host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<u64>,
    /// Bytes that came from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    /// From the request to the end of the transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

impl Event {
    /// An event with no more than its kind.
    pub fn new(kind: EventKind, by: By) -> Event {
        Event {
            kind,
            code: None,
            by,
            subject: None,
            rule: None,
            remedy: None,
            reason: None,
            detail: Detail::default(),
        }
    }

    /// With the code of a refusal, and what helps in general.
    pub fn code(mut self, code: Code) -> Event {
        self.code = Some(code);
        self.remedy = Some(code.remedy().to_owned());
        self
    }

    /// With what it is about.
    pub fn subject(mut self, subject: impl Into<String>) -> Event {
        self.subject = Some(subject.into());
        self
    }

    /// With a reason in words.
    pub fn reason(mut self, reason: impl Into<String>) -> Event {
        self.reason = Some(reason.into());
        self
    }

    /// With the rule that decided.
    pub fn rule(mut self, rule: impl Into<String>) -> Event {
        self.rule = Some(rule.into());
        self
    }

    /// A run that was refused, with its command.
    pub fn run_refused(refused: &Refused, command: impl Into<String>) -> Event {
        Event {
            code: Some(refused.code()),
            remedy: Some(refused.remedies().join("; ")),
            ..Event::new(EventKind::RunRefused, By::Launcher)
                .subject(command)
                .reason(refused.message())
        }
    }
}

/// A line of the log: an event, when it happened and in which run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When it was written, RFC 3339, UTC.
    pub time: String,
    /// The run's name, which `gosandbox changes` knows too.
    pub run: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}
