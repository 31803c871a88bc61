//! Answers programs that ask for a name: there is no such name.
//!
//! The view's resolv.conf names [`RESOLVER`](crate::plan::way::RESOLVER). What is in its /etc/hosts is found there, so that only
//! other names are asked for. Nothing is looked up, and nothing leaves the net namespace. Without an answer
//! Go's own resolver would take every name for one that might exist later.
//!
//! Init answers. It has a socket in its own net namespace where the command is a program itself. Each program
//! that the `-exec` wrapper starts has a net namespace of its own: the wrapper makes the socket there and hands
//! it to init through an abstract unix socket of the tool cage's, which nobody reaches from in there. Init lets
//! go of it when the program ends. Where any of this fails programs
//! hear no answer, and lose nothing else.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix};
use rustix::net::{SocketFlags, SocketType};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use simple_dns::{Packet, PacketFlag, RCODE};

use super::{message, sockets};
use crate::enforce::namespaces;
use crate::plan::{Isolation, Plan};

/// The name of the socket that the wrapper finds, in the tool cage's net namespace.
const NAME: &[u8] = b"gosandbox-names";

/// So many programs are answered at a time. Init has two descriptors of each, and may have a thousand.
const MOST: usize = 256;

/// Longer questions are none: one has a name of at most 255 bytes, and options.
const LONGEST: usize = 1232;

fn socket() -> io::Result<(OwnedFd, SocketAddrUnix)> {
    let (kind, flags) = (SocketType::DGRAM, SocketFlags::CLOEXEC);
    let socket = net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
    Ok((socket, SocketAddrUnix::new_abstract_name(NAME)?))
}

/// What the command's process hands the wrappers' socket to init through, where there are to be any wrappers:
/// init's end and the process's.
pub(super) fn pair(plan: &Plan) -> Option<(OwnedFd, OwnedFd)> {
    let own_network = matches!(plan.isolation, Isolation::Namespaces(_));
    let has_wrappers = plan.program.as_ref().is_some_and(|it| it.nest);
    (own_network && has_wrappers).then(|| message::pair().ok())?
}

/// In the command's process, once it is in its Landlock domain, whose processes reach no abstract socket
/// outside it: makes the socket that wrappers find.
pub(super) fn open(to_init: &OwnedFd) -> io::Result<()> {
    let (socket, name) = socket()?;
    net::bind(&socket, &name)?;
    Ok(sockets::send(to_init, &[socket.as_fd()])?)
}

/// The wrapper's way to init, made while it is in the tool cage's net namespace: a name is looked for where its
/// socket was made.
pub(super) struct ToInit(OwnedFd, SocketAddrUnix);

impl ToInit {
    pub(super) fn new() -> io::Result<ToInit> {
        socket().map(|(socket, name)| ToInit(socket, name))
    }

    /// In the program's net namespace: hands out a socket for it. The program will be this process.
    pub(super) fn hand_out(self) -> io::Result<()> {
        let asked = namespaces::resolver()?;
        let process = pidfd_open(getpid(), PidfdFlags::empty())?;
        net::connect(&self.0, &self.1)?;
        Ok(sockets::send(&self.0, &[asked.as_fd(), process.as_fd()])?)
    }
}

/// What init answers.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// From which the next one comes.
    awaited: Option<OwnedFd>,
    /// On which wrappers send their programs' sockets.
    wrappers: Option<OwnedFd>,
    asked: Vec<Asked>,
}

/// A socket on which a program asks, and the program's process.
#[derive(Debug)]
struct Asked {
    socket: OwnedFd,
    process: Option<OwnedFd>,
}

impl Names {
    /// `own` is the socket of a command that is a program itself, on `awaited` comes the socket of wrappers.
    pub(super) fn new(own: Option<OwnedFd>, awaited: Option<OwnedFd>) -> Names {
        let process = None;
        let own = own.map(|socket| Asked { socket, process });
        Names {
            awaited,
            wrappers: None,
            asked: own.into_iter().collect(),
        }
    }

