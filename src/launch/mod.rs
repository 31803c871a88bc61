//! Starts a plan, looks after it until it ends, and says how it ended.
//!
//! Three processes: the launcher (supervisor), which stays outside; init, pid 1 of the new pid
//! namespace; and the command. The launcher and init have one thread until the command runs.

use std::io;
use std::os::fd::AsFd;

use rustix::process::{Pid, set_child_subreaper};

use crate::enforce::Enforcement;
use crate::enforce::cgroup;
use crate::files;
use crate::gateway;
use crate::plan::{Isolation, Plan};
use crate::sys::descriptors;

pub mod ahead;
pub mod caller;
mod child;
mod command;
pub mod compiler;
pub mod descendants;
pub mod direct;
mod door;
mod error;
pub mod gate;
pub mod init;
mod listening;
pub mod message;
mod names;
pub mod placeholder;
pub mod probe;
pub mod processors;
mod refresh;
mod refusals;
pub mod remove;
mod running;
pub mod scratch;
mod seed;
mod sockets;
pub mod ssh;
pub mod streams;
mod supervised;
pub mod supervisor;
pub mod wrapper;

pub use crate::enforce::cgroup::Exceeded;
use ahead::Ahead;
use caller::Caller;
use child::Child;
use descendants::Children;
pub use error::Error;
use error::failed;
use gate::{Gate, Watch};
use message::Message;
pub use supervisor::Ending;

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The command's own exit status, or 128 + the signal that ended it.
    pub status: i32,
    /// The layers that were in force when it started.
    pub enforcement: Enforcement,
    /// Whether `--timeout` ended it.
    pub timed_out: bool,
    /// Limits of the cgroup that were hit.
    pub exceeded: Exceeded,
    /// Init, which the kernel may still be busy with: dropping this waits for it.
    pub ending: Option<Ending>,
    /// What passed the gateway, or why nothing could; `None` where the plan has no way out.
    pub gateway: Option<Result<gateway::Summary, gateway::Error>>,
    /// What passed to services and published ports.
    pub ports: Vec<gateway::Passed>,
    /// Where programs of a run that was stopped have listened, out of the host's reach.
    pub listening: Vec<u16>,
}

/// Before anything else: descriptors 0, 1 and 2 are open, and none above is handed on by execve.
pub fn sanitise_descriptors() -> io::Result<()> {
    descriptors::fill_standard_descriptors()?;
    descriptors::close_on_exec(3)
}

/// Runs the plan to its end, with `gate` for the way out where the plan has one, in the init that was
/// cloned ahead where it is one for this plan.
///
/// `caller` was set aside: a signal waits until the command has ended and what was made is removed. Whoever has set it
/// aside puts it back, after whatever else is to be done first.
///
/// # Errors
/// As listed in [`Error`]; the command was not executed, or was ended.
pub fn run(
    plan: &Plan,
    gate: Option<Gate>,
    ahead: Option<Ahead>,
    caller: Caller,
) -> Result<Outcome, Error> {
    let group = cgroup::Group::make(&plan.limits)
        .map_err(|e| Error::launcher("make a cgroup for the limits", e))?;
    let outcome = start(plan, caller, gate, group.as_ref(), ahead);
    files::forget();
    let Some(group) = group else { return outcome };
    // Init is in the cgroup until it is gone.
    let ended = outcome.map(|outcome| Outcome {
        ending: None,
        ..outcome
    });
    let exceeded = group.remove();
    ended.map(|outcome| Outcome {
        exceeded,
        ..outcome
    })
}

/// What is on disk for a run, removed in this order.
#[derive(Debug)]
struct Made {
    placeholders: placeholder::Guard,
    scratch: Option<scratch::Guard>,
}

impl Made {
    fn make(plan: &Plan) -> Result<Made, Error> {
        let scratch = plan.scratch.as_ref();
        let scratch = scratch.map(|s| scratch::Guard::make(s, plan)).transpose()?;
        Ok(Made {
            placeholders: placeholder::Guard::make(plan)?,
            scratch,
        })
    }

    /// Removes what nothing is mounted over, and yields the rest. The kernel would take the mounts of a run
    /// that is over apart one by one, if what is under them was removed before it is done with all of them.
    fn begin_to_remove(self) -> Option<Made> {
        if self.placeholders.is_empty() {
            return None;
        }
        if let Some(scratch) = &self.scratch {
            scratch.clear();
        }
        Some(self)
    }

