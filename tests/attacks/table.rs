//! What is expected of each attack. What is not listed succeeds bare, for an ordinary user, and is
//! refused inside, everywhere. `control-…` succeeds everywhere.

use crate::contained::Entry;
use crate::support::Env::{self, *};

/// Attacks that only root succeeds with, bare.
pub const ROOT: &[&str] = &[
    "acct",
    "clone-newpid",
    "compiler-by-hard-link",
    "device-mknod",
    "fsopen",
    "goroot-chmod",
    "goroot-chown",
    "goroot-hard-link",
    "goroot-truncate",
    "goroot-utimes",
    "goroot-write-dirfd",
    "goroot-write-dotdot",
    "goroot-write-fd-reopen",
    "goroot-write-plain",
    "goroot-write-proc-cwd",
    "goroot-write-proc-root",
    "goroot-write-slashes",
    "goroot-write-thread-root",
    "has-capabilities",
    "is-root",
    "move-mount",
    "pivot-root",
    "reboot",
    "set-gid-0",
    "set-uid-0",
    "sethostname",
    "shadow-read",
    "socket-packet",
    "socket-raw",
    "swapon",
    "syslog",
    "unshare-net",
    "unshare-time",
];

/// Attacks that a kernel may refuse bare, and why. Inside they must be refused all the same.
pub const MAYBE: &[(&str, &str)] = &[
    (
        "has-supplementary-groups",
        "the harness gives its child none",
    ),
    (
        "device-by-whiteout",
        "since Linux 5.8, on file systems that have whiteouts",
    ),
    ("i386-getpid", "CONFIG_IA32_EMULATION may be off"),
    ("init-module", "CONFIG_MODULES may be off"),
    ("ioperm", "CONFIG_X86_IOPL_IOPERM may be off"),
    ("prctl-set-ptracer", "only where Yama is there"),
    (
        "process-1-descriptor-open",
        "process 1 may be out of root's reach",
    ),
    (
        "process-1-environ-read",
        "process 1 may be out of root's reach",
    ),
    ("process-1-mem-open", "process 1 may be out of root's reach"),
    (
        "process-1-root-enter",
        "process 1 may be out of root's reach",
    ),
    (
        "ptrace-traceme",
        "an unknown request on no process: ESRCH is all there is to see",
    ),
    ("set-id-fchmodat2", "since Linux 6.6"),
    ("setxattrat", "since Linux 6.13"),
    ("socket-alg", "CONFIG_CRYPTO_USER_API may be off"),
    ("socket-bluetooth", "CONFIG_BT may be off"),
    ("socket-can", "CONFIG_CAN may be off"),
    ("socket-key", "CONFIG_NET_KEY may be off"),
    ("socket-mptcp", "CONFIG_MPTCP may be off"),
    ("host-mptcp", "CONFIG_MPTCP may be off"),
    ("socket-ping", "net.ipv4.ping_group_range may be empty"),
    ("socket-sctp", "CONFIG_IP_SCTP may be off"),
    ("socket-vsock", "CONFIG_VSOCKETS may be off"),
    ("socket-xdp", "CONFIG_XDP_SOCKETS may be off"),
    ("host-tcp6", "IPv6 may be off"),
    ("tioclinux", "a pseudo terminal answers ENOTTY itself"),
    ("tiocsti", "dev.tty.legacy_tiocsti may be 0"),
    ("tiocsti-high-bits", "dev.tty.legacy_tiocsti may be 0"),
    ("userfaultfd", "vm.unprivileged_userfaultfd may be 0"),
    ("x32-getpid", "CONFIG_X86_X32_ABI may be off"),
    ("x32-open", "CONFIG_X86_X32_ABI may be off"),
    ("x32-ptrace", "CONFIG_X86_X32_ABI may be off"),
];

/// A try that comes to another end somewhere, for a reason.
pub struct Exception {
    pub name: &'static str,
    pub environments: &'static [Env],
    pub entries: &'static [Entry],
    pub why: &'static str,
}

