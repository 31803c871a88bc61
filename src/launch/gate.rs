//! The gateway's listening socket, and who serves it.
//!
//! In a net namespace of the run's own init makes it and hands it out; else the launcher makes it
//! itself. Nothing is served, and no thread exists, before somebody connects.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::gateway::{Config, Error, Gateway, Service, Summary};
use crate::plan::Way;

/// So many connections may wait for the launcher to wake up.
const BACKLOG: i32 = 1024;

/// Whether a gateway of this process's has been served, so that threads of it may be ending.
static SERVED: AtomicBool = AtomicBool::new(false);

/// How long a further start waits for them: one may be resolving a name.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes sure that this process has one thread, as it must have when it clones another.
///
/// # Errors
/// A thread of a gateway that is ended does not end.
pub(super) fn one_thread() -> io::Result<()> {
    if !SERVED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let start = Instant::now();
    while std::fs::read_dir("/proc/self/task")?.count() > 1 {
        if start.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// A gateway that is not served yet.
#[derive(Debug)]
pub struct Gate {
    gateway: Gateway,
    token: String,
}

impl Gate {
    /// Checks the configuration; reads and connects nothing.
    ///
    /// # Errors
    /// As for [`Gateway::new`].
    pub fn new(config: Config) -> Result<Gate, Error> {
        let token = config.token.clone();
        Ok(Gate {
            gateway: Gateway::new(config)?,
            token,
        })
    }

    /// What a client needs.
    pub(super) fn key(&self, port: u16) -> Key<'_> {
        Key {
            port,
            token: &self.token,
        }
    }
}

/// What a client of the gateway needs.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    /// The port on the loopback.
    pub port: u16,
    /// The token.
    pub token: &'a str,
}

impl Key<'_> {
    /// Address and port.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }
}

/// A listening socket on the loopback of the current net namespace; port 0 is any free one.
pub(super) fn listen(port: u16) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// The gate as the launcher's wait has it: the socket waits for its first client.
pub(super) struct Watch {
    gate: Gate,
    service: Service,
    socket: Option<OwnedFd>,
    failed: Option<Error>,
}

impl Watch {
    pub(super) fn new(gate: Gate, way: Way, socket: Option<OwnedFd>) -> Watch {
        Watch {
            gate,
            service: match way {
                Way::Modules => Service::ModulesAndTunnel,
                Way::Hosts => Service::Tunnel,
            },
            socket,
            failed: None,
        }
    }

    /// In init, which has a copy: the socket is the launcher's alone.
    pub(super) fn leave(&mut self) {
        self.socket = None;
    }

    /// What the command needs.
    pub(super) fn key(&self, port: u16) -> Key<'_> {
        self.gate.key(port)
    }

    /// The socket has come from inside.
    pub(super) fn take(&mut self, socket: OwnedFd) {
        self.socket = Some(socket);
    }

    /// Readable once somebody has connected.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Somebody has connected. A gateway that cannot serve is one that refuses.
    pub(super) fn serve(&mut self) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        SERVED.store(true, Ordering::Relaxed);
        let listener = TcpListener::from(socket);
        let served = self.gate.gateway.serve(listener, self.service);
        self.failed = served.err();
    }

    /// Ends the gateway; what passed, or why nothing could.
    pub(super) fn finish(self) -> Result<Summary, Error> {
        let summary = self.gate.gateway.finish();
        match self.failed {
            Some(error) => Err(error),
            None => Ok(summary),
        }
    }
}
