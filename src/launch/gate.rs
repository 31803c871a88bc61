//! The sockets by which something leads out of the sandbox, and who serves them.
//!
//! In a net namespace of the run's own init makes the gateway's listening socket and hands it out; else
//! the launcher makes it itself. Programs that may reach hosts or services, or publish ports, have
//! sockets of their own, which come by the [`door`]. No thread of the gateway exists before somebody
//! connects, and none of the relay where there are neither services nor published ports.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

use super::door;
use crate::gateway::{self, Config, Error, Gateway, Passed, Relay, RelayConfig, Service, Summary};
use crate::plan::{Isolation, Plan, Ports, Way, way};

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

/// A gateway and a relay that are not served yet.
#[derive(Debug)]
pub struct Gate {
    gateway: Option<Gateway>,
    token: String,
    ports: Ports,
    /// The host's side of published ports.
    published: Vec<(u16, TcpListener)>,
}

impl Gate {
    /// Checks the configuration, and takes the host's ports that are published; reads and connects
    /// nothing. A plan without namespaces publishes by itself: what is served there is on the host's own
    /// loopback.
    ///
    /// # Errors
    /// As for [`Gateway::new`]; a published port is taken.
    pub fn new(config: Option<Config>, plan: &Plan) -> Result<Gate, NoGate> {
        let token = config.as_ref().map(|config| config.token.clone());
        let ports = Ports {
            services: plan.ports.services.clone(),
            publish: match plan.isolation {
                Isolation::Namespaces(_) => plan.ports.publish.clone(),
                Isolation::Shared => Vec::new(),
            },
        };
        let publish = |port: &u16| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port));
            let listener = listener.map_err(|source| NoGate::Port(*port, source))?;
            Ok((*port, listener))
        };
        Ok(Gate {
            gateway: config.map(Gateway::new).transpose()?,
            token: token.unwrap_or_default(),
            published: ports
                .publish
                .iter()
                .map(publish)
                .collect::<Result<_, NoGate>>()?,
            ports,
        })
    }
}

/// Nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum NoGate {
    /// The gateway cannot.
    #[error(transparent)]
    Gateway(#[from] Error),
    /// A published port cannot be listened on.
    #[error("cannot publish port {0} on the host's loopback: {1}")]
    Port(u16, #[source] io::Error),
}

/// What a client of the gateway needs.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Key<'a> {
    /// The gateway's port on the loopback, where there is a gateway.
    pub port: Option<u16>,
    /// The port of the programs' tunnel on the host's loopback, where they have one there.
    pub programs: Option<u16>,
    /// The token.
    pub token: &'a str,
    /// Ports of services, and the ports on the host's loopback where the launcher listens for them: where
    /// there are no namespaces. An init that was cloned ahead has namespaces.
    #[serde(skip)]
    pub services: &'a [(u16, u16)],
}

impl Key<'_> {
    /// Address and port.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port.unwrap_or_default())
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
#[derive(Clone, Debug)]
struct Found {
    gateway: Option<u16>,
    programs: Option<u16>,
    services: Vec<(u16, u16)>,
}

/// The gate as the launcher's wait has it: each socket waits for its first client.
pub(super) struct Watch {
    gateway: Option<Gateway>,
    token: String,
    found: Found,
    service: Service,
    /// The port at which it stands in for the caller's own proxy.
    callers_proxy: Option<u16>,
    entrances: Vec<Entrance>,
    relay: Option<Relay>,
    /// The host's side of published ports, until the relay starts.
    published: Vec<(u16, TcpListener)>,
    /// Sockets for services and ports that do not come by the door, until the relay starts.
    command: gateway::Program,
    /// The door that is attended.
    door: Option<OwnedFd>,
    failed: Option<Error>,
}

impl Watch {
    /// That of a plan from which anything leads out. Without a net namespace of the run's own the launcher
    /// listens on the host's loopback, before init is there.
    ///
    /// # Errors
    /// Nothing can be listened on.
    pub(super) fn open(plan: &Plan, gate: Gate) -> io::Result<Watch> {
        match plan.isolation {
            Isolation::Namespaces(_) => {
                let mut watch = Watch::inside(gate, plan.way, None)?;
                watch.callers_proxy = plan.callers_proxy;
                Ok(watch)
            }
            Isolation::Shared => {
                let tunnel = plan.programs_reach_hosts();
                Watch::on_host(gate, plan.way, plan.identity.uid, tunnel)
            }
        }
    }

    /// In a net namespace of the run's own, from which the sockets are still to come.
    ///
    /// # Errors
    /// No pipe can be made.
    fn inside(gate: Gate, way: Option<Way>, user: Option<u32>) -> io::Result<Watch> {
        let Gate {
            gateway,
            token,
            ports,
            published,
        } = gate;
        let relay = match ports.is_none() {
            true => None,
            false => Some(Relay::new(RelayConfig {
                services: ports.services,
                published: ports.publish,
                user,
            })?),
        };
        Ok(Watch {
            found: Found {
                gateway: gateway.as_ref().map(|_| way::PORT),
                programs: None,
                services: Vec::new(),
            },
            gateway,
            token,
            service: match way {
                Some(Way::Modules) => Service::ModulesAndTunnel,
                Some(Way::Hosts) | None => Service::Tunnel,
            },
            callers_proxy: None,
            entrances: Vec::new(),
            relay,
            published,
            command: gateway::Program::default(),
            door: None,
            failed: None,
        })
    }

