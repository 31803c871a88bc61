//! Holds a launcher at the system calls that resolve a path, by ptrace(2): a race that is open for
//! a moment is then open for as long as a test needs.
//!
//! Every process of the launcher's is traced until it executes something else.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::wait::DEADLINE;
use super::{Ended, in_child};

/// Where a traced process has stopped.
pub(super) enum Stop {
    /// It is about to make a system call.
    Call(i32),
    /// It has executed another program, and is traced no more.
    Executed,
}

/// A system call that is about to resolve a path.
#[derive(Debug)]
pub struct Call {
    pub process: i32,
    pub number: i64,
    pub paths: Vec<Resolved>,
}

/// A path that a call resolves.
#[derive(Debug)]
pub struct Resolved {
    /// The folder that it begins at.
    pub start: PathBuf,
    /// Absolute where that can be told. What lies there is not looked at.
    pub path: PathBuf,
}

impl Call {
    /// Whether it comes through a place, given by the last components of its path. A call that
    /// begins in the place or below it does not: that folder is open, whatever its name is by now.
    pub fn comes_through(&self, place: &Path) -> bool {
        self.through(place).is_some()
    }

    /// The path that comes through a place.
    pub fn through(&self, place: &Path) -> Option<&Path> {
        let wanted: Vec<_> = place.components().collect();
        let is_below = |path: &Path| {
            let found: Vec<_> = path.components().collect();
            found.windows(wanted.len()).any(|part| part == wanted)
        };
        let mut paths = self.paths.iter();
        let found = paths.find(|it| is_below(&it.path) && !is_below(&it.start))?;
        Some(&found.path)
    }

    /// Whether it opens and changes nothing.
    pub fn only_looks(&self) -> bool {
        matches!(self.number, libc::SYS_statx | libc::SYS_newfstatat)
    }
}

/// Runs a command and calls `act` before its call number `window`, from 0, of those that come
/// through `place`. Nothing is stopped after that. Returns the number of calls until then too.
pub fn at_window(
    command: &mut Command,
    place: &Path,
    window: Option<usize>,
    mut act: impl FnMut(),
) -> (Ended, usize) {
    let mut number = 0;
    let ended = run_until(command, |call| {
        if call.comes_through(place) {
            number += 1;
            if window == Some(number - 1) {
                act();
                return false;
            }
        }
        true
    });
    (ended, number)
}

/// Runs a command, and has `at` act before each call of its processes that resolves a path.
pub fn run(command: &mut Command, mut at: impl FnMut(&Call)) -> Ended {
    run_until(command, |call| {
        at(call);
        true
    })
}

/// The same, until `at` says no.
fn run_until(command: &mut Command, mut at: impl FnMut(&Call) -> bool) -> Ended {
    trace(command, |stop| match stop {
        Stop::Call(process) => call(process).is_none_or(|call| at(&call)),
        Stop::Executed => true,
    })
}

/// Runs a command, and has `at` act where its processes stop, until it says no.
pub(super) fn trace(command: &mut Command, mut at: impl FnMut(Stop) -> bool) -> Ended {
    let (mut said, tells) = std::io::pipe().unwrap();
    let (waits, mut go) = std::io::pipe().unwrap();
    let (tells_fd, waits_fd) = (tells.as_raw_fd(), waits.as_raw_fd());
    in_child(command, move || {
        // SAFETY: getpid(2) takes nothing; the buffers live until the calls return.
        unsafe {
            let own = libc::getpid().to_ne_bytes();
            libc::write(tells_fd, own.as_ptr().cast(), own.len());
            let mut byte = 0u8;
            libc::read(waits_fd, (&raw mut byte).cast(), 1);
        }
        Ok(())
    });
    let (is_over, hangs) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // Starting it takes until it has executed, which is after this thread has begun to trace
        // it.
        let said_by_it = scope.spawn(|| output(command));
        let mut process = [0; 4];
        said.read_exact(&mut process).unwrap();
        let process = i32::from_ne_bytes(process);
        seize(process);
        go.write_all(b"x").unwrap();
        let (is_over, hangs) = (&is_over, &hangs);
        scope.spawn(move || {
            let start = Instant::now();
            while !is_over.load(Ordering::Relaxed) {
                if start.elapsed() > DEADLINE {
                    hangs.store(true, Ordering::Relaxed);
                    // SAFETY: it takes integers. The process is a child of this one that nobody has
                    // reaped.
                    unsafe { libc::kill(process, libc::SIGKILL) };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let status = follow(process, &mut at);
        is_over.store(true, Ordering::Relaxed);
        drop((tells, waits));
        let (stdout, stderr) = said_by_it.join().unwrap();
        assert!(!hangs.load(Ordering::Relaxed), "it hangs");
        Ended::from(Output {
            status,
            stdout,
            stderr,
        })
    })
}

/// What a command writes.
// The tracer waits for its end.
#[allow(clippy::zombie_processes)]
fn output(command: &mut Command) -> (Vec<u8>, Vec<u8>) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut errors = child.stderr.take().unwrap();
    std::thread::scope(|scope| {
        let errors = scope.spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).unwrap();
            text
        });
        let mut text = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut text).unwrap();
        (text, errors.join().unwrap())
    })
}

