//! Addresses of host names, by /etc/hosts and the name servers of /etc/resolv.conf.
//!
//! It owns the reading of both files, the questions to name servers and the order of what they
//! answer. It judges no address. [`super::client`] and [`super::dial`] call it.
//!
//! getaddrinfo(3) is not used. It loads the modules that /etc/nsswitch.conf names into the process
//! with dlopen(3). gosandbox is a static executable: a module that was built against another C
//! library ends it by SIGFPE or SIGSEGV. Such a module is also code of the host's that runs with
//! the launcher's rights.

mod ask;
mod hosts;
mod message;
mod order;
mod servers;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use rustix::system::uname;

use self::servers::Servers;
use super::address;
use crate::files::look;

/// The port of name servers.
const PORT: u16 = 53;
/// The longest name without its last dot (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;
/// The longest part of a name.
const LONGEST_LABEL: usize = 63;

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unresolved {
    /// No name server is asked for it.
    #[error("it is no host name")]
    NotAName,
    /// It does not exist, or has no address.
    #[error("no such host")]
    NoSuchHost,
    /// As above, for a name that multicast DNS may know.
    #[error("no such host; names in .local are asked of name servers, not by multicast DNS")]
    NoSuchLocalHost,
    /// No name server has answered in time.
    #[error("no name server answers in time: {0}")]
    Silence(String),
    /// The last name server that was asked cannot tell.
    #[error("name server {server}: {reason}")]
    Failure {
        /// Its address.
        server: IpAddr,
        /// What it says, or what the kernel says.
        reason: String,
    },
}

/// Where names are looked up.
#[derive(Clone, Copy, Debug)]
struct Places<'a> {
    hosts: &'a str,
    servers: &'a str,
    /// The port of every name server.
    port: u16,
}

const SYSTEM: Places<'static> = Places {
    hosts: "/etc/hosts",
    servers: "/etc/resolv.conf",
    port: PORT,
};

/// The addresses of a host, the one to be tried first in front. Both files are read each time, so
/// that a change counts at once.
pub(super) fn addresses(host: &str, by: Instant) -> Result<Vec<IpAddr>, Unresolved> {
    SYSTEM.addresses(host, by)
}

impl Places<'_> {
    fn addresses(&self, host: &str, by: Instant) -> Result<Vec<IpAddr>, Unresolved> {
        if let Ok(literal) = host.parse() {
            return Ok(vec![literal]);
        }
        let (name, is_absolute) = match host.strip_suffix('.') {
            Some(name) => (name, true),
            None => (host, false),
        };
        if !is_name(name) {
            return Err(Unresolved::NotAName);
        }
        let name = name.to_ascii_lowercase();
        let mut found = hosts::addresses(&read(self.hosts), &name);
        if found.is_empty() && is_localhost(&name) {
            found = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        }
        if found.is_empty() {
            found = self.ask(&name, is_absolute, by)?;
        }
        Ok(order::sorted(found))
    }

    fn ask(&self, name: &str, is_absolute: bool, by: Instant) -> Result<Vec<IpAddr>, Unresolved> {
        let node = uname();
        let node = node.nodename().to_string_lossy();
        let servers = Servers::parse(&read(self.servers), &node, self.port);
        let mut failure = None;
        for one in servers.candidates(name, is_absolute) {
            match ask::ask(&servers, &one, by) {
                Ok(found) if found.is_empty() => {}
                Ok(found) => return Ok(found),
                // Another name of the list may be another server's.
                Err(failed @ Unresolved::Failure { .. }) => failure = Some(failed),
                Err(other) => return Err(other),
            }
        }
        let is_local = name.ends_with(".local");
        Err(failure.unwrap_or(match is_local {
            true => Unresolved::NoSuchLocalHost,
            false => Unresolved::NoSuchHost,
        }))
    }
}

/// A file's content; nothing where it cannot be read, as for the C library.
fn read(path: &str) -> Vec<u8> {
    look::read(path).unwrap_or_default()
}

/// Whether name servers are asked for it. A name that ends with a number is none: the C library
/// takes it for an address.
fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_label = |label: &str| (1..=LONGEST_LABEL).contains(&label.len());
    name.len() <= LONGEST_NAME
        && name
            .split('.')
            .all(|label| is_label(label) && label.bytes().all(fits))
        && !address::is_odd_number(name)
}

/// Names that are this machine's and are asked of nobody (RFC 6761, section 6.3).
fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

impl From<Unresolved> for io::Error {
    fn from(error: Unresolved) -> io::Error {
        io::Error::other(error)
    }
}
