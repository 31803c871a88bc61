//! Ports that stay free until a test takes them.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the kernel's own choices (net.ipv4.ip_local_port_range, 32768 and up), and above what services have.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// A port of every address that nobody has, by TCP or by UDP, and that the kernel gives to nobody who asks
/// for any. Each call gives another one.
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id() % u32::from(LAST - FIRST);
    for _ in FIRST..LAST {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + ((start + step) % u32::from(LAST - FIRST)) as u16;
        let every = (Ipv4Addr::UNSPECIFIED, port);
        if TcpListener::bind(every).is_ok() && UdpSocket::bind(every).is_ok() {
            return port;
        }
    }
    panic!("every port from {FIRST} to {LAST} is taken");
}
