//! Where a call wants to send or connect to, and whether it may.

use std::net::{IpAddr, Ipv4Addr};

use super::address::{self, Address};
use super::caller::Caller;
use super::names::{self, Opened};
use super::ports::{self, Owner};
use super::supervisor::Supervisor;
use super::{Errno, Held, Rules};

/// A checked destination: the bytes for the kernel, and what they name by descriptor.
pub(super) struct Destination {
    pub(super) bytes: Vec<u8>,
    pub(super) named: Option<Opened>,
}

impl Supervisor {
    /// The bytes of an address in the caller's memory.
    pub(super) fn address(caller: &Caller<'_>, at: u64, length: i32) -> Result<Vec<u8>, Errno> {
        match usize::try_from(length) {
            Ok(length @ 0..=128) => caller.memory(at, length),
            _ => Err(libc::EINVAL),
        }
    }

    /// The destination, or none where nobody answers.
    pub(super) fn destination(
        &self,
        held: &Held,
        caller: &Caller<'_>,
        bytes: Vec<u8>,
    ) -> Result<Option<Destination>, Errno> {
        let parsed = address::parse(&bytes)?;
        if !parsed.fits(held.domain) {
            return Err(libc::EAFNOSUPPORT);
        }
        let ours = |inode| self.sockets.is_ours(inode);
        match parsed {
            Address::Unspecified | Address::Kernel => {}
            // As in a network namespace that has nothing but its loopback.
            Address::Internet(ip, _) if !address::is_loopback(ip) => return Err(libc::ENETUNREACH),
            Address::Internet(ip, port) => match ports::owner(held.kind, port, ours)? {
                Owner::Inside => {}
                found => match self.led_to(held, caller, ip, port)? {
                    Some(to) => {
                        let bytes = with_port(bytes, to);
                        return Ok(Some(Destination { bytes, named: None }));
                    }
                    None if found == Owner::Nobody => return Ok(None),
                    None if self.is_gateway(held, ip, port)
                        && !caller.is_program(&self.rules)? => {}
                    None => return Err(libc::ECONNREFUSED),
                },
            },
            Address::Path(path) => {
                let named = self.names.find(&caller.path(&path))?;
                return Ok(Some(Destination {
                    bytes: address::unix(&named.path())?,
                    named: Some(named),
                }));
            }
            Address::Abstract(name) if names::are_ours(held.kind, &name, ours)? => {}
            Address::Abstract(_) => return Ok(None),
        }
        Ok(Some(Destination { bytes, named: None }))
    }

    /// Whether this is the gateway's socket, and no other on the same port.
    fn is_gateway(&self, held: &Held, ip: IpAddr, port: u16) -> bool {
        self.rules.gateway == Some(port) && is_local_stream(held, ip)
    }

    /// The port on which the launcher listens for what is to be found at this address.
    fn led_to(
        &self,
        held: &Held,
        caller: &Caller<'_>,
        ip: IpAddr,
        port: u16,
    ) -> Result<Option<u16>, Errno> {
        let Rules {
            tunnel, services, ..
        } = &self.rules;
        if !is_local_stream(held, ip) {
            return Ok(None);
        }
        if let Some((asked, to)) = tunnel
            && *asked == port
        {
            return Ok(Some(*to));
        }
        let service = services.iter().find(|(asked, _)| *asked == port);
        match service {
            Some((_, to)) if self.rules.command_is_program || caller.is_program(&self.rules)? => {
                Ok(Some(*to))
            }
            _ => Ok(None),
        }
    }
}

/// The same address with another port, which both families have in the same place.
fn with_port(mut bytes: Vec<u8>, port: u16) -> Vec<u8> {
    if let Some(place) = bytes.get_mut(2..4) {
        place.copy_from_slice(&port.to_be_bytes());
    }
    bytes
}

/// Whether this is a stream to where the launcher listens.
fn is_local_stream(held: &Held, ip: IpAddr) -> bool {
    held.kind == libc::SOCK_STREAM && ip.to_canonical() == IpAddr::V4(Ipv4Addr::LOCALHOST)
}
