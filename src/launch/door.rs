//! How the `-exec` wrapper hands out the listening socket of a program that may reach hosts by name.
//!
//! The door is an abstract unix socket in the tool cage's net namespace and Landlock domain: the wrapper
//! reaches it before it makes a net namespace for the program, and nobody can from in there. The launcher
//! has the door's own end, serves the tunnel and nothing else on what is handed out, and lets go of it
//! when the program ends, so that what it leaves behind has no way out.

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
use super::message;
use crate::gateway::{Gateway, Service};
use crate::plan::way;

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

/// The wrapper's way to the launcher, for as long as it is in the tool cage's net namespace.
pub(super) struct Visit(OwnedFd);

impl Visit {
    /// In the wrapper, before it makes a net namespace.
    pub(super) fn new() -> io::Result<Visit> {
        let (socket, name) = socket()?;
        net::connect(&socket, &name)?;
        Ok(Visit(socket))
    }

    /// In the program's net namespace: makes its listening socket and hands it out; done when the launcher
    /// has it.
    pub(super) fn hand_out(self) -> io::Result<()> {
        let listening = gate::listen(way::PROGRAMS_PORT)?;
        message::send_listening(&self.0, listening.as_fd())?;
        drop(listening);
        sockopt::set_socket_timeout(&self.0, Timeout::Recv, Some(PATIENCE))?;
        let mut answer = [0];
        match rustix::io::read(&self.0, &mut answer)? {
            1 => Ok(()),
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

/// A program's listening socket, for as long as the program runs.
struct Program {
    listener: TcpListener,
    process: OwnedFd,
}

/// In a thread of the launcher's: serves all programs, until the door is shut.
pub(super) fn attend(door: &OwnedFd, gateway: &Gateway) {
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
            if let Ok((stream, _)) = program.listener.accept() {
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
        programs.extend(Vec::into_iter(done).filter_map(|wrapper| receive(&wrapper).ok()));
        if events[0].intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return;
        }
        if events[0].contains(PollFlags::IN) {
            wrappers.extend(net::accept_with(door, SocketFlags::CLOEXEC).ok());
        }
    }
}

/// Takes a program's socket from its wrapper.
fn receive(wrapper: &OwnedFd) -> io::Result<Program> {
    let socket = message::receive_listening(wrapper)?;
    let is_tcp = sockopt::socket_domain(&socket)? == AddressFamily::INET
        && sockopt::socket_type(&socket)? == SocketType::STREAM
        && sockopt::socket_acceptconn(&socket)?;
    if !is_tcp {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // The program will be the same process. It waits for the answer, so that the number is still its own.
    let pid = sockopt::socket_peercred(wrapper)?.pid;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let listener = TcpListener::from(socket);
    // A caller that is gone when it is accepted must not hold up the others.
    listener.set_nonblocking(true)?;
    net::send(wrapper, b"S", SendFlags::NOSIGNAL)?;
    Ok(Program { listener, process })
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
        let visit = |handed: &dyn AsFd| {
            let wrapper = socket().unwrap().0;
            net::connect(&wrapper, &name).unwrap();
            message::send_listening(&wrapper, handed.as_fd()).unwrap();
            receive(&net::accept(&door).unwrap())
                .map(|program| program.listener.local_addr().unwrap().port())
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(visit(&listener).unwrap(), address.port());
        let _ = visit(&TcpStream::connect(address).unwrap()).unwrap_err();
        let _ = visit(&std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap_err();
        let _ = visit(&std::fs::File::open("/dev/null").unwrap()).unwrap_err();
    }
}
