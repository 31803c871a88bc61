//! The sockets that were made for processes inside, by inode.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Errno, Held, errno};
use crate::sys::notify as sys;

/// Duplicates are looked through for abandoned ones when there are more than this.
const MANY: usize = 256;

/// Every socket made inside, and the duplicates of those that can still be given an address.
///
/// A duplicate keeps a socket open after the processes inside have closed it, so that the peer
/// would see no end: it is let go of once a stream is connected or listens, and when no process
/// has the socket open any more.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    held: BTreeMap<u64, Held>,
    made: BTreeSet<u64>,
    returned: Arc<Mutex<Vec<(u64, Held)>>>,
    limit: usize,
}

impl Sockets {
    /// Makes a socket that can reach nothing but the loopback.
    pub(super) fn make(domain: i32, kind: i32, protocol: i32) -> Result<Held, Errno> {
        let socket = sys::socket(domain, kind, protocol).map_err(|error| errno(&error))?;
        let held = Held {
            socket,
            domain,
            kind: kind & 0xf,
        };
        Self::tie(&held)?;
        Ok(held)
    }

    /// Ties a socket to the loopback device; EACCES where it is tied to any already, which takes a privilege
    /// to change.
    pub(super) fn tie(held: &Held) -> Result<(), Errno> {
        match held.domain {
            libc::AF_INET | libc::AF_INET6 => {
                sys::bind_to_device(held.socket.as_fd(), "lo").map_err(|_| libc::EACCES)
            }
            _ => Ok(()),
        }
    }

    /// Keeps the duplicate of a socket that was handed over.
    pub(super) fn keep(&mut self, held: Held) -> Result<(), Errno> {
        let stat = rustix::fs::fstat(&held.socket).map_err(rustix::io::Errno::raw_os_error)?;
        self.made.insert(stat.st_ino);
        self.held.insert(stat.st_ino, held);
        if self.held.len() > self.limit.max(MANY) {
            self.let_go_of_abandoned();
            self.limit = 2 * self.held.len();
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether the socket was made inside.
    pub(super) fn is_ours(&self, inode: u64) -> bool {
        self.made.contains(&inode)
    }

    /// The duplicate; EISCONN where it was let go of, EPERM where the socket is not ours.
    pub(super) fn get(&mut self, inode: u64) -> Result<&Held, Errno> {
        let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
        self.held.extend(returned.drain(..));
        drop(returned);
        let made = self.made.contains(&inode);
        self.held
            .get(&inode)
            .ok_or(if made { libc::EISCONN } else { libc::EPERM })
    }

    /// Takes the duplicate out; [`Sockets::way_back`] is where it may be returned to.
    pub(super) fn take(&mut self, inode: u64) -> Result<Held, Errno> {
        self.get(inode)?;
        self.held.remove(&inode).ok_or(libc::EISCONN)
    }

    /// Puts a duplicate back.
    pub(super) fn put(&mut self, inode: u64, held: Held) {
        self.held.insert(inode, held);
    }

    /// Where another thread returns a duplicate to.
    pub(super) fn way_back(&self) -> Arc<Mutex<Vec<(u64, Held)>>> {
        Arc::clone(&self.returned)
    }

    /// Lets go of duplicates of sockets that no process has open.
    pub(super) fn let_go_of_abandoned(&mut self) {
        let open = open_sockets();
        self.held.retain(|inode, _| open.contains(inode));
    }
}

/// The inodes of all sockets that other processes of this user have open.
fn open_sockets() -> BTreeSet<u64> {
    let own = std::process::id().to_string();
    let mut open = BTreeSet::new();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return open;
    };
    for process in processes.flatten() {
        let name = process.file_name();
        let number = name
            .to_str()
            .is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        if !number || name.to_str() == Some(&own) {
            continue;
        }
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        for descriptor in descriptors.flatten() {
            let Ok(link) = std::fs::read_link(descriptor.path()) else {
                continue;
            };
            let inode = link
                .to_str()
                .and_then(|l| l.strip_prefix("socket:[")?.strip_suffix(']'));
            open.extend(inode.and_then(|inode| inode.parse::<u64>().ok()));
        }
    }
    open
}
