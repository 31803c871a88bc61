//! The launcher's wait: for init to end, for signals to pass on, for the time to run out.
//!
//! The caller's process group is shared with the command, so that Ctrl-C, Ctrl-Z and `fg` reach it
//! without help. Whatever the launcher gets it tells init, which knows whether the whole group got it.
//! The launcher stops when the command has stopped, by the same signal, and never ends before it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::Made;
use super::descendants::Children;
use super::gate::Watch;
use super::listening::Listening;
use super::message::{self, Message};
use super::refresh::Refresh;
use crate::plan::Plan;
use crate::sys::{self, signal};

/// Between SIGTERM to the command and SIGKILL to everything, when the time has run out.
pub const GRACE: Duration = Duration::from_secs(2);

/// Signals by which a person or a manager of services ends a run.
const ENDS: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// How init ended, and what it told.
#[derive(Debug, Default)]
pub struct Ended {
    /// The exit status, which is the command's.
    pub status: i32,
    /// Whether init itself was ended by a signal.
    pub init_lost: bool,
    /// Whether the time ran out.
    pub timed_out: bool,
    /// What was told before the command started.
    pub told: Vec<Message>,
    /// Init, where only the kernel has work to do with it.
    pub ending: Option<Ending>,
    /// Where programs of a run that was stopped have listened.
    pub listening: Vec<u16>,
}

/// What init has told so far.
#[derive(Default)]
struct Told {
    /// Whether the command is about to run.
    started: bool,
    /// The command's status, once nothing runs inside any more.
    over: Option<i32>,
    refresh: Refresh,
    listening: Listening,
    ended: Ended,
}

/// An init inside which nothing runs any more: the kernel takes its namespaces apart, while the launcher
/// does what is left to do. Waits for the end of that when it is dropped, and removes what was under its
/// mounts.
#[derive(Debug)]
pub struct Ending {
    pid: i32,
    made: Option<Made>,
}

impl Ending {
    /// Whether what is at the path was made for the run, and is about to be removed.
    pub fn removes(&self, path: &Path) -> bool {
        self.made
            .as_ref()
            .is_some_and(|made| made.placeholders.has(path))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let _it_cannot_fail_any_more = sys::wait_for(self.pid);
    }
}

/// Init, as the launcher sees it.
pub struct Init<'a> {
    /// Its process id.
    pub pid: i32,
    /// Its descriptor.
    pub pidfd: BorrowedFd<'a>,
    /// The way to it.
    pub socket: OwnedFd,
    /// Whether everything inside ends with it.
    pub own_pid_namespace: bool,
    /// Children of the launcher's that were there before: a shell's, that executed it.
    pub spared: Vec<i32>,
}

