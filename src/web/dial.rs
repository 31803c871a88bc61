//! Connections to hosts that the policy lets be reached by name: resolved here, outside, and checked.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ureq::Proxy;

use super::names::{self, Unresolved};
use super::proxy::Proxies;
use super::upstream::Origin;
use super::{address, transport};

/// A proxy's answer to CONNECT is no longer.
const LONGEST: usize = 16 * 1024;

/// Why a host cannot be reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("it leads to {0}, an address of this machine or of a private network")]
    Private(IpAddr),
    #[error("its name cannot be resolved: {0}")]
    Unresolved(#[from] Unresolved),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Connects to a host in time, through the caller's proxy where there is one. `anywhere`: its name may lead
/// to any address.
pub(crate) fn dial(
    host: &str,
    port: u16,
    proxies: &Proxies,
    anywhere: bool,
    limit: Duration,
) -> Result<TcpStream, Unreachable> {
    let by = Instant::now() + limit;
    let origin = Origin {
        https: true,
        host: host.to_owned(),
        port,
    };
    if let Some(proxy) = proxies.of(&origin) {
        return Ok(through(proxy, host, port, by)?);
    }
    // An address that the policy names is meant; a name that leads to one is not.
    let is_meant = anywhere || host.parse::<IpAddr>().is_ok();
    let mut good = Vec::new();
    let mut refused = None;
    for one in names::addresses(host, by)? {
        match is_meant || address::is_public(one) {
            true => good.push(SocketAddr::new(one, port)),
            false => refused = Some(one),
        }
    }
    match refused {
        Some(private) if good.is_empty() => Err(Unreachable::Private(private)),
        _ => Ok(connect(&good, by)?),
    }
}

/// Connects to the first address that answers.
fn connect(addresses: &[SocketAddr], by: Instant) -> io::Result<TcpStream> {
    let stream = transport::connect(addresses, by)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn through(proxy: &Proxy, host: &str, port: u16, by: Instant) -> io::Result<TcpStream> {
    if proxy.uri().scheme_str() == Some("https") {
        return Err(io::Error::other(
            "the caller's proxy is spoken to by https, which a tunnel is not made through",
        ));
    }
    let found = names::addresses(proxy.host().trim_matches(['[', ']']), by)
        .map_err(|why| io::Error::other(format!("the caller's proxy cannot be resolved: {why}")))?;
    let places = found
        .into_iter()
        .map(|one| SocketAddr::new(one, proxy.port()));
    let mut stream = connect(&places.collect::<Vec<_>>(), by)?;
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(user) = proxy.username() {
        let pair = format!("{user}:{}", proxy.password().unwrap_or_default());
        let credentials = BASE64_STANDARD.encode(pair);
        request.push_str(&format!("Proxy-Authorization: Basic {credentials}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    answer(&mut stream, by)?;
    stream.set_read_timeout(None)?;
    Ok(stream)
}

/// Reads a proxy's answer, byte by byte: what follows is the host's.
fn answer(stream: &mut TcpStream, by: Instant) -> io::Result<()> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let left = by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(transport::too_late());
        }
        stream.set_read_timeout(Some(left))?;
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => transport::too_late(),
                _ => error,
            })?;
        bytes.push(byte[0]);
        if bytes.len() > LONGEST {
            return Err(io::Error::other(
                "the caller's proxy does not answer in HTTP",
            ));
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(&bytes).map(|_| response.code);
    match parsed {
        Ok(Some(code)) if (200..300).contains(&code) => Ok(()),
        Ok(Some(code)) => Err(io::Error::other(format!(
            "the caller's proxy refuses it with {code}"
        ))),
        _ => Err(io::Error::other(
            "the caller's proxy does not answer in HTTP",
        )),
    }
}
