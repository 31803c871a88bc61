//! The attacks themselves, by name. Each returns what the call returned, or minus its errno.

use std::ffi::CString;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;

/// A raw system call.
fn raw(number: i64, arguments: [i64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the pointers handed over by the callers below are valid for what the call does with
    // them, or null.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result < 0 {
        -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    } else {
        result
    }
}

fn address<T: ?Sized>(value: &T) -> i64 {
    (value as *const T).cast::<u8>() as i64
}

/// Runs an attack.
pub fn attack(name: &str) -> i64 {
    let (call, detail) = name.split_once(' ').unwrap_or((name, ""));
    match call {
        "chmod" | "fchmod" | "fchmodat" | "fchmodat2" | "open" | "openat" | "creat" | "mknod"
        | "mknodat" | "mkdir" | "mkdirat" | "tmpfile" | "openat2" | "setxattr" => {
            files(call, detail)
        }
        "socket" | "socketpair" => sockets(detail),
        "sendto" | "sendmsg" | "sendmmsg" | "SO_ATTACH_FILTER" | "TCP_ULP" | "F_SETDELEG"
        | "F_SETOWN" | "F_SETOWN_EX" | "F_SETSIG" | "O_ASYNC" | "FIOASYNC" | "FIOSETOWN"
        | "SIOCSPGRP" => on_a_socket(call),
        _ if call.starts_with("TIOC") => terminal(call, detail),
        "x32" | "i386" => conventions(call, detail),
        "unshare" | "clone" | "clone3" | "seccomp" | "kill" | "setpriority" | "ioprio_set"
        | "prlimit64" | "sched_setaffinity" => processes(call, detail),
        _ if call.starts_with("PR_") || call == "personality" => attributes(call, detail),
        _ => by_number(call),
    }
}

// The older calls exist on x86-64 only; elsewhere the newer ones stand in.
#[allow(unreachable_patterns)]
fn files(call: &str, detail: &str) -> i64 {
    let folder = tempfile::tempdir().expect("a folder");
    let folder_name = CString::new(folder.path().as_os_str().as_bytes()).expect("a path");
    let there_path = folder.path().join("there");
    let there_file = std::fs::File::create(&there_path).expect("a file");
    let there = CString::new(there_path.as_os_str().as_bytes()).expect("a path");
    let fresh = CString::new(folder.path().join("fresh").as_os_str().as_bytes()).expect("a path");
    let mode = match detail {
        "setuid" => 0o4755,
        "setgid" => 0o2755,
        _ => 0o755,
    };
    let cwd = i64::from(libc::AT_FDCWD);
    let create = i64::from(libc::O_CREAT | libc::O_RDWR);
    let (old, new) = (there.as_ptr() as i64, fresh.as_ptr() as i64);
    match (call, detail) {
        ("open", "garbage mode") => raw(libc::SYS_openat, [cwd, old, 0, 0o7777, 0, 0]),
        ("mknod", "fifo") => raw(libc::SYS_mknodat, [cwd, new, 0o010_600, 0, 0, 0]),
        ("mknod", "device") => raw(libc::SYS_mknodat, [cwd, new, 0o020_600, 0x103, 0, 0]),
        #[cfg(target_arch = "x86_64")]
        ("chmod", _) => raw(libc::SYS_chmod, [old, mode, 0, 0, 0, 0]),
        #[cfg(target_arch = "x86_64")]
        ("open", _) => raw(libc::SYS_open, [new, create, mode, 0, 0, 0]),
        #[cfg(target_arch = "x86_64")]
        ("creat", _) => raw(libc::SYS_creat, [new, mode, 0, 0, 0, 0]),
        #[cfg(target_arch = "x86_64")]
        ("mknod", _) => raw(libc::SYS_mknod, [new, 0o100_000 | mode, 0, 0, 0, 0]),
        #[cfg(target_arch = "x86_64")]
        ("mkdir", _) => raw(libc::SYS_mkdir, [new, mode, 0, 0, 0, 0]),
        ("fchmod", _) => raw(
            libc::SYS_fchmod,
            [i64::from(there_file.as_raw_fd()), mode, 0, 0, 0, 0],
        ),
        ("fchmodat" | "chmod", _) => raw(libc::SYS_fchmodat, [cwd, old, mode, 0, 0, 0]),
        ("fchmodat2", _) => raw(452, [cwd, old, mode, 0, 0, 0]),
        ("openat" | "open" | "creat", _) => raw(libc::SYS_openat, [cwd, new, create, mode, 0, 0]),
        ("tmpfile", _) => {
            let flags = i64::from(libc::O_TMPFILE | libc::O_RDWR);
            raw(
                libc::SYS_openat,
                [cwd, folder_name.as_ptr() as i64, flags, mode, 0, 0],
            )
        }
        ("mknodat" | "mknod", _) => raw(libc::SYS_mknodat, [cwd, new, 0o100_000 | mode, 0, 0, 0]),
        ("mkdirat" | "mkdir", _) => raw(libc::SYS_mkdirat, [cwd, new, mode, 0, 0, 0]),
        ("openat2", _) => {
            let how: [u64; 3] = [create as u64, 0o4755, 0];
            raw(libc::SYS_openat2, [cwd, new, address(&how), 24, 0, 0])
        }
        ("setxattr", _) => {
            let name = c"user.test";
            raw(
                libc::SYS_setxattr,
                [old, name.as_ptr() as i64, old, 1, 0, 0],
            )
        }
        _ => unreachable!("{call}"),
    }
}

