//! The only unsafe code: system calls for which no safe wrapper exists.
//!
//! Each function is one system call or one C idiom, checks its result and returns `io::Result`.
//! Nothing here decides anything. `tests/layout` says who may see this module.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uint};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub mod handle;
pub mod identity;
pub mod no_links;
pub mod notify;
pub mod signal;

/// Turns a C return value into a result, reading errno where it is negative.
fn check(value: c_long) -> io::Result<c_long> {
    if value < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(value)
    }
}

/// What [`clone_process`] returned, in either process.
#[derive(Debug)]
pub enum Cloned {
    /// In the parent: the child's pid and a descriptor for it.
    Parent {
        /// Process id of the child, in the parent's pid namespace.
        pid: i32,
        /// Descriptor of the child (pidfd, Linux 5.2).
        pidfd: OwnedFd,
    },
    /// In the child.
    Child,
}

/// clone(2) in the manner of fork(2), with namespace flags and a pidfd (Linux 5.2).
///
/// With CLONE_FILES among them both have one table of descriptors, until one of them executes a program or
/// calls [`notify::own_descriptors`].
///
/// clone(2) rather than clone3(2): container filters answer ENOSYS to the latter.
///
/// # Errors
/// EPERM where a namespace is refused, ENOSPC where a limit in `/proc/sys/user` is reached, EAGAIN
/// where `RLIMIT_NPROC` or a pids cgroup is.
pub fn clone_process(namespaces: c_int) -> io::Result<Cloned> {
    debug_assert_eq!(namespaces & (libc::CLONE_VM | libc::CLONE_THREAD), 0);
    let mut pidfd: c_int = -1;
    let flags = namespaces | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: without CLONE_VM the child gets a copy of the address space and goes on on a copy of
    // this stack, as after fork(2); the process has one thread (callers start threads only after
    // their last clone), so no lock can be held by a thread that is missing in the child.
    // CLONE_PIDFD stores through `pidfd`, which outlives the call.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            c_long::from(flags),
            0 as c_long,
            &raw mut pidfd,
            0 as c_long,
            0 as c_long,
        )
    };
    match check(pid)? {
        0 => Ok(Cloned::Child),
        pid => {
            // SAFETY: the kernel has stored a new descriptor that nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Parent {
                pid: pid as i32,
                pidfd,
            })
        }
    }
}

/// execve(2). Returns only on failure.
pub fn execve(path: &CStr, argv: &[CString], envp: &[CString]) -> io::Error {
    let argv = null_terminated(argv);
    let envp = null_terminated(envp);
    // SAFETY: both arrays end with a null pointer and point to NUL-terminated strings that live
    // until the call returns.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

fn null_terminated(strings: &[CString]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|s| s.as_ptr())
        .chain([std::ptr::null()])
        .collect()
}

/// `_exit(2)`: ends the process without running destructors or flushing buffers, as a forked child must.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit has no preconditions and does not return.
    unsafe { libc::_exit(status) }
}

/// The arguments of [`mount_setattr`], as the kernel lays them out (`struct mount_attr`, version 0).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MountAttr {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: u64,
    /// Propagation (`MS_PRIVATE`, …), or 0 to leave it.
    pub propagation: u64,
    /// Descriptor of the user namespace for `MOUNT_ATTR_IDMAP`.
    pub userns_fd: u64,
}

/// mount_setattr(2) (Linux 5.12) on `path` relative to `dirfd`; an empty path means `dirfd` itself.
pub fn mount_setattr(
    dirfd: BorrowedFd<'_>,
    path: &CStr,
    recursive: bool,
    attr: &MountAttr,
) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH
        | libc::AT_SYMLINK_NOFOLLOW
        | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: `attr` is a live `struct mount_attr` of the size that is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dirfd.as_raw_fd(),
            path.as_ptr(),
            flags as c_uint,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    check(result).map(drop)
}

/// unshare(2) with namespace flags.
pub fn unshare(namespaces: c_int) -> io::Result<()> {
    debug_assert_eq!(namespaces & (libc::CLONE_FILES | libc::CLONE_FS), 0);
    // SAFETY: unshare takes integers only; the descriptor table stays as it is.
    check(c_long::from(unsafe { libc::unshare(namespaces) })).map(drop)
}

/// The Landlock ABI version of the kernel (landlock_create_ruleset(2), Linux 5.13).
///
/// # Errors
/// ENOSYS: the kernel has no Landlock; EOPNOTSUPP: it was switched off at boot.
pub fn landlock_abi() -> io::Result<i32> {
    const LANDLOCK_CREATE_RULESET_VERSION: c_uint = 1;
    // SAFETY: with this flag the kernel requires a null pointer and a size of 0, and reads nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    check(result).map(|abi| abi as i32)
}

