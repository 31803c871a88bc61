//! Init as the supervisor of notified calls, where there are no namespaces.
//!
//! The command's process loads the filter and hands its listener over; init answers in a thread beside its
//! loop, which is for signals and the launcher. A supervisor that fails is dropped: the kernel then refuses what
//! it would have decided.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{DumpableBehavior, Resource, getrlimit, set_dumpable_behavior, setrlimit};

use super::gate::Key;
use super::message::Message;
use crate::enforce::{self, Context as _, landlock, seccomp};
use crate::notify::{self, Handover, Rules, Supervisor};
use crate::plan::{Filter, Plan, Supervision, way};
use crate::policy::syscalls::Options;
use crate::policy::{Cage, Layer};
use crate::sys::{self, Cloned};

/// After so long without a call, what nobody inside has any more is let go of.
const PAUSE: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Messages lie elsewhere.
const STACK: usize = 256 << 10;

/// How long a trial waits for the other side.
const PATIENCE: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// The way for the listener, where the plan has a supervisor; made before the clone.
pub(super) fn handover(plan: &Plan) -> Result<Option<Handover>, Message> {
    let Some(supervision) = &plan.supervision else {
        return Ok(None);
    };
    if let Some(ruleset) = &plan.landlock {
        confine(supervision, ruleset.abi).map_err(|error| super::failed(&error))?;
    }
    Handover::new().map(Some).map_err(|error| failed(&error))
}

/// Init acts on paths for others, so that it is confined where it does.
fn confine(supervision: &Supervision, abi: i32) -> Result<(), enforce::Error> {
    landlock::restrict_sockets(abi, &supervision.socket_folders)
}

/// In the command's process, under its filter.
pub(super) fn offer(handover: &Handover, listener: OwnedFd) -> Result<(), Message> {
    // As it will be when it has executed: only now, init shows that it can read its memory.
    set_dumpable_behavior(DumpableBehavior::Dumpable)
        .map_err(|error| failed(&notify::Error::Handover(error.into())))?;
    handover.offer(listener).map_err(|error| failed(&error))
}

/// In init: the supervisor, or none where the command's process has ended before.
pub(super) fn take(
    plan: &Plan,
    key: Option<Key<'_>>,
    handover: &Handover,
    child: i32,
    pidfd: BorrowedFd<'_>,
) -> Result<Option<Supervisor>, Message> {
    let rules = plan.supervision.as_ref().map(|supervision| Rules {
        socket_folders: supervision.socket_folders.clone(),
        protected: supervision.protected.clone(),
        command_writes: supervision.command_writes.clone(),
        program_writes: supervision.program_writes.clone(),
        testdata_in: supervision.testdata_in.clone(),
        filters: 0,
        gateway: key.and_then(|key| key.port),
        tunnel: key.and_then(|key| Some((way::PROGRAMS_PORT, key.programs?))),
        services: key.map(|key| key.services.to_vec()).unwrap_or_default(),
        command_is_program: plan.cage == Cage::Program,
    });
    let rules = rules.unwrap_or_default();
    raise_limit();
    handover
        .take(child, pidfd, rules)
        .map_err(|error| failed(&error))
}

/// It holds a duplicate of every socket inside that may still be given an address.
fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _few_must_do = setrlimit(Resource::Nofile, limit);
}

/// Answers calls in a thread of its own: programs can make one that is performed for them wait, as a connect
/// whose O_NONBLOCK another thread takes away, and init goes on hearing the launcher. Where no thread can be
/// had the supervisor is dropped.
///
/// From then on the caller has descriptors of its own: what uses up the supervisor's leaves it some.
pub(super) fn serve_beside(supervisor: Supervisor) {
    fn work(supervisor: Supervisor) {
        let mut supervisor = Some(supervisor);
        while let Some(one) = &supervisor {
            let pause = Some(&PAUSE).filter(|_| one.is_untidy());
            let mut ready = [PollFd::new(one, PollFlags::IN)];
            if let Ok(count) = poll(&mut ready, pause) {
                let calls = ready[0].revents();
                serve(&mut supervisor, calls, count == 0);
            }
        }
    }
    // Where there can be no thread the supervisor is dropped, and the kernel refuses.
    let _or_nobody_answers = sys::threads::start_with(supervisor, STACK, work);
}