    /// What is waited for, in the order in which [`Names::serve`] is told of it.
    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let asked = self
            .asked
            .iter()
            .flat_map(|it| std::iter::once(&it.socket).chain(&it.process));
        let all = self.awaited.iter().chain(&self.wrappers).chain(asked);
        all.map(AsFd::as_fd)
    }

    /// Does what is to be done for those of [`Names::sockets`] for which this is true.
    pub(super) fn serve(&mut self, mut ready: impl Iterator<Item = bool>) {
        let mut next = |is_there: bool| is_there && ready.next() == Some(true);
        let comes = next(self.awaited.is_some());
        let is_sent = next(self.wrappers.is_some());
        self.asked.retain(|it| {
            if next(true) {
                let _asker_hears_nothing = reply(&it.socket);
            }
            !next(it.process.is_some())
        });
        if is_sent && let Some(wrappers) = &self.wrappers {
            self.asked
                .extend(receive(wrappers).filter(|_| self.asked.len() < MOST));
        }
        if comes {
            let received = self.awaited.take().map(|it| sockets::receive(&it));
            self.wrappers = received.and_then(|sockets| sockets.ok()?.pop());
        }
    }
}

/// What a wrapper has sent.
fn receive(wrappers: &OwnedFd) -> Option<Asked> {
    let [socket, process] = sockets::receive(wrappers).ok()?.try_into().ok()?;
    let process = Some(process);
    Some(Asked { socket, process })
}

/// Answers one question a call: many questions do not keep init from the rest of its work.
fn reply(socket: &OwnedFd) -> io::Result<()> {
    let mut bytes = [0; LONGEST];
    let (length, _, from) = net::recvfrom(socket, &mut bytes, RecvFlags::DONTWAIT)?;
    let answer = bytes.get(..length).and_then(no_such_name);
    let (Some(answer), Some(from)) = (answer, from) else {
        return Ok(());
    };
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    net::sendto(socket, &answer, flags, &from)?;
    Ok(())
}

/// The answer to a question (RFC 1035); `None` where it is none.
fn no_such_name(question: &[u8]) -> Option<Vec<u8>> {
    let question = Packet::parse(question).ok()?;
    if question.has_flags(PacketFlag::RESPONSE) || question.questions.len() != 1 {
        return None;
    }
    let mut answer = Packet::new_reply(question.id());
    answer.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
    *answer.rcode_mut() = RCODE::NameError;
    answer.questions = question.questions;
    answer.build_bytes_vec().ok()
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn question(name: &[u8]) -> Vec<u8> {
        [
            &b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0"[..],
            name,
            b"\0\x0f\0\x01",
        ]
        .concat()
    }

    #[test]
    fn a_question_is_answered_and_what_is_none_is_not() {
        let asked = question(b"\x02No\x07example\0");
        let answer = no_such_name(&asked).unwrap();
        // An answer, recursion is desired and to be had, no such name.
        assert_eq!(answer[..4], *b"\x12\x34\x81\x83");
        assert_eq!(answer[4..], asked[4..]);
        assert_eq!(no_such_name(&answer), None, "answers would go to and fro");
        for cut in 0..asked.len() {
            assert_eq!(no_such_name(&asked[..cut]), None, "{cut}");
        }
        let mut none = asked.clone();
        none[5] = 0;
        assert_eq!(no_such_name(&none), None);
        // A name that goes on with itself.
        assert_eq!(no_such_name(&question(b"\x01a\xc0\x0c")), None);
    }

    /// Waits until something is to be done, and does it.
    fn round(names: &mut Names) {
        let mut all: Vec<_> = names
            .sockets()
            .map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN))
            .collect();
        poll(&mut all, None).unwrap();
        let ready: Vec<_> = all.iter().map(|it| !it.revents().is_empty()).collect();
        names.serve(ready.into_iter());
    }

    #[test]
    fn a_socket_is_answered_for_as_long_as_its_process_runs() {
        let (way, command) = message::pair().unwrap();
        let mut names = Names::new(None, Some(way));
        let (door, wrapper) = message::pair().unwrap();
        sockets::send(&command, &[door.as_fd()]).unwrap();
        round(&mut names);
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
        asker.connect(server.local_addr().unwrap()).unwrap();
        asker
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        sockets::send(&wrapper, &[server.as_fd(), process.as_fd()]).unwrap();
        drop(server);
        round(&mut names);
        // What is none, first.
        for sent in [&b"?"[..], &question(b"\x02no\0")] {
            asker.send(sent).unwrap();
            round(&mut names);
        }
        let mut answer = [0; 64];
        assert!(asker.recv(&mut answer).unwrap() > 12);
        assert_eq!(answer[3] & 15, 3);
        // One socket only is not what a wrapper sends.
        sockets::send(&wrapper, &[command.as_fd()]).unwrap();
        round(&mut names);
        assert_eq!(names.asked.len(), 1);
        drop(child.stdin.take());
        child.wait().unwrap();
        round(&mut names);
        assert_eq!(names.asked.len(), 0);
    }
}
