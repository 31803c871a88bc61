//! Receives a call, decides, performs it, answers.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};

use super::address::{self, Address};
use super::caller::Caller;
use super::messages::{self, LARGEST, Message};
use super::metadata;
use super::names::{self, Names, Opened};
use super::ports::{self, Owner};
use super::signals;
use super::sockets::Sockets;
use super::{Errno, Error, Held, Rules, errno};
use crate::sys::notify as sys;

/// How many blocking connects may wait at a time, each in a thread of its own.
const CONNECTING: usize = 64;

/// Answers the notified calls of one sandbox.
#[derive(Debug)]
pub struct Supervisor {
    listener: Arc<OwnedFd>,
    rules: Rules,
    sockets: Sockets,
    names: Names,
}

/// Readable where a call waits; hung up where no process inside is left.
impl AsFd for Supervisor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// How a call is answered.
enum Answer {
    /// With a result.
    Value(i64),
    /// Already, or by another thread.
    Given,
}

const DONE: Answer = Answer::Value(0);

/// A checked destination: the bytes for the kernel, and what they name by descriptor.
struct Destination {
    bytes: Vec<u8>,
    named: Option<Opened>,
}

impl Supervisor {
    /// A supervisor on this listener.
    pub(super) fn new(listener: OwnedFd, rules: Rules) -> Supervisor {
        Supervisor {
            listener: Arc::new(listener),
            rules,
            sockets: Sockets::default(),
            names: Names::default(),
        }
    }

    /// Whether it keeps anything that [`Supervisor::tidy`] may let go of.
    pub fn is_untidy(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// In a pause: lets go of what no process inside has any more.
    pub fn tidy(&mut self) {
        self.sockets.let_go_of_abandoned();
    }

    /// Receives one call and answers it; to be called where the listener is readable.
    ///
    /// # Errors
    /// No further call can be received or answered. The supervisor is to be dropped, which closes the
    /// listener, so that the kernel answers further calls with ENOSYS.
    pub fn answer(&mut self) -> Result<(), Error> {
        let failed = |doing| move |source: io::Error| Error::Listener { doing, source };
        let call = match sys::receive(self.listener.as_fd()) {
            Ok(call) => call,
            // The caller was killed meanwhile.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => {
                return Ok(());
            }
            Err(error) => return Err(failed("receive")(error)),
        };
        let listener = Arc::clone(&self.listener);
        let caller = Caller::new(listener.as_fd(), call);
        let outcome = match self.decide(&caller) {
            Ok(Answer::Given) => return Ok(()),
            Ok(Answer::Value(value)) => Ok(value),
            Err(errno) => Err(errno),
        };
        sys::answer(listener.as_fd(), call.id, outcome).map_err(failed("answer"))
    }

    fn decide(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
        match caller.call.number {
            libc::SYS_socket => self.socket(caller),
            libc::SYS_connect => self.connect(caller),
            libc::SYS_bind => self.bind(caller),
            libc::SYS_listen => self.listen(caller),
            libc::SYS_sendto => self.send_to(caller),
            libc::SYS_sendmsg => self.send_message(caller),
            libc::SYS_tgkill => {
                let (process, thread) = (Some(caller.int(0)), caller.int(1));
                signals::thread(caller, process, thread, caller.int(2)).map(|()| DONE)
            }
            libc::SYS_tkill => {
                signals::thread(caller, None, caller.int(0), caller.int(1)).map(|()| DONE)
            }
            libc::SYS_kill => signals::process(caller, caller.int(0), caller.int(1)).map(|()| DONE),
            libc::SYS_pidfd_send_signal => self.signal_pidfd(caller),
            libc::SYS_pidfd_open => self.open_pidfd(caller),
            number if metadata::is_one(number) => {
                metadata::change(&self.rules, caller).map(|()| DONE)
            }
            _ => Err(libc::EPERM),
        }
    }

    /// Without a siginfo, which lies in memory and is the kernel's own where it is left out.
    fn signal_pidfd(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
        if caller.int(3) != 0 {
            return Err(libc::EINVAL);
        }
        let pidfd = signals::open(caller.pidfd(caller.int(0))?)?;
        sys::signal_process(pidfd.as_fd(), caller.int(1))
            .map(|()| DONE)
            .map_err(|error| errno(&error))
    }

