//! How the `-exec` wrapper hands out the sockets of a program that may reach hosts or services, or
//! publishes ports.
//!
//! The door is an abstract unix socket in the tool cage's net namespace and Landlock domain: the wrapper
//! reaches it before it makes a net namespace for the program, and nobody can from in there. The launcher
//! has the door's own end, serves the tunnel and the relay and nothing else on what is handed out, and lets
//! go of it when the program ends, so that what it leaves behind has no way out.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{PidfdFlags, pidfd_open};

use super::gate;
use super::sockets;
use crate::gateway::{self, Gateway, RelayHandle, Service};
use crate::plan::{Ports, way};

/// Its name in the net namespace.
const NAME: &[u8] = b"gosandbox-programs";

/// So many wrappers may wait for their turn.
const BACKLOG: i32 = 128;

/// How long the launcher may take for its answer.
const PATIENCE: Duration = Duration::from_secs(20);

fn socket() -> io::Result<(OwnedFd, SocketAddrUnix)> {
    let (kind, flags) = (SocketType::STREAM, SocketFlags::CLOEXEC);
    let socket = net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
    Ok((socket, SocketAddrUnix::new_abstract_name(NAME)?))
}

/// In the command's process, once it is in its Landlock domain: makes the door.
pub(super) fn open() -> io::Result<OwnedFd> {
    let (socket, name) = socket()?;
    net::bind(&socket, &name)?;
    net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// The sockets for services and published ports, made in the current net namespace: a listening one for
/// each service, and unconnected ones with which the launcher connects to what is served here.
pub(super) fn of_ports(ports: &Ports) -> io::Result<Vec<OwnedFd>> {
    let services = ports
        .services
        .iter()
        .map(|service| gate::listen(service.port));
    let pool = match ports.publish.is_empty() {
        true => 0,
        false => way::POOL,
    };
    let unconnected = || {
        let (kind, flags) = (SocketType::STREAM, SocketFlags::CLOEXEC);
        Ok(net::socket_with(AddressFamily::INET, kind, flags, None)?)
    };
    let pool = std::iter::repeat_with(unconnected).take(pool);
    services.chain(pool).collect()
}

/// The wrapper's way to the launcher, for as long as it is in the tool cage's net namespace.
pub(super) struct Visit(OwnedFd);

impl Visit {
    /// In the wrapper, before it makes a net namespace.
    pub(super) fn new() -> io::Result<Visit> {
        let (socket, name) = socket()?;
        net::connect(&socket, &name)?;
        Ok(Visit(socket))
    }

    /// In the program's net namespace: makes its sockets and hands them out; done when the launcher has
    /// them. `tunnel`: with the one for hosts by name.
    pub(super) fn hand_out(self, tunnel: bool, ports: &Ports) -> io::Result<()> {
        let mut made = of_ports(ports)?;
        if tunnel {
            made.push(gate::listen(way::PROGRAMS_PORT)?);
        }
        let all: Vec<_> = made.iter().map(AsFd::as_fd).collect();
        sockets::send(&self.0, &all)?;
        drop(made);
        sockopt::set_socket_timeout(&self.0, Timeout::Recv, Some(PATIENCE))?;
        let mut answer = [0];
        match rustix::io::read(&self.0, &mut answer)? {
            1 => Ok(()),
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

/// What serves programs' sockets.
#[derive(Debug)]
pub(super) struct Served {
    /// Hosts by name.
    pub(super) gateway: Option<Gateway>,
    /// Services and published ports.
    pub(super) relay: Option<RelayHandle>,
}

/// A program's listening socket, for as long as the program runs.
#[derive(Debug)]
struct Program {
    listener: TcpListener,
    process: OwnedFd,
}

/// In a thread of the launcher's: serves all programs, until the door is shut.
pub(super) fn attend(door: &OwnedFd, served: &Served) {
    let mut wrappers: Vec<OwnedFd> = Vec::new();
    let mut programs: Vec<Program> = Vec::new();
    loop {
        let listeners = programs.iter().map(|program| program.listener.as_fd());
        let processes = programs.iter().map(|program| program.process.as_fd());
        let waiting = wrappers.iter().map(AsFd::as_fd);
        let all = std::iter::once(door.as_fd())
            .chain(waiting)
            .chain(listeners);
        let all = all.chain(processes);
        let mut ready: Vec<_> = all
            .map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN))
            .collect();
        match poll(&mut ready, None) {
            Err(Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        let mut events: Vec<PollFlags> = ready.iter().map(PollFd::revents).collect();
        let ended = events.split_off(events.len() - programs.len());
        let called = events.split_off(events.len() - programs.len());
        let handed = events.split_off(1);
        let mut ended = ended.iter().map(|it| !it.is_empty());
        let called = called.iter().map(|it| !it.is_empty());
        for (program, _) in programs.iter().zip(called).filter(|(_, called)| *called) {
            if let (Ok((stream, _)), Some(gateway)) = (program.listener.accept(), &served.gateway) {
                gateway.admit(stream, Service::Programs { user: None });
            }
        }
        programs.retain(|_| ended.next() != Some(true));
        let mut handed = handed.iter().map(|it| !it.is_empty());
        let (done, waiting) = wrappers
            .into_iter()
            .partition(|_| handed.next() == Some(true));
        wrappers = waiting;
        // One that is not answered starts no program.
        let received = Vec::into_iter(done).filter_map(|wrapper| receive(&wrapper, served).ok());
        programs.extend(received.flatten());
        if events[0].intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return;
        }
        if events[0].contains(PollFlags::IN) {
            wrappers.extend(net::accept_with(door, SocketFlags::CLOEXEC).ok());
        }
    }
}

/// Takes a program's sockets from its wrapper. The relay has those of services and published ports; the one
/// for hosts by name is left.
fn receive(wrapper: &OwnedFd, served: &Served) -> io::Result<Option<Program>> {
    let mut ports = gateway::Program::default();
    for socket in sockets::receive(wrapper)? {
        ports.add(socket)?;
    }
    // The program will be the same process. It waits for the answer, so that the number is still its own.
    let pid = sockopt::socket_peercred(wrapper)?.pid;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let is_tunnel = |(port, _): &(u16, TcpListener)| *port == way::PROGRAMS_PORT;
    let tunnel = ports.listeners.iter().position(is_tunnel);
    let tunnel = tunnel.map(|index| ports.listeners.swap_remove(index).1);
    if let Some(relay) = &served.relay {
        ports.process = Some(process.try_clone()?);
        relay.serve(ports);
    }
    // A caller that is gone when it is accepted must not hold up the others.
    let prepare = |listener: TcpListener| listener.set_nonblocking(true).map(|()| listener);
    let tunnel = tunnel.map(prepare).transpose()?;
    net::send(wrapper, b"S", SendFlags::NOSIGNAL)?;
    Ok(tunnel.map(|listener| Program { listener, process }))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn what_is_no_listening_tcp_socket_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("door");
        let name = SocketAddrUnix::new(&path).unwrap();
        let door = socket().unwrap().0;
        net::bind(&door, &name).unwrap();
        net::listen(&door, 1).unwrap();
        let served = Served {
            gateway: None,
            relay: None,
        };
        let visit = |handed: &dyn AsFd| {
            let wrapper = socket().unwrap().0;
            net::connect(&wrapper, &name).unwrap();
            sockets::send(&wrapper, &[handed.as_fd()]).unwrap();
            receive(&net::accept(&door).unwrap(), &served)
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // A listening socket that is not the tunnel's is the relay's.
        assert!(visit(&listener).unwrap().is_none());
        let _ = visit(&TcpStream::connect(address).unwrap()).unwrap_err();
        let _ = visit(&std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap_err();
        let _ = visit(&std::fs::File::open("/dev/null").unwrap()).unwrap_err();
    }
}
