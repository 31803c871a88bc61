//! What a container runtime or a hardened host does to a process before gosandbox starts: a
//! seccomp filter, capabilities taken away, another user.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use super::{Env, in_child, is_root};

/// Capabilities that docker leaves a container's root: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL,
/// SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP.
const DOCKER: [u32; 14] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31];

const NAMESPACES: u32 = 0x7e02_0000;

/// Makes the command start as in the environment, as user `uid`.
pub fn enter(command: &mut Command, env: Env, uid: u32) {
    let filter = match env {
        Env::User | Env::Root => Vec::new(),
        Env::Restricted => without_user_namespaces(),
        Env::Container => container(),
        Env::NoLandlock => without_landlock(),
    };
    let root = is_root();
    in_child(command, move || {
        if !root && !filter.is_empty() {
            // SAFETY: it takes plain numbers.
            check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
        }
        install(&filter)?;
        if env == Env::Container {
            drop_capabilities()?;
        }
        if root && uid != 0 {
            // SAFETY: these change the identity of this process, which has one thread.
            unsafe {
                check(libc::setgroups(0, std::ptr::null()))?;
                check(libc::setgid(uid))?;
                check(libc::setuid(uid))?;
            }
        }
        Ok(())
    });
}

/// Has a command find `folder` in the place of `at`, alone. Takes root, and comes before [`enter`].
pub fn bind(command: &mut Command, folder: &Path, at: &Path) {
    let [folder, at] = [folder, at].map(|path| CString::new(path.as_os_str().as_bytes()).unwrap());
    in_child(command, move || {
        let (none, root) = (std::ptr::null(), c"/".as_ptr());
        let private = libc::MS_REC | libc::MS_PRIVATE;
        // SAFETY: the strings live until the calls return; mount(2) takes a null where it needs none.
        unsafe {
            check(libc::unshare(libc::CLONE_NEWNS))?;
            check(libc::mount(none, root, none, private, none.cast()))?;
            let (folder, at) = (folder.as_ptr(), at.as_ptr());
            check(libc::mount(folder, at, none, libc::MS_BIND, none.cast()))
        }
    });
}

fn check(value: i32) -> io::Result<()> {
    if value < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn install(filter: &[libc::sock_filter]) -> io::Result<()> {
    if filter.is_empty() {
        return Ok(());
    }
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: `program` points to instructions that live until the call returns.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    } as i32)
}

fn drop_capabilities() -> io::Result<()> {
    for capability in 0..64 {
        if !DOCKER.contains(&capability) {
            // SAFETY: it takes plain numbers; EINVAL beyond the last capability.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        }
    }
    let mask = DOCKER.iter().fold(0u32, |mask, bit| mask | 1 << bit);
    #[repr(C)]
    struct Header(u32, i32);
    let header = Header(0x2008_0522, 0);
    // effective, permitted, inheritable; then the upper halves
    let data = [mask, mask, 0, 0, 0, 0];
    // SAFETY: capset(2) reads a header and two data blocks of three words.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) } as i32)
}

const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

fn op(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number as u32
}

/// Refuses a call.
fn refuse(filter: &mut Vec<libc::sock_filter>, call: i64, number: i32) {
    filter.push(op(EQUAL, 0, 1, call as u32));
    filter.push(op(RETURN, 0, 0, errno(number)));
}

/// Refuses a call whose first argument has one of these bits.
fn refuse_flags(filter: &mut Vec<libc::sock_filter>, call: i64, bits: u32, number: i32) {
    filter.push(op(EQUAL, 0, 4, call as u32));
    filter.push(op(LOAD, 0, 0, 16));
    filter.push(op(ANY_BIT, 0, 1, bits));
    filter.push(op(RETURN, 0, 0, errno(number)));
    filter.push(op(RETURN, 0, 0, ALLOW));
}

/// Restricted: as with `kernel.unprivileged_userns_clone=0`.
fn without_user_namespaces() -> Vec<libc::sock_filter> {
    let mut filter = vec![op(LOAD, 0, 0, 0)];
    refuse_flags(&mut filter, libc::SYS_clone, NAMESPACES, libc::EPERM);
    refuse_flags(&mut filter, libc::SYS_unshare, NAMESPACES, libc::EPERM);
    refuse(&mut filter, libc::SYS_clone3, libc::ENOSYS);
    filter.push(op(RETURN, 0, 0, ALLOW));
    filter
}

/// Container: what docker's default profile refuses to a container without CAP_SYS_ADMIN. openat2(2) is hidden,
/// as by older profiles and by the one that gosandbox generates.
fn container() -> Vec<libc::sock_filter> {
    let mut filter = vec![op(LOAD, 0, 0, 0)];
    refuse_flags(&mut filter, libc::SYS_clone, NAMESPACES, libc::EPERM);
    refuse(&mut filter, libc::SYS_clone3, libc::ENOSYS);
    refuse(&mut filter, libc::SYS_openat2, libc::ENOSYS);
    let refused = [
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_open_by_handle_at,
        libc::SYS_fanotify_init,
        libc::SYS_kcmp,
        libc::SYS_quotactl,
        libc::SYS_sethostname,
        libc::SYS_ptrace,
    ];
    for call in refused {
        refuse(&mut filter, call, libc::EPERM);
    }
    filter.push(op(RETURN, 0, 0, ALLOW));
    filter
}

/// NoLandlock: as before Linux 5.13.
fn without_landlock() -> Vec<libc::sock_filter> {
    let mut filter = vec![op(LOAD, 0, 0, 0)];
    for call in [
        libc::SYS_landlock_create_ruleset,
        libc::SYS_landlock_add_rule,
        libc::SYS_landlock_restrict_self,
    ] {
        refuse(&mut filter, call, libc::ENOSYS);
    }
    filter.push(op(RETURN, 0, 0, ALLOW));
    filter
}

/// What stands in the way of a supervisor of notified calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoListener {
    /// Another supervisor is there, as that of a container runtime.
    Another,
    /// As before Linux 5.0: the flag is unknown (EINVAL).
    Unknown,
    /// As behind a filter of the host's: seccomp(2) with the flag is forbidden (EPERM).
    Forbidden,
    /// A kernel that lies: it says that the filter is loaded, and has loaded none.
    Pretended,
    /// A kernel that cannot answer a call with a descriptor (EINVAL).
    Speechless,
}

