//! How the sandbox hands its listener to the supervisor.
//!
//! Once the filter holds, the sandbox can no longer send a descriptor (sendmsg is notified, and
//! nobody answers yet), and pidfd_getfd is refused in many containers. So the two share one table
//! of descriptors from the clone until the supervisor has seen the listener's number.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::{Error, Rules, Supervisor};
use crate::sys::notify as sys;

/// The way, made before the clone; the child offers and the parent takes. Neither may close a
/// descriptor that was there at the clone before that is done.
#[derive(Debug)]
pub struct Handover {
    numbers: (OwnedFd, OwnedFd),
    taken: (OwnedFd, OwnedFd),
}

const TAKEN: u8 = 1;
const REFUSED: u8 = 0;

impl Handover {
    /// Makes the way.
    pub fn new() -> Result<Handover, Error> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(failed);
        Ok(Handover {
            numbers: pipe()?,
            taken: pipe()?,
        })
    }

    /// In the sandbox: offers the listener, and closes it once the supervisor has it.
    ///
    /// # Errors
    /// The supervisor cannot take it, or cannot look after this process.
    pub fn offer(&self, listener: OwnedFd) -> Result<(), Error> {
        rustix::io::write(&self.numbers.1, &listener.as_raw_fd().to_ne_bytes()).map_err(failed)?;
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
        let number = self.number(pidfd)?;
        sys::own_descriptors().map_err(Error::Handover)?;
        let Some(number) = number else {
            return Ok(None);
        };
        let outcome = sys::adopt(number)
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

    fn number(&self, pidfd: BorrowedFd<'_>) -> Result<Option<i32>, Error> {
        let mut ready = [
            PollFd::new(&self.numbers.0, PollFlags::IN),
            PollFd::from_borrowed_fd(pidfd, PollFlags::IN),
        ];
        while let Err(error) = poll(&mut ready, None) {
            if error != Errno::INTR {
                return Err(failed(error));
            }
        }
        if !ready[0].revents().contains(PollFlags::IN) {
            return Ok(None);
        }
        let mut number = [0u8; 4];
        match rustix::io::read(&self.numbers.0, &mut number) {
            Ok(4) => Ok(Some(i32::from_ne_bytes(number))),
            Ok(_) => Err(Error::Handover(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(failed(error)),
        }
    }
}

/// A process that a signal has ended meanwhile.
fn has_ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOENT))
}

fn failed(error: Errno) -> Error {
    Error::Handover(error.into())
}
