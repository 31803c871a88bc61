//! Tunnels to hosts that the policy names, for those who ask with CONNECT.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::connection::{Open, respond};
use super::hello::{self, Hello};
use super::request::Request;
use super::{Error, Shared, ssh};
use crate::policy::Network;
use crate::record::{By, Event, EventKind};
use crate::refusal::Code;
use crate::text::clean;
use crate::web::dial;

/// How long a client may take for its first message on port 443.
const HELLO: Duration = Duration::from_secs(30);

const HTTPS: u16 = 443;

/// Hosts that the policy names, each with its port.
#[derive(Debug)]
pub(super) struct Hosts {
    named: Vec<(String, u16, String)>,
    /// Whether their names may lead to any address.
    anywhere: bool,
    /// Hosts with repositories that are reached by ssh.
    ssh: Vec<(String, u16)>,
}

impl Hosts {
    pub(super) fn new(network: &Network) -> Result<Hosts, Error> {
        let host = |text: &String| {
            let found = target(text).or_else(|| target(&format!("{text}:{HTTPS}")));
            found
                .map(|(host, port)| (host, port, text.clone()))
                .ok_or_else(|| Error(format!("`{text}` is not HOST or HOST:PORT")))
        };
        Ok(Hosts {
            named: network.allow.iter().map(host).collect::<Result<_, _>>()?,
            anywhere: network.anywhere,
            ssh: network.ssh.iter().filter_map(|text| target(text)).collect(),
        })
    }

    /// The item of the policy that names a host.
    fn find(&self, host: &str, port: u16) -> Option<&str> {
        let found = self
            .named
            .iter()
            .find(|(name, at, _)| name == host && *at == port);
        found.map(|(_, _, item)| item.as_str())
    }
}

/// `HOST:PORT`, in small letters.
fn target(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let good = !host.is_empty() && host.len() <= 253 && host.bytes().all(fits);
    good.then(|| (host.to_ascii_lowercase(), port))
}

/// Serves a CONNECT: what came with it, and then both ways until one side ends.
pub(super) fn serve(shared: &Arc<Shared>, client: &mut TcpStream, request: &Request, early: &[u8]) {
    let Some((host, port)) = target(&request.target) else {
        return respond(client, 400, "Bad Request");
    };
    let name = format!("{host}:{port}");
    if let Some(repository) = &request.repository {
        if !shared.hosts.ssh.contains(&(host.clone(), port)) {
            return refuse(shared, client, &name, "names no repositories there by ssh");
        }
        let protocol = request.git_protocol.as_deref();
        return match ssh::Asked::parse(repository, &host, port) {
            Some(asked) => ssh::serve(shared, client, &asked, protocol, early),
            None => respond(client, 400, "Bad Request"),
        };
    }
    if shared.hosts.find(&host, port).is_none() {
        return refuse(shared, client, &name, "does not name it");
    }
    let upstream = match dial::dial(
        &host,
        port,
        &shared.proxies,
        shared.hosts.anywhere,
        shared.limits.connect,
    ) {
        Ok(upstream) => upstream,
        Err(dial::Unreachable::Private(address)) => {
            let why = format!("{}", dial::Unreachable::Private(address));
            return refuse(shared, client, &name, &why);
        }
        Err(error) => {
            let reason = clean(&format!("gosandbox cannot connect to {name}: {error}"));
            let event = event(EventKind::TunnelFailed, &name);
            shared.audit.write(event.reason(reason.as_str()));
            return respond(client, 502, &reason);
        }
    };
    if client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .is_err()
    {
        return;
    }
    let mut first = early.to_vec();
    // Elsewhere a server may speak first, so that nobody is waited for; TLS is looked at all the same.
    if port == HTTPS
        && let Err(why) = check_first(client, &mut first, &host)
    {
        // After the answer to CONNECT there is no way to say it but in the log.
        return refused(shared, &name, &why);
    }
    let to = Host {
        name: &name,
        host: &host,
        port,
    };
    pump(shared, client, upstream, &to, first);
}

/// Where a tunnel leads to.
struct Host<'a> {
    /// Host and port.
    name: &'a str,
    host: &'a str,
    port: u16,
}