    /// Once the command has started: writes down what a later run would have to remove, and removes what
    /// earlier ones have left.
    fn tidy(&self) {
        self.placeholders.record();
        if let Some(scratch) = &self.scratch {
            scratch.sweep();
        }
    }
}

/// Does the launcher's part while init makes namespaces and the view. Init waits for each half: what the
/// run has on disk, and the rules for what is the same inside and outside.
fn help(plan: &Plan, child: &mut Child, group: Option<&cgroup::Group>) -> Result<Made, Error> {
    let socket = &child.socket;
    if let Some(group) = group {
        group.admit(child.pid).map_err(Error::layer)?;
    }
    let made = Made::make(plan)?;
    let tell = || message::go_on(socket).map_err(|e| Error::launcher("speak to init", e));
    tell()?;
    if let Some(domain) = &mut child.domain {
        domain.grant(plan.rules(true)).map_err(Error::layer)?;
    }
    tell()?;
    Ok(made)
}

/// Has an init run the plan, and waits for it.
fn start(
    plan: &Plan,
    caller: Caller,
    gate: Option<Gate>,
    group: Option<&cgroup::Group>,
    ahead: Option<Ahead>,
) -> Result<Outcome, Error> {
    gate::one_thread().map_err(|e| Error::launcher("end the downloads before this", e))?;
    let gate = gate.map(|gate| Watch::open(plan, gate)).transpose();
    let mut gate =
        gate.map_err(|e| Error::launcher("listen on the loopback for what leads out", e))?;
    let own_pid_namespace = matches!(plan.isolation, Isolation::Namespaces(_));
    let mut spared = Vec::new();
    if !own_pid_namespace {
        set_child_subreaper(Some(Pid::INIT))
            .map_err(|e| Error::launcher("become a subreaper", e))?;
        spared = Children::open().list();
    }
    let key = gate.as_ref().map(Watch::key);
    let mut child = match ahead.and_then(|ahead| ahead.give(plan, key)) {
        Some(child) => child,
        None => child::with_plan(plan, caller, &mut gate)?,
    };
    let helped = help(plan, &mut child, group);
    // Init has its own descriptor of it.
    drop(child.domain);
    let init = supervisor::Init {
        pid: child.pid,
        pidfd: child.pidfd.as_fd(),
        socket: child.socket,
        own_pid_namespace,
        spared,
    };
    let made = match helped {
        Ok(made) => made,
        Err(error) => {
            init.give_up();
            return Err(error);
        }
    };
    let ended = init
        .wait(plan, made, &mut gate)
        .map_err(|e| Error::launcher("wait for the command", e))?;
    let left = gate.map(Watch::finish);
    let (gateway, ports) = left.map_or((None, Vec::new()), |left| (left.gateway, left.ports));
    Ok(Outcome {
        gateway,
        ports,
        ..outcome(plan, ended)?
    })
}

/// What init told, and how it ended, as the outcome of the run.
fn outcome(plan: &Plan, ended: supervisor::Ended) -> Result<Outcome, Error> {
    let mut enforcement = None;
    for message in ended.told {
        match message {
            Message::Enforced(layers) => enforcement = Some(layers),
            Message::Failed {
                layer,
                action,
                errno,
            } => {
                return Err(Error::Layer {
                    layer,
                    action,
                    errno,
                });
            }
            Message::NotStaged { action, errno } => {
                return Err(Error::NotStaged { action, errno });
            }
            Message::NotGranted { path, errno } => {
                let path = path.into();
                return Err(Error::NotGranted { path, errno });
            }
            Message::NotExecuted { errno } => {
                return Err(Error::Execute {
                    path: plan.command.path.clone(),
                    errno,
                });
            }
            Message::Stopped(_)
            | Message::Listening
            | Message::Door
            | Message::Overlay
            | Message::Over { .. } => {}
        }
    }
    // A signal may end the command's process before it executes, as it may end the command.
    let ended_early = !ended.init_lost && ended.status > 128;
    match enforcement.or_else(|| (ended_early || ended.timed_out).then(Enforcement::default)) {
        Some(enforcement) => Ok(Outcome {
            status: ended.status,
            enforcement,
            timed_out: ended.timed_out,
            exceeded: Exceeded::default(),
            ending: ended.ending,
            gateway: None,
            ports: Vec::new(),
            listening: ended.listening,
        }),
        None => Err(Error::InitLost {
            status: ended.status,
        }),
    }
}
