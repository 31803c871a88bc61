//! Performs sendto and sendmsg.

use std::os::fd::AsFd as _;

use super::address::{self, Address};
use super::caller::Caller;
use super::messages::{self, LARGEST, Message};
use super::supervisor::{Answer, Supervisor};
use super::{Errno, Held, errno};
use crate::sys::notify as sys;

impl Supervisor {
    pub(super) fn send_to(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
        let [_, data, length, flags, at, _] = caller.call.arguments;
        let inode = caller.socket(caller.int(0))?;
        self.sockets.get(inode)?;
        let length = usize::try_from(length).map_err(|_| libc::EMSGSIZE)?;
        if length > LARGEST {
            return Err(libc::EMSGSIZE);
        }
        let name = Self::address(caller, at, caller.int(5))?;
        let data = caller.memory(data, length)?;
        let message = Message::plain(name, data);
        self.send(caller, inode, message, flags as i32)
    }

    pub(super) fn send_message(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
        let inode = caller.socket(caller.int(0))?;
        let (at, flags) = (caller.call.arguments[1], caller.int(2));
        match self.sockets.get(inode) {
            Ok(held) => {
                let domain = held.domain;
                let message = messages::read(caller, at, domain)?;
                self.send(caller, inode, message, flags)
            }
            Err(_) => {
                let held = messages::socket(caller, caller.int(0))?;
                let message = messages::read(caller, at, held.domain)?;
                self.send_on(caller, &held, message, flags)
            }
        }
    }

    fn send(
        &mut self,
        caller: &Caller<'_>,
        inode: u64,
        message: Message,
        flags: i32,
    ) -> Result<Answer, Errno> {
        let held = self.sockets.take(inode)?;
        let sent = self.send_on(caller, &held, message, flags);
        self.sockets.put(inode, held);
        sent
    }

    fn send_on(
        &self,
        caller: &Caller<'_>,
        held: &Held,
        message: Message,
        flags: i32,
    ) -> Result<Answer, Errno> {
        // The filter refuses it before; a further filter cannot take that back.
        if flags & libc::MSG_FASTOPEN != 0 {
            return Err(libc::EOPNOTSUPP);
        }
        let (bytes, _named) = if message.name.is_empty() {
            (Vec::new(), None)
        } else if address::parse(&message.name)? == Address::Unspecified {
            // It lets go of no peer here: the kernel takes it for an AF_INET address (udp_sendmsg).
            return Err(libc::EAFNOSUPPORT);
        } else {
            match self.destination(held, caller, message.name.clone())? {
                Some(to) => (to.bytes, to.named),
                // A datagram to a port where nobody answers is lost; one to a name is refused.
                None if held.domain == libc::AF_UNIX => return Err(libc::ECONNREFUSED),
                None => return Ok(Answer::Value(message.data.len() as i64)),
            }
        };
        // Never waits: a full queue inside must not hold up the others' calls.
        let flags = flags | libc::MSG_DONTWAIT;
        sys::send(
            held.socket.as_fd(),
            &message.data,
            flags,
            &bytes,
            &message.control,
        )
        .map(|sent| Answer::Value(sent as i64))
        .map_err(|error| errno(&error))
    }
}
