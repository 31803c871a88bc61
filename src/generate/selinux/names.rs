//! The types of the module, and sets of permissions by what they are for.

/// The go command.
pub const TOOL: &str = "gosandbox_t";
/// What it builds.
pub const PROGRAM: &str = "gosandbox_program_t";
/// What it builds, started by the launcher: in a network namespace of its own, where a loopback is safe.
pub const LAUNCHED: &str = "gosandbox_launched_t";
/// Both domains of what it builds.
pub const PROGRAMS: [&str; 2] = [PROGRAM, LAUNCHED];
/// Every domain.
pub const DOMAINS: [&str; 3] = [TOOL, PROGRAM, LAUNCHED];
/// GOROOT.
pub const GOROOT: &str = "gosandbox_goroot_t";
/// GOROOT's executables.
pub const GOROOT_EXEC: &str = "gosandbox_goroot_exec_t";
/// The launcher.
pub const EXEC: &str = "gosandbox_exec_t";
/// GOCACHE.
pub const CACHE: &str = "gosandbox_cache_t";
/// GOMODCACHE.
pub const MODCACHE: &str = "gosandbox_modcache_t";
/// GOCACHE of go commands that programs run.
pub const PROGRAM_CACHE: &str = "gosandbox_program_cache_t";
/// The work tree.
pub const WORK: &str = "gosandbox_work_t";
/// `testdata` folders in it.
pub const TESTDATA: &str = "gosandbox_testdata_t";
/// Protected paths in it.
pub const PROTECTED: &str = "gosandbox_protected_t";
/// The go command's temporary files.
pub const TMP: &str = "gosandbox_tmp_t";
/// Programs' temporary files.
pub const PROGRAM_TMP: &str = "gosandbox_program_tmp_t";

pub const FILES: [&str; 11] = [
    GOROOT,
    GOROOT_EXEC,
    EXEC,
    CACHE,
    MODCACHE,
    PROGRAM_CACHE,
    WORK,
    TESTDATA,
    PROTECTED,
    TMP,
    PROGRAM_TMP,
];

/// What a container is given from the host.
pub const VOLUMES: [&str; 6] = [CACHE, MODCACHE, PROGRAM_CACHE, WORK, TESTDATA, TMP];

pub const READ_FOLDER: &[&str] = &["getattr", "ioctl", "lock", "open", "read", "search"];
pub const READ: &[&str] = &["getattr", "ioctl", "lock", "map", "open", "read"];
pub const READ_LINK: &[&str] = &["getattr", "read"];
pub const RUN: &[&str] = &[
    "execute",
    "execute_no_trans",
    "getattr",
    "ioctl",
    "map",
    "open",
    "read",
];
pub const ENTER: &[&str] = &["execute", "getattr", "map", "open", "read"];
pub const MANAGE_FOLDER: &[&str] = &[
    "add_name",
    "create",
    "getattr",
    "ioctl",
    "lock",
    "open",
    "read",
    "remove_name",
    "rename",
    "reparent",
    "rmdir",
    "search",
    "setattr",
    "write",
];
pub const MANAGE: &[&str] = &[
    "append", "create", "getattr", "ioctl", "link", "lock", "map", "open", "read", "rename",
    "setattr", "unlink", "write",
];
pub const MANAGE_LINK: &[&str] = &["create", "getattr", "read", "rename", "setattr", "unlink"];
pub const WRITE: &[&str] = &[
    "append", "create", "link", "rename", "setattr", "unlink", "write",
];
pub const WRITE_FOLDER: &[&str] = &[
    "add_name",
    "create",
    "remove_name",
    "rename",
    "reparent",
    "rmdir",
    "setattr",
    "write",
];
pub const SOCKET: &[&str] = &[
    "accept", "append", "bind", "connect", "create", "getattr", "getopt", "ioctl", "listen",
    "read", "setattr", "setopt", "shutdown", "write",
];
/// Adding and removing in a folder that is shared with others.
pub const SHARE_FOLDER: &[&str] = &[
    "add_name",
    "getattr",
    "open",
    "read",
    "remove_name",
    "search",
    "write",
];
/// Adding to a folder, and taking nothing away.
pub const ADD: &[&str] = &["add_name", "getattr", "open", "read", "search", "write"];
/// What mounting a folder takes.
pub const MOUNT: &[&str] = &["getattr", "mounton", "open", "read", "search"];
/// A process's keys, which an engine makes for it.
pub const KEYRING: &[&str] = &["create", "search", "setattr", "view"];
/// On the way to something.
pub const PASS: &[&str] = &["getattr", "search"];
/// Files of the system's.
pub const READ_ONLY: &[&str] = &["getattr", "ioctl", "lock", "open", "read"];
/// What a process is given and does not open.
pub const INHERIT: &[&str] = &["append", "getattr", "ioctl", "read", "write"];
/// A pipe between two domains' processes.
pub const SOCKET_PAIR: &[&str] = &["getattr", "read", "write"];
/// Watching and ending processes.
pub const SIGNAL: &[&str] = &[
    "getattr", "getpgid", "sigkill", "signal", "signull", "sigstop",
];
/// A process's files in /proc, and its own pipes.
pub const OWN: &[&str] = &[
    "append", "getattr", "ioctl", "lock", "open", "read", "write",
];
/// Devices.
pub const DEVICE: &[&str] = &["append", "getattr", "ioctl", "open", "read", "write"];
/// What memory may not be, and what a domain may not say of itself.
pub const NO_MEMORY: &[&str] = &["execheap", "execmem", "execstack", "setcurrent"];
/// With the environment, limits and signals of whoever starts it, as without a change of domain.
pub const TRANSITION: &[&str] = &["noatsecure", "rlimitinh", "siginh", "transition"];
pub const NNP: &[&str] = &["nnp_transition", "nosuid_transition"];
