//! The outer side of the gateway: requests to upstreams, proxies and named hosts.
//!
//! It owns name resolution, connections, TLS, proxies, credentials, the judgement of addresses, and
//! upstreams that are folders. It does not know the sandbox: it decides nothing about modules and reads nothing
//! that the sandbox wrote. Only [`crate::gateway`] calls it.

mod address;
mod checked;
pub(crate) mod client;
pub(crate) mod credentials;
pub(crate) mod dial;
pub(crate) mod fetch;
mod folder;
mod names;
pub(crate) mod proxy;
pub(crate) mod tls;
mod transport;
pub(crate) mod upstream;
mod words;

pub use self::credentials::netrc_for;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How the caller's environment reaches the network.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// `HTTPS_PROXY`, or its spelling in small letters.
    pub https_proxy: Option<String>,
    /// `HTTP_PROXY`, likewise.
    pub http_proxy: Option<String>,
    /// `NO_PROXY`, likewise.
    pub no_proxy: Option<String>,
    /// `NETRC`, or `.netrc` in the caller's home.
    pub netrc: Option<PathBuf>,
}

/// How long upstreams may take. No policy sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until a name is resolved, and again until a connection is there to be used, its TLS handshake
    /// included.
    pub connect: Duration,
    /// Until an answer's headers have come: an upstream may have to fetch from its own upstream first.
    pub response: Duration,
    /// In which a body must have come on by a few kilobytes.
    pub pace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(20),
            response: Duration::from_secs(180),
            pace: Duration::from_secs(60),
        }
    }
}

/// The addresses of a service's host, which may be of a private network. A name must not lead to a
/// cloud's metadata service; an address that is written out is meant.
pub(crate) fn service_addresses(host: &str, by: Instant) -> Result<Vec<IpAddr>, String> {
    let mut found = names::addresses(host, by).map_err(|error| error.to_string())?;
    if host.parse::<IpAddr>().is_err() {
        found.retain(|one| !address::is_link_local(*one));
    }
    match found.is_empty() {
        true => Err("its name leads to link-local addresses only".to_owned()),
        false => Ok(found),
    }
}

/// A setting of the outer side that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Error(pub(crate) String);
