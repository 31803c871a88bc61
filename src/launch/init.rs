//! The process between the launcher and the command: pid 1 of the pid namespace.
//!
//! It prepares the confinement, starts the command, reaps what is left to it, passes on the signals
//! that the launcher tells it to, and ends everything when the command or the launcher ends. Without
//! a pid namespace it is the subreaper of everything inside and does the same by hand. `running` is what
//! it does while the command runs.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::Mode;
use rustix::process::{self, DumpableBehavior, Pid, Signal};

use super::gate::{self, Key};
use super::message::{self, Message};
use super::names::{self, Names};
use super::processors::Processors;
use super::running::{self, Running};
use super::{Caller, command, door, failed, seed, supervised};
use crate::enforce::landlock::Domain;
use crate::enforce::staged::Staged;
use crate::enforce::{self, Begun, Context as _, Prepared};
use crate::notify::Handover;
use crate::plan::{Identity, Isolation, Plan, Setting, way};
use crate::policy::{Access, Cage, Layer};
use crate::sys::descriptors::go_on_with;
use crate::sys::{self, Cloned, Namespaces};

/// What init is given by the launcher.
pub struct Start<'a> {
    /// What to do.
    pub plan: &'a Plan,
    /// What the command needs to use the gateway, where the plan has a way to it.
    pub key: Option<Key<'a>>,
    /// The Landlock domain, to which the launcher adds while init is busy.
    pub domain: Option<Domain>,
    /// Those that the command may use; init has begun on fewer.
    pub processors: Processors,
    /// The way to the launcher.
    pub socket: OwnedFd,
    /// The caller's signal mask and dispositions.
    pub caller: Caller,
}

/// What init does before it needs the plan, in namespaces or not. Where that fails it tells the launcher,
/// and ends.
pub fn begin(namespaces_for: Option<&Identity>, maps: bool, socket: &OwnedFd) -> Begun {
    writes_its_maps()
        .and_then(|()| enforce::begin(namespaces_for, maps))
        .unwrap_or_else(|error| {
            message::send(socket, &failed(&error));
            sys::exit_now(125)
        })
}

/// A launcher that has waited for an earlier init, which the host has refused something, lets nobody look
/// into itself. What it clones then inherits that, and its files in /proc would be root's (proc(5)), the
/// maps of its user namespace among them.
fn writes_its_maps() -> Result<(), enforce::Error> {
    process::set_dumpable_behavior(DumpableBehavior::Dumpable)
        .during(Layer::Namespaces, || "be able to write its own maps".into())
}

/// The rest, to the end of the run.
pub fn run(start: Start<'_>, begun: Begun) -> ! {
    let prepared = enforce::prepare(start.plan, begun, || wait_for_made(&start))
        .and_then(|done| settle(&start.plan.command.settings).map(|()| done))
        .inspect(|_| start.plan.seed.iter().for_each(seed::fill))
        .and_then(|done| open_gate(&start).map(|()| done))
        .and_then(|done| hand_out_overlay(&start, done.staged.as_ref()).map(|()| done))
        .and_then(|done| wait(&start).map(|()| done));
    let status = match prepared {
        Ok(prepared) => start_command(start, prepared),
        Err(error) => {
            message::send(&start.socket, &failed(&error));
            125
        }
    };
    sys::exit_now(status)
}

/// Until the launcher has made what the run has on disk, and has moved this process into its cgroups.
fn wait_for_made(start: &Start<'_>) -> Result<(), enforce::Error> {
    wait(start)?;
    start.processors.restore();
    Ok(())
}

/// Until the launcher has said that it has gone on.
fn wait(start: &Start<'_>) -> Result<(), enforce::Error> {
    message::wait(&start.socket).during(Layer::Namespaces, || "wait for the launcher".into())
}

/// Writes the command's settings, as the sandbox user, for whom alone they are.
fn settle(settings: &[Setting]) -> Result<(), enforce::Error> {
    let umask = process::umask(Mode::RWXG | Mode::RWXO);
    let write = |setting: &Setting| {
        let folder = setting.path.parent().unwrap_or("/".as_ref());
        fs::create_dir_all(folder)?;
        let mut file = File::create_new(&setting.path)?;
        file.write_all(setting.content.as_bytes())
    };
    let settled = settings.iter().try_for_each(|setting| {
        write(setting).during(Layer::Environment, || {
            format!("make {}", setting.path.display())
        })
    });
    process::umask(umask);
    settled
}

