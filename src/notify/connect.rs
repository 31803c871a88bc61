//! Performs connect: at once, or in a thread of its own where it may wait.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::OFlags;

use super::address::{self, Address};
use super::caller::Caller;
use super::destination::Destination;
use super::sockets::Sockets;
use super::supervisor::{Answer, DONE, Supervisor};
use super::{Errno, Held, errno};
use crate::sys::notify as sys;

/// How many blocking connects may wait at a time, each in a thread of its own.
const CONNECTING: usize = 64;

impl Supervisor {
    pub(super) fn connect(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
        let inode = caller.socket(caller.int(0))?;
        self.sockets.get(inode)?;
        let bytes = Self::address(caller, caller.call.arguments[1], caller.int(2))?;
        let lets_go = address::parse(&bytes)? == Address::Unspecified;
        let held = self.sockets.take(inode)?;
        let destination = self.destination(&held, caller, bytes);
        let destination = match destination.and_then(|found| found.ok_or(libc::ECONNREFUSED)) {
            Ok(destination) => destination,
            Err(errno) => {
                self.sockets.put(inode, held);
                return Err(errno);
            }
        };
        // The status flags are those of the caller's descriptor: both are one open file.
        let flags = rustix::fs::fcntl_getfl(&held.socket).map_err(|_| libc::EPERM)?;
        if flags.contains(OFlags::NONBLOCK) || held.kind == libc::SOCK_DGRAM {
            let outcome = sys::connect(held.socket.as_fd(), &destination.bytes);
            // A datagram socket that lets go of its peer lets go of its device as well (udp_disconnect). One
            // that was given another meanwhile is given no address any more.
            if lets_go && held.kind == libc::SOCK_DGRAM {
                Sockets::tie(&held)?;
            }
            if !is_settled(&held, &outcome) {
                self.sockets.put(inode, held);
            }
            return outcome.map(|()| DONE).map_err(|error| errno(&error));
        }
        if Arc::strong_count(&self.listener) > CONNECTING {
            self.sockets.put(inode, held);
            return Err(libc::EAGAIN);
        }
        self.connect_meanwhile(caller.call.id, inode, held, destination)
    }

    /// A blocking connect may wait for the peer; the others' calls are answered meanwhile.
    fn connect_meanwhile(
        &mut self,
        id: u64,
        inode: u64,
        held: Held,
        destination: Destination,
    ) -> Result<Answer, Errno> {
        let listener = Arc::clone(&self.listener);
        let way_back = self.sockets.way_back();
        // Shared, so that it is not lost where there can be no thread.
        let request = Arc::new(Mutex::new(Some((held, destination))));
        let taken = Arc::clone(&request);
        let work = move || {
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            let Some((held, destination)) = taken.take() else {
                return;
            };
            let outcome = sys::connect(held.socket.as_fd(), &destination.bytes);
            drop(destination.named);
            if !is_settled(&held, &outcome) {
                way_back
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((inode, held));
            }
            // Where it cannot be answered the caller is gone, or the main loop meets the same error.
            let _ = sys::answer(
                listener.as_fd(),
                id,
                outcome.map(|()| 0).map_err(|e| errno(&e)),
            );
        };
        std::thread::Builder::new()
            .stack_size(64 << 10)
            .spawn(work)
            .map(|_| Answer::Given)
            .map_err(|_| {
                let mut request = request.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((held, _)) = request.take() {
                    self.sockets.put(inode, held);
                }
                libc::EAGAIN
            })
    }
}

/// Whether a stream has its peer, or is on its way to it, so that no address can follow.
fn is_settled(held: &Held, outcome: &io::Result<()>) -> bool {
    let stream = matches!(held.kind, libc::SOCK_STREAM | libc::SOCK_SEQPACKET);
    let underway = |error: &io::Error| error.raw_os_error() == Some(libc::EINPROGRESS);
    stream && outcome.as_ref().map_or_else(underway, |()| true)
}