impl Init<'_> {
    /// Ends an init that the launcher cannot go on with. Nothing runs inside yet.
    pub fn give_up(self) {
        let _it_has_ended = signal::send(self.pid, libc::SIGKILL);
        let _nobody_asks_why = sys::wait_for(self.pid);
    }

    /// Waits until nothing runs inside any more. `made` is what is on disk for the run: it is removed
    /// then, or when init is gone.
    ///
    /// Only when the command is about to run the gateway is served, so that this process has one thread
    /// before.
    pub(super) fn wait(
        self,
        plan: &Plan,
        made: Made,
        gate: &mut Option<Watch>,
    ) -> io::Result<Ended> {
        // Its memory and environment are nobody's business, where nothing else keeps them apart.
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        let signals = signal::descriptor()?;
        let mut clock = Clock::new(plan.limits.timeout);
        let mut told = Told {
            listening: Listening::of(plan),
            ..Told::default()
        };
        let mut hung_up = false;
        loop {
            let mut ready = vec![
                PollFd::new(&signals, PollFlags::IN),
                PollFd::from_borrowed_fd(self.pidfd, PollFlags::IN),
            ];
            // An init that is ending hangs up first, and stays ready.
            if !hung_up {
                ready.push(PollFd::new(&self.socket, PollFlags::IN));
            }
            let entrances = ready.len();
            let open = gate
                .iter()
                .filter(|_| told.started)
                .flat_map(Watch::sockets);
            ready.extend(open.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)));
            let looks = told.refresh.left().into_iter().chain(told.listening.left());
            let left = clock.left().into_iter().chain(looks).min();
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            poll(&mut ready, left.as_ref())?;
            told.refresh.tick();
            told.listening.tick(self.pid);
            // Whatever else is ready.
            let due = clock.left() == Some(Duration::ZERO);
            let init_ended = !ready[1].revents().is_empty();
            let knocked = ready.split_off(entrances).into_iter();
            let knocked: Vec<bool> = knocked.map(|it| !it.revents().is_empty()).collect();
            hung_up = hung_up || ready[2].revents().contains(PollFlags::HUP);
            drop(ready);
            if let (true, Some(gate)) = (knocked.contains(&true), gate.as_mut()) {
                gate.serve(&knocked);
            }
            let mut continued = false;
            while let Some(number) = signal::read(signals.as_fd())? {
                continued |= number == libc::SIGCONT;
                if number == libc::SIGCHLD {
                    reap_others(self.pid)?;
                } else {
                    if ENDS.contains(&number) {
                        told.listening.stopped(self.pid);
                    }
                    message::pass_on(&self.socket, number);
                }
            }
            self.hear(&mut told, &made, gate.as_mut(), continued)?;
            if let (Some(status), false) = (told.over, init_ended) {
                told.ended.status = status;
                told.ended.listening = told.listening.of_stopped();
                told.ended.ending = Some(Ending {
                    pid: self.pid,
                    made: made.begin_to_remove(),
                });
                forget_the_last(signals.as_fd())?;
                return Ok(told.ended);
            }
            if init_ended {
                told.ended.listening = told.listening.of_stopped();
                return self.finish(told.ended, signals.as_fd());
            }
            if due {
                told.listening.stopped(self.pid);
                told.ended.timed_out = true;
                self.end(&mut clock)?;
            }
        }
    }

    /// Takes what init tells. A stop of the command's is the launcher's too, unless it goes on already.
    fn hear(
        &self,
        told: &mut Told,
        made: &Made,
        mut gate: Option<&mut Watch>,
        continued: bool,
    ) -> io::Result<()> {
        while let Some((message, descriptor)) = message::receive(&self.socket) {
            match message {
                Message::Listening => {
                    if let (Some(gate), Some(socket)) = (gate.as_deref_mut(), descriptor) {
                        gate.take(socket);
                    }
                }
                Message::Door => {
                    if let (Some(gate), Some(socket)) = (gate.as_deref_mut(), descriptor) {
                        gate.take_door(socket);
                    }
                }
                Message::Overlay => {
                    if let Some(context) = descriptor {
                        told.refresh.begin(context);
                    }
                }
                Message::Stopped(_) if continued => {}
                Message::Stopped(number) => signal::stop_by(number)?,
                Message::Enforced(_) => {
                    told.ended.told.push(message);
                    if !told.started {
                        made.tidy();
                        if let Some(gate) = gate.as_deref_mut() {
                            gate.begin();
                        }
                    }
                    told.started = true;
                }
                Message::Over { status } => told.over = Some(status),
                _ => told.ended.told.push(message),
            }
        }
        Ok(())
    }

    /// The time has run out: SIGTERM to the command, and after the grace SIGKILL to everything.
    fn end(&self, clock: &mut Clock) -> io::Result<()> {
        if clock.next() {
            message::pass_on(&self.socket, libc::SIGTERM);
            message::pass_on(&self.socket, libc::SIGCONT);
            return Ok(());
        }
        if self.own_pid_namespace {
            return ignore_gone(signal::send(self.pid, libc::SIGKILL));
        }
        // Init takes it for the launcher's end and kills what is inside, one by one.
        rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write)?;
        ignore_gone(signal::send(self.pid, libc::SIGCONT))
    }

    fn finish(self, mut ended: Ended, signals: BorrowedFd<'_>) -> io::Result<Ended> {
        let status = sys::wait_for(self.pid)?.unwrap_or_default();
        ended.init_lost = sys::ended_by(status).is_some();
        ended.status = sys::exit_code(status);
        if ended.init_lost && !self.own_pid_namespace {
            // The launcher is the next subreaper.
            Children::open().kill(&self.spared);
        }
        forget_the_last(signals)?;
        Ok(ended)
    }
}

/// What came last went to the command as well, or too late for it.
fn forget_the_last(signals: BorrowedFd<'_>) -> io::Result<()> {
    while signal::read(signals)?.is_some() {}
    Ok(())
}

/// Orphans of a container whose first process this is. Init waits for its turn: its end is told by
/// its descriptor.
fn reap_others(init: i32) -> io::Result<()> {
    while let Some(pid) = sys::peek_ended()? {
        if pid == init {
            break;
        }
        sys::wait_for(pid)?;
    }
    Ok(())
}

fn ignore_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        result => result,
    }
}

/// When the next thing is due.
struct Clock {
    due: Option<Instant>,
    /// Whether the grace has begun.
    grace: bool,
}

impl Clock {
    /// A time too long to be told has no end.
    fn new(timeout: Option<u64>) -> Clock {
        let after = |seconds| Instant::now().checked_add(Duration::from_secs(seconds));
        Clock {
            due: timeout.and_then(after),
            grace: false,
        }
    }

    fn left(&self) -> Option<Duration> {
        Some(self.due?.saturating_duration_since(Instant::now()))
    }

    /// Whether the grace begins now; else it has ended, and nothing more is due.
    fn next(&mut self) -> bool {
        let begins = !self.grace;
        self.due = begins.then(|| Instant::now() + GRACE);
        self.grace = true;
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_never_comes_is_none() {
        assert!(Clock::new(None).left().is_none());
        assert!(Clock::new(Some(u64::MAX)).left().is_none());
    }

    #[test]
    fn the_grace_comes_once() {
        let mut clock = Clock::new(Some(0));
        assert!(clock.next());
        assert!(clock.left().is_some());
        assert!(!clock.next());
        assert!(clock.left().is_none());
    }
}
