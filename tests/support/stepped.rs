//! A command that is stopped at its system calls (ptrace(2)), so that a test acts between two of them.
//!
//! Only the process itself is traced, not its children. No test has to win a race: the window is held open.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Ended, in_child};

/// Only a command that hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a command and lists, by number, the system calls that name `name` as the last part of a path.
pub fn mentions(command: &mut Command, name: &str) -> Vec<usize> {
    let mut found = Vec::new();
    stepped(command, |number, path| {
        if last_part(path) == name {
            found.push(number);
        }
        true
    });
    found
}

/// Runs a command and calls `act` just before its system call of this number; the rest of it is not stopped.
pub fn acting_before(command: &mut Command, number: usize, act: impl FnOnce()) -> Ended {
    let mut act = Some(act);
    stepped(command, |at, _| {
        if at == number
            && let Some(act) = act.take()
        {
            act();
        }
        at < number
    })
}

fn last_part(path: &str) -> &str {
    path.trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default()
}

/// Calls `visit` before each system call, with its number and the path that it takes, until that says no.
#[expect(
    clippy::zombie_processes,
    reason = "waitpid(2) is called for its stops and its end"
)]
fn stepped(command: &mut Command, mut visit: impl FnMut(usize, &str) -> bool) -> Ended {
    in_child(command, || {
        // SAFETY: this request takes no pointers.
        check(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) })
    });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // Its own group, so that a hang can be ended with all that it has started.
    let child = command.process_group(0).spawn().unwrap();
    let pid = child.id().cast_signed();
    let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
    let (mut number, mut enters, mut is_first) = (0, true, true);
    loop {
        let mut status = 0;
        // SAFETY: `status` outlives the call.
        check(i64::from(unsafe { libc::waitpid(pid, &raw mut status, 0) })).unwrap();
        if !libc::WIFSTOPPED(status) {
            return ended(child, Some(status));
        }
        let signal = libc::WSTOPSIG(status);
        if is_first {
            // SAFETY: this request takes no pointers.
            check(unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, pid, 0, options) }).unwrap();
            is_first = false;
        } else if signal == libc::SIGTRAP | 0x80 {
            if enters {
                number += 1;
                if !visit(number, &path_of(pid)) {
                    // SAFETY: this request takes no pointers.
                    check(unsafe { libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0) }).unwrap();
                    return ended(child, None);
                }
            }
            enters = !enters;
        }
        let passed_on = match signal {
            libc::SIGTRAP => 0,
            signal if signal & 0x80 != 0 => 0,
            signal => signal,
        };
        // SAFETY: this request takes no pointers.
        check(unsafe { libc::ptrace(libc::PTRACE_SYSCALL, pid, 0, passed_on) }).unwrap();
    }
}

fn check(value: i64) -> io::Result<()> {
    match value {
        ..0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The path that the system call takes at which a process is stopped, if it is one of these.
fn path_of(pid: i32) -> String {
    // SAFETY: an all-zero value is valid: it is plain data.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::ptrace_syscall_info>();
    // SAFETY: the kernel writes at most `size` bytes to `info`.
    check(unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size, &raw mut info) })
        .unwrap();
    // SAFETY: this is a stop at the entry of a system call.
    let entry = unsafe { info.u.entry };
    let takes_path = [
        libc::SYS_openat,
        libc::SYS_openat2,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_readlinkat,
        libc::SYS_faccessat,
        libc::SYS_faccessat2,
    ];
    #[cfg(target_arch = "x86_64")]
    let takes_first = [
        libc::SYS_open,
        libc::SYS_stat,
        libc::SYS_lstat,
        libc::SYS_readlink,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let takes_first: [i64; 0] = [];
    let number = entry.nr.cast_signed();
    let address = match number {
        _ if takes_path.contains(&number) => entry.args[1],
        _ if takes_first.contains(&number) => entry.args[0],
        _ => return String::new(),
    };
    let mut bytes = [0; 256];
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let length = memory.read_at(&mut bytes, address).unwrap_or(0);
    let end = bytes[..length].iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(length)]).into_owned()
}

/// What came of it. `status`: that of a process which was waited for already.
fn ended(mut child: Child, status: Option<i32>) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    let began = Instant::now();
    let status = status.map(std::process::ExitStatus::from_raw);
    let status = status.unwrap_or_else(|| {
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > PATIENCE {
                // SAFETY: it takes integers.
                unsafe { libc::kill(-child.id().cast_signed(), libc::SIGKILL) };
                panic!("it hangs");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let read = |stream: Option<Box<dyn io::Read>>| {
        let mut text = Vec::new();
        stream.unwrap().read_to_end(&mut text).unwrap();
        text
    };
    let stdout = read(child.stdout.take().map(|it| Box::new(it) as _));
    let stderr = read(child.stderr.take().map(|it| Box::new(it) as _));
    Ended::from(std::process::Output {
        status,
        stdout,
        stderr,
    })
}
