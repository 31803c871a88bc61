//! The process between the launcher and the command: pid 1 of the pid namespace.
//!
//! It prepares the confinement, starts the command, reaps what is left to it, passes on the signals
//! that the launcher tells it to, and ends everything when the command or the launcher ends. Without
//! a pid namespace it is the subreaper of everything inside and does the same by hand.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{self, DumpableBehavior, Pid, Signal};

use super::descendants::Children;
use super::direct::Direct;
use super::door;
use super::gate::{self, Key};
use super::message::{self, Heard, Message};
use super::processors::Processors;
use super::{Caller, failed, supervised};
use crate::enforce::landlock::Domain;
use crate::enforce::staged::Staged;
use crate::enforce::{self, Begun, Context as _, Enforcement};
use crate::notify::{Handover, Supervisor};
use crate::plan::{Identity, Isolation, Plan, Setting, way};
use crate::policy::{Access, Layer};
use crate::sys::{self, Cloned, signal};

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
    enforce::begin(namespaces_for, maps).unwrap_or_else(|error| {
        message::send(socket, &failed(&error));
        sys::exit_now(125)
    })
}

/// The rest, to the end of the run.
pub fn run(start: Start<'_>, begun: Begun) -> ! {
    let prepared = enforce::prepare(start.plan, begun, || wait_for_made(&start))
        .and_then(|done| settle(&start.plan.command.settings).map(|()| done))
        .and_then(|done| open_gate(&start).map(|()| done))
        .and_then(|done| hand_out_overlay(&start, done.1.as_ref()).map(|()| done))
        .and_then(|done| wait(&start).map(|()| done));
    let status = match prepared {
        Ok((done, staged)) => start_command(start, done, staged),
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
/// it out: nothing inside ever has it.
fn open_gate(start: &Start<'_>) -> Result<(), enforce::Error> {
    let own_network = matches!(start.plan.isolation, Isolation::Namespaces(_));
    if start.key.is_none() || !own_network {
        return Ok(());
    }
    gate::listen(way::PORT)
        .and_then(|listening| Ok(message::send_listening(&start.socket, listening.as_fd())?))
        .during(Layer::Namespaces, || {
            "make the module gateway's listening socket".into()
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
fn start_command(mut start: Start<'_>, done: Enforcement, staged: Option<Staged>) -> i32 {
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
    let shared = handover.as_ref().map_or(0, |_| libc::CLONE_FILES);
    let cloned = match tie_to_launcher(own_pid_namespace) {
        Ok(()) => sys::clone_process(shared),
        Err(errno) => Err(errno.into()),
    };
    match cloned {
        Ok(Cloned::Child) => become_command(start, done, handover.as_ref()),
        Ok(Cloned::Parent { pid, pidfd }) => {
            let take =
                |way: Handover| supervised::take(start.plan, start.key, &way, pid, pidfd.as_fd());
            let supervisor = match handover.map(take).transpose() {
                Ok(supervisor) => supervisor.flatten(),
                Err(message) => {
                    message::send(&start.socket, &message);
                    end_the_rest(children(own_pid_namespace).as_ref());
                    return 125;
                }
            };
            // Before its number is closed below, behind its owner's back.
            drop(pidfd);
            sys::wipe_environment();
            let kept = [
                Some(start.socket.as_fd()),
                supervisor.as_ref().map(AsFd::as_fd),
            ];
            let kept: Vec<_> = kept.into_iter().flatten().collect();
            // Standard output too: whoever reads it sees its end when the command closes it.
            // From here on nothing that owns a descriptor may be dropped, so this does not return.
            let status = match sys::close_all_but(&kept) {
                Ok(()) => look_after(pid, &start.socket, own_pid_namespace, supervisor),
                Err(_) => 125,
            };
            message::send(&start.socket, &Message::Over { status });
            sys::exit_now(status)
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

/// In the command's process: the rest of the confinement, then execve.
fn become_command(start: Start<'_>, mut done: Enforcement, handover: Option<&Handover>) -> ! {
    let Start {
        plan,
        key,
        domain,
        caller,
        ref socket,
        ..
    } = start;
    if let Err(errno) = process::chdir(&plan.command.folder) {
        message::send(
            socket,
            &Message::Failed {
                layer: Layer::MountView,
                action: format!("enter {}", plan.command.folder.display()),
                errno: errno.raw_os_error(),
            },
        );
        sys::exit_now(125);
    }
    let command = &plan.command;
    let c = |bytes: &[u8]| CString::new(bytes).unwrap_or_default();
    let path = c(command.path.as_os_str().as_bytes());
    let argv: Vec<CString> = command.argv.iter().map(|a| c(a.as_bytes())).collect();
    let envp: Vec<CString> = command
        .environment
        .iter()
        .map(|(name, value)| match &key {
            Some(key) => (name, way::fill(name, value, &key.address(), key.token)),
            None => (name, value.clone()),
        })
        .map(|(name, value)| c(&[name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect();
    let restored = caller.restore();
    let listener = match enforce::restrict(plan, domain, &mut done) {
        Ok(listener) => listener,
        Err(error) => {
            message::send(socket, &failed(&error));
            sys::exit_now(125);
        }
    };
    if let (Some(handover), Some(listener)) = (handover, listener)
        && supervised::offer(handover, listener).is_err()
    {
        // Init has told why.
        sys::exit_now(125);
    }
    if let Err(error) = open_door(plan, socket) {
        message::send(socket, &failed(&error));
        sys::exit_now(125);
    }
    if restored.is_ok() {
        message::send(socket, &Message::Enforced(done));
        let error = sys::execve(&path, &argv, &envp);
        let errno = error.raw_os_error().unwrap_or(libc::EACCES);
        message::send(socket, &Message::NotExecuted { errno });
    }
    sys::exit_now(126)
}

/// Makes the door for programs' sockets, where the wrapper is to find it: in this net namespace, and in
/// this Landlock domain, whose processes reach no abstract socket outside it.
fn open_door(plan: &Plan, socket: &OwnedFd) -> Result<(), enforce::Error> {
    let own_network = matches!(plan.isolation, Isolation::Namespaces(_));
    if !plan.programs_reach_hosts() || !own_network {
        return Ok(());
    }
    door::open()
        .and_then(|door| Ok(message::send_door(socket, door.as_fd())?))
        .during(Layer::Namespaces, || {
            "make a way to hosts for the programs of the command".into()
        })
}

/// Reaps, passes signals on, has notified calls answered, and returns the command's status when it has ended
/// and nothing else runs.
fn look_after(
    command: i32,
    socket: &OwnedFd,
    own_pid_namespace: bool,
    supervisor: Option<Supervisor>,
) -> i32 {
    let Ok(signals) = signal::descriptor() else {
        return 125;
    };
    let children = children(own_pid_namespace);
    if let Some(supervisor) = supervisor {
        supervised::serve_beside(
            supervisor,
            [
                Some(socket.as_fd()),
                Some(signals.as_fd()),
                children.as_ref().and_then(Children::as_fd),
            ],
        );
    }
    let mut direct = Direct::default();
    loop {
        let mut ready = [
            PollFd::new(&signals, PollFlags::IN),
            PollFd::new(socket, PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Ok(_) => {}
            // Programs can take init's limit of descriptors from it (prlimit(2)), where they see it.
            Err(Errno::INVAL) => {
                end_the_rest(children.as_ref());
                return 128 + libc::SIGKILL;
            }
            Err(_) => continue,
        }
        // Before the launcher's: a signal to the process group gets here first.
        while let Ok(Some(number)) = signal::read(signals.as_fd()) {
            direct.note(number);
        }
        if let Some(status) = reap(command, socket) {
            end_the_rest(children.as_ref());
            return status;
        }
        loop {
            match message::heard(socket) {
                Heard::Nothing => break,
                Heard::Signal(number) if direct.take(number) => {}
                Heard::Signal(number) => {
                    let _command_may_have_ended = signal::send(command, number);
                }
                Heard::End => {
                    end_the_rest(children.as_ref());
                    return 128 + libc::SIGKILL;
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

/// Ends what the command has left behind. In a pid namespace kill(-1) reaches exactly that.
fn end_the_rest(children: Option<&Children>) {
    let Some(children) = children else {
        let _nothing_is_left = signal::send(-1, libc::SIGKILL);
        while let Ok(Some(_)) = sys::wait_any(0) {}
        return;
    };
    children.kill(&[]);
}
