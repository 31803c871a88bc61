//! The checks on arguments, one constant a call. The first clause that applies decides.

use super::{Action, Clause, Test, any_bit, int, long, masked};

const fn allow(tests: &'static [Test]) -> Clause {
    Clause {
        tests,
        action: Action::Allow,
    }
}

const fn refuse(tests: &'static [Test], errno: i32) -> Clause {
    Clause {
        tests,
        action: Action::Errno(errno as u16),
    }
}

const fn notify(tests: &'static [Test]) -> Clause {
    Clause {
        tests,
        action: Action::Notify,
    }
}

/// S_ISUID and S_ISGID. On an id-mapped mount a set-user-id file that the sandbox makes can be
/// root's on disk, whatever the mount's nosuid says.
const SET_ID: u64 = 0o6000;
/// O_CREAT and __O_TMPFILE: only with these does open look at its mode, which callers leave
/// uninitialised otherwise.
const CREATES: u64 = 0o100 | 0o20_000_000;

/// open: no set-id bit in the mode of a new file.
pub const OPEN: &[Clause] = &[refuse(
    &[any_bit(1, CREATES), any_bit(2, SET_ID)],
    libc::EPERM,
)];
/// openat: as [`OPEN`].
pub const OPENAT: &[Clause] = &[refuse(
    &[any_bit(2, CREATES), any_bit(3, SET_ID)],
    libc::EPERM,
)];
/// No set-id bit in a mode that is argument 1.
pub const SET_ID_1: &[Clause] = &[refuse(&[any_bit(1, SET_ID)], libc::EPERM)];
/// No set-id bit in a mode that is argument 2.
pub const SET_ID_2: &[Clause] = &[refuse(&[any_bit(2, SET_ID)], libc::EPERM)];

/// S_IFMT and the set-id bits.
const NODE: u64 = 0o170_000 | SET_ID;
/// No type (a regular file), S_IFIFO, S_IFREG, S_IFSOCK: no devices, no set-id bits.
const NODES: &[u64] = &[0, 0o010_000, 0o100_000, 0o140_000];
/// mknod: regular files, FIFOs and sockets.
pub const MKNOD: &[Clause] = &[allow(&[masked(1, NODE, NODES)])];
/// mknodat: as [`MKNOD`].
pub const MKNODAT: &[Clause] = &[allow(&[masked(2, NODE, NODES)])];

/// renameat2: RENAME_WHITEOUT leaves a device node where the file was.
pub const RENAMEAT2: &[Clause] = &[refuse(&[any_bit(4, 4)], libc::EINVAL)];

/// fcntl: F_SETOWN, F_SETSIG and F_SETOWN_EX send signals to any process or group without a kill
/// that could be looked at; F_SETLEASE and F_SETDELEG (Linux 6.19) hold up others' opens and more. F_SETFL with
/// O_ASYNC needs no owner to be set on a terminal: its input is a SIGIO for the caller's process group, also after
/// the run.
pub const FCNTL: &[Clause] = &[
    refuse(&[int(1, &[8, 10, 15, 1024, 1040])], libc::EPERM),
    refuse(&[int(1, &[4]), any_bit(2, 0o20_000)], libc::EPERM),
];