/// Makes the gateway's listening socket in this net namespace, while nothing else is in it, and hands
/// it out: nothing inside ever has it. A command that is a program itself has its ports there too.
fn open_gate(start: &Start<'_>) -> Result<(), enforce::Error> {
    let own_network = matches!(start.plan.isolation, Isolation::Namespaces(_));
    if !own_network {
        return Ok(());
    }
    let hand_out = |socket: OwnedFd| Ok(message::send_listening(&start.socket, socket.as_fd())?);
    if start.plan.way.is_some() {
        let mut ports = std::iter::once(way::PORT).chain(start.plan.callers_proxy);
        ports
            .try_for_each(|port| gate::listen(port).and_then(hand_out))
            .during(Layer::Namespaces, || {
                "make the module gateway's listening socket".into()
            })?;
    }
    if start.plan.cage != Cage::Program {
        return Ok(());
    }
    door::of_ports(&start.plan.ports)
        .and_then(|sockets| sockets.into_iter().try_for_each(hand_out))
        .during(Layer::Namespaces, || {
            "make the sockets of services and published ports".into()
        })
}

/// Gives the launcher what it needs to have programs see later changes of the real work tree.
fn hand_out_overlay(start: &Start<'_>, staged: Option<&Staged>) -> Result<(), enforce::Error> {
    let Some(staged) = staged else {
        return Ok(());
    };
    message::send_overlay(&start.socket, staged.context.as_fd()).during(Layer::MountView, || {
        "hand the overlay of the work tree to the launcher".into()
    })
}

/// Has programs reach the staged work tree in a root of their own, where they have one: a domain only
/// ever narrows that of the go command, which cannot walk to it.
fn grant_staged(
    plan: &Plan,
    domain: Option<&mut Domain>,
    staged: Option<&Staged>,
) -> Result<(), enforce::Error> {
    match (&plan.isolation, domain, staged) {
        (Isolation::Namespaces(view), Some(domain), Some(staged)) if view.programs.is_some() => {
            domain.grant_open(staged.mount.as_fd(), Access::WriteExecute)
        }
        _ => Ok(()),
    }
}

/// Starts the command and stays with it; the status to exit with.
fn start_command(mut start: Start<'_>, prepared: Prepared) -> i32 {
    let Prepared {
        done,
        staged,
        names,
    } = prepared;
    if let Err(error) = grant_staged(start.plan, start.domain.as_mut(), staged.as_ref()) {
        message::send(&start.socket, &failed(&error));
        return 125;
    }
    drop(staged);
    let own_pid_namespace = matches!(start.plan.isolation, Isolation::Namespaces(_));
    let handover = match supervised::handover(start.plan) {
        Ok(handover) => handover,
        Err(message) => {
            message::send(&start.socket, &message);
            return 125;
        }
    };
    let (awaited, to_init) = names::pair(start.plan).unzip();
    let cloned = match tie_to_launcher(own_pid_namespace) {
        Ok(()) if handover.is_some() => sys::clone_sharing_descriptors(),
        Ok(()) => sys::clone_process(Namespaces::NONE),
        Err(errno) => Err(errno.into()),
    };
    match cloned {
        Ok(Cloned::Child) => command::execute(start, done, handover.as_ref(), to_init),
        Ok(Cloned::Parent { pid, pidfd }) => {
            drop(to_init);
            let take =
                |way: Handover| supervised::take(start.plan, start.key, &way, pid, pidfd.as_fd());
            let supervisor = match handover.map(take).transpose() {
                Ok(supervisor) => supervisor.flatten(),
                Err(message) => {
                    message::send(&start.socket, &message);
                    running::end_the_rest(own_pid_namespace);
                    return 125;
                }
            };
            let running = Running {
                command: pid,
                own_pid_namespace,
                socket: start.socket,
                names: Names::new(names, awaited),
                supervisor,
            };
            // Standard output is closed too: whoever reads it sees its end when the command closes it.
            go_on_with(running, Running::look_after)
        }
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(libc::EAGAIN);
            message::send(
                &start.socket,
                &Message::Failed {
                    layer: Layer::Namespaces,
                    action: "start the command's process".into(),
                    errno,
                },
            );
            125
        }
    }
}

/// After the change of user, which resets both (prctl(2)).
///
/// That the launcher has ended is heard on the socket, also if it was before this. In a pid
/// namespace the kernel ends everything with init, so init dies with the launcher even when it is
/// stopped; elsewhere it must live to end the rest, and goes on if it was stopped.
fn tie_to_launcher(own_pid_namespace: bool) -> Result<(), rustix::io::Errno> {
    if own_pid_namespace {
        process::set_parent_process_death_signal(Some(Signal::KILL))?;
    } else {
        process::set_parent_process_death_signal(Some(Signal::CONT))?;
        process::set_child_subreaper(Some(Pid::INIT))?;
    }
    process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
}