    fn open_pidfd(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
        // PIDFD_NONBLOCK and PIDFD_THREAD are not passed on.
        if caller.int(1) != 0 {
            return Err(libc::EINVAL);
        }
        let pidfd = signals::open(caller.int(0))?;
        sys::answer_with_descriptor(self.listener.as_fd(), caller.call.id, pidfd.as_fd(), true)
            .map(|()| Answer::Given)
            .map_err(|error| errno(&error))
    }

    fn socket(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
        let (domain, kind, protocol) = (caller.int(0), caller.int(1), caller.int(2));
        let held = match (domain, kind & 0xf, protocol) {
            (libc::AF_UNIX, ..) | (libc::AF_NETLINK, _, libc::NETLINK_ROUTE) => {
                Sockets::make(domain, kind, protocol)?
            }
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM, 0 | libc::IPPROTO_TCP)
            | (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM, 0 | libc::IPPROTO_UDP) => {
                Sockets::make(domain, kind, protocol)?
            }
            _ => return Err(libc::EPERM),
        };
        let close_on_exec = kind & libc::SOCK_CLOEXEC != 0;
        let listener = self.listener.as_fd();
        sys::answer_with_descriptor(listener, caller.call.id, held.socket.as_fd(), close_on_exec)
            .map_err(|error| errno(&error))?;
        // Answered: a socket that cannot be kept can be given no address.
        let _ = self.sockets.keep(held);
        Ok(Answer::Given)
    }

    fn address(caller: &Caller<'_>, at: u64, length: i32) -> Result<Vec<u8>, Errno> {
        match usize::try_from(length) {
            Ok(length @ 0..=128) => caller.memory(at, length),
            _ => Err(libc::EINVAL),
        }
    }

    /// The destination, or none where nobody answers.
    fn destination(
        &self,
        held: &Held,
        caller: &Caller<'_>,
        bytes: Vec<u8>,
    ) -> Result<Option<Destination>, Errno> {
        let parsed = address::parse(&bytes)?;
        if !parsed.fits(held.domain) {
            return Err(libc::EAFNOSUPPORT);
        }
        let ours = |inode| self.sockets.is_ours(inode);
        match parsed {
            Address::Unspecified | Address::Kernel => {}
            // As in a network namespace that has nothing but its loopback.
            Address::Internet(ip, _) if !address::is_loopback(ip) => return Err(libc::ENETUNREACH),
            Address::Internet(ip, port) => match ports::owner(held.kind, port, ours)? {
                Owner::Inside => {}
                Owner::Elsewhere | Owner::Nobody if self.is_tunnel(held, ip, port) => {
                    let bytes = self.to_tunnel(bytes);
                    return Ok(Some(Destination { bytes, named: None }));
                }
                Owner::Elsewhere
                    if self.is_gateway(held, ip, port) && !caller.is_program(&self.rules)? => {}
                Owner::Elsewhere => return Err(libc::ECONNREFUSED),
                Owner::Nobody => return Ok(None),
            },
            Address::Path(path) => {
                let named = self.names.find(&caller.path(&path))?;
                return Ok(Some(Destination {
                    bytes: address::unix(&named.path())?,
                    named: Some(named),
                }));
            }
            Address::Abstract(name) if names::are_ours(held.kind, &name, ours)? => {}
            Address::Abstract(_) => return Ok(None),
        }
        Ok(Some(Destination { bytes, named: None }))
    }

    /// Whether this is the gateway's socket, and no other on the same port.
    fn is_gateway(&self, held: &Held, ip: IpAddr, port: u16) -> bool {
        self.rules.gateway == Some(port) && is_local_stream(held, ip)
    }

    /// Whether this is the address at which the tunnel is to be found.
    fn is_tunnel(&self, held: &Held, ip: IpAddr, port: u16) -> bool {
        let asked = self.rules.tunnel.map(|(asked, _)| asked);
        asked == Some(port) && is_local_stream(held, ip)
    }

    /// The same address with the tunnel's port, which both families have in the same place.
    fn to_tunnel(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if let (Some((_, port)), Some(place)) = (self.rules.tunnel, bytes.get_mut(2..4)) {
            place.copy_from_slice(&port.to_be_bytes());
        }
        bytes
    }

    fn connect(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
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

    fn bind(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
        let inode = caller.socket(caller.int(0))?;
        let bytes = Self::address(caller, caller.call.arguments[1], caller.int(2))?;
        let domain = self.sockets.get(inode)?.domain;
        match (address::parse(&bytes)?, domain) {
            (Address::Path(path), libc::AF_UNIX) => self.bind_path(caller, inode, &path)?,
            (Address::Abstract(_), libc::AF_UNIX) | (Address::Kernel, libc::AF_NETLINK) => {
                self.bind_held(inode, &bytes)?;
            }
            (Address::Internet(ip, _), libc::AF_INET | libc::AF_INET6) => {
                if !address::is_loopback(ip) {
                    return Err(libc::EADDRNOTAVAIL);
                }
                let first = self.bind_held(inode, &bytes);
                if first == Err(libc::EADDRINUSE) {
                    // Perhaps by a socket that is closed inside and open only here.
                    self.sockets.let_go_of_abandoned();
                    self.bind_held(inode, &bytes)?;
                } else {
                    first?;
                }
            }
            _ => return Err(libc::EAFNOSUPPORT),
        }
        Ok(DONE)
    }

    fn bind_held(&mut self, inode: u64, bytes: &[u8]) -> Result<(), Errno> {
        let held = self.sockets.get(inode)?;
        sys::bind(held.socket.as_fd(), bytes).map_err(|error| errno(&error))
    }

    /// Binds to the path as the caller wrote it, since that is what getsockname shows.
    fn bind_path(&mut self, caller: &Caller<'_>, inode: u64, path: &[u8]) -> Result<(), Errno> {
        let full = caller.path(path);
        let (folder, name) = names::folder(&self.rules, &full)?;
        let umask = Mode::from_raw_mode(caller.umask()?);
        let name_there = address::unix(path)?;
        // From here on nothing fails before both are as they were again.
        if full != path {
            let cwd = caller.path(b".");
            let cwd = rustix::fs::open(
                std::ffi::OsStr::from_bytes(&cwd),
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            );
            let cwd = cwd.map_err(|_| libc::EACCES)?;
            rustix::process::fchdir(cwd).map_err(|_| libc::EACCES)?;
        }
        let before = rustix::process::umask(umask);
        let since = names::now();
        let bound = self.bind_held(inode, &name_there);
        rustix::process::umask(before);
        // Nothing keeps the folder busy.
        let _stays_there = rustix::process::chdir("/");
        bound?;
        self.names.add(&folder, name, since)
    }

    fn listen(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
        let inode = caller.socket(caller.int(0))?;
        let held = match self.sockets.take(inode) {
            Ok(held) => held,
            // It listens already: only its backlog would change.
            Err(libc::EISCONN) => return Ok(DONE),
            Err(errno) => return Err(errno),
        };
        match rustix::net::listen(&held.socket, caller.int(1)) {
            Ok(()) => Ok(DONE),
            Err(error) => {
                self.sockets.put(inode, held);
                Err(error.raw_os_error())
            }
        }
    }

    fn send_to(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
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

    fn send_message(&mut self, caller: &Caller<'_>) -> Result<Answer, Errno> {
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

/// Whether this is a stream to where the launcher listens.
fn is_local_stream(held: &Held, ip: IpAddr) -> bool {
    held.kind == libc::SOCK_STREAM && ip.to_canonical() == IpAddr::V4(Ipv4Addr::LOCALHOST)
}

/// Whether a stream has its peer, or is on its way to it, so that no address can follow.
fn is_settled(held: &Held, outcome: &io::Result<()>) -> bool {
    let stream = matches!(held.kind, libc::SOCK_STREAM | libc::SOCK_SEQPACKET);
    let underway = |error: &io::Error| error.raw_os_error() == Some(libc::EINPROGRESS);
    stream && outcome.as_ref().map_or_else(underway, |()| true)
}