fn sockets(detail: &str) -> i64 {
    let (domain, kind, protocol) = match detail {
        "" => {
            let mut pair = [0i32; 2];
            return raw(
                libc::SYS_socketpair,
                [1, 1, 0, pair.as_mut_ptr() as i64, 0, 0],
            );
        }
        "tcp" => (2, 1, 0),
        "udp" => (10, 2, 0),
        "unix" => (1, 5, 0),
        "route" => (16, 3, 0),
        "mptcp" => (2, 1, 262),
        "udplite" => (2, 2, 136),
        "raw" => (2, 3, 1),
        "packet" => (17, 3, 0x300),
        "vsock" => (40, 1, 0),
        "alg" => (38, 5, 0),
        "xdp" => (44, 3, 0),
        "netlink generic" => (16, 3, 16),
        _ => unreachable!("{detail}"),
    };
    raw(libc::SYS_socket, [domain, kind, protocol, 0, 0, 0])
}

fn on_a_socket(call: &str) -> i64 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
    let port = socket.local_addr().expect("an address").port();
    let listener = i64::from(socket.as_raw_fd());
    let fresh = raw(libc::SYS_socket, [2, 1, 0, 0, 0, 0]);
    // SAFETY: all zeroes is a valid value of these plain structures.
    let (mut name, mut message): (libc::sockaddr_in, libc::mmsghdr) = unsafe { std::mem::zeroed() };
    name.sin_family = 2;
    name.sin_port = port.to_be();
    name.sin_addr.s_addr = u32::from_be_bytes([127, 0, 0, 1]).to_be();
    message.msg_hdr.msg_name = (&raw mut name).cast();
    message.msg_hdr.msg_namelen = 16;
    let fast = i64::from(libc::MSG_FASTOPEN);
    let pid = i64::from(std::process::id());
    match call {
        "sendto" => raw(
            libc::SYS_sendto,
            [fresh, address(&name), 1, fast, address(&name), 16],
        ),
        "sendmsg" => raw(libc::SYS_sendmsg, [fresh, address(&message), fast, 0, 0, 0]),
        "sendmmsg" => raw(
            libc::SYS_sendmmsg,
            [fresh, address(&message), 1, fast, 0, 0],
        ),
        "SO_ATTACH_FILTER" => {
            let code = libc::sock_filter {
                code: 6,
                jt: 0,
                jf: 0,
                k: u32::MAX,
            };
            let program = libc::sock_fprog {
                len: 1,
                filter: (&raw const code).cast_mut(),
            };
            raw(
                libc::SYS_setsockopt,
                [listener, 1, 26, address(&program), 16, 0],
            )
        }
        "TCP_ULP" => raw(
            libc::SYS_setsockopt,
            [listener, 6, 31, address(b"tls"), 3, 0],
        ),
        "F_SETOWN" => raw(libc::SYS_fcntl, [listener, 8, pid, 0, 0, 0]),
        "F_SETOWN_EX" => raw(
            libc::SYS_fcntl,
            [listener, 15, address(&[1i32, pid as i32]), 0, 0, 0],
        ),
        "F_SETDELEG" => raw(
            libc::SYS_fcntl,
            [listener, 1040, address(&[0u64; 2]), 0, 0, 0],
        ),
        "F_SETSIG" => raw(libc::SYS_fcntl, [listener, 10, 9, 0, 0, 0]),
        "O_ASYNC" => raw(
            libc::SYS_fcntl,
            [listener, 4, i64::from(libc::O_ASYNC), 0, 0, 0],
        ),
        "FIOASYNC" => raw(libc::SYS_ioctl, [listener, 0x5452, address(&1i32), 0, 0, 0]),
        "FIOSETOWN" => raw(
            libc::SYS_ioctl,
            [listener, 0x8901, address(&(pid as i32)), 0, 0, 0],
        ),
        "SIOCSPGRP" => raw(
            libc::SYS_ioctl,
            [listener, 0x8902, address(&(pid as i32)), 0, 0, 0],
        ),
        _ => unreachable!("{call}"),
    }
}

