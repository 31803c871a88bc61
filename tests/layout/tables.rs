//! The rules' tables: who may see whom, and the exceptions, which only get fewer.

/// Rooms, and the rooms of this crate that each may name.
#[rustfmt::skip]
pub const MAY_SEE: [(&str, &[&str]); 24] = [
    ("sys", &[]),
    ("text", &[]),
    ("paths", &[]),
    ("policy", &["paths"]),
    ("refusal", &["policy"]),
    ("record", &["refusal"]),
    ("finding", &["paths", "text"]),
    ("audit", &["files", "finding", "go", "paths", "policy"]),
    ("files", &["host", "paths", "sys"]),
    ("profile", &["files", "policy", "refusal", "text"]),
    ("go", &["files", "paths", "policy", "refusal", "text"]),
    ("host", &["paths", "sys"]),
    ("plan", &["changes", "files", "grants", "host", "paths", "policy", "refusal", "text"]),
    ("enforce", &["files", "plan", "policy", "sys"]),
    ("notify", &["sys"]),
    ("changes", &["paths", "policy", "refusal", "sys", "text"]),
    ("gateway", &["paths", "policy", "record", "refusal", "text", "web"]),
    ("web", &["files", "paths", "policy", "text"]),
    ("generate", &["grants", "policy", "refusal", "text"]),
    ("launch", &["enforce", "files", "gateway", "notify", "plan", "policy", "refusal", "sys"]),
    ("run", &["changes", "files", "gateway", "generate", "go", "host", "launch", "paths", "plan", "policy", "profile", "record", "refusal", "text"]),
    ("cli", &["audit", "changes", "files", "finding", "gateway", "generate", "go", "host", "launch", "paths", "plan", "policy", "profile", "refusal", "run", "text"]),
    ("grants", &["policy"]),
    ("main", &["cli"]),
];

/// A room, another that it may see only by what a third hands on, and that third.
pub const HANDED_ON: [(&str, &str, &str); 4] = [
    ("cli", "enforce", "launch"),
    ("enforce", "host", "plan"),
    ("run", "enforce", "launch"),
    ("run", "web", "gateway"),
];

/// Files above the limit, and how long they are.
#[rustfmt::skip]
pub const LONG_FILES: [(&str, usize); 0] = [];

/// Functions above the limit, and how long they are.
#[rustfmt::skip]
pub const LONG_FUNCTIONS: [(&str, usize); 0] = [];

/// Where paths are changed outside `files`, and why nobody else decides what they lead to.
#[rustfmt::skip]
pub const CHANGE_PATHS: [(&str, &str); 11] = [
    ("changes/", "as the tree's owner, or /proc/self/fd of a descriptor"),
    ("cli/auto/", "installs for the machine: /etc, and a new folder of root's in /tmp"),
    ("enforce/cgroup.rs", "the cgroup file system"),
    ("enforce/mandatory.rs", "/proc/self/attr"),
    ("enforce/self_check.rs", "a confined process, which must not succeed"),
    ("host/mandatory.rs", "/proc/self/attr"),
    ("launch/init.rs", "the run's own folders, and the mount view"),
    ("launch/placeholder/", "records, in the folder of all runs"),
    ("launch/remove.rs", "/proc/self/fd of a descriptor"),
    ("launch/wrapper.rs", "the sandbox user's process"),
    ("notify/metadata.rs", "/proc/self/fd of a descriptor"),
];

/// Where paths are opened or looked at outside `files`, and why nobody else decides what they lead
/// to.
#[rustfmt::skip]
pub const LOOK_AT_PATHS: [(&str, &str); 31] = [
    ("changes/", "records in the folder of all runs, or as the tree's owner"),
    ("cli/auto/", "/sys, and what is installed for the machine in /etc"),
    ("cli/doctor.rs", "/proc/sys"),
    ("run/audit.rs", "whether a missing name is a link; what is opened is judged again"),
    ("run/fetch.rs", "a toolchain that the run has just fetched"),
    ("run/plan/prepare.rs", "/proc/self/exe"),
    ("run/scratch.rs", "/tmp and /var/tmp"),
    ("run/site.rs", "/proc/self/exe"),
    ("run/stage.rs", "/proc/self/mountinfo"),
    ("enforce/cgroup.rs", "the cgroup file system"),
    ("enforce/mandatory.rs", "/proc/self/attr"),
    ("enforce/namespaces.rs", "/proc"),
    ("enforce/self_check.rs", "a confined process"),
    ("gateway/peer.rs", "/proc/net"),
    ("go/dirhash.rs", "a toolchain, of which only a digest is kept"),
    ("host/accounts.rs", "/etc/passwd and /etc/group"),
    ("host/cgroups.rs", "/proc and the cgroup file system"),
    ("host/mandatory.rs", "/sys and /proc"),
    ("host/notification.rs", "/proc/sys"),
    ("launch/descendants.rs", "/proc"),
    ("launch/gate.rs", "/proc"),
    ("launch/listening.rs", "/proc"),
    ("launch/placeholder/", "records, in the folder of all runs"),
    ("launch/streams.rs", "/dev/tty"),
    ("launch/wrapper.rs", "the sandbox user's process"),
    ("notify/", "/proc, and as the caller or with its identity"),
    ("plan/libraries.rs", "folders of the system, which only root changes"),
    ("plan/programs.rs", "folders of the system, which only root changes"),
    ("plan/system.rs", "folders of the system, which only root changes"),
    ("plan/tree.rs", "whether the tree's top can be written"),
    ("sys/", "/proc, and the step that `files` walks by"),
];

/// How many calls a file has of methods that look at a path ([`crate::paths::methods`]).
#[rustfmt::skip]
pub const LOOKING_METHODS: [(&str, usize); 23] = [
    ("cli/auto/apparmor.rs", 3),
    ("enforce/mandatory.rs", 1),
    ("go/dirhash.rs", 3),
    ("go/gitdirs.rs", 1),
    ("go/mod.rs", 3),
    ("go/toolchain.rs", 2),
    ("go/trust.rs", 2),
    ("go/vcs.rs", 4),
    ("host/cgroups.rs", 1),
    ("launch/wrapper.rs", 2),
    ("plan/libraries.rs", 3),
    ("plan/links.rs", 3),
    ("plan/programs.rs", 2),
    ("plan/system.rs", 2),
    ("plan/tree.rs", 1),
    ("profile/load.rs", 3),
    ("run/audit.rs", 2),
    ("run/folders.rs", 3),
    ("run/git.rs", 1),
    ("run/links.rs", 3),
    ("run/protected.rs", 1),
    ("run/verify.rs", 3),
    ("web/folder.rs", 2),
];

/// Tests that write scripts themselves, and why nothing executes them.
pub const SCRIPTS_NEVER_RUN: [(&str, &str); 1] =
    [("network/loose.rs", "a file of a toolchain that is compared")];
