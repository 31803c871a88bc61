//! Making processes, executing programs, and what ends with a process.

use std::ffi::{CStr, CString, c_char, c_int, c_long};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use super::check;
use super::namespaces::Namespaces;
use super::threads::require_one_thread;

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

/// clone(2) in the manner of fork(2), with namespaces and a pidfd (Linux 5.2).
///
/// clone(2) rather than clone3(2): container filters answer ENOSYS to the latter.
///
/// # Errors
/// EPERM where a namespace is refused, ENOSPC where a limit in `/proc/sys/user` is reached, EAGAIN
/// where `RLIMIT_NPROC` or a pids cgroup is, and where this process has other threads: a lock that
/// one of them holds would stay held in the child.
pub fn clone_process(namespaces: Namespaces) -> io::Result<Cloned> {
    clone(namespaces.flags())
}

/// As [`clone_process`], without new namespaces. Both processes have one table of descriptors, until the
/// child executes a program or the parent takes an [`Offer`](super::offer::Offer).
///
/// Closing a descriptor closes it for both. Neither process may drop an owner of one that was open
/// before the clone until then. The compiler does not see the other process, so this rule is the
/// callers'.
///
/// # Errors
/// Those of [`clone_process`].
pub fn clone_sharing_descriptors() -> io::Result<Cloned> {
    clone(libc::CLONE_FILES)
}

fn clone(flags: c_int) -> io::Result<Cloned> {
    require_one_thread()?;
    let mut pidfd: c_int = -1;
    let flags = flags | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: callers in this module pass namespaces or CLONE_FILES. Without CLONE_VM the child gets
    // a copy of the address space and goes on on a copy of this stack, as after fork(2). This
    // process has one thread, so no lock is held by a thread that is missing in the child.
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

/// A string for a system call.
///
/// # Errors
/// It has a NUL byte, where the kernel would take it to end. The error does not show the string, which
/// may be a secret: the caller names it.
pub fn c_string(bytes: impl AsRef<[u8]>) -> io::Result<CString> {
    let has_nul = |_| io::Error::new(io::ErrorKind::InvalidInput, "it has a NUL byte");
    CString::new(bytes.as_ref()).map_err(has_nul)
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

/// Overwrites the process's initial environment with zeros, so that `/proc/PID/environ` shows none.
///
/// For a process that does not execute anything (init): `std::env` is empty afterwards.
///
/// # Errors
/// Another thread could be reading it.
pub fn wipe_environment() -> io::Result<()> {
    unsafe extern "C" {
        static mut environ: *mut *mut c_char;
    }
    require_one_thread()?;
    // SAFETY: there is one thread, and `std::env` hands out copies, so nothing refers to these strings.
    // `environ` is null or an array that a null pointer ends, each entry a writable NUL-terminated
    // string (execve(2) puts them on the stack, setenv on the heap).
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            let string = *entry;
            std::ptr::write_bytes(string, 0, libc::strlen(string));
            entry = entry.add(1);
        }
        environ = std::ptr::null_mut();
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_string_with_a_nul_byte_is_an_error() {
        assert_eq!(c_string("plain").unwrap().as_c_str(), c"plain");
        let error = c_string(b"a\0b").unwrap_err();
        assert_eq!(error.to_string(), "it has a NUL byte");
    }

    #[test]
    fn a_process_with_other_threads_is_not_cloned() {
        let cloned = std::thread::spawn(|| clone_process(Namespaces::NONE)).join();
        assert!(cloned.unwrap().is_err());
    }
}
