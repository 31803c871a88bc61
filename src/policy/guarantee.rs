//! What a user can rely on, and the layers that hold it.

use serde::{Deserialize, Serialize};

/// What a user can rely on, whichever layer holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Nothing inside can write GOROOT.
    GorootUnwritable,
    /// Files that the policy does not grant cannot be read.
    SecretsUnreadable,
    /// Code of the source cannot write GOCACHE or GOMODCACHE.
    CachesUnpoisonable,
    /// `.git`, `.github` and the like cannot be written.
    ProtectedPaths,
    /// No network but loopback inside, and what the policy names.
    NetworkContained,
    /// Processes outside cannot be signalled, traced or read.
    ProcessesUntouchable,
    /// No user id, capability or set-id program gives more rights than the sandbox user has.
    NoPrivilege,
    /// System calls that no Go build needs are refused.
    SmallKernelSurface,
}

impl Guarantee {
    /// Every guarantee, in the order in which they are shown.
    pub const ALL: [Guarantee; 8] = [
        Guarantee::GorootUnwritable,
        Guarantee::SecretsUnreadable,
        Guarantee::CachesUnpoisonable,
        Guarantee::ProtectedPaths,
        Guarantee::NetworkContained,
        Guarantee::ProcessesUntouchable,
        Guarantee::NoPrivilege,
        Guarantee::SmallKernelSurface,
    ];

    /// The word used in profiles, reports and messages.
    pub fn word(self) -> &'static str {
        match self {
            Guarantee::GorootUnwritable => "goroot-unwritable",
            Guarantee::SecretsUnreadable => "secrets-unreadable",
            Guarantee::CachesUnpoisonable => "caches-unpoisonable",
            Guarantee::ProtectedPaths => "protected-paths",
            Guarantee::NetworkContained => "network-contained",
            Guarantee::ProcessesUntouchable => "processes-untouchable",
            Guarantee::NoPrivilege => "no-privilege",
            Guarantee::SmallKernelSurface => "small-kernel-surface",
        }
    }
}

/// A mechanism, in the order in which they are put in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Descriptors of 3 and above are closed.
    Descriptors,
    /// The environment is rebuilt from nothing.
    Environment,
    /// Resource limits: rlimits, and a cgroup where asked for.
    Limits,
    /// A session keyring of its own.
    Keyring,
    /// User, mount, pid, net, ipc, uts and cgroup namespaces.
    Namespaces,
    /// A root file system made from nothing.
    MountView,
    /// A user that is not root.
    Identity,
    /// Every capability set is empty.
    Capabilities,
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs,
    /// An AppArmor profile that is switched to at exec.
    Apparmor,
    /// An SELinux domain that is switched to at exec.
    Selinux,
    /// Landlock rules on files and scopes.
    Landlock,
    /// A seccomp filter.
    Seccomp,
}

impl Layer {
    /// Every layer, in the order in which they go on.
    pub const ALL: [Layer; 13] = [
        Layer::Descriptors,
        Layer::Environment,
        Layer::Limits,
        Layer::Keyring,
        Layer::Namespaces,
        Layer::MountView,
        Layer::Identity,
        Layer::Capabilities,
        Layer::NoNewPrivs,
        Layer::Apparmor,
        Layer::Selinux,
        Layer::Landlock,
        Layer::Seccomp,
    ];

    /// Whether a policy asks for it by the name of a profile or domain ([`Mandatory`]), and not by how
    /// much it is wanted.
    pub fn is_by_name(self) -> bool {
        matches!(self, Layer::Apparmor | Layer::Selinux)
    }

    /// The layers that a policy asks for by how much they are wanted.
    pub fn by_need() -> impl Iterator<Item = Layer> {
        Layer::ALL.into_iter().filter(|layer| !layer.is_by_name())
    }

    /// The word used in profiles, `--require`, reports and messages.
    pub fn word(self) -> &'static str {
        match self {
            Layer::Descriptors => "descriptors",
            Layer::Environment => "environment",
            Layer::Limits => "limits",
            Layer::Keyring => "keyring",
            Layer::Namespaces => "namespaces",
            Layer::MountView => "mount-view",
            Layer::Identity => "identity",
            Layer::Capabilities => "capabilities",
            Layer::NoNewPrivs => "no-new-privs",
            Layer::Apparmor => "apparmor",
            Layer::Selinux => "selinux",
            Layer::Landlock => "landlock",
            Layer::Seccomp => "seccomp",
        }
    }
}

/// How much a guarantee or a layer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// Not asked for.
    Off,
    /// Used where it can be had; reported where not.
    Preferred,
    /// No run without it.
    Required,
}

impl Requirement {
    /// Every requirement, the weakest first.
    pub const ALL: [Requirement; 3] = [
        Requirement::Off,
        Requirement::Preferred,
        Requirement::Required,
    ];

    /// The word used in profiles, reports and messages.
    pub fn word(self) -> &'static str {
        match self {
            Requirement::Off => "off",
            Requirement::Preferred => "preferred",
            Requirement::Required => "required",
        }
    }
}
