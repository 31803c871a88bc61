//! The order in which the addresses of a name are tried (RFC 6724, section 6).
//!
//! /etc/gai.conf is not read.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Any port: nothing is sent.
const DISCARD: u16 = 9;

const LINK_LOCAL: u8 = 0x2;
const SITE_LOCAL: u8 = 0x5;
const GLOBAL: u8 = 0xe;

/// Puts what can be reached in front. Addresses that are alike stay in their order.
pub(super) fn sorted(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    if addresses.len() < 2 {
        return addresses;
    }
    let with_source = addresses.into_iter().map(|one| (one, source(one)));
    by_rules(with_source.collect())
}

/// The address from which a packet to another one is sent. `None` where there is no route.
fn source(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, DISCARD)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Addresses with the source of each. Rules 3, 4, 7 and 9 need more than a socket tells.
fn by_rules(mut addresses: Vec<(IpAddr, Option<IpAddr>)>) -> Vec<IpAddr> {
    addresses.sort_by_key(|(to, from)| {
        let (precedence, label) = policy(*to);
        let scope = scope(*to);
        (
            from.is_none(),
            from.is_some_and(|from| self::scope(from) != scope),
            from.is_some_and(|from| policy(from).1 != label),
            Reverse(precedence),
            scope,
        )
    });
    addresses.into_iter().map(|(to, _)| to).collect()
}

/// Precedence and label (RFC 6724, section 2.1).
fn policy(address: IpAddr) -> (u8, u8) {
    let address = match address {
        IpAddr::V4(_) => return (35, 4),
        IpAddr::V6(address) => address,
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => (50, 0),
        [0, 0, 0, 0, 0, 0xffff, ..] => (35, 4),
        [0x2002, ..] => (30, 2),
        [0x2001, 0, ..] => (5, 5),
        [0, 0, 0, 0, 0, 0, ..] => (1, 3),
        [0x3ffe, ..] => (1, 12),
        [first, ..] if first & 0xfe00 == 0xfc00 => (3, 13),
        [first, ..] if first & 0xffc0 == 0xfec0 => (1, 11),
        _ => (40, 1),
    }
}

fn scope(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_link_local() => LINK_LOCAL,
        IpAddr::V4(_) => GLOBAL,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => scope(v4.into()),
            None => scope_v6(v6),
        },
    }
}

fn scope_v6(address: Ipv6Addr) -> u8 {
    let [first, second, ..] = address.octets();
    match (first, second) {
        (0xff, second) => second & 0xf,
        _ if address.is_loopback() => LINK_LOCAL,
        (0xfe, 0x80..=0xbf) => LINK_LOCAL,
        (0xfe, 0xc0..) => SITE_LOCAL,
        _ => GLOBAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(pairs: &[(&str, &str)]) -> Vec<String> {
        let parse = |text: &str| text.parse().ok();
        let pairs = pairs
            .iter()
            .map(|(to, from)| (parse(to).unwrap(), parse(from)));
        let sorted = by_rules(pairs.collect());
        sorted.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_has_no_route_comes_last_and_ipv6_first() {
        let pairs = [("203.0.113.1", "10.0.0.2"), ("2001:db9::1", "-")];
        assert_eq!(sorted(&pairs), ["203.0.113.1", "2001:db9::1"]);
        let pairs = [("203.0.113.1", "10.0.0.2"), ("2001:db9::1", "2001:db9::2")];
        assert_eq!(sorted(&pairs), ["2001:db9::1", "203.0.113.1"]);
        let pairs = [("127.0.0.1", "127.0.0.1"), ("::1", "::1")];
        assert_eq!(sorted(&pairs), ["::1", "127.0.0.1"]);
    }

    #[test]
    fn an_address_that_only_a_private_network_reaches_comes_after_one_that_fits() {
        // As in containers with a unique local address and no other.
        let pairs = [("2001:db9::1", "fd00::2"), ("203.0.113.1", "10.0.0.2")];
        assert_eq!(sorted(&pairs), ["203.0.113.1", "2001:db9::1"]);
        let pairs = [("2001:db9::1", "fe80::2"), ("203.0.113.1", "10.0.0.2")];
        assert_eq!(sorted(&pairs), ["203.0.113.1", "2001:db9::1"]);
    }

    #[test]
    fn addresses_that_are_alike_stay_in_their_order() {
        let pairs = [
            ("203.0.113.9", "10.0.0.2"),
            ("203.0.113.1", "10.0.0.2"),
            ("198.51.100.1", "10.0.0.2"),
        ];
        let expected = ["203.0.113.9", "203.0.113.1", "198.51.100.1"];
        assert_eq!(sorted(&pairs), expected);
    }
}
