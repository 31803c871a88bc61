//! Receives a call, decides, performs it, answers. `connect` and `sending` perform what sends or connects.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::address::{self, Address};
use super::caller::Caller;
use super::metadata;
use super::names::{self, Names};
use super::signals;
use super::sockets::Sockets;
use super::{Errno, Error, Rules, errno};
use crate::sys::descriptors::Kept;
use crate::sys::notify as sys;

/// Answers the notified calls of one sandbox.
#[derive(Debug)]
pub struct Supervisor {
    pub(super) listener: Arc<OwnedFd>,
    pub(super) rules: Rules,
    pub(super) sockets: Sockets,
    pub(super) names: Names,
}

/// Readable where a call waits; hung up where no process inside is left.
impl AsFd for Supervisor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Kept for Supervisor {
    /// The listener. It has sockets and folders only once it has answered a call.
    fn kept(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.as_fd()]
    }
}

/// How a call is answered.
pub(super) enum Answer {
    /// With a result.
    Value(i64),
    /// Already, or by another thread.
    Given,
}

pub(super) const DONE: Answer = Answer::Value(0);

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
}