/// ioctl: the requests that terminals, shells, cp and net.Interfaces make. Others are answered
/// as for a file that has no such request (ENOTTY), the notorious ones with EPERM.
#[rustfmt::skip]
pub const IOCTL: &[Clause] = &[
    allow(&[int(1, &[
        0x5401, 0x5402, 0x5403, 0x5404, // TCGETS, TCSETS, TCSETSW, TCSETSF
        0x5413, 0x5414, // TIOCGWINSZ, TIOCSWINSZ
        0x540f, 0x5410, 0x5429, // TIOCGPGRP, TIOCSPGRP, TIOCGSID
        0x541b, 0x5421, 0x5450, 0x5451, // FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
        0x5409, 0x540a, 0x540b, 0x5425, // TCSBRK, TCXONC, TCFLSH, TCSBRKP
        0x5405, 0x5406, 0x5407, 0x5408, // TCGETA, TCSETA, TCSETAW, TCSETAF
        0x540c, 0x540d, 0x540e, 0x5422, // TIOCEXCL, TIOCNXCL, TIOCSCTTY, TIOCNOTTY
        0x5411, 0x5420, 0x5424, 0x5460, // TIOCOUTQ, TIOCPKT, TIOCGETD, FIOQSIZE
        0x8004_5430, 0x4004_5431, 0x5441, 0x8004_5432, // TIOCGPTN, TIOCSPTLCK, TIOCGPTPEER, TIOCGDEV
        0x8004_5438, 0x8004_5439, 0x8004_5440, // TIOCGPKT, TIOCGPTLCK, TIOCGEXCL
        0x802c_542a, 0x402c_542b, 0x402c_542c, 0x402c_542d, // TCGETS2, TCSETS2, TCSETSW2, TCSETSF2
        0x8906, 0x8907, 0x8905, // SIOCGSTAMP, SIOCGSTAMPNS, SIOCATMARK
        0x8910, 0x8912, 0x8913, 0x8915, 0x8919, 0x891b, // SIOCGIFNAME, CONF, FLAGS, ADDR, BRDADDR, NETMASK
        0x891d, 0x8921, 0x8927, 0x8933, 0x8942, // SIOCGIFMETRIC, MTU, HWADDR, INDEX, TXQLEN
        0x8008_6601, 0x8004_6601, 0x8008_7601, 0x801c_581f, // FS_IOC_GETFLAGS (two sizes), GETVERSION, FSGETXATTR
        0xc020_660b, 0x4004_9409, 0x4020_940d, // FS_IOC_FIEMAP, FICLONE, FICLONERANGE
    ])]),
    refuse(&[int(1, &[
        0x5412, 0x541c, 0x5423, 0x541d, // TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS
        0x8901, 0x8902, 0x5452, // FIOSETOWN, SIOCSPGRP, FIOASYNC: as F_SETOWN and O_ASYNC
        0x5437, 0x4004_5436, // TIOCVHANGUP, TIOCSIG
    ])], libc::EPERM),
];

/// CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}.
const NAMESPACES: u64 = 0x7e02_0000;
/// clone: threads and processes, no namespaces.
pub const CLONE: &[Clause] = &[refuse(&[any_bit(0, NAMESPACES)], libc::EPERM)];
/// unshare: no namespaces. CLONE_NEWTIME is 0x80, which in clone is part of the exit signal.
pub const UNSHARE: &[Clause] = &[refuse(&[any_bit(0, NAMESPACES | 0x80)], libc::EPERM)];
/// unshare where the `-exec` wrapper nests: exactly CLONE_NEWUSER and CLONE_NEWNET, with CLONE_NEWNS or
/// without.
pub const UNSHARE_NESTING: &[Clause] =
    &[allow(&[long(0, &[0x5000_0000, 0x5002_0000])]), UNSHARE[0]];

/// prctl: what runtimes and shells set on themselves. Others are answered as by an older kernel.
#[rustfmt::skip]
pub const PRCTL: &[Clause] = &[
    allow(&[int(0, &[
        15, 16, // PR_SET_NAME, PR_GET_NAME
        0x5356_4d41, // PR_SET_VMA, how runtimes name their memory
        1, 2, 3, 4, // PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE
        7, 8, 23, 24, 27, // PR_GET_KEEPCAPS, PR_SET_KEEPCAPS, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_GET_SECUREBITS
        21, 22, // PR_GET_SECCOMP, PR_SET_SECCOMP: a further filter only takes away
        29, 30, 36, 37, // PR_SET_TIMERSLACK, PR_GET_TIMERSLACK, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER
        38, 39, 41, 42, 47, // PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, PR_CAP_AMBIENT
        50, 51, 52, 53, 54, 55, 56, // PR_SVE_*, PR_*_SPECULATION_CTRL, PR_PAC_RESET_KEYS, PR_*_TAGGED_ADDR_CTRL
        65, 66, // PR_SET_MDWE, PR_GET_MDWE
    ])]),
    // PR_SET_MM, PR_SET_SECUREBITS, PR_SET_PTRACER (Yama's exception list)
    refuse(&[int(0, &[35, 28, 0x5961_6d61])], libc::EPERM),
];
/// prctl where the `-exec` wrapper nests: it locks its securebits as it gives up what
/// the user namespace gave it.
pub const PRCTL_NESTING: &[Clause] = &[PRCTL[0], allow(&[int(0, &[28])]), PRCTL[1]];

/// seccomp: SECCOMP_SET_MODE_STRICT, SECCOMP_GET_ACTION_AVAIL, SECCOMP_GET_NOTIF_SIZES, and
/// SECCOMP_SET_MODE_FILTER with TSYNC, LOG, SPEC_ALLOW or TSYNC_ESRCH but never NEW_LISTENER: a
/// process that answers others' calls is what the launcher's supervisor is for.
pub const SECCOMP: &[Clause] = &[
    allow(&[int(0, &[1]), masked(1, 0xffff_ffff & !0x17, &[0])]),
    allow(&[int(0, &[0, 2, 3])]),
];