fn terminal(call: &str, detail: &str) -> i64 {
    let request = match call {
        "TIOCSTI" => 0x5412,
        "TIOCSETD" => 0x5423,
        "TIOCLINUX" => 0x541c,
        "TIOCGWINSZ" => 0x5413,
        _ => unreachable!("{call}"),
    };
    let request = if detail == "high" {
        request | 1 << 32
    } else {
        request
    };
    let flags = i64::from(libc::O_RDWR);
    let cwd = i64::from(libc::AT_FDCWD);
    raw(libc::SYS_setsid, [0; 6]);
    let outer = raw(
        libc::SYS_openat,
        [cwd, c"/dev/ptmx".as_ptr() as i64, flags, 0, 0, 0],
    );
    assert!(outer >= 0, "a terminal: {outer}");
    raw(
        libc::SYS_ioctl,
        [outer, 0x4004_5431, address(&0i32), 0, 0, 0],
    );
    // TIOCGPTPEER; without O_NOCTTY it becomes the controlling terminal.
    let inner = raw(libc::SYS_ioctl, [outer, 0x5441, flags, 0, 0, 0]);
    assert!(inner >= 0, "the terminal's other side: {inner}");
    let buffer = [0u64; 8];
    raw(libc::SYS_ioctl, [inner, request, address(&buffer), 0, 0, 0])
}