const ALL: &[Env] = &Env::ALL;
/// Entries in which the attacker has a parent in its own cage.
const BELOW: &[Entry] = &[Entry::Generate, Entry::Shell];

/// Entries that may write the work tree, all or what is not protected beside it.
const WRITING: &[Entry] = &[Entry::Run, Entry::Generate, Entry::Plain, Entry::Shell];
const EVERYWHERE: &[Env] = &[User, Restricted, Root, Container, NoLandlock];

const OWN_TREE: &str = "strict lets it write the work tree, except protected paths";

/// Where the work tree is staged, and a test is one of the programs that write it.
const STAGING: &[Env] = &[User, Root, NoLandlock];
const TEST: &[Entry] = &[Entry::Test];
const STAGED: &str =
    "it is staged; the harness compares the real work tree before and after the run";

const OWN_CAGE: &str = "the shell or go generate above is in the same cage, and is no stranger";

const fn exception(
    name: &'static str,
    environments: &'static [Env],
    entries: &'static [Entry],
    why: &'static str,
) -> Exception {
    Exception {
        name,
        environments,
        entries,
        why,
    }
}

pub const EXCEPTIONS: &[Exception] = &[
    exception("source-chmod", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-chown", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-truncate", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-utimes", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-write-dirfd", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-write-dotdot", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-write-fd-reopen", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-write-plain", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-write-proc-cwd", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-write-proc-root", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-write-slashes", EVERYWHERE, WRITING, OWN_TREE),
    exception("source-write-thread-root", EVERYWHERE, WRITING, OWN_TREE),
    exception(
        "source-create",
        &[User, Root, NoLandlock],
        WRITING,
        OWN_TREE,
    ),
    exception("source-chmod", STAGING, TEST, STAGED),
    exception("source-chown", STAGING, TEST, STAGED),
    exception("source-truncate", STAGING, TEST, STAGED),
    exception("source-utimes", STAGING, TEST, STAGED),
    exception("source-write-dirfd", STAGING, TEST, STAGED),
    exception("source-write-dotdot", STAGING, TEST, STAGED),
    exception("source-write-fd-reopen", STAGING, TEST, STAGED),
    exception("source-write-plain", STAGING, TEST, STAGED),
    exception("source-write-proc-cwd", STAGING, TEST, STAGED),
    exception("source-write-proc-root", STAGING, TEST, STAGED),
    exception("source-write-slashes", STAGING, TEST, STAGED),
    exception("source-write-thread-root", STAGING, TEST, STAGED),
    exception("source-create", STAGING, TEST, STAGED),
    exception("nested-git-config-write", STAGING, &[], STAGED),
    exception("nested-git-hook-create", STAGING, &[], STAGED),
    exception("ancestor-cwd-enter", ALL, BELOW, OWN_CAGE),
    exception("ancestor-descriptor-open", ALL, BELOW, OWN_CAGE),
    exception("ancestor-environ-read", ALL, BELOW, OWN_CAGE),
    exception("ancestor-exe-open", ALL, BELOW, OWN_CAGE),
    exception("ancestor-maps-read", ALL, BELOW, OWN_CAGE),
    exception(
        "ancestor-mem-open",
        &[User, Root, NoLandlock],
        BELOW,
        OWN_CAGE,
    ),
    exception(
        "has-bounding-set",
        &[Restricted],
        &[],
        "it takes CAP_SETPCAP to empty it; no_new_privs makes it moot",
    ),
    exception(
        "interfaces-beyond-loopback",
        SHARED,
        &[],
        "there is no net namespace: names can be read",
    ),
    exception(
        "victim-cmdline-read",
        SHARED,
        &[],
        "there is no pid namespace: what /proc shows to all can be read",
    ),
];

const SHARED: &[Env] = &[Restricted, Container];
