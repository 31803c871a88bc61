//! Socket addresses as a caller wrote them, and which of them are the loopback's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Errno;

/// An address, parsed once from bytes that were read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// AF_UNSPEC: a connected socket lets go of its peer.
    Unspecified,
    /// AF_INET or AF_INET6.
    Internet(IpAddr, u16),
    /// AF_UNIX by path.
    Path(Vec<u8>),
    /// AF_NETLINK: the kernel, no other process and no multicast group.
    Kernel,
    /// AF_UNIX without a path; the kernel picks a name for an empty one.
    Abstract(Vec<u8>),
}

impl Address {
    /// Whether a socket of this domain takes such an address.
    pub(super) fn fits(&self, domain: i32) -> bool {
        match self {
            Address::Unspecified => true,
            Address::Internet(..) => matches!(domain, libc::AF_INET | libc::AF_INET6),
            Address::Kernel => domain == libc::AF_NETLINK,
            Address::Path(_) | Address::Abstract(_) => domain == libc::AF_UNIX,
        }
    }
}

/// Parses a `struct sockaddr`.
pub(super) fn parse(bytes: &[u8]) -> Result<Address, Errno> {
    let &[low, high, ref rest @ ..] = bytes else {
        return Err(libc::EINVAL);
    };
    match i32::from(u16::from_ne_bytes([low, high])) {
        libc::AF_UNSPEC => Ok(Address::Unspecified),
        libc::AF_INET if bytes.len() >= 16 => {
            let ip = Ipv4Addr::new(rest[2], rest[3], rest[4], rest[5]);
            Ok(Address::Internet(
                ip.into(),
                u16::from_be_bytes([rest[0], rest[1]]),
            ))
        }
        libc::AF_INET6 if bytes.len() >= 24 => {
            let mut ip = [0u8; 16];
            ip.copy_from_slice(&rest[6..22]);
            let ip = Ipv6Addr::from(ip);
            Ok(Address::Internet(
                ip.into(),
                u16::from_be_bytes([rest[0], rest[1]]),
            ))
        }
        // Port id and groups, both zero.
        libc::AF_NETLINK if bytes.len() >= 12 && bytes[4..12] == [0; 8] => Ok(Address::Kernel),
        libc::AF_NETLINK => Err(libc::EPERM),
        libc::AF_UNIX if rest.is_empty() || rest[0] == 0 => Ok(Address::Abstract(rest.to_vec())),
        libc::AF_UNIX => {
            let end = rest
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(rest.len());
            Ok(Address::Path(rest[..end].to_vec()))
        }
        _ => Err(libc::EAFNOSUPPORT),
    }
}

/// Whether packets to this address stay on the loopback: 127.0.0.0/8, ::1, the same as mapped
/// addresses, and the unspecified ones, which Linux takes for the loopback.
pub(super) fn is_loopback(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || ip.is_unspecified()
}

/// `struct sockaddr_un` for a path.
pub(super) fn unix(path: &[u8]) -> Result<Vec<u8>, Errno> {
    if path.len() > 107 {
        return Err(libc::ENAMETOOLONG);
    }
    let mut bytes = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
    bytes.extend_from_slice(path);
    bytes.push(0);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn internet(ip: &str) -> IpAddr {
        ip.parse().expect("an address")
    }

    #[test]
    fn mapped_and_unspecified_addresses_are_seen_for_what_they_are() {
        for ip in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
        ] {
            assert!(is_loopback(internet(ip)), "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "169.254.169.254",
            "::ffff:8.8.8.8",
            "fe80::1",
            "224.0.0.1",
            "ff02::1",
            "::7f00:1",
        ] {
            assert!(!is_loopback(internet(ip)), "{ip}");
        }
    }

    #[test]
    fn short_and_foreign_addresses_are_refused() {
        assert_eq!(parse(&[]), Err(libc::EINVAL));
        assert_eq!(parse(&[2]), Err(libc::EINVAL));
        assert_eq!(parse(&[2, 0, 0, 80, 127, 0]), Err(libc::EAFNOSUPPORT));
        assert_eq!(
            parse(&[40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            Err(libc::EAFNOSUPPORT)
        );
    }
}