/// personality: the query, PER_LINUX and PER_LINUX32. READ_IMPLIES_EXEC and
/// ADDR_NO_RANDOMIZE would weaken the programs that follow.
pub const PERSONALITY: &[Clause] = &[allow(&[int(0, &[0xffff_ffff, 0, 8])])];

/// setpriority: PRIO_PROCESS. PRIO_PGRP and PRIO_USER reach the caller's group, also from a pid
/// namespace.
pub const SETPRIORITY: &[Clause] = &[allow(&[int(0, &[0])])];
/// setpriority for the caller alone.
pub const SETPRIORITY_SELF: &[Clause] = &[allow(&[int(0, &[0]), int(1, &[0])])];
/// ioprio_set: IOPRIO_WHO_PROCESS.
pub const IOPRIO_SET: &[Clause] = &[allow(&[int(0, &[1])])];
/// ioprio_set for the caller alone.
pub const IOPRIO_SET_SELF: &[Clause] = &[allow(&[int(0, &[1]), int(1, &[0])])];
/// Argument 0 is a thread's or process's id. Only 0, the caller, is answered: a filter does not know the caller's id.
pub const SELF: &[Clause] = &[allow(&[int(0, &[0])])];
/// prlimit64: the caller, or without new limits any process, whose limits are read.
pub const PRLIMIT: &[Clause] = &[SELF[0], allow(&[long(2, &[0])])];

/// kill: not the caller's process group, which reaches from a pid namespace to the calling script.
pub const KILL: &[Clause] = &[refuse(&[int(0, &[0])], libc::EPERM)];
/// pidfd_send_signal: a process or a thread, not PIDFD_SIGNAL_PROCESS_GROUP (as on Linux < 6.9).
pub const PIDFD_SEND_SIGNAL: &[Clause] = &[refuse(&[any_bit(3, 4)], libc::EINVAL)];

/// PTRACE_O_SUSPEND_SECCOMP has a traced program without its filter. The kernel refuses it to a tracer that has a filter.
const SUSPEND_SECCOMP: u64 = 1 << 21;
/// ptrace: PTRACE_SETOPTIONS and PTRACE_SEIZE without that option, and every other request. A traced call is looked at by
/// the filter after its tracer has changed it (Linux 4.8), and a traced program has every filter that its tracer has.
pub const PTRACE: &[Clause] = &[refuse(
    &[int(0, &[0x4200, 0x4206]), any_bit(3, SUSPEND_SECCOMP)],
    libc::EPERM,
)];

const UNIX: Test = int(0, &[1]);
const INTERNET: Test = int(0, &[2, 10]);
/// Without SOCK_NONBLOCK and SOCK_CLOEXEC, which share the argument.
const STREAM: Test = masked(1, 0xf, &[1]);
const DATAGRAM: Test = masked(1, 0xf, &[2]);
/// None named, or IPPROTO_TCP; MPTCP (262) and SCTP (132) are stream protocols too.
const TCP: Test = int(2, &[0, 6]);
/// None named, or IPPROTO_UDP; ICMP (1) and UDPLITE (136) are datagram protocols too.
const UDP: Test = int(2, &[0, 17]);
/// NETLINK_ROUTE only, which net.Interfaces reads.
const ROUTE: Test = int(0, &[16]);
/// For MPTCP this very error makes Go fall back to TCP for good.
const PROTOCOL: Clause = refuse(&[INTERNET, masked(1, 0xf, &[1, 2])], libc::EPROTONOSUPPORT);
/// Raw and packet sockets, as for a caller without CAP_NET_RAW.
const RAW: Clause = refuse(&[INTERNET], libc::EPERM);
const NETLINK: Clause = allow(&[ROUTE, int(2, &[0])]);
const NETLINK_OTHER: Clause = refuse(&[ROUTE], libc::EPROTONOSUPPORT);