/// Brings the loopback interface of the current net namespace up (netdevice(7), SIOCSIFFLAGS).
pub fn loopback_up(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: an all-zero ifreq is valid: it is plain data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as c_char;
    request.ifr_name[1] = b'o' as c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which is live and initialised.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    check(c_long::from(result)).map(drop)
}

/// Joins a new, empty session keyring (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING).
pub fn join_new_session_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
    // SAFETY: a null name asks for an anonymous keyring; no memory is read or written.
    let result = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_JOIN_SESSION_KEYRING,
            std::ptr::null::<c_char>(),
        )
    };
    check(result).map(drop)
}

/// Drops a capability from the bounding set. `Ok(false)`: the kernel does not know this one.
///
/// By number, up to the first that the kernel does not know, so that a capability which is newer
/// than this program goes too (capabilities(7)).
pub fn drop_from_bounding_set(capability: u32) -> io::Result<bool> {
    // SAFETY: this prctl takes integers only.
    let result = unsafe {
        libc::prctl(
            libc::PR_CAPBSET_DROP,
            libc::c_ulong::from(capability),
            0,
            0,
            0,
        )
    };
    match check(c_long::from(result)) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Empties the effective, permitted and inheritable capability sets (capset(2), all 64 bits).
pub fn clear_capability_sets() -> io::Result<()> {
    const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
    let header = [LINUX_CAPABILITY_VERSION_3, 0];
    let data = [0u32; 6];
    // SAFETY: version 3 reads a header of two words and two data blocks of three words each.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
    check(result).map(drop)
}

/// Whether `capability` is in the effective set of this process.
pub fn has_capability(capability: u32) -> bool {
    const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
    let header = [LINUX_CAPABILITY_VERSION_3, 0];
    let mut data = [0u32; 6];
    // SAFETY: version 3 writes two data blocks of three words each into `data`.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) };
    let word = data[3 * (capability / 32) as usize];
    result == 0 && word & (1 << (capability % 32)) != 0
}

/// Overwrites the process's initial environment with zeros, so that `/proc/PID/environ` shows none.
///
/// For a process that does not execute anything (init): `std::env` is empty afterwards.
pub fn wipe_environment() {
    unsafe extern "C" {
        static mut environ: *mut *mut c_char;
    }
    // SAFETY: one thread; `environ` is null or an array that a null pointer ends, each entry a
    // writable NUL-terminated string (execve(2) puts them on the stack, setenv on the heap).
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            let string = *entry;
            std::ptr::write_bytes(string, 0, libc::strlen(string));
            entry = entry.add(1);
        }
        environ = std::ptr::null_mut();
    }
}

/// Gives up what is mapped of the executable's own code and constants, most of which served to start: what
/// is needed again comes back from the page cache, a fault each (madvise(2), `MADV_DONTNEED`).
///
/// Where it fails the process is larger by some mebibytes, and that is all.
pub fn unmap_own_code() {
    unsafe extern "C" {
        static __executable_start: u8;
        static etext: u8;
    }
    let start = &raw const __executable_start;
    // SAFETY: no pointers; libc knows it from the start. `/proc/self/auxv` is closed to who is not dumpable.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Ok(page @ 1..) = usize::try_from(page) else {
        return;
    };
    let length = ((&raw const etext).addr() - start.addr()) & !(page - 1);
    // SAFETY: the linker puts these round what it maps read-only from the file (ld(1), end(3)); nothing has
    // written there, since it is position-independent or lies where it was linked for, so that the file holds the same.
    unsafe {
        libc::madvise(start.cast_mut().cast(), length, libc::MADV_DONTNEED);
    }
}

/// Marks every descriptor from `first` on close-on-exec: with one call since Linux 5.11, before it one
/// by one.
pub fn close_on_exec(first: u32) -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: c_uint = 4;
    // SAFETY: close_range takes integers only, and with this flag closes nothing now.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            c_uint::MAX,
            CLOSE_RANGE_CLOEXEC,
        )
    };
    match check(result) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => {
            close_each_on_exec(first)
        }
        result => result.map(drop),
    }
}

fn close_each_on_exec(first: u32) -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(number) = number.filter(|number| *number >= first) else {
            continue;
        };
        // SAFETY: fcntl with F_SETFD takes no pointer.
        let result = unsafe { libc::fcntl(number as c_int, libc::F_SETFD, libc::FD_CLOEXEC) };
        match check(c_long::from(result)) {
            // The folder that is being read, by the time it is not any more.
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => {}
            result => drop(result?),
        }
    }
    Ok(())
}

/// Whether the kernel has mount_setattr(2) (Linux 5.12).
pub fn has_mount_setattr() -> bool {
    // SAFETY: the descriptor is none, the pointers are null with a size of 0: the kernel reads nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            -1,
            std::ptr::null::<c_char>(),
            0,
            std::ptr::null::<u8>(),
            0usize,
        )
    };
    check(result).err().and_then(|error| error.raw_os_error()) != Some(libc::ENOSYS)
}

