//! Asks name servers: by UDP, by TCP for what is too long, one server after another.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rustix::rand::{GetRandomFlags, getrandom};

use super::Unresolved;
use super::message::{Answer, Family, answer, question};
use super::servers::Servers;

/// No answer by UDP is longer: none is asked for that has more than 512 bytes.
const LONGEST_DATAGRAM: usize = 4096;
/// The kernel takes no shorter time-out for one.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What has come of a question.
#[derive(Debug)]
enum Outcome {
    Answer(Answer),
    /// Nothing has come in time.
    Silence,
}

/// The addresses of a name that is complete; none where it does not exist or has no address.
pub(super) fn ask(servers: &Servers, name: &str, by: Instant) -> Result<Vec<IpAddr>, Unresolved> {
    let mut open = vec![Family::V4];
    if !servers.only_v4 {
        open.push(Family::V6);
    }
    let mut found = Vec::new();
    let mut failure = None;
    for server in turns(servers) {
        let now = Instant::now();
        if open.is_empty() || now >= by {
            break;
        }
        let until = by.min(now + servers.wait);
        let outcomes = exchange(servers, server, name, &open, until);
        for (family, outcome) in std::mem::take(&mut open).into_iter().zip(outcomes) {
            match outcome {
                Outcome::Answer(Answer::Addresses(more)) => found.extend(more),
                // That holds for both families.
                Outcome::Answer(Answer::NoSuchName) => return Ok(found),
                Outcome::Answer(Answer::Truncated) | Outcome::Silence => open.push(family),
                Outcome::Answer(Answer::Failure(reason)) => {
                    open.push(family);
                    failure = Some(Unresolved::Failure {
                        server: server.ip(),
                        reason,
                    });
                }
            }
        }
        // Some servers never answer for a family that they do not know.
        if !found.is_empty() {
            break;
        }
    }
    match open.is_empty() || !found.is_empty() {
        true => Ok(found),
        false => Err(failure.unwrap_or_else(|| Unresolved::Silence(list(servers)))),
    }
}

/// Each server as often as it is asked.
fn turns(servers: &Servers) -> impl Iterator<Item = SocketAddr> + '_ {
    let count = servers.addresses.len();
    let first = match servers.rotates {
        true => random() as usize,
        false => 0,
    };
    let all = count * servers.attempts as usize;
    (0..all).map(move |at| servers.addresses[(first + at) % count])
}

fn list(servers: &Servers) -> String {
    let all: Vec<String> = servers
        .addresses
        .iter()
        .map(|one| one.ip().to_string())
        .collect();
    match all.is_empty() {
        true => "none is known".to_owned(),
        false => all.join(", "),
    }
}

/// Asks a server for several families; an outcome for each.
fn exchange(
    servers: &Servers,
    server: SocketAddr,
    name: &str,
    families: &[Family],
    until: Instant,
) -> Vec<Outcome> {
    let at_once = match servers.one_by_one {
        true => 1,
        false => families.len(),
    };
    let mut outcomes = Vec::new();
    for some in families.chunks(at_once) {
        // All are sent before the first answer is waited for.
        let sent: Vec<_> = some
            .iter()
            .map(|family| Sent::new(server, name, *family, servers.by_tcp))
            .collect();
        for one in sent {
            let outcome = one.and_then(|one| one.outcome(until));
            outcomes.push(match outcome {
                Ok(answer) => Outcome::Answer(answer),
                Err(error) if is_timeout(&error) => Outcome::Silence,
                Err(error) => Outcome::Answer(Answer::Failure(error.to_string())),
            });
        }
    }
    outcomes
}

/// A question that has been sent.
struct Sent<'a> {
    server: SocketAddr,
    name: &'a str,
    family: Family,
    id: u16,
    message: Vec<u8>,
    /// `None` where it is to be sent by TCP. Each question has a socket of its own: some firewalls
    /// lose the second answer to a port. The kernel takes answers from the server alone.
    socket: Option<UdpSocket>,
}

impl<'a> Sent<'a> {
    fn new(server: SocketAddr, name: &'a str, family: Family, by_tcp: bool) -> io::Result<Self> {
        let id = random();
        let message = question(name, family, id).ok_or(ErrorKind::InvalidInput)?;
        let socket = match by_tcp {
            true => None,
            false => {
                let any: IpAddr = match server {
                    SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                let socket = UdpSocket::bind((any, 0))?;
                socket.connect(server)?;
                socket.send(&message)?;
                Some(socket)
            }
        };
        Ok(Sent {
            server,
            name,
            family,
            id,
            message,
            socket,
        })
    }

    fn outcome(&self, until: Instant) -> io::Result<Answer> {
        match self.socket.as_ref().map(|socket| self.hear(socket, until)) {
            None | Some(Ok(Answer::Truncated)) => self.by_tcp(until),
            Some(outcome) => outcome,
        }
    }

    fn read(&self, bytes: &[u8]) -> Option<Answer> {
        answer(bytes, self.name, self.family, self.id)
    }

    fn hear(&self, socket: &UdpSocket, until: Instant) -> io::Result<Answer> {
        let mut bytes = [0; LONGEST_DATAGRAM];
        loop {
            // What has come is read even where the other question took all the time.
            let left = until.saturating_duration_since(Instant::now());
            socket.set_read_timeout(Some(left.max(SHORTEST_WAIT)))?;
            match socket.recv(&mut bytes) {
                Ok(length) => {
                    if let Some(answer) = self.read(&bytes[..length]) {
                        return Ok(answer);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= until {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }

    fn by_tcp(&self, until: Instant) -> io::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.server, left(until)?)?;
        stream.set_write_timeout(Some(left(until)?))?;
        let length = u16::try_from(self.message.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), &self.message[..]].concat())?;
        let mut length = [0; 2];
        fill(&mut stream, &mut length, until)?;
        let mut bytes = vec![0; u16::from_be_bytes(length).into()];
        fill(&mut stream, &mut bytes, until)?;
        match self.read(&bytes) {
            Some(answer) if answer != Answer::Truncated => Ok(answer),
            _ => Err(io::Error::other("its answer by TCP cannot be read")),
        }
    }
}

/// Reads so many bytes, in time.
fn fill(stream: &mut TcpStream, mut bytes: &mut [u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => bytes = &mut bytes[length..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The time that is left.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(ErrorKind::TimedOut.into()),
        false => Ok(left.max(SHORTEST_WAIT)),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A number that nobody can guess, so that nobody else can answer.
fn random() -> u16 {
    let mut bytes = [0; 2];
    // As long as a kernel has no seed it waits; with so few bytes it is not interrupted.
    while getrandom(&mut bytes, GetRandomFlags::empty()).is_err() {}
    u16::from_ne_bytes(bytes)
}