/// socket in a net namespace.
pub const SOCKET: &[Clause] = &[
    allow(&[UNIX]),
    allow(&[INTERNET, STREAM, TCP]),
    allow(&[INTERNET, DATAGRAM, UDP]),
    PROTOCOL,
    RAW,
    NETLINK,
    NETLINK_OTHER,
];
/// socket in a net namespace, without UDP.
pub const SOCKET_NO_UDP: &[Clause] = &[
    allow(&[UNIX]),
    allow(&[INTERNET, STREAM, TCP]),
    refuse(&[INTERNET, DATAGRAM], libc::EACCES),
    PROTOCOL,
    RAW,
    NETLINK,
    NETLINK_OTHER,
];
/// socket in the host's network with nobody to decide. Unix sockets neither: neither mount view
/// nor Landlock stands before those of the host that have a path, such as docker.sock.
pub const SOCKET_NONE: &[Clause] = &[
    refuse(&[UNIX], libc::EACCES),
    refuse(&[INTERNET], libc::EACCES),
    NETLINK,
    NETLINK_OTHER,
];
/// socket in the host's network with a supervisor: it makes every socket that can have an
/// address, so that it holds a duplicate on which it performs the later calls.
pub const SOCKET_NOTIFY: &[Clause] = &[
    notify(&[UNIX]),
    notify(&[INTERNET, STREAM, TCP]),
    notify(&[INTERNET, DATAGRAM, UDP]),
    PROTOCOL,
    RAW,
    notify(&[ROUTE, int(2, &[0])]),
    NETLINK_OTHER,
];
/// socket in the host's network with a supervisor, without UDP.
pub const SOCKET_NOTIFY_NO_UDP: &[Clause] = &[
    notify(&[UNIX]),
    notify(&[INTERNET, STREAM, TCP]),
    refuse(&[INTERNET, DATAGRAM], libc::EACCES),
    PROTOCOL,
    RAW,
    notify(&[ROUTE, int(2, &[0])]),
    NETLINK_OTHER,
];
/// socketpair: unix sockets.
pub const SOCKETPAIR: &[Clause] = &[allow(&[UNIX])];

/// setsockopt: no packet filter tables (a nested user namespace would hold the capability), no
/// BPF programs, no TCP_ULP (which loads kernel TLS).
pub const SETSOCKOPT: &[Clause] = &[
    // IPT_SO_SET_*, IP6T_SO_SET_*, ARPT_SO_SET_*, EBT_SO_SET_*
    refuse(
        &[int(1, &[0, 41]), int(2, &[64, 65, 96, 97, 128, 129])],
        libc::ENOPROTOOPT,
    ),
    // SOL_TCP, TCP_ULP
    refuse(&[int(1, &[6]), int(2, &[31])], libc::ENOPROTOOPT),
    // SOL_SOCKET, SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF
    refuse(&[int(1, &[1]), int(2, &[26, 50, 51, 52])], libc::EPERM),
];
/// setsockopt in the host's network: no multicast group is joined, whatever device a socket is tied to. The
/// kernel tells the neighbours of it, and an address of a group can hold anything. ENODEV, as where no device
/// leads there.
pub const SETSOCKOPT_SHARED: &[Clause] = &[
    SETSOCKOPT[0],
    SETSOCKOPT[1],
    SETSOCKOPT[2],
    // IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP
    refuse(&[int(1, &[0]), int(2, &[35, 39, 42, 46])], libc::ENODEV),
    // IPV6_ADD_MEMBERSHIP, IPV6_JOIN_ANYCAST, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP
    refuse(&[int(1, &[41]), int(2, &[20, 27, 42, 46])], libc::ENODEV),
    // SOL_TCP, TCP_FASTOPEN_CONNECT: connects when the first data is written, long after the supervisor has
    // looked whose the port is. EOPNOTSUPP, as where the host has it switched off.
    refuse(&[int(1, &[6]), int(2, &[30])], libc::EOPNOTSUPP),
];

/// MSG_FASTOPEN connects while sending, past any rule on connect.
const FAST_OPEN: u64 = 0x2000_0000;
/// sendto: no fast open (as where the host has it switched off).
pub const SENDTO: &[Clause] = &[refuse(&[any_bit(3, FAST_OPEN)], libc::EOPNOTSUPP)];
/// sendmsg: as [`SENDTO`].
pub const SENDMSG: &[Clause] = &[refuse(&[any_bit(2, FAST_OPEN)], libc::EOPNOTSUPP)];
/// sendmmsg: as [`SENDTO`].
pub const SENDMMSG: &[Clause] = &[refuse(&[any_bit(3, FAST_OPEN)], libc::EOPNOTSUPP)];
/// sendto with a supervisor: it decides where there is an address.
pub const SENDTO_NOTIFY: &[Clause] = &[SENDTO[0], allow(&[long(4, &[0])])];

/// ioctl where the `-exec` wrapper nests: SIOCSIFFLAGS brings its loopback up, SIOCSIFADDR and
/// SIOCSIFNETMASK give it one more address.
pub const IOCTL_NESTING: &[Clause] = &[
    allow(&[int(1, &[0x8914, 0x8916, 0x891c])]),
    IOCTL[0],
    IOCTL[1],
];
