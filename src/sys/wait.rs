//! Waiting for children, and what a wait status says.

use std::ffi::{c_int, c_long};
use std::io;

use super::check;

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
