//! Handing over a descriptor through a table of descriptors that two processes share.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::pipe::{PipeFlags, pipe_with};

use super::check;
use super::descriptors::own_descriptors;

/// A descriptor that a child offers to its parent, after
/// [`clone_sharing_descriptors`](super::clone_sharing_descriptors). Made before the clone.
///
/// The pipe in it carries the descriptor's number. Only [`Offer::make`] writes to it.
#[derive(Debug)]
pub struct Offer {
    reading: OwnedFd,
    writing: OwnedFd,
}

impl Offer {
    /// Makes the pipe.
    pub fn new() -> io::Result<Offer> {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Offer { reading, writing })
    }

    /// In the child: offers a descriptor that it has made since the clone, and keeps it open until it
    /// knows that the parent has taken it.
    pub fn make(&self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        let number = descriptor.as_raw_fd().to_ne_bytes();
        rustix::io::write(&self.writing, &number)?;
        Ok(())
    }

    /// In the parent, where [`Offer::as_fd`] is readable: has a table of its own from now on, and takes
    /// the descriptor.
    ///
    /// # Errors
    /// The kernel is older than 5.9, or the child did not keep it open.
    pub fn take(&self) -> io::Result<OwnedFd> {
        let mut number = [0u8; size_of::<RawFd>()];
        if rustix::io::read(&self.reading, &mut number)? != number.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let number = RawFd::from_ne_bytes(number);
        own_descriptors()?;
        // SAFETY: F_GETFD takes integers only and fails where nothing is open.
        check(unsafe { libc::fcntl(number, libc::F_GETFD) }.into())?;
        // SAFETY: it is open. The child made it after the clone and is its only owner. That owner
        // is in the child's memory and closes it in the child's table, which is another one now.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    }

    /// Where there is none: the parent has a table of its own from now on.
    pub fn pass_over(&self) -> io::Result<()> {
        own_descriptors()
    }
}

/// Readable where a descriptor is offered.
impl AsFd for Offer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reading.as_fd()
    }
}
