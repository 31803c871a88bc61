//! Connections to upstreams. Every step has a deadline, and what may take as long as it is large, the
//! body of an answer, has a pace to keep: neither silence nor a byte now and then holds a connection for ever.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, ShutdownHandle,
    Transport, time,
};
use ureq::{Error, Timeout};

use super::Limits;

/// So much of a body must come in [`Limits::pace`]: no line is that slow.
const LEAST: usize = 16 * 1024;
/// A read returns after so long, to look at the clock. One value for all, since setting it is a system call.
const TICK: Duration = Duration::from_secs(10);
/// How much later than its deadline a step may end.
const SLACK: Duration = Duration::from_secs(1);

/// Connects to what the resolver has found, and to nothing else.
#[derive(Debug)]
pub(super) struct Tcp(pub(super) Limits);

impl<In: Transport> Connector<In> for Tcp {
    type Out = Either<In, TcpTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        let connected_by = Instant::now() + exact(details.timeout).unwrap_or(self.0.connect);
        let stream = Arc::new(connect(&details.addrs, connected_by)?);
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(self.0.connect))?;
        let handle = Arc::downgrade(&stream) as Weak<dyn ShutdownHandle>;
        (details.register_shutdown)(handle)?;
        let config = details.config;
        Ok(Some(Either::B(TcpTransport {
            stream,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            connected_by,
            tick: Duration::ZERO,
            pace: Pace::new(self.0.pace),
            used: false,
        })))
    }
}

/// Tries each address, none for longer than its share of the time that is left.
pub(super) fn connect(addresses: &[SocketAddr], by: Instant) -> io::Result<TcpStream> {
    let mut failed = None;
    for (at, address) in addresses.iter().enumerate() {
        let left = by.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        if share.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => failed = Some(too_late()),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(too_late))
}

/// Nothing answers until it must.
pub(super) fn too_late() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "it cannot be connected to in time")
}

/// The time that is left, where there is a deadline.
fn exact(timeout: NextTimeout) -> Option<Duration> {
    match timeout.after {
        time::Duration::Exact(left) => Some(left),
        time::Duration::NotHappening => None,
    }
}

/// A connection.
pub(super) struct TcpTransport {
    /// Shared with what interrupts it.
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
    /// When what comes before the first request must be over: a proxy's answer, the TLS handshake.
    connected_by: Instant,
    /// The time-out of a read that the kernel has been told.
    tick: Duration,
    pace: Pace,
    /// Whether it was used since it was last probed.
    used: bool,
}

impl TcpTransport {
    /// Reads, for this long at most; `None` where nothing came.
    fn read(&mut self, allowed: Duration) -> io::Result<Option<usize>> {
        let started = Instant::now();
        let input = self.buffers.input_append_buf();
        loop {
            let left = allowed.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            let tick = left.min(TICK);
            if !(tick..=tick + SLACK).contains(&self.tick) {
                self.stream.set_read_timeout(Some(tick))?;
                self.tick = tick;
            }
            match (&*self.stream).read(input) {
                Ok(amount) => return Ok(Some(amount)),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The clock has ticked, or a signal came.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.used = true;
        let output = &self.buffers.output()[..amount];
        match (&*self.stream).write_all(output) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err(Error::Timeout(timeout.reason))
            }
            outcome => Ok(outcome?),
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let deadline = exact(timeout).map(|left| match timeout.reason {
            // Not every step of connecting counts what the steps before it took.
            Timeout::Connect => {
                left.min(self.connected_by.saturating_duration_since(Instant::now()))
            }
            _ => left,
        });
        let Some(left) = deadline else {
            return self.keep_pace();
        };
        self.pace.start();
        let amount = self.read(left)?.ok_or(Error::Timeout(timeout.reason))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Asked when it is put by and again when it is taken: then is what matters, since whatever is
        // there at first is there still.
        if mem::take(&mut self.used) {
            return true;
        }
        // What has come unasked, the end among it, makes it unfit for another request.
        let peeked = recv(
            &*self.stream,
            &mut [0; 1],
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        );
        matches!(peeked, Err(rustix::io::Errno::AGAIN))
    }
}

impl TcpTransport {
    /// Reads on in a body.
    fn keep_pace(&mut self) -> Result<bool, Error> {
        let started = Instant::now();
        let amount = self.read(self.pace.left())?;
        let amount = amount.ok_or_else(|| self.pace.lost())?;
        self.pace.took(started.elapsed(), amount);
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }
}

impl fmt::Debug for TcpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TcpTransport")
    }
}

/// How fast a body comes. Only the time counts in which it is waited for: a client that has been stopped
/// makes no upstream slow.
struct Pace {
    limit: Duration,
    waited: Duration,
    bytes: usize,
}

impl Pace {
    fn new(limit: Duration) -> Pace {
        Pace {
            limit,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    fn start(&mut self) {
        *self = Pace::new(self.limit);
    }

    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.waited)
    }

    fn took(&mut self, waited: Duration, bytes: usize) {
        self.waited += waited;
        self.bytes += bytes;
        if self.bytes >= LEAST {
            self.start();
        }
    }

    fn lost(&self) -> Error {
        let text = format!(
            "it sends less than {} KiB in {} seconds",
            LEAST / 1024,
            self.limit.as_secs()
        );
        io::Error::new(ErrorKind::TimedOut, text).into()
    }
}
