//! What a process restricts itself with: Landlock's version, seccomp filters, an empty session keyring.

use std::ffi::{c_char, c_int, c_uint};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use super::check;

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
