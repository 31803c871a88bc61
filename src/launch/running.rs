//! What init does while the command runs: it reaps, passes signals on, and ends everything at the end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::descendants::Children;
use super::direct::Direct;
use super::message::{self, Heard, Message};
use super::names::Names;
use super::supervised;
use crate::notify::Supervisor;
use crate::sys::descriptors::Kept;
use crate::sys::{self, signal};

/// What init has while the command runs.
pub(super) struct Running {
    /// The command's process.
    pub(super) command: i32,
    pub(super) own_pid_namespace: bool,
    /// The way to the launcher.
    pub(super) socket: OwnedFd,
    pub(super) supervisor: Option<Supervisor>,
    pub(super) names: Names,
}

impl Kept for Running {
    fn kept(&self) -> Vec<BorrowedFd<'_>> {
        let socket = Some(self.socket.as_fd());
        let supervisor = self.supervisor.as_ref().map(AsFd::as_fd);
        let names = self.names.sockets();
        socket.into_iter().chain(supervisor).chain(names).collect()
    }
}

impl Running {
    /// Looks after the command until nothing runs, and says so to the launcher. Yields the command's status.
    pub(super) fn look_after(mut self, others_closed: io::Result<()>) -> i32 {
        let status = match sys::wipe_environment().and(others_closed) {
            Ok(()) => self.until_the_end(),
            Err(_) => 125,
        };
        message::send(&self.socket, &Message::Over { status });
        status
    }

    /// Reaps, passes signals on, has notified calls answered, and returns the command's status when it has
    /// ended and nothing else runs.
    fn until_the_end(&mut self) -> i32 {
        let Ok(signals) = signal::descriptor() else {
            return 125;
        };
        let children = children(self.own_pid_namespace);
        if let Some(supervisor) = self.supervisor.take() {
            supervised::serve_beside(supervisor);
        }
        let mut direct = Direct::default();
        loop {
            let own = [signals.as_fd(), self.socket.as_fd()];
            let mut ready: Vec<_> = own
                .into_iter()
                .chain(self.names.sockets())
                .map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN))
                .collect();
            let waited = poll(&mut ready, None);
            let names = ready.iter().skip(own.len());
            let names: Vec<_> = names.map(|it| !it.revents().is_empty()).collect();
            match waited {
                Ok(_) => self.names.serve(names.into_iter()),
                // Programs can take init's limit of descriptors from it (prlimit(2)), where they see it.
                Err(Errno::INVAL) => {
                    end(children.as_ref());
                    return 128 + libc::SIGKILL;
                }
                Err(_) => continue,
            }
            // Before the launcher's: a signal to the process group gets here first.
            while let Ok(Some(number)) = signal::read(signals.as_fd()) {
                direct.note(number);
            }
            if let Some(status) = reap(self.command, &self.socket) {
                end(children.as_ref());
                return status;
            }
            loop {
                match message::heard(&self.socket) {
                    Heard::Nothing => break,
                    Heard::Signal(number) if direct.take(number) => {}
                    Heard::Signal(number) => {
                        let _command_may_have_ended = signal::send(self.command, number);
                    }
                    Heard::End => {
                        end(children.as_ref());
                        return 128 + libc::SIGKILL;
                    }
                }
            }
        }
    }
}

/// Reaps what has ended; the command's status, if it was among it. A stop of the command's is the
/// launcher's too.
fn reap(command: i32, socket: &OwnedFd) -> Option<i32> {
    let mut ended = None;
    while let Ok(Some((pid, status))) = sys::wait_any(libc::WNOHANG | libc::WUNTRACED) {
        if pid != command {
            continue;
        }
        match sys::stopped_by(status) {
            Some(number) => message::send(socket, &Message::Stopped(number)),
            None => ended = Some(sys::exit_code(status)),
        }
    }
    ended
}

/// What it takes to end what the command leaves behind, where the kernel does not.
fn children(own_pid_namespace: bool) -> Option<Children> {
    (!own_pid_namespace).then(Children::open)
}

/// Ends what is inside, where the command is not looked after.
pub(super) fn end_the_rest(own_pid_namespace: bool) {
    end(children(own_pid_namespace).as_ref());
}

/// Ends what the command has left behind. In a pid namespace kill(-1) reaches exactly that.
fn end(children: Option<&Children>) {
    let Some(children) = children else {
        let _nothing_is_left = signal::send(-1, libc::SIGKILL);
        while let Ok(Some(_)) = sys::wait_any(0) {}
        return;
    };
    children.kill(&[]);
}
