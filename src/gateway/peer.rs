//! Whose a connection from the same host is: the kernel's own table says so.

use std::fs;
use std::net::{SocketAddr, SocketAddrV4, TcpStream};

/// Whether the other end of a connection on the IPv4 loopback is a socket of this user's. One that cannot
/// be told is nobody's.
pub(super) fn is(stream: &TcpStream, user: u32) -> bool {
    let (Ok(SocketAddr::V4(peer)), Ok(SocketAddr::V4(own))) =
        (stream.peer_addr(), stream.local_addr())
    else {
        return false;
    };
    // An IPv4 address of an IPv6 socket's is in the other table.
    let tables = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];
    let text = tables.map(|table| fs::read_to_string(table).unwrap_or_default());
    text.iter()
        .flat_map(|text| text.lines().skip(1))
        .find_map(|line| owner(line, peer, own))
        == Some(user)
}

/// The user of a line whose socket is at these two addresses.
fn owner(line: &str, local: SocketAddrV4, remote: SocketAddrV4) -> Option<u32> {
    let mut fields = line.split_ascii_whitespace();
    let is = |field: &str, address: SocketAddrV4| {
        let found = field.split_once(':')?;
        // Four bytes in the order in which they are sent, as a number of this machine's.
        let ip = u32::from_ne_bytes(address.ip().octets());
        let (ip, port) = (format!("{ip:08X}"), format!("{:04X}", address.port()));
        let mapped = format!("0000000000000000FFFF0000{ip}");
        Some((found.0 == ip || found.0 == mapped) && found.1 == port)
    };
    let at = is(fields.nth(1)?, local)? && is(fields.next()?, remote)?;
    // State, queues, timer, retransmissions; the user.
    at.then(|| fields.nth(4)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, TcpListener};

    use super::*;

    #[test]
    fn a_connection_is_its_users_and_no_one_elses() {
        let uid = rustix::process::geteuid().as_raw();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mapped = match address {
            SocketAddr::V4(address) => address.ip().to_ipv6_mapped(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST,
        };
        for to in [address, SocketAddr::from((mapped, address.port()))] {
            let _client = TcpStream::connect(to).unwrap();
            let (stream, _) = listener.accept().unwrap();
            assert!(is(&stream, uid), "{to}");
            assert!(!is(&stream, uid + 1), "{to}");
        }
    }

    #[test]
    fn a_line_of_the_kernels_table_is_read_and_another_is_passed_over() {
        let line = "   5: 0100007F:D431 0100007F:24CC 01 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 100 0 0 10 0";
        let (local, remote) = ("127.0.0.1:54321", "127.0.0.1:9420");
        let parse = |text: &str| text.parse().unwrap();
        assert_eq!(owner(line, parse(local), parse(remote)), Some(1000));
        assert_eq!(owner(line, parse(remote), parse(local)), None);
        assert_eq!(owner("nonsense", parse(local), parse(remote)), None);
    }
}
