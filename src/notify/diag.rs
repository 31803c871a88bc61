//! Asks the kernel which sockets are on a port. `/proc/net/tcp` says so too, but lists every
//! connection of the host and costs milliseconds where there are many.

use std::os::fd::OwnedFd;

use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::sys::notify as sys;

const NETLINK_SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`
const DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `1 << TCP_LISTEN`
const LISTENING: u32 = 1 << 10;

/// The inodes of the sockets that answer on a port; `None` where the kernel cannot say.
pub(super) fn inodes(kind: i32, port: u16) -> Option<Vec<u64>> {
    let socket = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, NETLINK_SOCK_DIAG).ok()?;
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        send(&socket, &request(family, kind, port), SendFlags::empty()).ok()?;
        collect(&socket, port, &mut found)?;
    }
    Some(found)
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(family: i32, kind: i32, port: u16) -> [u8; 72] {
    let (protocol, states) = match kind {
        libc::SOCK_STREAM => (libc::IPPROTO_TCP, LISTENING),
        _ => (libc::IPPROTO_UDP, u32::MAX),
    };
    let mut request = [0; 72];
    request[..4].copy_from_slice(&72u32.to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&DUMP.to_ne_bytes());
    request[16] = family as u8;
    request[17] = protocol as u8;
    request[20..24].copy_from_slice(&states.to_ne_bytes());
    request[24..26].copy_from_slice(&port.to_be_bytes());
    request
}

/// Reads `struct nlmsghdr` and `struct inet_diag_msg` until the end of the answer.
fn collect(socket: &OwnedFd, port: u16, found: &mut Vec<u64>) -> Option<()> {
    let mut buffer = vec![0u8; 32 << 10];
    loop {
        let (length, _) = recv(socket, &mut buffer[..], RecvFlags::empty()).ok()?;
        let mut rest = buffer.get(..length).filter(|rest| !rest.is_empty())?;
        while rest.len() >= 16 {
            let length = u32::from_ne_bytes(rest[..4].try_into().ok()?) as usize;
            let message = rest.get(..length).filter(|message| message.len() >= 16)?;
            match u16::from_ne_bytes([message[4], message[5]]) {
                NLMSG_DONE => return Some(()),
                NLMSG_ERROR => return None,
                _ => {}
            }
            let local = u16::from_be_bytes(message.get(20..22)?.try_into().ok()?);
            let inode = u32::from_ne_bytes(message.get(84..88)?.try_into().ok()?);
            if local == port {
                found.push(inode.into());
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn the_kernel_names_the_sockets_on_a_port() {
        let stream = std::net::TcpListener::bind("[::1]:0").expect("a port");
        let datagram = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let inode = |socket| rustix::fs::fstat(socket).expect("a socket").st_ino;
        let port = stream.local_addr().expect("an address").port();
        let expected = Some(vec![inode(stream.as_fd())]);
        assert_eq!(inodes(libc::SOCK_STREAM, port), expected);
        let port = datagram.local_addr().expect("an address").port();
        let expected = Some(vec![inode(datagram.as_fd())]);
        assert_eq!(inodes(libc::SOCK_DGRAM, port), expected);
    }
}