const OPTIONS: i32 = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_EXITKILL;

fn seize(process: i32) {
    let seized = ptrace(libc::PTRACE_SEIZE, process, 0, OPTIONS as usize);
    assert_eq!(seized, 0, "{}", std::io::Error::last_os_error());
}

fn ptrace(request: libc::c_uint, process: i32, address: usize, data: usize) -> i64 {
    // SAFETY: callers that hand over an address hand over a buffer that lives until the call
    // returns.
    unsafe { libc::ptrace(request, process, address, data) }
}

/// Until no traced process is left. The status of the first one.
fn follow(first: i32, at: &mut impl FnMut(Stop) -> bool) -> ExitStatus {
    let (mut has_executed, mut is_stopping) = (false, true);
    let mut ended = None;
    loop {
        let mut status = 0;
        let flags = libc::__WALL | libc::__WNOTHREAD;
        // SAFETY: the status is written before the call returns. Other threads' children are left
        // to them.
        let process = unsafe { libc::waitpid(-1, &raw mut status, flags) };
        if process < 0 {
            return ended.unwrap_or_else(|| wait(first));
        }
        if !libc::WIFSTOPPED(status) {
            if process == first {
                ended = Some(ExitStatus::from_raw(status));
            }
            continue;
        }
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        let mut request = libc::PTRACE_SYSCALL;
        let mut hands_on = 0;
        if signal == libc::SIGTRAP | 0x80 {
            if is_stopping && entry(process).is_some() {
                is_stopping = at(Stop::Call(process));
            }
        } else if event == libc::PTRACE_EVENT_EXEC {
            // The first one is the launcher itself.
            if has_executed && !is_launcher(process) {
                request = libc::PTRACE_DETACH;
                is_stopping = is_stopping && at(Stop::Executed);
            }
            has_executed = true;
        } else if event == libc::PTRACE_EVENT_STOP && signal != libc::SIGTRAP {
            request = libc::PTRACE_LISTEN;
        } else if event == 0 {
            hands_on = signal as usize;
        }
        if !is_stopping {
            request = libc::PTRACE_DETACH;
        }
        ptrace(request, process, 0, hands_on);
    }
}

/// Waits for a child that another thread has started, and that is traced no more.
fn wait(process: i32) -> ExitStatus {
    let mut status = 0;
    // SAFETY: the status is written before the call returns.
    let waited = unsafe { libc::waitpid(process, &raw mut status, 0) };
    assert_eq!(waited, process, "{}", std::io::Error::last_os_error());
    ExitStatus::from_raw(status)
}

fn is_launcher(process: i32) -> bool {
    let file = std::fs::read_link(format!("/proc/{process}/exe"));
    file.is_ok_and(|file| file.ends_with("gosandbox"))
}

