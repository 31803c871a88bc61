//! One connection from inside: requests one after another, each answered before the next is read.

use std::io::{self, BufWriter, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use subtle::ConstantTimeEq;

use super::request::{self, Method, Request};
use super::route::route;
use super::service::{Reply, answer};
use super::{Service, Shared, peer, tunnel};
use crate::record::{By, Event, EventKind};
use crate::refusal::Code;

/// How long a connection is kept open between requests.
const IDLE: Duration = Duration::from_secs(120);
/// How long the rest of a request may take once it has begun.
const REQUEST: Duration = Duration::from_secs(30);
/// How long a client may take no bytes: it may have been stopped with Ctrl-Z.
const WRITE: Duration = Duration::from_secs(600);

/// So much of a file is passed on at a time, in a buffer that a connection has once.
const BODY: usize = 64 * 1024;
/// Head and body of an answer that is no larger go out together: most files are.
const SMALL: usize = 16 * 1024;

/// So many strangers are written down; the rest would only fill the log.
const STRANGERS: usize = 20;

/// A connection that [`Shared::close`] can end.
pub(super) struct Open<'a> {
    shared: &'a Shared,
    number: u64,
}

impl<'a> Open<'a> {
    pub(super) fn new(shared: &'a Shared, stream: &TcpStream) -> io::Result<Open<'a>> {
        let number = shared.open(stream.try_clone()?);
        Ok(Open { shared, number })
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shared.closed(self.number);
    }
}

/// Serves a connection until it ends.
pub(super) fn serve(shared: &Arc<Shared>, stream: TcpStream, service: Service) {
    let Ok(_open) = Open::new(shared, &stream) else {
        return;
    };
    if set_up(&stream).is_err() {
        return;
    }
    let mut buffer = Vec::new();
    let mut body = vec![0; BODY];
    // It is empty between answers, so that the stream can be read and written past it.
    let mut out = BufWriter::with_capacity(SMALL, stream);
    while let Some(outcome) = next(out.get_mut(), &mut buffer) {
        let request = match outcome {
            Ok(request) => request,
            Err(bad) => {
                let (status, reason) = bad.status();
                respond(out.get_mut(), status, reason);
                break;
            }
        };
        if request.method == Method::Connect {
            connect(shared, out.get_mut(), &request, service, &buffer);
            break;
        }
        if !one(shared, &mut out, &request, service, &mut body) {
            break;
        }
    }
    // What has come of a file that broke off.
    let _gone = out.flush();
    let _ended = out.get_ref().shutdown(Shutdown::Both);
}

fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(WRITE))
}

/// The next request; `None` where the connection ends or nothing comes in time.
fn next(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Result<Request, request::Bad>> {
    let mut begun: Option<Instant> = (!buffer.is_empty()).then(Instant::now);
    let mut in_pieces = false;
    let mut chunk = [0; 4096];
    loop {
        match request::parse(buffer) {
            Ok(Some((request, length))) => {
                buffer.drain(..length);
                if in_pieces {
                    stream.set_read_timeout(Some(IDLE)).ok()?;
                }
                return Some(Ok(request));
            }
            Ok(None) => {}
            Err(bad) => return Some(Err(bad)),
        }
        // Most requests come whole, and are not worth a system call that sets what is set.
        if let Some(begun) = begun {
            let left = REQUEST.saturating_sub(begun.elapsed());
            if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
                return None;
            }
            in_pieces = true;
        }
        match stream.read(&mut chunk) {
            Ok(0) => return None,
            Ok(read) => buffer.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
        begun.get_or_insert_with(Instant::now);
    }
}

/// Answers one request, and says whether the connection goes on.
fn one(
    shared: &Arc<Shared>,
    out: &mut BufWriter<TcpStream>,
    request: &Request,
    service: Service,
    body: &mut [u8],
) -> bool {
    let path = match (service, request.by_name) {
        (Service::Modules, false) => below_upstream(&request.target, shared),
        (Service::ModulesAndTunnel, true) => {
            has_token(shared, request).then(|| request.target.trim_start_matches('/'))
        }
        (Service::ModulesAndTunnel, false) => below_token(&request.target, &shared.token),
        _ => None,
    };
    // Without the token nothing is told, not even that it is missing.
    let Some(path) = path else {
        stranger(shared, &request.target);
        respond(out.get_mut(), 404, "Not Found");
        return false;
    };
    let reply = match route(path) {
        Some(route) => answer(shared, route),
        None => Reply::status(404, "Not Found"),
    };
    match write(out, reply, request, body) {
        Ok(()) => request.keep_alive && !shared.stopping.load(Ordering::Relaxed),
        Err(_) => false,
    }
}

/// What follows `/TOKEN/`, if the token is the gateway's.
fn below_token<'a>(target: &'a str, token: &str) -> Option<&'a str> {
    let (first, path) = target.strip_prefix('/')?.split_once('/')?;
    bool::from(first.as_bytes().ct_eq(token.as_bytes())).then_some(path)
}

