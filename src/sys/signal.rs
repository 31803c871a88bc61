//! Signal masks, dispositions, descriptors and sending, on plain numbers: the kernel's, realtime included.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::check;

/// A signal mask, as it was found, to be put back before a command is executed.
#[derive(Clone, Copy)]
pub struct Mask(libc::sigset_t);

/// Blocks every signal for the calling thread and returns the mask that was in force.
///
/// SIGKILL and SIGSTOP cannot be blocked, and the C library leaves out 32 and 33, with which it
/// speaks to its own threads. Threads that are started later have the same mask.
///
/// What is blocked is kept for a [`descriptor`], also where its disposition is to be ignored, and
/// also for pid 1 of a pid namespace (signal(7), pid_namespaces(7)).
pub fn block_all() -> io::Result<Mask> {
    let mut all = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises `all`.
    let all = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        all.assume_init()
    };
    set_mask(&all)
}

/// Sets the calling thread's mask and returns the one that was in force.
fn set_mask(mask: &libc::sigset_t) -> io::Result<Mask> {
    let mut old = MaybeUninit::uninit();
    // SAFETY: pthread_sigmask reads `mask`, which is initialised. Where it returns 0 it has
    // initialised `old`. It is defined in a process with several threads, as sigprocmask is not.
    let result = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, old.as_mut_ptr()) };
    match result {
        // SAFETY: as above.
        0 => Ok(Mask(unsafe { old.assume_init() })),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Puts a mask back.
pub fn restore(mask: &Mask) -> io::Result<()> {
    set_mask(&mask.0).map(drop)
}

/// A descriptor from which blocked signals are read (signalfd(2)), close-on-exec, non-blocking.
pub fn descriptor() -> io::Result<OwnedFd> {
    let mut all = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises `all`, which signalfd reads; the descriptor returned is new
    // and owned by nobody else.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        let fd = libc::signalfd(-1, all.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        check(fd.into())?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Reads the number of one signal from a [`descriptor`]; `None` where none is pending.
pub fn read(descriptor: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: read writes at most `size` bytes into `info`, which is plain data and zeroed.
    let info = unsafe {
        match check(libc::read(descriptor.as_raw_fd(), info.as_mut_ptr().cast(), size) as _) {
            Ok(_) => info.assume_init(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    };
    Ok(Some(info.ssi_signo as i32))
}

/// kill(2).
pub fn send(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: kill takes integers only.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// Sets a signal's default action. Whether it was ignored before.
pub fn set_default(signal: i32) -> io::Result<bool> {
    Ok(set_action(signal, libc::SIG_DFL)? == libc::SIG_IGN)
}

/// Ignores a signal.
pub fn ignore(signal: i32) -> io::Result<()> {
    set_action(signal, libc::SIG_IGN).map(drop)
}

fn set_action(signal: i32, action: libc::sighandler_t) -> io::Result<libc::sighandler_t> {
    // SAFETY: all-zero is a valid sigaction: no flags, an empty mask. The action is one of the two
    // constants, never a function.
    unsafe {
        let mut new: libc::sigaction = std::mem::zeroed();
        let mut old: libc::sigaction = std::mem::zeroed();
        new.sa_sigaction = action;
        check(libc::sigaction(signal, &raw const new, &raw mut old).into())?;
        Ok(old.sa_sigaction)
    }
}

/// Stops this process by a stop signal; returns when it goes on. The signal's action is the default
/// one afterwards.
///
/// Every thread has to block every signal, as after [`block_all`]. The signal then waits until the
/// calling thread lets it through, and stops all threads. Only SIGSTOP stops them at once. In an
/// orphaned process group the kernel discards the others, and this returns without a stop
/// (signal(7), setpgid(2)).
pub fn stop_by(signal: i32) -> io::Result<()> {
    if signal != libc::SIGSTOP {
        set_default(signal)?;
    }
    send(std::process::id() as i32, signal)?;
    let mut all_but_it = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set, and sigdelset changes it.
    let all_but_it = unsafe {
        libc::sigfillset(all_but_it.as_mut_ptr());
        libc::sigdelset(all_but_it.as_mut_ptr(), signal);
        all_but_it.assume_init()
    };
    // The signal is delivered, with its default action, before this returns.
    set_mask(&all_but_it)?;
    block_all().map(drop)
}