/// Closes every descriptor but these.
pub fn close_all_but(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut kept: Vec<c_uint> = kept.iter().map(|fd| fd.as_raw_fd() as c_uint).collect();
    kept.sort_unstable();
    let mut first = 0;
    for number in kept {
        if number > first {
            // SAFETY: the caller is a forked child that never executes and uses no other descriptor
            // of its copy afterwards.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, number - 1, 0) })?;
        }
        first = number + 1;
    }
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, 0) }).map(drop)
}

/// Opens `/dev/null` for each of the descriptors 0, 1 and 2 that is closed, so that no file that is
/// opened later takes its place.
pub fn fill_standard_descriptors() -> io::Result<()> {
    for descriptor in 0..3 {
        // SAFETY: fcntl with F_GETFD takes no pointer.
        if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } >= 0 {
            continue;
        }
        // SAFETY: the path is a NUL-terminated literal. The descriptor is left open on purpose.
        check(c_long::from(unsafe {
            libc::open(c"/dev/null".as_ptr(), libc::O_RDWR)
        }))?;
    }
    Ok(())
}

/// waitpid(2) for any child, with `WNOHANG`, `WUNTRACED` or 0. `None`: no child is left, or none has
/// changed.
pub fn wait_any(options: c_int) -> io::Result<Option<(i32, i32)>> {
    wait(-1, options)
}

/// waitpid(2) for one child to end; its wait status. `None`: it is no child, or no longer.
pub fn wait_for(pid: i32) -> io::Result<Option<i32>> {
    Ok(wait(pid, 0)?.map(|(_, status)| status))
}

fn wait(pid: i32, options: c_int) -> io::Result<Option<(i32, i32)>> {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    let pid = unsafe { libc::waitpid(pid, &raw mut status, options) };
    match check(c_long::from(pid)) {
        Ok(0) => Ok(None),
        Ok(pid) => Ok(Some((pid as i32, status))),
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A child that has ended and waits to be reaped (waitid(2), `WNOWAIT`): it stays so.
pub fn peek_ended() -> io::Result<Option<i32>> {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: an all-zero siginfo_t is valid, waitid fills it in or leaves it; si_pid is 0 where no
    // child has ended.
    let (result, pid) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let result = libc::waitid(libc::P_ALL, 0, &raw mut info, options);
        (check(c_long::from(result)), info.si_pid())
    };
    match result {
        Ok(_) => Ok((pid != 0).then_some(pid)),
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The signal that stopped a child, where a wait status says so.
pub fn stopped_by(wait_status: i32) -> Option<i32> {
    libc::WIFSTOPPED(wait_status).then(|| libc::WSTOPSIG(wait_status))
}

/// The signal that ended a child, where a wait status says so.
pub fn ended_by(wait_status: i32) -> Option<i32> {
    libc::WIFSIGNALED(wait_status).then(|| libc::WTERMSIG(wait_status))
}

/// The shell's exit status for a wait status: the code, or 128 + the signal.
pub fn exit_code(wait_status: i32) -> i32 {
    if libc::WIFEXITED(wait_status) {
        libc::WEXITSTATUS(wait_status)
    } else {
        128 + libc::WTERMSIG(wait_status)
    }
}

/// Loads a seccomp filter for the calling thread. Yields the notification descriptor where
/// `flags` has `SECCOMP_FILTER_FLAG_NEW_LISTENER`; none where the kernel, or a filter that answers for it,
/// says that it has done so and names a standard descriptor, which are all open from the start.
pub fn seccomp_load(
    filter: &[libc::sock_filter],
    flags: libc::c_ulong,
) -> io::Result<Option<OwnedFd>> {
    let len = libc::c_ushort::try_from(filter.len())
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog {
        len,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: `program` points to `len` instructions that live until the call returns; the kernel
    // copies them and writes to none. A wrong filter is refused by the kernel, not executed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::c_ulong::from(libc::SECCOMP_SET_MODE_FILTER),
            flags,
            &raw const program,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let listens = flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER != 0;
    if !listens || result <= i64::from(libc::STDERR_FILENO) {
        return Ok(None);
    }
    // SAFETY: with NEW_LISTENER the result is a descriptor that the kernel has just made for the
    // caller, so nothing else owns it.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(result as libc::c_int) }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_marked_one_by_one_where_the_kernel_cannot_do_it_at_once() {
        use std::os::fd::AsFd;
        let file = std::fs::File::open("/dev/null").unwrap();
        let raised = rustix::io::fcntl_dupfd_cloexec(file.as_fd(), 900).unwrap();
        rustix::io::fcntl_setfd(&raised, rustix::io::FdFlags::empty()).unwrap();
        close_each_on_exec(900).unwrap();
        assert_eq!(
            rustix::io::fcntl_getfd(&raised).unwrap(),
            rustix::io::FdFlags::CLOEXEC
        );
    }
}
