//! The far end of a connection: what may be tried, and the connect that is under way.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use crate::policy::Service;
use crate::web;

/// How long a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(5);
/// How long what a name means is kept, found or not.
const KEPT: Duration = Duration::from_secs(5);

/// Something that a connection can be passed on to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Candidate {
    /// An address outside.
    Address(SocketAddr),
    /// A port on the loopback of a program with this number.
    Program(u64, u16),
}

/// A service, with the addresses of its host.
#[derive(Debug)]
pub(super) struct Place {
    service: Service,
    found: Option<(Instant, Result<Vec<SocketAddr>, String>)>,
}

impl Place {
    pub(super) fn new(service: &Service) -> Place {
        Place {
            service: service.clone(),
            found: None,
        }
    }

    /// Its addresses. A name is resolved here, outside; others wait meanwhile.
    pub(super) fn candidates(&mut self) -> Result<Vec<Candidate>, String> {
        let port = self.service.port;
        let Some(host) = &self.service.host else {
            let own = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
            return Ok(vec![Candidate::Address(own)]);
        };
        let is_kept = |at: &Instant| at.elapsed() < KEPT;
        if self.found.as_ref().is_none_or(|(at, _)| !is_kept(at)) {
            let found = resolve(host, port);
            self.found = Some((Instant::now(), found));
        }
        match &self.found {
            Some((_, Ok(found))) => Ok(found.iter().copied().map(Candidate::Address).collect()),
            Some((_, Err(reason))) => Err(reason.clone()),
            None => Err("its name was not resolved".to_owned()),
        }
    }
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = web::service_addresses(host, Instant::now() + RESOLVE)?;
    let found = found.into_iter().map(|one| SocketAddr::new(one, port));
    Ok(found.collect())
}

/// Begins to connect a socket of the launcher's own net namespace.
pub(super) fn connect_outside(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    begin(&socket, address)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Begins to connect a socket that was made in a program's net namespace to that program.
pub(super) fn connect_inside(socket: OwnedFd, port: u16) -> io::Result<TcpStream> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    begin(&socket, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port))?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn begin(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    match net::connect(socket, &address) {
        Err(Errno::INPROGRESS) => Ok(()),
        result => Ok(result?),
    }
}

/// What has become of a connect, once the socket can be written.
pub(super) fn connected(stream: &TcpStream) -> io::Result<()> {
    match sockopt::socket_error(stream)? {
        Ok(()) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes a program's socket fit for its next connection; `None` where it is not.
pub(super) fn disconnect(stream: TcpStream) -> Option<OwnedFd> {
    let socket = OwnedFd::from(stream);
    net::connect_unspec(&socket).ok()?;
    Some(socket)
}

/// Has the other side see a reset, as where nobody listens, and not the end of an answer.
pub(super) fn abort(stream: TcpStream) {
    // Where it cannot be set the other side sees an end.
    let _or_an_end = sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
    drop(stream);
}
