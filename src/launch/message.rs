//! What launcher and init tell each other, over a pair of sockets.
//!
//! To the launcher, from init and from the command's process before it executes: [`Message`]. To
//! init: first how far the launcher is ([`go_on`]), then numbers of signals to pass on. A datagram each. The socket is also how init learns that the
//! launcher is gone: nobody else holds the other end.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::enforce::Enforcement;
use crate::policy::Layer;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Every layer of the plan is in force; the command is executed next.
    Enforced(Enforcement),
    /// A layer could not be put in force.
    Failed {
        /// Which.
        layer: Layer,
        /// What was being done.
        action: String,
        /// The error number.
        errno: i32,
    },
    /// The host cannot stage the work tree.
    NotStaged {
        /// What was being done.
        action: String,
        /// The error number.
        errno: i32,
    },
    /// What is granted by name cannot be used inside.
    NotGranted {
        /// The path.
        path: String,
        /// The error number.
        errno: i32,
    },
    /// A context to reconfigure the staged work tree's overlay with comes with this.
    Overlay,
    /// execve(2) failed.
    NotExecuted {
        /// The error number.
        errno: i32,
    },
    /// The command was stopped by this signal.
    Stopped(i32),
    /// The gateway's listening socket comes with this.
    Listening,
    /// The door for programs' listening sockets comes with this.
    Door,
    /// Nothing runs inside any more; init ends next, which takes the kernel a while.
    Over {
        /// The exit status, which is the command's.
        status: i32,
    },
}

/// The launcher's end, and init's.
pub fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// Tells init that one more of the things that it waits for is done.
///
/// # Errors
/// As send(2): init would wait for ever. Not where init has ended, which tells why itself.
pub fn go_on(socket: &OwnedFd) -> Result<(), Errno> {
    match net::send(socket, GO_ON, SendFlags::NOSIGNAL) {
        Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
        sent => sent.map(drop),
    }
}

/// In init, before anything runs inside: waits until the launcher has said [`go_on`] once more.
///
/// # Errors
/// EPIPE where the launcher is gone, or has failed.
pub fn wait(socket: &OwnedFd) -> Result<(), Errno> {
    loop {
        match poll(&mut [PollFd::new(socket, PollFlags::IN)], None) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        let mut bytes = [0; 4];
        match net::recv(socket, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((length, _)) if bytes.get(..length) == Some(GO_ON) => return Ok(()),
            Err(Errno::AGAIN | Errno::INTR) => {}
            _ => return Err(Errno::PIPE),
        }
    }
}

/// Asks init to pass a signal on. An init that is gone, or behind by a whole buffer of them, hears
/// no more.
pub fn pass_on(socket: &OwnedFd, signal: i32) {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _sent_or_init_gone = net::send(socket, &signal.to_le_bytes(), flags);
}

/// What init hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing for now.
    Nothing,
    /// A signal to pass on.
    Signal(i32),
    /// The launcher is gone, or wants the end.
    End,
}

/// In init: what the launcher asks for.
pub fn heard(socket: &OwnedFd) -> Heard {
    let mut bytes = [0; 4];
    match net::recv(socket, &mut bytes, RecvFlags::DONTWAIT) {
        Ok((4, _)) => Heard::Signal(i32::from_le_bytes(bytes)),
        Err(Errno::AGAIN | Errno::INTR) => Heard::Nothing,
        _ => Heard::End,
    }
}

/// In the launcher: the next message, where there is one, with the descriptor that came with it.
pub fn receive(socket: &impl AsFd) -> Option<(Message, Option<OwnedFd>)> {
    let mut bytes = [0; LONGEST];
    let mut received = receive_with(socket, &mut bytes).map(|(frame, fd)| (frame.len(), fd));
    if received
        .as_ref()
        .is_err_and(|errno| *errno == Errno::CONNRESET)
    {
        // Said once, before what is still in the queue, where init ended with signals unread.
        received = receive_with(socket, &mut bytes).map(|(frame, fd)| (frame.len(), fd));
    }
    let (length, descriptor) = received.ok()?;
    let (kind, content) = bytes.get(..length)?.split_first()?;
    Some((decode(*kind, content)?, descriptor))
}

