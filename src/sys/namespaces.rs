//! Namespaces by their clone flags, and what is set up in new ones.

use std::ffi::{c_char, c_int, c_long};
use std::io;
use std::net::Ipv4Addr;
use std::ops::BitOr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;

/// Namespaces to make. No other flag of clone(2) or unshare(2) can be put into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces(c_int);

impl Namespaces {
    /// No namespace.
    pub const NONE: Namespaces = Namespaces(0);
    /// A mount namespace.
    pub const MOUNT: Namespaces = Namespaces(libc::CLONE_NEWNS);
    /// A network namespace.
    pub const NET: Namespaces = Namespaces(libc::CLONE_NEWNET);
    /// A namespace of System V IPC and POSIX message queues.
    pub const IPC: Namespaces = Namespaces(libc::CLONE_NEWIPC);
    /// A namespace of the host name.
    pub const UTS: Namespaces = Namespaces(libc::CLONE_NEWUTS);
    /// A pid namespace.
    pub const PID: Namespaces = Namespaces(libc::CLONE_NEWPID);
    /// A user namespace.
    pub const USER: Namespaces = Namespaces(libc::CLONE_NEWUSER);
    /// A cgroup namespace.
    pub const CGROUP: Namespaces = Namespaces(libc::CLONE_NEWCGROUP);

    pub(super) fn flags(self) -> c_int {
        self.0
    }
}

impl BitOr for Namespaces {
    type Output = Namespaces;

    fn bitor(self, other: Namespaces) -> Namespaces {
        Namespaces(self.0 | other.0)
    }
}

/// Moves the calling thread into new namespaces (unshare(2)).
pub fn unshare(namespaces: Namespaces) -> io::Result<()> {
    // SAFETY: unshare takes integers only. The flags are those of namespaces, so that memory and the
    // table of descriptors stay as they are.
    check(c_long::from(unsafe { libc::unshare(namespaces.flags()) })).map(drop)
}

/// Gives the loopback interface one more IPv4 address (netdevice(7), SIOCSIFADDR), which packets to it
/// do not leave.
pub fn add_loopback_address(socket: BorrowedFd<'_>, address: Ipv4Addr) -> io::Result<()> {
    let every_bit = Ipv4Addr::BROADCAST;
    for (request, value) in [
        (libc::SIOCSIFADDR, address),
        // Else the whole network of its old class would be this machine's.
        (libc::SIOCSIFNETMASK, every_bit),
    ] {
        // SAFETY: an all-zero ifreq is valid: it is plain data.
        let mut what: libc::ifreq = unsafe { std::mem::zeroed() };
        // A name with a colon is one more address of the interface before it.
        for (place, byte) in what.ifr_name.iter_mut().zip(b"lo:1") {
            *place = *byte as c_char;
        }
        let [a, b, c, d] = value.octets().map(|byte| byte as c_char);
        let mut data = [0; 14];
        // After the port, which is none (`struct sockaddr_in`).
        data[2..6].copy_from_slice(&[a, b, c, d]);
        what.ifr_ifru.ifru_addr = libc::sockaddr {
            sa_family: libc::AF_INET as libc::sa_family_t,
            sa_data: data,
        };
        // SAFETY: both read one ifreq, which is live and initialised.
        let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw const what) };
        check(c_long::from(result))?;
    }
    Ok(())
}

/// Brings the loopback interface of the current net namespace up (netdevice(7), SIOCSIFFLAGS).
pub fn loopback_up(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: an all-zero ifreq is valid: it is plain data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as c_char;
    request.ifr_name[1] = b'o' as c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which is live and initialised.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    check(c_long::from(result)).map(drop)
}
