//! One connection that is passed on: two streams, a bounded buffer each way, and what has ended.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use rustix::event::PollFlags;

use super::far::{self, Candidate};

/// So much of each direction is kept where the other side does not read.
const BUFFER: usize = 32 << 10;

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// What was read and not yet written, from `start` on.
    kept: Vec<u8>,
    start: usize,
    /// Whether the reader has seen the end.
    ended: bool,
    /// Whether the end was passed on.
    told: bool,
}

impl Way {
    fn wants_to_read(&self) -> bool {
        !self.ended && self.kept.is_empty()
    }

    fn wants_to_write(&self) -> bool {
        self.start < self.kept.len()
    }

    /// Moves what can be moved without waiting.
    fn pass(&mut self, from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
        if self.wants_to_read() {
            self.kept.resize(BUFFER, 0);
            let read = without_waiting(|| from.read(&mut self.kept));
            self.kept
                .truncate(*read.as_ref().unwrap_or(&None).as_ref().unwrap_or(&0));
            self.ended = read? == Some(0);
        }
        if self.wants_to_write()
            && let Some(written) = without_waiting(|| to.write(&self.kept[self.start..]))?
        {
            self.start += written;
        }
        if !self.wants_to_write() {
            self.kept.clear();
            self.start = 0;
            if self.ended && !self.told {
                self.told = true;
                // A side that is gone has nobody to be told.
                let _or_it_is_gone = to.shutdown(Shutdown::Write);
            }
        }
        Ok(())
    }
}

/// `None` where it would have to wait.
fn without_waiting(call: impl FnOnce() -> io::Result<usize>) -> io::Result<Option<usize>> {
    match call() {
        Ok(count) => Ok(Some(count)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A connection and where it is passed on to.
#[derive(Debug)]
pub(super) struct Flow {
    /// Who has connected.
    pub(super) near: TcpStream,
    pub(super) far: TcpStream,
    /// Whether the far end is connected to.
    pub(super) is_open: bool,
    /// What else may be tried, the next one last.
    pub(super) candidates: Vec<Candidate>,
    /// The program whose end is the connection's.
    pub(super) program: Option<u64>,
    /// Whether the far end is the program, in whose pool its socket belongs.
    pub(super) is_published: bool,
    /// The place in the list of what has passed.
    pub(super) place: usize,
    /// When it ends, whatever is under way.
    pub(super) deadline: Option<Instant>,
    /// Whether it is over once what the program has sent is passed on.
    pub(super) is_last: bool,
    up: Way,
    down: Way,
}

impl Flow {
    pub(super) fn new(near: TcpStream, far: TcpStream, place: usize) -> Flow {
        Flow {
            near,
            far,
            is_open: false,
            candidates: Vec::new(),
            program: None,
            is_published: false,
            place,
            deadline: None,
            is_last: false,
            up: Way::default(),
            down: Way::default(),
        }
    }

    /// What the near end is waited for.
    pub(super) fn near_events(&self) -> PollFlags {
        match self.is_open {
            true => events(&self.up, &self.down),
            false => PollFlags::empty(),
        }
    }

    /// What the far end is waited for.
    pub(super) fn far_events(&self) -> PollFlags {
        match self.is_open {
            true => events(&self.down, &self.up),
            false => PollFlags::OUT,
        }
    }

    /// Passes on what there is; whether it goes on.
    ///
    /// # Errors
    /// One side has broken off.
    pub(super) fn pass(&mut self) -> io::Result<bool> {
        if !self.is_open {
            return Ok(true);
        }
        self.up.pass(&mut self.near, &mut self.far)?;
        self.down.pass(&mut self.far, &mut self.near)?;
        let (program, other) = match self.is_published {
            true => (&self.down, &self.up),
            false => (&self.up, &self.down),
        };
        Ok(!(program.told && (other.told || self.is_last)))
    }

    /// Ends it as one side has: by a reset. Yields the far end, where it may be used again.
    pub(super) fn break_off(self) -> Option<TcpStream> {
        far::abort(self.near);
        if self.is_published {
            return Some(self.far);
        }
        far::abort(self.far);
        None
    }
}

/// What a side is waited for that is read into one direction and written from the other.
fn events(read: &Way, written: &Way) -> PollFlags {
    let mut events = PollFlags::empty();
    events.set(PollFlags::IN, read.wants_to_read());
    events.set(PollFlags::OUT, written.wants_to_write());
    events
}