/// The next frame, if it is there, and the descriptor that came with it.
fn receive_with<'a>(
    socket: &impl AsFd,
    bytes: &'a mut [u8; LONGEST],
) -> Result<(&'a [u8], Option<OwnedFd>), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let mut into = [IoSliceMut::new(bytes)];
    let received = net::recvmsg(socket, &mut into, &mut ancillary, flags)?;
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok((bytes.get(..received.bytes).unwrap_or_default(), descriptor))
}

/// In init, before it is under any filter: hands the gateway's listening socket to the launcher, or one
/// of a command that is a program itself.
///
/// # Errors
/// As sendmsg(2).
pub fn send_listening(socket: &OwnedFd, listening: BorrowedFd<'_>) -> Result<(), Errno> {
    send_with(socket, b"L", listening)
}

/// In the command's process: hands the door for programs' sockets to the launcher.
///
/// # Errors
/// As sendmsg(2).
pub fn send_door(socket: &OwnedFd, door: BorrowedFd<'_>) -> Result<(), Errno> {
    send_with(socket, b"D", door)
}

/// In init: hands the context of the staged work tree's overlay to the launcher.
///
/// # Errors
/// As sendmsg(2).
pub fn send_overlay(socket: &OwnedFd, context: BorrowedFd<'_>) -> Result<(), Errno> {
    send_with(socket, b"V", context)
}

