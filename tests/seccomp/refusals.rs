//! Each attack works bare and is refused inside.

use super::*;

#[test]
fn set_id_bits_are_refused_in_every_call_that_takes_a_mode() {
    for call in [
        "chmod",
        "fchmod",
        "fchmodat",
        "fchmodat2",
        "open",
        "openat",
        "creat",
        "mknod",
        "mknodat",
        "tmpfile",
    ] {
        for bits in ["setuid", "setgid"] {
            refused_and_works_bare(&format!("{call} {bits}"), libc::EPERM);
        }
    }
    refused_and_works_bare("mkdir setgid", libc::EPERM);
    refused_and_works_bare("mkdirat setgid", libc::EPERM);
    refused_and_works_bare("openat2", libc::ENOSYS);
}

#[test]
fn a_mode_that_open_does_not_read_is_not_looked_at() {
    allowed(PROGRAM, "open garbage mode");
}

#[test]
fn only_files_fifos_and_sockets_can_be_made_by_mknod() {
    allowed(PROGRAM, "mknod fifo");
    if root() {
        refused_and_works_bare("mknod device", libc::EPERM);
    } else {
        skip(Lacks::Root, "making a device needs root");
    }
}

#[test]
fn terminal_injection_is_refused_whatever_the_high_half_says() {
    for name in ["TIOCSTI", "TIOCSTI high"] {
        refused(name, libc::EPERM);
    }
    refused_and_works_bare("TIOCSETD", libc::EPERM);
    refused("TIOCLINUX", libc::EPERM);
    allowed(PROGRAM, "TIOCGWINSZ");
}

#[test]
fn signals_cannot_be_directed_at_other_processes_through_descriptors() {
    for name in [
        "F_SETOWN",
        "F_SETOWN_EX",
        "F_SETSIG",
        "O_ASYNC",
        "FIOASYNC",
        "FIOSETOWN",
        "SIOCSPGRP",
    ] {
        refused_and_works_bare(name, libc::EPERM);
    }
}

#[test]
fn delegations_which_hold_up_others_are_refused() {
    refused("F_SETDELEG", libc::EPERM);
}

#[test]
fn the_callers_process_group_is_out_of_reach() {
    refused_and_works_bare("kill group", libc::EPERM);
    allowed(PROGRAM, "kill self");
    refused_and_works_bare("setpriority group", libc::EPERM);
    refused_and_works_bare("ioprio_set group", libc::EPERM);
}

#[test]
fn namespaces_are_refused_but_for_the_wrappers_own() {
    refused_under(&[PROGRAM], "unshare user+mount+net", libc::EPERM);
    allowed(TOOL, "unshare user+mount+net");
    refused("unshare user", libc::EPERM);
    refused("unshare user+mount+net+pid", libc::EPERM);
    refused("clone user", libc::EPERM);
    refused("clone3", libc::ENOSYS);
    refused_under(&[PROGRAM], "mount_setattr", libc::EPERM);
    assert_eq!(
        result(TOOL, "mount_setattr"),
        result(Under::Nothing, "mount_setattr")
    );
}

#[test]
fn sockets_beyond_tcp_udp_unix_and_route_are_refused() {
    refused("socket vsock", libc::EAFNOSUPPORT);
    refused("socket alg", libc::EAFNOSUPPORT);
    refused_and_works_bare("socket netlink generic", libc::EPROTONOSUPPORT);
    refused("socket mptcp", libc::EPROTONOSUPPORT);
    refused("socket udplite", libc::EPROTONOSUPPORT);
    if root() {
        refused_and_works_bare("socket raw", libc::EPERM);
        refused_and_works_bare("socket packet", libc::EAFNOSUPPORT);
        refused("socket xdp", libc::EAFNOSUPPORT);
    } else {
        skip(Lacks::Root, "raw and packet sockets need root");
    }
    for name in [
        "socket tcp",
        "socket udp",
        "socket unix",
        "socket route",
        "socketpair",
    ] {
        allowed(PROGRAM, name);
    }
}

#[test]
fn internet_sockets_are_refused_in_the_hosts_network() {
    for name in ["socket tcp", "socket udp", "socket mptcp"] {
        refused_under(&[Under::Host], name, libc::EACCES);
    }
    // The host's unix sockets are in reach there: only pairs are left.
    refused_under(&[Under::Host], "socket unix", libc::EACCES);
    allowed(Under::Host, "socket route");
}

#[test]
fn fast_open_is_refused_in_every_sending_call() {
    for name in ["sendto fastopen", "sendmsg fastopen", "sendmmsg fastopen"] {
        refused(name, libc::EOPNOTSUPP);
    }
}

#[test]
fn socket_options_that_load_code_into_the_kernel_are_refused() {
    refused("SO_ATTACH_FILTER", libc::EPERM);
    refused("TCP_ULP", libc::ENOPROTOOPT);
}

