//! What differs between the cages, and with what is at hand: read this to see the difference.

use Call::*;

use super::rows::{ALLOW, ENOSYS, EPERM, NOTIFY, Row, only, unless};
use super::{Action, Cage, Call, Network, Options, Signals, Verdict, arguments};

/// The calls with which the `-exec` wrapper, in the tool cage, makes a cage for a program within.
/// The program cage never has them.
#[rustfmt::skip]
pub const NESTING: &[(Call, Verdict, Verdict)] = &[
    // call, tool cage where the wrapper nests, otherwise
    (unshare, unless(arguments::UNSHARE_NESTING), unless(arguments::UNSHARE)),
    (mount_setattr, ALLOW, EPERM),
    (chroot, ALLOW, EPERM),
    (ioctl, only(arguments::IOCTL_NESTING, libc::ENOTTY), only(arguments::IOCTL, libc::ENOTTY)),
    (prctl, only(arguments::PRCTL_NESTING, libc::EINVAL), only(arguments::PRCTL, libc::EINVAL)),
];

/// Calls that change another process's limits or scheduling, by its id. A test shares its user and its pid namespace
/// with the go command that started it, and with init: in the program cage these calls take the caller alone.
/// Compilers in the tool cage may change each other, where no other process can be named.
#[rustfmt::skip]
pub const PROCESSES: &[(Call, Verdict, Verdict, Verdict)] = &[
    // call, tool cage in a pid namespace, program cage in one, no pid namespace
    (prlimit64, ALLOW, only(arguments::PRLIMIT, libc::EPERM), ITSELF),
    (sched_setaffinity, ALLOW, ITSELF, ITSELF),
    (sched_setparam, ALLOW, ITSELF, ITSELF),
    (sched_setscheduler, ALLOW, ITSELF, ITSELF),
    (sched_setattr, ALLOW, ITSELF, ITSELF),
    (setpriority, only(arguments::SETPRIORITY, libc::EPERM), PRIORITY, PRIORITY),
    (ioprio_set, only(arguments::IOPRIO_SET, libc::EPERM), IO_PRIORITY, IO_PRIORITY),
];
const ITSELF: Verdict = only(arguments::SELF, libc::EPERM);
const PRIORITY: Verdict = only(arguments::SETPRIORITY_SELF, libc::EPERM);
const IO_PRIORITY: Verdict = only(arguments::IOPRIO_SET_SELF, libc::EPERM);

/// System V IPC and POSIX message queues, whose objects belong to a namespace, not to a folder.
#[rustfmt::skip]
pub const IPC: &[Call] = &[
    shmget, shmat, shmdt, shmctl, semget, semop, semtimedop, semctl, msgget, msgsnd, msgrcv,
    msgctl, mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr,
];

/// Calls that send signals.
#[rustfmt::skip]
pub const SIGNALS: &[(Call, Verdict, Verdict, Verdict)] = &[
    // call, scoped, sharing a process group, any process
    (kill, ALLOW, unless(arguments::KILL), NOTIFY),
    (tkill, ALLOW, ALLOW, NOTIFY),
    (tgkill, ALLOW, ALLOW, NOTIFY),
    (rt_sigqueueinfo, ALLOW, ALLOW, NOTIFY),
    (rt_tgsigqueueinfo, ALLOW, ALLOW, NOTIFY),
    (pidfd_open, ALLOW, ALLOW, NOTIFY),
    (pidfd_send_signal, ALLOW, unless(arguments::PIDFD_SEND_SIGNAL), NOTIFY),
];

/// Calls that give a socket an address or send to one.
#[rustfmt::skip]
pub const SOCKETS: &[(Call, Verdict, Verdict)] = &[
    // call, without a supervisor, with one
    (connect, ALLOW, NOTIFY),
    (bind, ALLOW, NOTIFY),
    (listen, ALLOW, NOTIFY),
    (sendto, unless(arguments::SENDTO), Verdict::Checked { clauses: arguments::SENDTO_NOTIFY, otherwise: Action::Notify }),
    (sendmsg, unless(arguments::SENDMSG), Verdict::Checked { clauses: arguments::SENDMSG, otherwise: Action::Notify }),
    // each entry has an address in memory; callers fall back to sendmsg
    (sendmmsg, unless(arguments::SENDMMSG), ENOSYS),
];

/// Calls that change modes, owners and times, which Landlock does not know: with a supervisor it decides.
#[rustfmt::skip]
pub const METADATA: &[(Call, Verdict)] = &[
    (chmod, notify_unless(arguments::SET_ID_1)),
    (fchmod, notify_unless(arguments::SET_ID_1)),
    (fchmodat, notify_unless(arguments::SET_ID_2)),
    (fchmodat2, notify_unless(arguments::SET_ID_2)),
    (chown, NOTIFY), (fchown, NOTIFY), (lchown, NOTIFY), (fchownat, NOTIFY),
    (utime, NOTIFY), (utimes, NOTIFY), (futimesat, NOTIFY), (utimensat, NOTIFY),
];

const fn notify_unless(clauses: &'static [super::Clause]) -> Verdict {
    Verdict::Checked {
        clauses,
        otherwise: Action::Notify,
    }
}

/// The calls whose verdict depends on the cage or on what is at hand.
pub(super) fn differences(cage: Cage, options: &Options) -> impl Iterator<Item = Row> + use<> {
    let options = *options;
    let nests = options.nesting && cage == Cage::Tool;
    let supervised = options.network == Network::Notify;
    let nesting = NESTING
        .iter()
        .map(move |&(call, yes, no)| (call, if nests { yes } else { no }));
    let processes = PROCESSES.iter().map(move |&(call, tool, program, shared)| {
        (
            call,
            match (options.pid_namespace, cage) {
                (true, Cage::Tool) => tool,
                (true, Cage::Program) => program,
                (false, _) => shared,
            },
        )
    });
    let ipc = IPC
        .iter()
        .map(move |&call| (call, if options.ipc_namespace { ALLOW } else { ENOSYS }));
    let signals = SIGNALS.iter().map(move |&(call, scoped, group, any)| {
        (
            call,
            match options.signals {
                Signals::Scoped => scoped,
                Signals::Group => group,
                Signals::Notify => any,
            },
        )
    });
    let sockets = SOCKETS
        .iter()
        .map(move |&(call, alone, notify)| (call, if supervised { notify } else { alone }));
    let metadata = METADATA.iter().copied().filter(move |_| supervised);
    nesting
        .chain(metadata)
        .chain(processes)
        .chain(ipc)
        .chain(signals)
        .chain(sockets)
        .chain([
            (
                ptrace,
                if options.debug {
                    unless(arguments::PTRACE)
                } else {
                    EPERM
                },
            ),
            (socket, only(socket_clauses(&options), libc::EAFNOSUPPORT)),
            (setsockopt, unless(setsockopt_clauses(&options))),
        ])
}

fn setsockopt_clauses(options: &Options) -> &'static [super::Clause] {
    match options.network {
        Network::Namespace => arguments::SETSOCKOPT,
        Network::None | Network::Notify => arguments::SETSOCKOPT_SHARED,
    }
}

fn socket_clauses(options: &Options) -> &'static [super::Clause] {
    match (options.network, options.udp) {
        (Network::Namespace, true) => arguments::SOCKET,
        (Network::Namespace, false) => arguments::SOCKET_NO_UDP,
        (Network::None, _) => arguments::SOCKET_NONE,
        (Network::Notify, true) => arguments::SOCKET_NOTIFY,
        (Network::Notify, false) => arguments::SOCKET_NOTIFY_NO_UDP,
    }
}