#[cfg(target_arch = "x86_64")]
fn conventions(call: &str, detail: &str) -> i64 {
    match (call, detail) {
        ("x32", "ptrace") => raw(1 << 30 | 521, [0; 6]),
        ("x32", _) => raw(1 << 30 | 39, [0; 6]),
        _ => {
            let result: i64;
            // SAFETY: i386's getpid takes no argument and writes only eax; the entry may clear
            // r8 to r11.
            unsafe {
                std::arch::asm!("int 0x80", inlateout("rax") 20i64 => result,
                    out("r8") _, out("r9") _, out("r10") _, out("r11") _);
            }
            result
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn conventions(call: &str, _: &str) -> i64 {
    unreachable!("{call}")
}

fn processes(call: &str, detail: &str) -> i64 {
    let parent = i64::from(rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get()));
    let buffer = [u64::MAX; 16];
    match (call, detail) {
        ("unshare", "user") => unshare(0x1000_0000),
        ("unshare", "user+mount+net") => unshare(0x5002_0000),
        ("unshare", _) => unshare(0x7002_0000),
        ("clone", _) => {
            let result = raw(libc::SYS_clone, [0x1000_0011, 0, 0, 0, 0, 0]);
            if result == 0 {
                raw(libc::SYS_exit_group, [0; 6]);
            }
            result
        }
        ("clone3", _) => raw(libc::SYS_clone3, [0, 0, 0, 0, 0, 0]),
        ("seccomp", "filter") => stack(0),
        ("seccomp", _) => stack(8),
        ("kill", "group") => raw(libc::SYS_kill, [0, 0, 0, 0, 0, 0]),
        ("kill", _) => raw(
            libc::SYS_kill,
            [i64::from(std::process::id()), 0, 0, 0, 0, 0],
        ),
        ("setpriority", "group") => raw(libc::SYS_setpriority, [1, 0, 19, 0, 0, 0]),
        ("setpriority", _) => raw(libc::SYS_setpriority, [0, parent, 0, 0, 0, 0]),
        ("ioprio_set", _) => raw(libc::SYS_ioprio_set, [2, 0, 2 << 13 | 7, 0, 0, 0]),
        ("prlimit64", "self") => raw(libc::SYS_prlimit64, [0, 7, 0, address(&buffer), 0, 0]),
        // No core dumps, which it may well have none of already.
        ("prlimit64", "parent-set") => raw(
            libc::SYS_prlimit64,
            [parent, 4, address(&[0u64; 2]), 0, 0, 0],
        ),
        ("prlimit64", _) => raw(libc::SYS_prlimit64, [parent, 7, 0, address(&buffer), 0, 0]),
        ("sched_setaffinity", _) => raw(
            libc::SYS_sched_setaffinity,
            [parent, 128, address(&buffer), 0, 0, 0],
        ),
        _ => unreachable!("{call}"),
    }
}

/// In a child of one thread, because a user namespace takes no more.
fn unshare(flags: i64) -> i64 {
    let child = raw(libc::SYS_clone, [i64::from(libc::SIGCHLD), 0, 0, 0, 0, 0]);
    if child == 0 {
        let result = raw(libc::SYS_unshare, [flags, 0, 0, 0, 0, 0]);
        raw(libc::SYS_exit_group, [-result, 0, 0, 0, 0, 0]);
    }
    let mut status = 0i32;
    raw(
        libc::SYS_wait4,
        [child, (&raw mut status) as i64, 0, 0, 0, 0],
    );
    -i64::from(libc::WEXITSTATUS(status))
}

/// Loads a filter that allows everything, with these flags.
fn stack(flags: i64) -> i64 {
    rustix::thread::set_no_new_privs(true).expect("no_new_privs");
    let code = libc::sock_filter {
        code: 6,
        jt: 0,
        jf: 0,
        k: 0x7fff_0000,
    };
    let program = libc::sock_fprog {
        len: 1,
        filter: (&raw const code).cast_mut(),
    };
    raw(libc::SYS_seccomp, [1, flags, address(&program), 0, 0, 0])
}

fn attributes(call: &str, detail: &str) -> i64 {
    match (call, detail) {
        ("personality", "query") => raw(libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0]),
        ("personality", _) => raw(libc::SYS_personality, [0x0040_0000, 0, 0, 0, 0, 0]),
        // PR_SET_MM_MAP_SIZE, which needs no capability.
        ("PR_SET_MM", _) => raw(libc::SYS_prctl, [35, 15, address(&[0u64; 8]), 0, 0, 0]),
        ("PR_SET_SYSCALL_USER_DISPATCH", _) => raw(libc::SYS_prctl, [59, 0, 0, 0, 0, 0]),
        ("PR_SET_SECUREBITS", _) => raw(libc::SYS_prctl, [28, 0, 0, 0, 0, 0]),
        ("PR_SET_PTRACER", _) => raw(libc::SYS_prctl, [0x5961_6d61, 0, 0, 0, 0, 0]),
        ("PR_SET_DUMPABLE", _) => raw(libc::SYS_prctl, [4, 0, 0, 0, 0, 0]),
        ("PR_SET_VMA", _) => {
            // SAFETY: a fresh anonymous mapping.
            let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, 3, 0x22, -1, 0) };
            let result = raw(
                libc::SYS_prctl,
                [0x5356_4d41, 0, page as i64, 4096, c"go".as_ptr() as i64, 0],
            );
            // Without CONFIG_ANON_VMA_NAME.
            if result == -i64::from(libc::EINVAL) {
                0
            } else {
                result
            }
        }
        _ => unreachable!("{call}"),
    }
}