#[test]
fn calls_into_other_processes_and_the_machine_are_refused() {
    for name in [
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "pidfd_getfd",
        "kcmp",
        "bpf",
        "userfaultfd",
        "perf_event_open",
        "keyctl",
        "add_key",
        "request_key",
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
    ] {
        refused(name, libc::EPERM);
    }
    if !root() {
        return skip(
            Lacks::Root,
            "these calls are refused without a filter too, unless by root",
        );
    }
    for name in [
        "open_by_handle_at",
        "mount",
        "umount2",
        "move_mount",
        "open_tree",
        "fsopen",
        "fsmount",
        "fsconfig",
        "fspick",
        "pivot_root",
        "setns",
        "kexec_load",
        "init_module",
        "finit_module",
        "delete_module",
        "swapon",
        "swapoff",
        "reboot",
        "quotactl",
        "acct",
        "settimeofday",
        "clock_settime",
        "sethostname",
        "syslog",
        "fanotify_init",
    ] {
        refused(name, libc::EPERM);
    }
    // The wrapper enters the root of programs by it; it takes CAP_SYS_CHROOT, which only a new user namespace gives.
    refused_under(&[PROGRAM], "chroot", libc::EPERM);
}

#[test]
fn files_in_memory_and_execution_by_descriptor_are_absent() {
    refused_and_works_bare("memfd_create", libc::ENOSYS);
    refused("execveat", libc::ENOSYS);
}

#[test]
fn dangerous_process_attributes_are_refused() {
    refused("PR_SET_MM", libc::EPERM);
    // On aarch64 kernels answer the same without a filter: they have no such thing.
    if cfg!(target_arch = "x86_64") {
        refused("PR_SET_SYSCALL_USER_DISPATCH", libc::EINVAL);
    }
    if root() {
        refused_under(&[PROGRAM], "PR_SET_SECUREBITS", libc::EPERM);
    }
    refused("PR_SET_PTRACER", libc::EPERM);
    refused_and_works_bare("personality", libc::EPERM);
    allowed(PROGRAM, "PR_SET_DUMPABLE");
    allowed(PROGRAM, "PR_SET_VMA");
    allowed(PROGRAM, "personality query");
}

#[test]
fn extended_attributes_cannot_be_set() {
    refused("setxattr", libc::EOPNOTSUPP);
}

#[test]
fn a_further_filter_can_be_stacked_but_never_a_listener() {
    for under in [TOOL, PROGRAM] {
        allowed(under, "seccomp filter");
    }
    refused_and_works_bare("seccomp listener", libc::EPERM);
}

#[test]
fn programs_change_limits_and_scheduling_of_themselves_alone() {
    for name in [
        "prlimit64 parent-set",
        "sched_setaffinity parent",
        "setpriority parent",
    ] {
        refused_under(&[PROGRAM, Under::Host], name, libc::EPERM);
        allowed(TOOL, name);
    }
    // Reading is harmless among the run's own processes.
    allowed(PROGRAM, "prlimit64 parent");
    refused_under(&[Under::Host], "prlimit64 parent", libc::EPERM);
    for under in [PROGRAM, Under::Host] {
        allowed(under, "prlimit64 self");
    }
    refused_under(&[Under::Host], "shmget", libc::ENOSYS);
    allowed(PROGRAM, "shmget");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn x32_numbers_are_no_way_round() {
    refused("x32 ptrace", libc::ENOSYS);
    refused("x32 getpid", libc::ENOSYS);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_i386_entry_ends_the_process() {
    let bare = run_attack(Under::Nothing, "i386 getpid");
    if bare.status.signal().is_some() {
        return skip(Lacks::Target, "this kernel has no i386 entry");
    }
    assert!(result(Under::Nothing, "i386 getpid") > 0);
    for under in [TOOL, PROGRAM] {
        let output = run_attack(under, "i386 getpid");
        assert_eq!(
            output.status.signal(),
            Some(libc::SIGSYS),
            "under {under:?}"
        );
    }
}

/// A program for 32-bit ARM that asks for its process id and exits with 0.
#[cfg(target_arch = "aarch64")]
fn arm_program() -> Vec<u8> {
    const HEADERS: [u32; 17] = [
        0x0028_0002, // an executable, for ARM
        1,
        0x1_0054, // where it starts
        52,
        0,
        0x0500_0000, // its convention: version 5
        0x0020_0034,
        1,
        0,
        1, // what is loaded: all of it, to be read and executed
        0,
        0x1_0000,
        0x1_0000,
        0x68,
        0x68,
        5,
        0x1000,
    ];
    // mov r7, #20; svc 0; mov r7, #1; mov r0, #0; svc 0
    const CODE: [u32; 5] = [
        0xe3a0_7014,
        0xef00_0000,
        0xe3a0_7001,
        0xe3a0_0000,
        0xef00_0000,
    ];
    let words = HEADERS.into_iter().chain(CODE);
    let magic = b"\x7fELF\x01\x01\x01".iter().copied().chain([0; 9]);
    magic.chain(words.flat_map(u32::to_le_bytes)).collect()
}

#[cfg(target_arch = "aarch64")]
#[test]
fn a_32_bit_program_is_ended() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("program");
    std::fs::write(&program, arm_program()).expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let run = |under| {
        let script = format!("exec {}", program.display());
        let mut command = helper_command(under);
        let output = command.env("SECCOMP_TEST_SCRIPT", script).output();
        output.expect("the helper").status
    };
    if !run(Under::Nothing).success() {
        return skip(Lacks::Target, "this machine runs no 32-bit programs");
    }
    for under in [TOOL, PROGRAM] {
        assert_eq!(run(under).signal(), Some(libc::SIGSYS), "under {under:?}");
    }
}