/// Answers the call that waits, if there is one, or tidies up in a pause; drops a supervisor that
/// fails, or that nobody is left for.
fn serve(supervisor: &mut Option<Supervisor>, calls: PollFlags, pause: bool) {
    let Some(one) = supervisor else { return };
    if pause {
        one.tidy();
    } else if calls.contains(PollFlags::IN) {
        if one.answer().is_err() {
            *supervisor = None;
        }
    } else if !calls.is_empty() {
        *supervisor = None;
    }
}

/// Tries it: a process of this one's is handed a socket.
pub(super) fn try_out() -> Result<(), enforce::Error> {
    let notify = |error: notify::Error| io::Error::other(error);
    let during = |doing: &'static str| move || doing.to_owned();
    let filter = Filter {
        cage: Cage::Program,
        options: Options::SUPERVISED,
    };
    let way = Handover::new()
        .map_err(notify)
        .during(Layer::Seccomp, during("make pipes"))?;
    let cloned =
        sys::clone_sharing_descriptors().during(Layer::Seccomp, during("start a process"))?;
    let (pid, pidfd) = match cloned {
        Cloned::Parent { pid, pidfd } => (pid, pidfd),
        Cloned::Child => sys::exit_now(ask(&filter, &way)),
    };
    let supervisor = way
        .take(pid, pidfd.as_fd(), Rules::default())
        .map_err(notify)
        .during(Layer::Seccomp, during("take a process's calls"))?;
    if supervisor.is_none() {
        let status = sys::wait_for(pid).during(Layer::Seccomp, during("wait for the process"))?;
        let errno = status.map_or(libc::EPERM, sys::exit_code);
        return Err(io::Error::from_raw_os_error(errno)).during(Layer::Seccomp, || match errno {
            libc::EBUSY => {
                "load a filter that notifies: another supervisor is there already".into()
            }
            _ => "load a filter that notifies".into(),
        });
    }
    let mut supervisor = supervisor;
    while let Some(one) = &supervisor {
        let mut ready = [PollFd::new(one, PollFlags::IN)];
        let count = poll(&mut ready, Some(&PATIENCE)).unwrap_or(0);
        let calls = ready[0].revents();
        if count == 0 {
            break;
        }
        serve(&mut supervisor, calls, false);
    }
    // Whoever still asks is refused now.
    drop(supervisor);
    match sys::wait_for(pid).during(Layer::Seccomp, during("wait for the process"))? {
        Some(0) => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EPERM))
            .during(Layer::Seccomp, during("answer a call with a socket")),
    }
}

/// In the process that is tried with: its exit status, which is the error number where it has no filter.
fn ask(filter: &Filter, way: &Handover) -> i32 {
    let listener = match seccomp::restrict(filter) {
        Ok(Some(listener)) => listener,
        Ok(None) => return libc::ENOSYS,
        Err(error) => return errno(&error).unwrap_or(libc::ENOSYS),
    };
    let offered = offer(way, listener);
    let asked = || rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None);
    i32::from(offered.is_err() || asked().is_err())
}

/// The kernel's, which an error is about.
fn errno(error: &enforce::Error) -> Option<i32> {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source());
    let numbers = causes.filter_map(|e| e.downcast_ref::<io::Error>()?.raw_os_error());
    numbers.last()
}

/// Puts the failure into words for the launcher.
fn failed(error: &notify::Error) -> Message {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    let errno = cause.and_then(std::io::Error::raw_os_error);
    Message::Failed {
        layer: Layer::Seccomp,
        action: match error {
            notify::Error::Handover(_) => "hand the calls of the command to init",
            notify::Error::Memory(_) => "read the memory of the command's process",
            notify::Error::Listener { .. } => "answer notified calls",
        }
        .into(),
        errno: errno.unwrap_or(libc::EPERM),
    }
}
