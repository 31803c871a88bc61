//! Becoming another user for good, and a child process that does so.

use std::io;

use rustix::process::{Gid, Uid, geteuid, getuid};
use rustix::thread;

use super::check;

/// fork(2) of the C library. Yields the child's process id in the parent and `None` in the child.
///
/// [`super::clone_process`] is for processes with one thread. This is for a process that may have
/// several. In the child, a lock that another thread held stays held: a child that waits for it, such
/// as that of standard output, waits for ever. The child ends by [`super::exit_now`].
pub fn fork() -> io::Result<Option<i32>> {
    // SAFETY: the C library brings its own state, that of memory allocation included, into order in
    // the child. What another thread was changing under a lock of Rust's is behind that lock, which
    // stays held, so that the child does not see it half changed.
    let pid = check(libc::c_long::from(unsafe { libc::fork() }))?;
    Ok((pid != 0).then_some(pid as i32))
}

/// Gives up root: groups, group, user, capabilities. Shows that root cannot be had back.
///
/// The order is that of setgroups(2), setresgid(2), setresuid(2): the reverse would lack the right.
/// The change is that of the calling thread, which must be the only one.
pub fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    thread::set_thread_groups(&[])?;
    thread::set_thread_res_gid(gid, gid, gid)?;
    thread::set_thread_res_uid(uid, uid, uid)?;
    // With SECBIT_NO_SETUID_FIXUP the change of user leaves the capabilities (capabilities(7)).
    super::clear_capability_sets()?;
    let is_root = getuid().is_root() || geteuid().is_root();
    if is_root || thread::set_thread_uid(Uid::ROOT).is_ok() {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    Ok(())
}

/// Has the calling thread's access to files decided by this user and group (setfsuid(2), setfsgid(2)). These calls do
/// not say whether they have failed: [`file_identity`] does.
pub fn set_file_identity(uid: u32, gid: u32) {
    // SAFETY: both take an integer.
    unsafe {
        libc::setfsgid(gid);
        libc::setfsuid(uid);
    }
}

/// The user and the group that decide about the calling thread's access to files.
pub fn file_identity() -> (u32, u32) {
    // An id that is none changes nothing.
    // SAFETY: both take an integer.
    unsafe {
        let uid = libc::setfsuid(u32::MAX).cast_unsigned();
        (uid, libc::setfsgid(u32::MAX).cast_unsigned())
    }
}