/// Which arguments are a folder's descriptor and a path below it.
fn arguments(number: i64) -> &'static [(Option<usize>, usize)] {
    #[cfg(target_arch = "x86_64")]
    match number {
        libc::SYS_open
        | libc::SYS_stat
        | libc::SYS_lstat
        | libc::SYS_access
        | libc::SYS_mkdir
        | libc::SYS_rmdir
        | libc::SYS_creat
        | libc::SYS_unlink
        | libc::SYS_readlink
        | libc::SYS_chmod
        | libc::SYS_chown
        | libc::SYS_lchown
        | libc::SYS_mknod
        | libc::SYS_utimes => return &[(None, 0)],
        libc::SYS_symlink => return &[(None, 1)],
        libc::SYS_rename | libc::SYS_link => return &[(None, 0), (None, 1)],
        _ => {}
    }
    match number {
        libc::SYS_truncate
        | libc::SYS_chdir
        | libc::SYS_chroot
        | libc::SYS_statfs
        | libc::SYS_getxattr
        | libc::SYS_lgetxattr
        | libc::SYS_setxattr
        | libc::SYS_lsetxattr
        | libc::SYS_listxattr
        | libc::SYS_llistxattr
        | libc::SYS_removexattr
        | libc::SYS_lremovexattr
        | libc::SYS_execve
        | libc::SYS_umount2 => &[(None, 0)],
        libc::SYS_mount => &[(None, 1)],
        libc::SYS_openat
        | libc::SYS_openat2
        | libc::SYS_newfstatat
        | libc::SYS_statx
        | libc::SYS_faccessat
        | libc::SYS_faccessat2
        | libc::SYS_mkdirat
        | libc::SYS_mknodat
        | libc::SYS_unlinkat
        | libc::SYS_readlinkat
        | libc::SYS_fchmodat
        | libc::SYS_fchmodat2
        | libc::SYS_fchownat
        | libc::SYS_utimensat
        | libc::SYS_open_tree
        | libc::SYS_name_to_handle_at
        | libc::SYS_inotify_add_watch => &[(Some(0), 1)],
        libc::SYS_symlinkat => &[(Some(1), 2)],
        libc::SYS_renameat | libc::SYS_renameat2 | libc::SYS_linkat | libc::SYS_move_mount => {
            &[(Some(0), 1), (Some(2), 3)]
        }
        _ => &[],
    }
}

/// As the kernel lays it out at a call's entry (`struct ptrace_syscall_info`).
#[repr(C)]
#[derive(Default)]
struct Info {
    kind: u8,
    _padding: [u8; 3],
    _machine: u32,
    _instruction: u64,
    _stack: u64,
    number: u64,
    arguments: [u64; 6],
}

const ENTRY: u8 = 1;

/// What a stopped process asks the kernel for. `None` at a call's end.
fn entry(process: i32) -> Option<Info> {
    let mut info = Info::default();
    let request = libc::PTRACE_GET_SYSCALL_INFO;
    let got = ptrace(request, process, size_of::<Info>(), (&raw mut info).addr());
    (got > 0 && info.kind == ENTRY).then_some(info)
}

/// The call that a stopped process is about to make, where it resolves a path.
fn call(process: i32) -> Option<Call> {
    let info = entry(process)?;
    let number = info.number as i64;
    let paths = arguments(number).iter();
    let paths: Vec<Resolved> = paths
        .filter_map(|(folder, path)| {
            let folder = folder.map_or(libc::AT_FDCWD, |at| info.arguments[at] as i32);
            resolved(process, folder, text(process, info.arguments[*path])?)
        })
        .collect();
    (!paths.is_empty()).then_some(Call {
        process,
        number,
        paths,
    })
}

fn resolved(process: i32, folder: i32, given: PathBuf) -> Option<Resolved> {
    // A descriptor, and its link in /proc, is no path that is resolved again.
    if given.as_os_str().is_empty() || given.starts_with("/proc/self/fd") {
        return None;
    }
    let link = |name: &str| std::fs::read_link(format!("/proc/{process}/{name}"));
    let start = match folder {
        _ if given.is_absolute() => PathBuf::from("/"),
        libc::AT_FDCWD => link("cwd").unwrap_or_default(),
        folder => link(&format!("fd/{folder}")).unwrap_or_default(),
    };
    Some(Resolved {
        path: start.join(given),
        start,
    })
}

fn text(process: i32, address: u64) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    if address == 0 {
        return None;
    }
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let mut bytes = [0; 4096];
    // The page after the path's may be none.
    let length = 4096 - (address as usize & 4095);
    let mut read = memory.read_at(&mut bytes[..length], address).ok()?;
    if !bytes[..read].contains(&0) {
        read += memory
            .read_at(&mut bytes[read..], address + read as u64)
            .unwrap_or(0);
    }
    let end = bytes[..read].iter().position(|byte| *byte == 0)?;
    Some(Path::new(std::ffi::OsStr::from_bytes(&bytes[..end])).to_owned())
}