impl NoListener {
    pub const ALL: [NoListener; 5] = [
        NoListener::Another,
        NoListener::Unknown,
        NoListener::Forbidden,
        NoListener::Pretended,
        NoListener::Speechless,
    ];

    fn filter(self) -> Vec<libc::sock_filter> {
        let refuse_listener = |answer| {
            let flag = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32;
            vec![
                op(LOAD, 0, 0, 0),
                op(EQUAL, 0, 3, libc::SYS_seccomp as u32),
                op(LOAD, 0, 0, 24),
                op(ANY_BIT, 0, 1, flag),
                op(RETURN, 0, 0, answer),
                op(RETURN, 0, 0, ALLOW),
            ]
        };
        match self {
            NoListener::Another => vec![op(RETURN, 0, 0, ALLOW)],
            NoListener::Unknown => refuse_listener(errno(libc::EINVAL)),
            NoListener::Forbidden => refuse_listener(errno(libc::EPERM)),
            NoListener::Pretended => refuse_listener(errno(0)),
            NoListener::Speechless => vec![
                op(LOAD, 0, 0, 0),
                op(EQUAL, 0, 3, libc::SYS_ioctl as u32),
                op(LOAD, 0, 0, 24),
                // SECCOMP_IOCTL_NOTIF_ADDFD
                op(EQUAL, 0, 1, 0x4018_2103),
                op(RETURN, 0, 0, errno(libc::EINVAL)),
                op(RETURN, 0, 0, ALLOW),
            ],
        }
    }
}

/// Makes the command start where no supervisor of notified calls can be had; to be called after [`enter`].
pub fn without_listener(command: &mut Command, why: NoListener) {
    let filter = why.filter();
    in_child(command, move || {
        // SAFETY: it takes plain numbers.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
        match why {
            NoListener::Another => hold_the_listener(&filter),
            _ => install(&filter),
        }
    });
}

/// Makes the command start as before Linux 5.13 on top of that.
pub fn without_landlock_either(command: &mut Command) {
    let filter = without_landlock();
    in_child(command, move || {
        // SAFETY: it takes plain numbers.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
        install(&filter)
    });
}

/// Makes the command start where Landlock only says that a domain is in force; to be called after [`enter`].
pub fn with_landlock_pretended(command: &mut Command) {
    let mut filter = vec![op(LOAD, 0, 0, 0)];
    refuse(&mut filter, libc::SYS_landlock_restrict_self, 0);
    filter.push(op(RETURN, 0, 0, ALLOW));
    in_child(command, move || {
        // SAFETY: it takes plain numbers.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
        install(&filter)
    });
}

/// What a container runtime with a supervisor of its own does: another listener is refused (EBUSY).
fn hold_the_listener(filter: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: `program` points to instructions that live until the call returns; fcntl(2) takes integers.
    check(unsafe {
        let listens = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        let mode = libc::SECCOMP_SET_MODE_FILTER;
        let number = libc::syscall(libc::SYS_seccomp, mode, listens, &raw const program);
        libc::fcntl(number as i32, libc::F_SETFD, 0)
    })
}

/// Does something as another user, in a thread that takes on that user's rights and ends.
pub fn as_user(uid: u32, act: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if is_root() && uid != 0 {
                // SAFETY: they take integers. The system calls change this thread alone, unlike the
                // C library's.
                unsafe {
                    assert_eq!(libc::syscall(libc::SYS_setgroups, 0, 0), 0);
                    assert_eq!(libc::syscall(libc::SYS_setresgid, uid, uid, uid), 0);
                    assert_eq!(libc::syscall(libc::SYS_setresuid, uid, uid, uid), 0);
                }
            }
            act();
        });
    });
}