/// What follows the path of the only upstream.
fn below_upstream<'a>(target: &'a str, shared: &Shared) -> Option<&'a str> {
    let path = shared.rules.upstreams().only_path()?;
    target.strip_prefix(path)?.strip_prefix('/')
}

/// Somebody without the token was here: not the go command.
fn stranger(shared: &Shared, asked: &str) {
    if shared.strangers.fetch_add(1, Ordering::Relaxed) < STRANGERS {
        let known = asked
            .split('/')
            .nth(1)
            .is_some_and(|first| first == shared.token);
        // A token that was asked for on the wrong socket is not written down.
        let reason = match known {
            true => "the tunnel's socket serves no modules",
            false => asked,
        };
        let event = Event::new(EventKind::AccessDenied, By::Gateway).code(Code::TokenUnknown);
        shared.audit.write(event.rule("token").reason(reason));
    }
}

fn connect(
    shared: &Arc<Shared>,
    stream: &mut TcpStream,
    request: &Request,
    service: Service,
    early: &[u8],
) {
    let known = match service {
        Service::ModulesAndTunnel | Service::Tunnel => has_token(shared, request),
        Service::Modules => false,
        Service::Programs { user } => user.is_none_or(|user| peer::is(stream, user)),
    };
    if known {
        return tunnel::serve(shared, stream, request, early);
    }
    stranger(shared, &request.target);
    let head = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                Proxy-Authenticate: Basic realm=\"gosandbox\"\r\n\
                Content-Length: 0\r\nConnection: close\r\n\r\n";
    let _gone = stream.write_all(head.as_bytes());
    linger(stream);
}

/// Whether a CONNECT comes with the token.
fn has_token(shared: &Shared, request: &Request) -> bool {
    let given = request.authorization.as_deref().and_then(|value| {
        let (scheme, value) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then(|| value.trim())
    });
    let expected = BASE64_STANDARD.encode(format!("gosandbox:{}", shared.token));
    given.is_some_and(|given| given.as_bytes().ct_eq(expected.as_bytes()).into())
}

/// Answers with a status alone, and ends the connection. Whoever has gone meanwhile misses it.
pub(super) fn respond(stream: &mut TcpStream, status: u16, reason: &str) {
    let head =
        format!("HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let _gone = stream.write_all(head.as_bytes());
    linger(stream);
}

/// Reads what is still on its way, for a moment: closing on it would take the answer back.
fn linger(stream: &mut TcpStream) {
    const MOMENT: Duration = Duration::from_secs(1);
    let _ended = stream.shutdown(Shutdown::Write);
    let deadline = Instant::now() + MOMENT;
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match stream.read(&mut buffer) {
            Ok(1..) => {}
            _ => return,
        }
    }
}

fn write(
    out: &mut BufWriter<TcpStream>,
    reply: Reply<'_>,
    request: &Request,
    buffer: &mut [u8],
) -> io::Result<()> {
    let connection = if request.keep_alive {
        ""
    } else {
        "Connection: close\r\n"
    };
    match reply {
        Reply::Small {
            status,
            reason,
            content,
            body,
        } => {
            let length = body.len();
            write!(
                out,
                "HTTP/1.1 {status} {reason}\r\nContent-Type: {content}\r\nContent-Length: {length}\r\n{connection}\r\n"
            )?;
            if request.method == Method::Get {
                out.write_all(&body)?;
            }
            out.flush()
        }
        Reply::Stream(transfer) => {
            let length = match transfer.answer.length {
                Some(length) => format!("Content-Length: {length}"),
                None => "Transfer-Encoding: chunked".to_owned(),
            };
            let content = match transfer.file.kind {
                super::route::Kind::Zip => "application/zip",
                _ => "text/plain; charset=utf-8",
            };
            write!(
                out,
                "HTTP/1.1 200 OK\r\nContent-Type: {content}\r\n{length}\r\n{connection}\r\n"
            )?;
            match request.method {
                Method::Get => transfer.pass(out, buffer),
                _ => out.flush(),
            }
        }
    }
}
