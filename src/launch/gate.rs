//! The gateway's listening socket, and who serves it.
//!
//! In a net namespace of the run's own init makes it and hands it out; else the launcher makes it
//! itself. Programs that may reach hosts by name have sockets of their own, which come by the
//! [`door`]. Nothing is served, and no thread exists, before somebody connects.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

use super::door;
use crate::gateway::{Config, Error, Gateway, Service, Summary};
use crate::plan::{Way, way};

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

    fn key(&self, ports: Ports) -> Key<'_> {
        Key {
            port: ports.gateway,
            programs: ports.programs,
            token: &self.token,
        }
    }
}

/// What a client of the gateway needs.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Key<'a> {
    /// The port on the loopback.
    pub port: u16,
    /// The port of the programs' tunnel on the host's loopback, where they have one there.
    pub programs: Option<u16>,
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

/// Where somebody knocks.
struct Entrance {
    socket: OwnedFd,
    kind: Kind,
}

/// What is behind.
#[derive(Clone, Copy)]
enum Kind {
    /// A listening socket of the gateway's.
    Gateway(Service),
    /// The door for programs' sockets.
    Door,
}

/// The ports on the loopback at which a run finds the gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    gateway: u16,
    programs: Option<u16>,
}

/// The gate as the launcher's wait has it: each socket waits for its first client.
pub(super) struct Watch {
    gate: Gate,
    ports: Ports,
    service: Service,
    entrances: Vec<Entrance>,
    /// The door that is attended.
    door: Option<OwnedFd>,
    failed: Option<Error>,
}

impl Watch {
    /// In a net namespace of the run's own, from which the sockets are still to come.
    pub(super) fn inside(gate: Gate, way: Way) -> Watch {
        let ports = Ports {
            gateway: way::PORT,
            programs: None,
        };
        Watch {
            gate,
            ports,
            service: match way {
                Way::Modules => Service::ModulesAndTunnel,
                Way::Hosts => Service::Tunnel,
            },
            entrances: Vec::new(),
            door: None,
            failed: None,
        }
    }

    /// On the host's loopback, at whatever ports are free, with a tunnel for this user's programs where
    /// there is to be one.
    ///
    /// # Errors
    /// Nothing can be listened on.
    pub(super) fn on_host(gate: Gate, way: Way, programs: Option<u32>) -> io::Result<Watch> {
        let mut watch = Watch::inside(gate, way);
        let mut entrance = |service| {
            let socket = listen(0)?;
            let listener = TcpListener::from(socket.try_clone()?);
            let kind = Kind::Gateway(service);
            watch.entrances.push(Entrance { socket, kind });
            listener.local_addr().map(|address| address.port())
        };
        watch.ports.gateway = entrance(watch.service)?;
        let user = programs.map(|user| Service::Programs { user: Some(user) });
        watch.ports.programs = user.map(entrance).transpose()?;
        Ok(watch)
    }

    /// In init, which has a copy: the sockets are the launcher's alone.
    pub(super) fn leave(&mut self) {
        self.entrances.clear();
    }

    /// What the command needs.
    pub(super) fn key(&self) -> Key<'_> {
        self.gate.key(self.ports)
    }

    /// The gateway's socket has come from inside.
    pub(super) fn take(&mut self, socket: OwnedFd) {
        let kind = Kind::Gateway(self.service);
        self.entrances.push(Entrance { socket, kind });
    }

    /// The door has come from inside.
    pub(super) fn take_door(&mut self, socket: OwnedFd) {
        let kind = Kind::Door;
        self.entrances.push(Entrance { socket, kind });
    }

    /// Readable once somebody has connected.
    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.entrances
            .iter()
            .map(|entrance| entrance.socket.as_fd())
    }

    /// Somebody has connected to those of [`Watch::sockets`] for which this is true. A gateway that
    /// cannot serve is one that refuses.
    pub(super) fn serve(&mut self, knocked: &[bool]) {
        let entrances = std::mem::take(&mut self.entrances);
        let mut knocked = knocked.iter().copied();
        for entrance in entrances {
            if knocked.next() != Some(true) {
                self.entrances.push(entrance);
                continue;
            }
            SERVED.store(true, Ordering::Relaxed);
            let served = match entrance.kind {
                Kind::Gateway(service) => {
                    let listener = TcpListener::from(entrance.socket);
                    self.gate.gateway.serve(listener, service)
                }
                Kind::Door => self.attend(entrance.socket),
            };
            self.failed = self.failed.take().or(served.err());
        }
    }

    fn attend(&mut self, door: OwnedFd) -> Result<(), Error> {
        let failed = |error: io::Error| Error(format!("programs' sockets are not served: {error}"));
        self.door = Some(door.try_clone().map_err(failed)?);
        let gateway = self.gate.gateway.clone();
        std::thread::Builder::new()
            .name("door".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || door::attend(&door, &gateway))
            .map(drop)
            .map_err(failed)
    }

    /// Ends the gateway; what passed, or why nothing could.
    pub(super) fn finish(self) -> Result<Summary, Error> {
        if let Some(door) = &self.door {
            // Wakes the thread that waits for it.
            let _ended = rustix::net::shutdown(door, rustix::net::Shutdown::Both);
        }
        let summary = self.gate.gateway.finish();
        match self.failed {
            Some(error) => Err(error),
            None => Ok(summary),
        }
    }
}
