//! How the sandbox hands its listener to the supervisor.
//!
//! Once the filter holds, the sandbox can no longer send a descriptor (sendmsg is notified, and
//! nobody answers yet), and pidfd_getfd is refused in many containers. So the two share one table
//! of descriptors from the clone until the supervisor has seen the listener's number.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::{Error, Rules, Supervisor};
use crate::sys::offer::Offer;

/// The way, made before the clone; the child offers and the parent takes. Neither may close a
/// descriptor that was there at the clone before that is done.
#[derive(Debug)]
pub struct Handover {
    listener: Offer,
    taken: (OwnedFd, OwnedFd),
}

const TAKEN: u8 = 1;
const REFUSED: u8 = 0;

impl Handover {
    /// Makes the way.
    pub fn new() -> Result<Handover, Error> {
        Ok(Handover {
            listener: Offer::new().map_err(Error::Handover)?,
            taken: pipe_with(PipeFlags::CLOEXEC).map_err(failed)?,
        })
    }

    /// In the sandbox: offers the listener, and closes it once the supervisor has it.
    ///
    /// # Errors
    /// The supervisor cannot take it, or cannot look after this process.
    pub fn offer(&self, listener: OwnedFd) -> Result<(), Error> {
        self.listener
            .make(listener.as_fd())
            .map_err(Error::Handover)?;
        let mut answer = [REFUSED];
        let got = rustix::io::read(&self.taken.0, &mut answer).map_err(failed)?;
        if got == 1 && answer == [TAKEN] {
            Ok(())
        } else {
            Err(failed(Errno::CONNREFUSED))
        }
    }

    /// In the supervisor's process: takes the listener, and from then on has its own descriptors. `None`
    /// where the child, which its pidfd and its number name, has ended before it had any.
    ///
    /// # Errors
    /// It cannot be had, or the child's memory cannot be read, so that no call could be decided;
    /// the child is told.
    pub fn take(
        &self,
        child: i32,
        pidfd: BorrowedFd<'_>,
        rules: Rules,
    ) -> Result<Option<Supervisor>, Error> {
        if !self.is_offered(pidfd)? {
            self.listener.pass_over().map_err(Error::Handover)?;
            return Ok(None);
        }
        let outcome = self
            .listener
            .take()
            .map_err(Error::Handover)
            .and_then(|listener| {
                // What it takes to decide: shown now, rather than missed at the first call.
                File::open(format!("/proc/{child}/mem")).map_err(Error::Memory)?;
                // While it waits it is still the command's process, under the command's filters.
                Ok(Supervisor::new(listener, rules.of_command(child)))
            });
        let answer = if outcome.is_ok() { TAKEN } else { REFUSED };
        rustix::io::write(&self.taken.1, &[answer]).map_err(failed)?;
        match outcome {
            Err(Error::Memory(error)) if has_ended(&error) => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// Waits until the listener is offered; `false` where the child has ended instead.
    fn is_offered(&self, pidfd: BorrowedFd<'_>) -> Result<bool, Error> {
        let mut ready = [
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::from_borrowed_fd(pidfd, PollFlags::IN),
        ];
        while let Err(error) = poll(&mut ready, None) {
            if error != Errno::INTR {
                return Err(failed(error));
            }
        }
        Ok(ready[0].revents().contains(PollFlags::IN))
    }
}

/// A process that a signal has ended meanwhile.
fn has_ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT))
}

fn failed(error: Errno) -> Error {
    Error::Handover(error.into())
}