fn send_with(socket: &OwnedFd, frame: &[u8], descriptor: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let frame = [IoSlice::new(frame)];
    net::sendmsg(socket, &frame, &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

/// Shorter than the number of a signal.
const GO_ON: &[u8] = b"G";

/// Of a frame.
const LONGEST: usize = 2048;

/// Sends a message. A launcher that is gone cannot be told, and ends this process anyway.
pub fn send(socket: &OwnedFd, message: &Message) {
    let mut frame = Vec::with_capacity(16);
    match message {
        Message::Enforced(layers) => {
            frame.push(b'E');
            frame.extend(layers.to_bytes());
        }
        Message::Failed {
            layer,
            action,
            errno,
        } => {
            frame.extend([b'F', *layer as u8]);
            frame.extend(errno.to_le_bytes());
            frame.extend(action.bytes().take(LONGEST - frame.len()));
        }
        Message::NotStaged { action, errno } => {
            frame.push(b'N');
            frame.extend(errno.to_le_bytes());
            frame.extend(action.bytes().take(LONGEST - frame.len()));
        }
        Message::NotGranted { path, errno } => {
            frame.push(b'R');
            frame.extend(errno.to_le_bytes());
            frame.extend(path.bytes().take(LONGEST - frame.len()));
        }
        Message::Overlay => frame.push(b'V'),
        Message::NotExecuted { errno } => {
            frame.push(b'X');
            frame.extend(errno.to_le_bytes());
        }
        Message::Stopped(signal) => {
            frame.push(b'S');
            frame.extend(signal.to_le_bytes());
        }
        Message::Listening => frame.push(b'L'),
        Message::Door => frame.push(b'D'),
        Message::Over { status } => {
            frame.push(b'O');
            frame.extend(status.to_le_bytes());
        }
    }
    // write(2), which the command's filter lets through. A launcher that is gone is the end of all.
    let _sent_or_launcher_gone = rustix::io::write(socket, &frame);
}

/// An error number, and what it was about.
fn in_words(content: &[u8]) -> Option<(i32, String)> {
    let (errno, text) = content.split_first_chunk()?;
    let text = String::from_utf8_lossy(text).into_owned();
    Some((i32::from_le_bytes(*errno), text))
}

fn decode(kind: u8, content: &[u8]) -> Option<Message> {
    match kind {
        b'E' => Some(Message::Enforced(Enforcement::from_bytes(
            content.try_into().ok()?,
        ))),
        b'F' => {
            let (layer, rest) = content.split_first()?;
            let (errno, action) = rest.split_first_chunk()?;
            Some(Message::Failed {
                layer: *Layer::ALL.get(usize::from(*layer))?,
                action: String::from_utf8_lossy(action).into_owned(),
                errno: i32::from_le_bytes(*errno),
            })
        }
        b'N' => in_words(content).map(|(errno, action)| Message::NotStaged { action, errno }),
        b'R' => in_words(content).map(|(errno, path)| Message::NotGranted { path, errno }),
        b'V' => Some(Message::Overlay),
        b'X' => Some(Message::NotExecuted {
            errno: i32::from_le_bytes(content.try_into().ok()?),
        }),
        b'S' => Some(Message::Stopped(i32::from_le_bytes(
            content.try_into().ok()?,
        ))),
        b'L' => Some(Message::Listening),
        b'D' => Some(Message::Door),
        b'O' => Some(Message::Over {
            status: i32::from_le_bytes(content.try_into().ok()?),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_what_is_heard() {
        let (launcher, init) = pair().unwrap();
        let mut layers = Enforcement::default();
        layers.add(Layer::Seccomp);
        let messages = [
            Message::Enforced(layers),
            Message::Failed {
                layer: Layer::Landlock,
                action: "add a rule".into(),
                errno: 22,
            },
            Message::NotStaged {
                action: "stage a tree".into(),
                errno: 22,
            },
            Message::NotGranted {
                path: "/srv/data".into(),
                errno: 13,
            },
            Message::NotExecuted { errno: 13 },
            Message::Stopped(20),
            Message::Over { status: 130 },
        ];
        for message in &messages {
            send(&init, message);
        }
        drop(init);
        let received = std::iter::from_fn(|| receive(&launcher)).map(|(message, _)| message);
        assert_eq!(received.collect::<Vec<_>>(), messages);
    }

    #[test]
    fn a_listening_socket_arrives_and_is_closed_on_exec() {
        let (launcher, init) = pair().unwrap();
        let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        send_listening(&init, listening.as_fd()).unwrap();
        let (message, descriptor) = receive(&launcher).unwrap();
        assert_eq!(message, Message::Listening);
        let descriptor = descriptor.unwrap();
        let flags = rustix::io::fcntl_getfd(&descriptor).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        let same = std::net::TcpListener::from(descriptor);
        assert_eq!(same.local_addr().unwrap(), listening.local_addr().unwrap());
    }

    #[test]
    fn a_long_message_is_cut_and_one_that_is_cut_short_is_none() {
        let (launcher, init) = pair().unwrap();
        let failed = Message::Failed {
            layer: Layer::MountView,
            action: "x".repeat(10_000),
            errno: 1,
        };
        send(&init, &failed);
        assert!(matches!(
            receive(&launcher),
            Some((Message::Failed { .. }, None))
        ));
        assert_eq!(decode(b'S', &[1, 2]), None);
        assert_eq!(decode(b'F', &[0]), None);
        assert_eq!(decode(b'F', &[200, 0, 0, 0, 0]), None);
    }

    #[test]
    fn init_waits_for_the_launcher_and_for_no_launcher_that_is_gone() {
        let (launcher, init) = pair().unwrap();
        go_on(&launcher).unwrap();
        go_on(&launcher).unwrap();
        wait(&init).unwrap();
        wait(&init).unwrap();
        pass_on(&launcher, 15);
        assert_eq!(
            wait(&init).unwrap_err(),
            Errno::PIPE,
            "not what was waited for"
        );
        drop(launcher);
        assert_eq!(wait(&init).unwrap_err(), Errno::PIPE);
    }

    #[test]
    fn init_hears_signals_in_order_and_then_the_end() {
        let (launcher, init) = pair().unwrap();
        assert_eq!(heard(&init), Heard::Nothing);
        pass_on(&launcher, 15);
        pass_on(&launcher, 64);
        drop(launcher);
        assert_eq!(heard(&init), Heard::Signal(15));
        assert_eq!(heard(&init), Heard::Signal(64));
        assert_eq!(heard(&init), Heard::End);
    }
}