/// Calls that the kernel would refuse here for their arguments, with another error number.
fn by_number(call: &str) -> i64 {
    let number = match call {
        "execveat" => libc::SYS_execveat,
        "memfd_create" => {
            return raw(
                libc::SYS_memfd_create,
                [c"x".as_ptr() as i64, 0, 0, 0, 0, 0],
            );
        }
        "shmget" => return raw(libc::SYS_shmget, [0, 4096, 0o1600, 0, 0, 0]),
        // PTRACE_TRACEME would work, but this thread could then not be reaped by who waits for it.
        "ptrace" => libc::SYS_ptrace,
        "process_vm_readv" => libc::SYS_process_vm_readv,
        "process_vm_writev" => libc::SYS_process_vm_writev,
        "pidfd_getfd" => libc::SYS_pidfd_getfd,
        "kcmp" => libc::SYS_kcmp,
        "bpf" => libc::SYS_bpf,
        "userfaultfd" => libc::SYS_userfaultfd,
        "perf_event_open" => libc::SYS_perf_event_open,
        "keyctl" => libc::SYS_keyctl,
        "add_key" => libc::SYS_add_key,
        "request_key" => libc::SYS_request_key,
        "io_uring_setup" => libc::SYS_io_uring_setup,
        "io_uring_enter" => libc::SYS_io_uring_enter,
        "io_uring_register" => libc::SYS_io_uring_register,
        "open_by_handle_at" => libc::SYS_open_by_handle_at,
        "mount" => libc::SYS_mount,
        "umount2" => libc::SYS_umount2,
        "move_mount" => libc::SYS_move_mount,
        "open_tree" => libc::SYS_open_tree,
        "fsopen" => libc::SYS_fsopen,
        "fsmount" => libc::SYS_fsmount,
        "fsconfig" => libc::SYS_fsconfig,
        "fspick" => libc::SYS_fspick,
        "mount_setattr" => libc::SYS_mount_setattr,
        "pivot_root" => libc::SYS_pivot_root,
        "chroot" => libc::SYS_chroot,
        "setns" => libc::SYS_setns,
        "kexec_load" => return raw(libc::SYS_kexec_load, [0, 0, 0, 0xffff_fff0, 0, 0]),
        "init_module" => libc::SYS_init_module,
        "finit_module" => libc::SYS_finit_module,
        "delete_module" => libc::SYS_delete_module,
        "swapon" => libc::SYS_swapon,
        "swapoff" => libc::SYS_swapoff,
        "reboot" => libc::SYS_reboot,
        "quotactl" => libc::SYS_quotactl,
        // A name that is no file, so that accounting stays as it is.
        "acct" => {
            return raw(
                libc::SYS_acct,
                [c"/nonexistent/acct".as_ptr() as i64, 0, 0, 0, 0, 0],
            );
        }
        "settimeofday" => return raw(libc::SYS_settimeofday, [0, 1, 0, 0, 0, 0]),
        "clock_settime" => return raw(libc::SYS_clock_settime, [99, 1, 0, 0, 0, 0]),
        "sethostname" => return raw(libc::SYS_sethostname, [0, -1, 0, 0, 0, 0]),
        "syslog" => return raw(libc::SYS_syslog, [10, 0, 0, 0, 0, 0]),
        "fanotify_init" => libc::SYS_fanotify_init,
        _ => unreachable!("{call}"),
    };
    raw(number, [-1, 0, 0, 0, 0, 0])
}
