//! The command's process, between the clone and execve: it puts the last layers in force on itself.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::io::Errno;
use rustix::process;

use super::gate::Key;
use super::init::Start;
use super::message::{self, Message};
use super::{door, failed, names, supervised};
use crate::enforce::{self, Context as _, Enforcement};
use crate::notify::Handover;
use crate::plan::{Command, Isolation, Plan, way};
use crate::policy::Layer;
use crate::sys;

/// In the command's process: the rest of the confinement, then execve.
pub(super) fn execute(
    start: Start<'_>,
    mut done: Enforcement,
    handover: Option<&Handover>,
    names: Option<OwnedFd>,
) -> ! {
    let Start {
        plan,
        key,
        domain,
        caller,
        ref socket,
        ..
    } = start;
    if let Err(errno) = process::chdir(&plan.command.folder) {
        // A folder above it that is granted by name may be closed to the sandbox user.
        if let Err(error) = enforce::self_check::reach_all(&plan.checks) {
            message::send(socket, &failed(&error));
            sys::exit_now(125);
        }
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
    let Execution { path, argv, envp } =
        Execution::of(&plan.command, key).unwrap_or_else(|error| {
            message::send(socket, &failed(&error));
            sys::exit_now(125)
        });
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
    // Programs that hear no answer lose nothing else.
    let _no_name_is_answered = names.map(|to_init| names::open(&to_init));
    if restored.is_ok() {
        message::send(socket, &Message::Enforced(done));
        let error = sys::execve(&path, &argv, &envp);
        let errno = error.raw_os_error().unwrap_or(libc::EACCES);
        message::send(socket, &Message::NotExecuted { errno });
    }
    sys::exit_now(126)
}

/// What execve takes.
struct Execution {
    path: CString,
    argv: Vec<CString>,
    envp: Vec<CString>,
}

impl Execution {
    /// Of a command, with the gateway's address and token in its environment where there is a key.
    ///
    /// # Errors
    /// The path, an argument or a variable has a NUL byte.
    fn of(command: &Command, key: Option<Key<'_>>) -> Result<Execution, enforce::Error> {
        let no_nul = |string: &OsStr, action: &dyn Fn() -> String| {
            sys::c_string(string.as_bytes())
                .map_err(|_| Errno::INVAL)
                .during(Layer::Environment, || {
                    format!("{}, which has a NUL byte", action())
                })
        };
        let path = command.path.as_os_str();
        let path = no_nul(path, &|| format!("execute {path:?}"))?;
        let arguments = command.argv.iter();
        let arguments =
            arguments.map(|word| no_nul(word, &|| format!("pass the argument {word:?}")));
        let variables = command.environment.iter().map(|(name, value)| {
            let value = match &key {
                Some(key) => way::fill(name, value, &key.address(), key.token),
                None => value.clone(),
            };
            let mut variable = name.clone();
            variable.push("=");
            variable.push(value);
            // The value may be a secret.
            no_nul(&variable, &|| format!("set the variable {name:?}"))
        });
        Ok(Execution {
            path,
            argv: arguments.collect::<Result<_, _>>()?,
            envp: variables.collect::<Result<_, _>>()?,
        })
    }
}

/// Makes the door for programs' sockets, where the wrapper is to find it: in this net namespace, and in
/// this Landlock domain, whose processes reach no abstract socket outside it.
fn open_door(plan: &Plan, socket: &OwnedFd) -> Result<(), enforce::Error> {
    let own_network = matches!(plan.isolation, Isolation::Namespaces(_));
    if !plan.programs_have_door() || !own_network {
        return Ok(());
    }
    door::open()
        .and_then(|door| Ok(message::send_door(socket, door.as_fd())?))
        .during(Layer::Namespaces, || {
            "make a way out for the programs of the command".into()
        })
}
