//! What the policy asks for, point by point, and how far a format can say it.
//!
//! The table in docs/generated/matching.md is [`table`]; a test keeps them the same.

use std::fmt;

use super::BACKENDS;
use crate::policy::Policy;

/// A thing that the policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // the words say what each is
pub enum Point {
    GorootUnwritable,
    SecretsUnreadable,
    Named,
    CachesUnpoisonable,
    WorkOfOthers,
    ProtectedThere,
    ProtectedMissing,
    Testdata,
    Executables,
    ToolNetwork,
    ProgramLoopback,
    AllowedHosts,
    Services,
    Published,
    UnixSockets,
    Processes,
    Capabilities,
    SetId,
    Namespaces,
    SystemCalls,
    Metadata,
    PrivateTemporary,
    Environment,
    Limits,
}

impl Point {
    /// Every point, in the order of the table.
    pub const ALL: [Point; 24] = [
        Point::GorootUnwritable,
        Point::SecretsUnreadable,
        Point::Named,
        Point::CachesUnpoisonable,
        Point::WorkOfOthers,
        Point::ProtectedThere,
        Point::ProtectedMissing,
        Point::Testdata,
        Point::Executables,
        Point::ToolNetwork,
        Point::ProgramLoopback,
        Point::AllowedHosts,
        Point::Services,
        Point::Published,
        Point::UnixSockets,
        Point::Processes,
        Point::Capabilities,
        Point::SetId,
        Point::Namespaces,
        Point::SystemCalls,
        Point::Metadata,
        Point::PrivateTemporary,
        Point::Environment,
        Point::Limits,
    ];

    /// The point in words.
    pub fn word(self) -> &'static str {
        match self {
            Point::GorootUnwritable => "GOROOT cannot be written",
            Point::SecretsUnreadable => "files that are not granted cannot be read",
            Point::Named => "what the policy names besides can be used",
            Point::CachesUnpoisonable => "programs cannot write GOCACHE or GOMODCACHE",
            Point::WorkOfOthers => "a test writes its own part of $WORK only",
            Point::ProtectedThere => "protected paths that exist cannot be written",
            Point::ProtectedMissing => "protected paths cannot be made",
            Point::Testdata => "a test writes the testdata of its own package only",
            Point::Executables => "only named programs are executed, compilers never",
            Point::ToolNetwork => "the go command reaches the module gateway only",
            Point::ProgramLoopback => "a program has a loopback of its own",
            Point::AllowedHosts => "allowed hosts by name",
            Point::Services => "services that programs reach, at their own ports",
            Point::Published => "ports that programs serve, on the host's loopback",
            Point::UnixSockets => "unix sockets of the host are out of reach",
            Point::Processes => "other processes cannot be signalled, traced or read",
            Point::Capabilities => "no capability",
            Point::SetId => "no set-id bit is set",
            Point::Namespaces => "no namespace is made",
            Point::SystemCalls => "system calls that no build needs are refused",
            Point::Metadata => "modes, owners and times change only where files may be written",
            Point::PrivateTemporary => "temporary files are private",
            Point::Environment => "the environment is rebuilt",
            Point::Limits => "time, memory and processes are limited",
        }
    }

    /// Whether a policy asks for it.
    pub fn is_used(self, policy: &Policy) -> bool {
        match self {
            Point::AllowedHosts => !policy.network.allow.is_empty(),
            Point::Services => !policy.network.services.is_empty(),
            Point::Published => !policy.network.publish.is_empty(),
            Point::Testdata => policy.files.test == crate::policy::TreeAccess::Testdata,
            Point::Named => !policy.files.read.is_empty() || !policy.files.write.is_empty(),
            Point::Limits => policy.limits != crate::policy::Limits::default(),
            _ => true,
        }
    }
}

/// How far a format can say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// As the policy means it.
    Exact,
    /// It lets more through, in this way.
    Wider(&'static str),
    /// It refuses more, in this way.
    Narrower(&'static str),
    /// It cannot say it; who else holds it.
    Missing(&'static str),
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fit::Exact => write!(f, "exact"),
            Fit::Wider(how) => write!(f, "wider: {how}"),
            Fit::Narrower(how) => write!(f, "narrower: {how}"),
            Fit::Missing(who) => write!(f, "not here: {who}"),
        }
    }
}

/// The table of points and backends, in Markdown.
pub fn table() -> String {
    let mut text = String::from(
        "# Which format can say what\n\nMade from the code (`generate::matching::table`). What is not exact is also a comment in the head of every\ngenerated file, and a warning when it is made.\n\n| the policy |",
    );
    for backend in BACKENDS {
        text += &format!(" {} |", backend.format());
    }
    text += "\n|---|";
    text += &"---|".repeat(BACKENDS.len());
    text += "\n";
    for point in Point::ALL {
        text += &format!("| {} |", point.word());
        for backend in BACKENDS {
            text += &format!(" {} |", backend.fit(point));
        }
        text += "\n";
    }
    text
}