    /// On the host's loopback, at whatever ports are free, with a tunnel for this user's programs where
    /// there is to be one.
    ///
    /// # Errors
    /// Nothing can be listened on.
    fn on_host(gate: Gate, way: Option<Way>, user: u32, tunnel: bool) -> io::Result<Watch> {
        let services: Vec<u16> = gate.ports.services.iter().map(|it| it.port).collect();
        let mut watch = Watch::inside(gate, way, Some(user))?;
        let free = || {
            let socket = listen(0)?;
            let listener = TcpListener::from(socket.try_clone()?);
            let port = listener.local_addr()?.port();
            io::Result::Ok((socket, listener, port))
        };
        let mut entrance = |service| {
            let (socket, _, port) = free()?;
            let kind = Kind::Gateway(service);
            watch.entrances.push(Entrance { socket, kind });
            io::Result::Ok(port)
        };
        if watch.gateway.is_some() {
            watch.found.gateway = Some(entrance(watch.service)?);
            let service = Service::Programs { user: Some(user) };
            watch.found.programs = tunnel.then(|| entrance(service)).transpose()?;
        }
        for asked in services {
            let (_, listener, port) = free()?;
            watch.found.services.push((asked, port));
            watch.command.listeners.push((asked, listener));
        }
        Ok(watch)
    }

    /// In init, which has a copy: the sockets are the launcher's alone.
    pub(super) fn leave(&mut self) {
        self.entrances.clear();
        self.published.clear();
        self.command = gateway::Program::default();
    }

    /// What the command needs.
    pub(super) fn key(&self) -> Key<'_> {
        Key {
            port: self.found.gateway,
            programs: self.found.programs,
            token: &self.token,
            services: &self.found.services,
        }
    }

    /// A socket has come from inside: the gateway's, or one of a command that is a program itself.
    pub(super) fn take(&mut self, socket: OwnedFd) {
        let port = rustix::net::getsockname(&socket).ok();
        let port = port.and_then(|address| SocketAddr::try_from(address).ok());
        let port = port.map(|address| address.port());
        let service = match port {
            Some(way::PORT) => Some(self.service),
            Some(_) if port == self.callers_proxy => Some(Service::Modules),
            _ => None,
        };
        if let Some(service) = service.filter(|_| self.gateway.is_some()) {
            let kind = Kind::Gateway(service);
            self.entrances.push(Entrance { socket, kind });
        } else {
            // Init's own. What cannot be told apart is not served.
            let _or_not_served = self.command.add(socket);
        }
    }

    /// The command is about to run: from now on there may be threads.
    pub(super) fn begin(&mut self) {
        let Some(relay) = &mut self.relay else {
            return;
        };
        SERVED.store(true, Ordering::Relaxed);
        if let Err(error) = relay.start() {
            let failed = Error(format!("services are not served: {error}"));
            self.failed = self.failed.take().or(Some(failed));
        }
        let handle = relay.handle();
        for (port, listener) in self.published.drain(..) {
            handle.publish(port, listener);
        }
        let command = std::mem::take(&mut self.command);
        if !command.listeners.is_empty() || !command.pool.is_empty() {
            handle.serve(command);
        }
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
                    let gateway = self.gateway.as_ref();
                    gateway.map_or(Ok(()), |gateway| gateway.serve(listener, service))
                }
                Kind::Door => self.attend(entrance.socket),
            };
            self.failed = self.failed.take().or(served.err());
        }
    }

    fn attend(&mut self, door: OwnedFd) -> Result<(), Error> {
        let failed = |error: io::Error| Error(format!("programs' sockets are not served: {error}"));
        self.door = Some(door.try_clone().map_err(failed)?);
        let served = door::Served {
            gateway: self.gateway.clone(),
            relay: self.relay.as_ref().map(Relay::handle),
        };
        std::thread::Builder::new()
            .name("door".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || door::attend(&door, &served))
            .map(drop)
            .map_err(failed)
    }

    /// Ends gateway and relay; what passed each, or why nothing could.
    pub(super) fn finish(self) -> Left {
        if let Some(door) = &self.door {
            // Wakes the thread that waits for it.
            let _ended = rustix::net::shutdown(door, rustix::net::Shutdown::Both);
        }
        let ports = self.relay.map(Relay::finish).unwrap_or_default();
        let summary = self.gateway.map(Gateway::finish);
        let gateway = match self.failed {
            Some(error) => Some(Err(error)),
            None => summary.map(Ok),
        };
        Left { gateway, ports }
    }
}

/// What gateway and relay have to say at the end.
pub(super) struct Left {
    pub(super) gateway: Option<Result<Summary, Error>>,
    pub(super) ports: Vec<Passed>,
}
