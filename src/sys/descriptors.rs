//! This process's table of descriptors as a whole.

use std::ffi::{c_int, c_long, c_uint};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::check;
use super::process::exit_now;
use super::threads::require_one_thread;

/// A value that a process or thread goes on with, and all descriptors in it.
pub trait Kept {
    /// Every descriptor that the value owns. One that is left out is closed while its owner uses it.
    fn kept(&self) -> Vec<BorrowedFd<'_>>;
}

impl Kept for OwnedFd {
    fn kept(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.as_fd()]
    }
}

/// Closes every descriptor except those of `kept`, does `work`, and ends the process with the status
/// that it yields. `work` is told whether all others were closed.
///
/// This never returns, and `work` is a function, which captures nothing. So no owner of a closed
/// descriptor is used or dropped later, except one in a static: `work` must use none of these.
pub fn go_on_with<K: Kept>(kept: K, work: fn(K, io::Result<()>) -> i32) -> ! {
    let closed = require_one_thread().and_then(|()| {
        // SAFETY: there is one thread, and its owners of other descriptors are on this stack below,
        // where nothing returns to.
        unsafe { close_all_except(&kept.kept()) }
    });
    exit_now(work(kept, closed))
}

/// Closes every descriptor, and waits to be killed.
pub fn wait_for_the_end() -> ! {
    struct Nothing;
    impl Kept for Nothing {
        fn kept(&self) -> Vec<BorrowedFd<'_>> {
            Vec::new()
        }
    }
    // A process that is killed soon may go on with descriptors that could not be closed.
    go_on_with(Nothing, |_, _| {
        loop {
            rustix::event::pause();
        }
    })
}

/// # Safety
/// No owner of another descriptor may be used or dropped after this.
unsafe fn close_all_except(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut kept: Vec<c_uint> = kept.iter().map(|fd| fd.as_raw_fd() as c_uint).collect();
    kept.sort_unstable();
    let mut first = 0;
    for number in kept {
        if number > first {
            // SAFETY: close_range takes integers only; the caller promises that nobody uses these.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, number - 1, 0) })?;
        }
        first = number + 1;
    }
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, 0) }).map(drop)
}

/// Gives the calling thread its own copy of a table of descriptors that others share.
///
/// close_range(2) of nothing (Linux 5.9) rather than unshare(2), which container filters refuse.
pub(super) fn own_descriptors() -> io::Result<()> {
    const CLOSE_RANGE_UNSHARE: c_uint = 2;
    let beyond = c_uint::MAX;
    // SAFETY: takes integers only; no descriptor has such a number, all keep theirs.
    check(unsafe { libc::syscall(libc::SYS_close_range, beyond, beyond, CLOSE_RANGE_UNSHARE) })
        .map(drop)
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
