//! Signals for hosts where neither a pid namespace nor Landlock scopes them: to descendants of the
//! supervisor, which is the subreaper of everything inside, and to nobody else.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::caller::Caller;
use super::{Errno, errno};
use crate::sys::notify as sys;

/// `tgkill` and `tkill`: to threads of the caller's own process, which waits and so cannot end
/// and leave its number to another.
pub(super) fn thread(
    caller: &Caller<'_>,
    process: Option<i32>,
    thread: i32,
    signal: i32,
) -> Result<(), Errno> {
    let own = caller.process()?;
    if process.is_some_and(|process| process != own) {
        return Err(libc::EPERM);
    }
    sys::signal_thread(own, thread, signal).map_err(|error| match error.raw_os_error() {
        // For tkill: the thread may be another process's.
        Some(libc::ESRCH) if process.is_none() => libc::EPERM,
        _ => errno(&error),
    })
}

/// `kill`: to a process inside, to those inside of a process group, or to all inside.
pub(super) fn process(caller: &Caller<'_>, target: i32, signal: i32) -> Result<(), Errno> {
    let own = caller.process()?;
    if target > 0 {
        let pidfd = open(target)?;
        return sys::signal_process(pidfd.as_fd(), signal).map_err(|error| errno(&error));
    }
    let group = match target {
        0 => Some(stat(own).ok_or(libc::ESRCH)?.group),
        -1 => None,
        group => Some(group.checked_neg().ok_or(libc::ESRCH)?),
    };
    let mut sent = false;
    for entry in std::fs::read_dir("/proc")
        .map_err(|_| libc::EPERM)?
        .flatten()
    {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let meant = match group {
            Some(group) => stat(pid).is_some_and(|stat| stat.group == group),
            None => pid != own,
        };
        if !meant {
            continue;
        }
        // Those outside, and those that have ended meanwhile, are passed over.
        let Ok(pidfd) = open(pid) else { continue };
        sent |= sys::signal_process(pidfd.as_fd(), signal).is_ok();
    }
    if sent { Ok(()) } else { Err(libc::EPERM) }
}

/// A pidfd of a process inside. It is opened before it is looked at, so that it names the one
/// that was looked at or one that has ended.
pub(super) fn open(target: i32) -> Result<OwnedFd, Errno> {
    let pid = Pid::from_raw(target)
        .filter(|_| target > 0)
        .ok_or(libc::EINVAL)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(rustix::io::Errno::raw_os_error)?;
    if is_inside(target) {
        Ok(pidfd)
    } else {
        Err(libc::EPERM)
    }
}

/// Whether the supervisor is among the process's ancestors.
fn is_inside(process: i32) -> bool {
    let supervisor = std::process::id().cast_signed();
    let mut at = process;
    // A chain that changes underneath could go round; no tree is that deep.
    for _ in 0..10_000 {
        match stat(at) {
            Some(stat) if stat.parent == supervisor => return true,
            Some(stat) if stat.parent > 1 => at = stat.parent,
            _ => return false,
        }
    }
    false
}

struct Stat {
    parent: i32,
    group: i32,
}

fn stat(process: i32) -> Option<Stat> {
    let text = std::fs::read(format!("/proc/{process}/stat")).ok()?;
    // The program's name, in parentheses, may hold anything.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&text[end + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace().skip(1);
    Some(Stat {
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}
