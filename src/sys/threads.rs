//! How many threads this process has, and starting one that owns descriptors of its own.

use std::io;
use std::os::fd::AsRawFd;

use super::descriptors::{Kept, own_descriptors};

/// An error where this process has more than one thread.
///
/// The C library notes when a second thread is started (`__libc_single_threaded`, glibc 2.32). That
/// costs no system call. Where it has noted one, or is not glibc, /proc says how many are left.
///
/// # Errors
/// EAGAIN: there are other threads. No kernel refuses namespaces with it, so that a caller does not
/// take it for such a refusal. Or /proc is needed and cannot be read.
pub(super) fn require_one_thread() -> io::Result<()> {
    if none_was_started() {
        return Ok(());
    }
    // A folder has two links more than it has folders in it, which are the threads.
    match rustix::fs::stat("/proc/self/task")?.st_nlink {
        3 => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EAGAIN)),
    }
}

#[cfg(target_env = "gnu")]
fn none_was_started() -> bool {
    unsafe extern "C" {
        static __libc_single_threaded: std::sync::atomic::AtomicU8;
    }
    // SAFETY: glibc defines this `char`, which has the size and alignment of the type given here.
    // glibc writes it in pthread_create and pthread_join alone, as a single byte.
    unsafe { &__libc_single_threaded }.load(std::sync::atomic::Ordering::Relaxed) != 0
}

#[cfg(not(target_env = "gnu"))]
fn none_was_started() -> bool {
    false
}

/// Starts a thread that gets `given` and does `work` with it.
///
/// The caller then has a table of descriptors of its own (Linux 5.9), without those of `given`: using up
/// the thread's limit leaves the caller's. On an older kernel both go on with one table.
///
/// `work` is a function, which captures nothing: what the thread owns is in `given`.
///
/// # Errors
/// There can be no further thread. `given` is dropped.
pub fn start_with<K: Kept + Send + 'static>(given: K, stack: usize, work: fn(K)) -> io::Result<()> {
    let numbers: Vec<_> = given.kept().iter().map(AsRawFd::as_raw_fd).collect();
    let (apart, is_apart) = std::sync::mpsc::channel::<()>();
    let thread = move || {
        // Its sender is dropped, without a message, when the caller has its own table. What the
        // thread opens before that would be open in both.
        let Err(std::sync::mpsc::RecvError) = is_apart.recv() else {
            return;
        };
        work(given);
    };
    std::thread::Builder::new()
        .stack_size(stack)
        .spawn(thread)?;
    if own_descriptors().is_ok() {
        for number in numbers {
            // SAFETY: the owner has moved into the thread, and the thread's table is another one
            // now. In this table nobody owns the number.
            unsafe { libc::close(number) };
        }
    }
    drop(apart);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    #[test]
    fn a_process_with_threads_is_told_from_one_without() {
        let error = std::thread::spawn(require_one_thread).join().unwrap();
        assert!(error.is_err(), "the test harness has threads");
        // After fork(2) there is one thread, though the C library has noted others.
        let Some(pid) = super::super::identity::fork().unwrap() else {
            super::super::exit_now(i32::from(require_one_thread().is_err()));
        };
        assert_eq!(super::super::wait_for(pid).unwrap(), Some(0));
    }

    struct One(OwnedFd);

    impl Kept for One {
        fn kept(&self) -> Vec<BorrowedFd<'_>> {
            vec![self.0.as_fd()]
        }
    }

    #[test]
    fn what_a_thread_is_given_is_closed_when_the_thread_closes_it() {
        // In a process of its own: other tests share this one's table of descriptors.
        let Some(pid) = super::super::identity::fork().unwrap() else {
            let (reading, writing) = rustix::pipe::pipe().unwrap();
            start_with(One(writing), 256 << 10, drop).unwrap();
            let mut byte = [0];
            let end = rustix::io::read(&reading, &mut byte);
            super::super::exit_now(i32::from(end != Ok(0)));
        };
        assert_eq!(super::super::wait_for(pid).unwrap(), Some(0));
    }
}
