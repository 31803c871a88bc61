//! What holds in both cages, whatever is at hand. The groups say why.

use Call::*;

use super::{Action, Call, Clause, Table, Verdict, arguments};

/// A call, and what is done with it.
pub type Row = (Call, Verdict);

pub(super) const ALLOW: Verdict = Verdict::Always(Action::Allow);
pub(super) const NOTIFY: Verdict = Verdict::Always(Action::Notify);
pub(super) const EPERM: Verdict = refused(libc::EPERM);
pub(super) const ENOSYS: Verdict = refused(libc::ENOSYS);

/// Refused with this error number, whatever the arguments are.
pub(super) const fn refused(errno: i32) -> Verdict {
    Verdict::Always(Action::Errno(errno as u16))
}

/// Decided by `clauses`, and refused with `errno` where none applies.
pub(super) const fn only(clauses: &'static [Clause], errno: i32) -> Verdict {
    Verdict::Checked {
        clauses,
        otherwise: Action::Errno(errno as u16),
    }
}

/// Decided by `clauses`, and allowed where none applies.
pub(super) const fn unless(clauses: &'static [Clause]) -> Verdict {
    Verdict::Checked {
        clauses,
        otherwise: Action::Allow,
    }
}

/// Answered: what the go command, its tools, test binaries, the shell, git, make and the base
/// tools call. None of them takes an address of the network, another process's id with effect on
/// it, or a mode that could hold a set-id bit.
#[rustfmt::skip]
pub const ALLOWED: &[Call] = &[
    // files
    read, write, readv, writev, pread64, pwrite64, preadv, pwritev, preadv2, pwritev2, close,
    close_range, lseek, dup, dup2, dup3, pipe, pipe2, sendfile, splice, tee, copy_file_range, stat,
    fstat, lstat, newfstatat, statx, statfs, fstatfs, access, faccessat, faccessat2, getdents,
    getdents64, getcwd, chdir, fchdir, readlink, readlinkat, link, linkat, symlink, symlinkat,
    unlink, unlinkat, rmdir, rename, renameat, truncate, ftruncate, fallocate, flock,
    fsync, fdatasync, sync, syncfs, sync_file_range, readahead, fadvise64, umask, chown, fchown,
    lchown, fchownat, utime, utimes, futimesat, utimensat, getxattr, lgetxattr, fgetxattr,
    listxattr, llistxattr, flistxattr, inotify_init, inotify_init1, inotify_add_watch,
    inotify_rm_watch,
    // memory
    mmap, mprotect, munmap, mremap, brk, msync, mincore, madvise, mlock, mlock2, munlock, mlockall,
    munlockall, mseal, membarrier, pkey_mprotect, pkey_alloc, pkey_free, map_shadow_stack,
    // processes and threads
    fork, vfork, execve, exit, exit_group, wait4, waitid, getpid, getppid, gettid, getpgid,
    getpgrp, setpgid, getsid, setsid, set_tid_address, set_robust_list, get_robust_list, rseq,
    restart_syscall, futex, futex_waitv, arch_prctl, getcpu, sched_yield, sched_getaffinity,
    sched_getparam, sched_getscheduler, sched_getattr, sched_get_priority_max,
    sched_get_priority_min, sched_rr_get_interval, getpriority, ioprio_get, getrusage, getrlimit,
    setrlimit, times, sysinfo, uname,
    // identity: without privilege these only give rights up
    getuid, geteuid, getgid, getegid, getgroups, getresuid, getresgid, setuid, setgid, setreuid,
    setregid, setresuid, setresgid, setfsuid, setfsgid, setgroups, capget, capset,
    landlock_create_ruleset, landlock_add_rule, landlock_restrict_self,
    // signals
    rt_sigaction, rt_sigprocmask, rt_sigreturn, rt_sigpending, rt_sigtimedwait, rt_sigsuspend,
    sigaltstack, signalfd, signalfd4, pause,
    // time and randomness
    time, gettimeofday, nanosleep, clock_gettime, clock_getres, clock_nanosleep, alarm, getitimer,
    setitimer, timer_create, timer_settime, timer_gettime, timer_getoverrun, timer_delete,
    timerfd_create, timerfd_settime, timerfd_gettime, getrandom,
    // waiting
    poll, ppoll, select, pselect6, epoll_create, epoll_create1, epoll_ctl, epoll_wait, epoll_pwait,
    epoll_pwait2, eventfd, eventfd2,
    // sockets that exist
    accept, accept4, getsockname, getpeername, getsockopt, shutdown, recvfrom, recvmsg, recvmmsg,
];

