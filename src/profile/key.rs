//! The keys of a profile: one list, from which parsing, merging, messages and the test of
//! docs/profiles.md take their words.

use std::fmt;

use crate::policy::{Guarantee, Layer};

/// A key of a profile, such as `files.read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // each is described in docs/profiles.md, which a test compares with this list
pub enum Key {
    User,
    Read,
    Write,
    Protected,
    Test,
    Run,
    Command,
    Stage,
    Direct,
    KeepStaged,
    Execute,
    Cgo,
    Stamping,
    Race,
    Debug,
    AllowFlags,
    Upstreams,
    ChecksumDatabase,
    AllowModules,
    Deny,
    MinAge,
    Private,
    Ca,
    Pins,
    Credentials,
    ModFlag,
    Toolchains,
    Loose,
    Allow,
    Programs,
    Services,
    Publish,
    Pass,
    Set,
    Timeout,
    Memory,
    Pids,
    OpenFiles,
    Apparmor,
    Selinux,
    Layer(Layer),
    Guarantee(Guarantee),
}

impl Key {
    /// The sections, in the order in which they are shown.
    pub const SECTIONS: [&'static str; 10] = [
        "identity",
        "files",
        "programs",
        "modules",
        "toolchain",
        "network",
        "environment",
        "limits",
        "layers",
        "guarantees",
    ];

    const FIXED: [Key; 40] = [
        Key::User,
        Key::Read,
        Key::Write,
        Key::Protected,
        Key::Test,
        Key::Run,
        Key::Command,
        Key::Stage,
        Key::Direct,
        Key::KeepStaged,
        Key::Execute,
        Key::Cgo,
        Key::Stamping,
        Key::Race,
        Key::Debug,
        Key::AllowFlags,
        Key::Upstreams,
        Key::ChecksumDatabase,
        Key::AllowModules,
        Key::Deny,
        Key::MinAge,
        Key::Private,
        Key::Ca,
        Key::Pins,
        Key::Credentials,
        Key::ModFlag,
        Key::Toolchains,
        Key::Loose,
        Key::Allow,
        Key::Programs,
        Key::Services,
        Key::Publish,
        Key::Pass,
        Key::Set,
        Key::Timeout,
        Key::Memory,
        Key::Pids,
        Key::OpenFiles,
        Key::Apparmor,
        Key::Selinux,
    ];

    /// Every key, in the order in which they are shown.
    pub fn all() -> impl Iterator<Item = Key> {
        Key::FIXED
            .into_iter()
            .chain(Layer::by_need().map(Key::Layer))
            .chain(Guarantee::ALL.into_iter().map(Key::Guarantee))
    }

    /// The key of that name in that section.
    pub fn find(section: &str, name: &str) -> Option<Key> {
        Key::all().find(|key| key.section() == section && key.name() == name)
    }

    /// Whether its items may be written as numbers: ports.
    pub(super) fn takes_numbers(self) -> bool {
        matches!(self, Key::Services | Key::Publish)
    }

    /// The section that the key lies in.
    pub fn section(self) -> &'static str {
        match self {
            Key::User => "identity",
            Key::Read
            | Key::Write
            | Key::Protected
            | Key::Test
            | Key::Run
            | Key::Command
            | Key::Stage
            | Key::Direct
            | Key::KeepStaged => "files",
            Key::Execute | Key::Cgo | Key::Stamping | Key::Race | Key::Debug | Key::AllowFlags => {
                "programs"
            }
            Key::Upstreams
            | Key::ChecksumDatabase
            | Key::AllowModules
            | Key::Deny
            | Key::MinAge
            | Key::Private
            | Key::Ca
            | Key::Pins
            | Key::Credentials
            | Key::ModFlag
            | Key::Toolchains => "modules",
            Key::Loose => "toolchain",
            Key::Allow | Key::Programs | Key::Services | Key::Publish => "network",
            Key::Pass | Key::Set => "environment",
            Key::Timeout | Key::Memory | Key::Pids | Key::OpenFiles => "limits",
            Key::Apparmor | Key::Selinux | Key::Layer(_) => "layers",
            Key::Guarantee(_) => "guarantees",
        }
    }

    /// The key's name within its section.
    pub fn name(self) -> &'static str {
        match self {
            Key::User => "user",
            Key::Read => "read",
            Key::Write => "write",
            Key::Protected => "protected",
            Key::Test => "test",
            Key::Run => "run",
            Key::Command => "command",
            Key::Stage => "stage",
            Key::Direct => "direct",
            Key::KeepStaged => "keep-staged",
            Key::Execute => "execute",
            Key::Cgo => "cgo",
            Key::Stamping => "stamping",
            Key::Race => "race",
            Key::Debug => "debug",
            Key::AllowFlags => "allow-flags",
            Key::Upstreams => "upstreams",
            Key::ChecksumDatabase => "checksum-database",
            Key::AllowModules => "allow",
            Key::Deny => "deny",
            Key::MinAge => "min-age",
            Key::Private => "private",
            Key::Ca => "ca",
            Key::Pins => "pins",
            Key::Credentials => "credentials",
            Key::ModFlag => "mod-flag",
            Key::Toolchains => "toolchains",
            Key::Loose => "loose",
            Key::Allow => "allow",
            Key::Programs => "programs",
            Key::Services => "services",
            Key::Publish => "publish",
            Key::Pass => "pass",
            Key::Set => "set",
            Key::Timeout => "timeout",
            Key::Memory => "memory",
            Key::Pids => "pids",
            Key::OpenFiles => "open-files",
            Key::Apparmor => Layer::Apparmor.word(),
            Key::Selinux => Layer::Selinux.word(),
            Key::Layer(layer) => layer.word(),
            Key::Guarantee(guarantee) => guarantee.word(),
        }
    }

    /// The command-line option that changes this key, for advice in messages.
    pub fn flag(self) -> Option<&'static str> {
        Some(match self {
            Key::User => "--user",
            Key::Read => "--ro",
            Key::Write => "--rw",
            Key::Stage | Key::Direct => "--stage",
            Key::Execute => "--allow-program",
            Key::Allow => "--allow-host",
            Key::Services => "--service",
            Key::Publish => "--publish",
            Key::Pass | Key::Set => "--env",
            Key::Timeout => "--timeout",
            Key::Memory => "--memory",
            Key::Pids => "--pids",
            Key::Layer(_) => "--require",
            Key::Guarantee(_) => "--best-effort",
            _ => return None,
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.section(), self.name())
    }
}