/// Reads the first message, and says why it may not pass.
fn check_first(client: &mut TcpStream, first: &mut Vec<u8>, host: &str) -> Result<(), String> {
    let deadline = Instant::now() + HELLO;
    let mut buffer = [0; 4096];
    loop {
        match hello::read(first) {
            Hello::Partial => {}
            seen => return judge(&seen, host),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || client.set_read_timeout(Some(left)).is_err() {
            return Err("its client says nothing".to_owned());
        }
        match client.read(&mut buffer) {
            Ok(0) | Err(_) => return Err("its client says nothing".to_owned()),
            Ok(read) => first.extend_from_slice(&buffer[..read]),
        }
    }
}

fn judge(seen: &Hello, host: &str) -> Result<(), String> {
    match seen {
        Hello::Name(name) if name == host => Ok(()),
        Hello::Name(name) => Err(format!("is not `{name}`, which the client asks for in TLS")),
        // TLS knows no names for addresses.
        Hello::Nameless if host.parse::<std::net::IpAddr>().is_ok() => Ok(()),
        Hello::Nameless => Err("must be named in TLS, and is not".to_owned()),
        Hello::Encrypted => Err("must be named in TLS without encryption".to_owned()),
        Hello::Partial | Hello::Other => Err("must be spoken to in TLS".to_owned()),
    }
}

/// An event about a host.
fn event(kind: EventKind, host: &str) -> Event {
    let mut event = Event::new(kind, By::Gateway).subject(host);
    event.detail.host = Some(host.to_owned());
    event
}

fn refuse(shared: &Shared, client: &mut TcpStream, name: &str, why: &str) {
    let words = refused_words(shared, why);
    refused(shared, name, why);
    respond(client, 403, &words);
}

fn refused_words(shared: &Shared, why: &str) -> String {
    let rule = shared.network_rule();
    clean(&format!("refused by gosandbox: {rule} {why}"))
}

fn refused(shared: &Shared, name: &str, why: &str) {
    let rule = shared.network_rule();
    let why = clean(why);
    let refused = Event {
        remedy: Some(format!("--allow-host {name}")),
        ..event(EventKind::TunnelRefused, name)
            .code(Code::HostNotAllowed)
            .rule(rule)
    };
    shared.audit.write(refused.reason(why.as_str()));
    shared
        .counts
        .refused(format!("{name}: {}", refused_words(shared, &why)));
}

/// Passes bytes both ways until both sides have ended.
fn pump(
    shared: &Arc<Shared>,
    client: &mut TcpStream,
    mut upstream: TcpStream,
    to: &Host<'_>,
    first: Vec<u8>,
) {
    let started = Instant::now();
    shared.audit.write(event(EventKind::TunnelOpened, to.name));
    let (sent, received) = both_ways(shared, client, &mut upstream, to, first).unwrap_or_default();
    let mut closed = event(EventKind::TunnelClosed, to.name);
    closed.detail.sent = Some(sent);
    closed.detail.received = Some(received);
    closed.detail.duration_ms = u64::try_from(started.elapsed().as_millis()).ok();
    shared.audit.write(closed);
}

fn both_ways(
    shared: &Arc<Shared>,
    client: &mut TcpStream,
    upstream: &mut TcpStream,
    to: &Host<'_>,
    first: Vec<u8>,
) -> io::Result<(u64, u64)> {
    client.set_read_timeout(None)?;
    let _open = Open::new(shared, upstream)?;
    let up = Up {
        shared: Arc::clone(shared),
        from: client.try_clone()?,
        to: upstream.try_clone()?,
        name: to.name.to_owned(),
        host: to.host.to_owned(),
        judged: to.port == HTTPS,
    };
    let up = thread::Builder::new()
        .name("tunnel".to_owned())
        .spawn(move || up.run(first))?;
    let received = copy(upstream, client);
    let _ended = client.shutdown(Shutdown::Both);
    let _ended = upstream.shutdown(Shutdown::Both);
    Ok((up.join().unwrap_or(0), received))
}

/// The way from a client to a host.
struct Up {
    shared: Arc<Shared>,
    from: TcpStream,
    to: TcpStream,
    name: String,
    host: String,
    judged: bool,
}

impl Up {
    /// Sends what the client says, and returns how much that was.
    fn run(mut self, mut first: Vec<u8>) -> u64 {
        let sent = match self.judge(&mut first) {
            Ok(()) => match self.to.write_all(&first) {
                Ok(()) => first.len() as u64 + copy(&mut self.from, &mut self.to),
                Err(_) => 0,
            },
            Err(why) => {
                refused(&self.shared, &self.name, &why);
                let _ended = self.from.shutdown(Shutdown::Both);
                let _ended = self.to.shutdown(Shutdown::Both);
                0
            }
        };
        let _ended = self.to.shutdown(Shutdown::Write);
        sent
    }

    /// What begins as TLS does is TLS, and must name its host on every port.
    fn judge(&mut self, first: &mut Vec<u8>) -> Result<(), String> {
        if self.judged {
            return Ok(());
        }
        if first.is_empty() {
            let mut buffer = [0; 4096];
            let read = self.from.read(&mut buffer).unwrap_or(0);
            first.extend_from_slice(&buffer[..read]);
        }
        if first.first() != Some(&hello::HANDSHAKE) {
            return Ok(());
        }
        check_first(&mut self.from, first, &self.host)?;
        self.from
            .set_read_timeout(None)
            .map_err(|error| error.to_string())
    }
}

/// Copies until one side ends; what passed counts, however it ended.
fn copy(from: &mut TcpStream, to: &mut TcpStream) -> u64 {
    let mut buffer = vec![0; 32 * 1024];
    let mut bytes = 0;
    loop {
        match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return bytes,
            Ok(read) if to.write_all(&buffer[..read]).is_err() => return bytes + read as u64,
            Ok(read) => bytes += read as u64,
        }
    }
}