/// Refused with EPERM: these change the machine, look into or touch other processes, or open
/// large parts of the kernel that no build needs.
#[rustfmt::skip]
pub const FORBIDDEN: &[Call] = &[
    // mounts and roots
    mount, umount2, move_mount, open_tree, open_tree_attr, fsopen, fsmount, fsconfig, fspick,
    mount_setattr, pivot_root, chroot, setns,
    // other processes
    ptrace, process_vm_readv, process_vm_writev, process_madvise, process_mrelease, pidfd_getfd,
    kcmp, move_pages, migrate_pages,
    // kernel surface
    io_uring_setup, io_uring_enter, io_uring_register, bpf, userfaultfd, perf_event_open,
    add_key, request_key, keyctl, fanotify_init, fanotify_mark, mbind, get_mempolicy,
    set_mempolicy, set_mempolicy_home_node, modify_ldt, remap_file_pages,
    // past path checks: a handle names a file that no folder granted
    name_to_handle_at, open_by_handle_at,
    // the machine
    init_module, finit_module, delete_module, create_module, kexec_load, kexec_file_load, reboot,
    swapon, swapoff, acct, quotactl, quotactl_fd, settimeofday, clock_settime, adjtimex,
    clock_adjtime, sethostname, setdomainname, syslog, vhangup, iopl, ioperm, uselib, ustat, sysfs,
    lookup_dcookie,
];

/// Answered as by a kernel without them, because callers then fall back to a call that the filter
/// can look into, or do without.
#[rustfmt::skip]
pub const ABSENT: &[Call] = &[
    // flags and modes lie in memory, where a filter cannot look
    clone3, openat2,
    // a file in memory lies in no folder, so neither a mount nor Landlock could refuse to execute it
    memfd_create, memfd_secret,
    // executes an open file; the C library falls back to /proc/self/fd, where execve's rules hold
    execveat,
    // asynchronous I/O and page gifting: much code in the kernel, and nothing here uses it
    io_setup, io_submit, io_cancel, io_getevents, io_pgetevents, io_destroy, vmsplice,
];

/// Refused as on a file system that has no extended attributes, so that cp, install and tar go on
/// without. In a nested user namespace `security.capability` would make a set-id program.
#[rustfmt::skip]
pub const UNSUPPORTED: &[Call] = &[
    setxattr, lsetxattr, fsetxattr, setxattrat, removexattr, lremovexattr, fremovexattr,
    removexattrat,
];

/// Decided by their arguments.
#[rustfmt::skip]
pub const CHECKED: &[Row] = &[
    (open, unless(arguments::OPEN)),
    (openat, unless(arguments::OPENAT)),
    (creat, unless(arguments::SET_ID_1)),
    (chmod, unless(arguments::SET_ID_1)),
    (fchmod, unless(arguments::SET_ID_1)),
    (fchmodat, unless(arguments::SET_ID_2)),
    (fchmodat2, unless(arguments::SET_ID_2)),
    (mkdir, unless(arguments::SET_ID_1)),
    (mkdirat, unless(arguments::SET_ID_2)),
    (renameat2, unless(arguments::RENAMEAT2)),
    (mknod, only(arguments::MKNOD, libc::EPERM)),
    (mknodat, only(arguments::MKNODAT, libc::EPERM)),
    (fcntl, unless(arguments::FCNTL)),
    (ioctl, only(arguments::IOCTL, libc::ENOTTY)),
    (clone, unless(arguments::CLONE)),
    (unshare, unless(arguments::UNSHARE)),
    (prctl, only(arguments::PRCTL, libc::EINVAL)),
    (seccomp, only(arguments::SECCOMP, libc::EPERM)),
    (personality, only(arguments::PERSONALITY, libc::EPERM)),
    (setpriority, only(arguments::SETPRIORITY, libc::EPERM)),
    (ioprio_set, only(arguments::IOPRIO_SET, libc::EPERM)),
    (socketpair, only(arguments::SOCKETPAIR, libc::EAFNOSUPPORT)),
];

/// Every verdict before the differences of [`super::cages`]; those calls start as unknown.
pub(super) const EVERYWHERE: [Verdict; Call::ALL.len()] = {
    let mut verdicts = [Verdict::Always(Table::UNKNOWN); Call::ALL.len()];
    let groups = [
        (ALLOWED, ALLOW),
        (FORBIDDEN, EPERM),
        (ABSENT, ENOSYS),
        (UNSUPPORTED, refused(libc::EOPNOTSUPP)),
    ];
    let mut group = 0;
    while group < groups.len() {
        let (calls, verdict) = groups[group];
        let mut index = 0;
        while index < calls.len() {
            verdicts[calls[index] as usize] = verdict;
            index += 1;
        }
        group += 1;
    }
    let mut index = 0;
    while index < CHECKED.len() {
        let (call, verdict) = CHECKED[index];
        verdicts[call as usize] = verdict;
        index += 1;
    }
    verdicts
};
