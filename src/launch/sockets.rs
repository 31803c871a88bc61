//! A program's sockets on their way to the launcher, several in one message.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    self, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// What comes with the sockets.
const FRAME: &[u8] = b"L";

/// How many sockets come at a time: the kernel's limit is 253 (SCM_MAX_FD).
const MOST_SOCKETS: usize = 128;

/// In the wrapper: hands a program's sockets to the launcher, all at once.
///
/// # Errors
/// As sendmsg(2); EINVAL where there are too many.
pub(super) fn send(socket: &OwnedFd, sockets: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(Errno::INVAL);
    }
    let frame = [IoSlice::new(FRAME)];
    net::sendmsg(socket, &frame, &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

/// What [`send`] has sent.
///
/// # Errors
/// As recvmsg(2); EPROTO where something else has come.
pub(super) fn receive(socket: &impl AsFd) -> Result<Vec<OwnedFd>, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let mut bytes = [0; FRAME.len() + 1];
    let mut into = [IoSliceMut::new(&mut bytes)];
    let received = net::recvmsg(socket, &mut into, &mut ancillary, flags)?;
    let mut sockets = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors);
        }
    }
    match bytes.get(..received.bytes) {
        Some(FRAME) if !sockets.is_empty() => Ok(sockets),
        _ => Err(Errno::PROTO),
    }
}
