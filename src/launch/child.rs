//! The clone of init, with the plan in its copy of the memory or before there is one.

use std::os::fd::OwnedFd;

use super::caller::Caller;
use super::gate::{Key, Watch};
use super::processors::Processors;
use super::{Error, init, message};
use crate::enforce::landlock::Domain;
use crate::enforce::namespaces;
use crate::plan::{Identity, Isolation, Plan};
use crate::policy::Layer;
use crate::sys::{self, Cloned, Namespaces};

/// An init that has been cloned.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
    /// The way to it.
    pub(super) socket: OwnedFd,
    /// The Landlock domain, to which both add.
    pub(super) domain: Option<Domain>,
}

/// Clones an init that has the plan in its copy of the memory.
pub(super) fn with_plan(
    plan: &Plan,
    caller: Caller,
    gate: &mut Option<Watch>,
) -> Result<Child, Error> {
    let domain = plan.landlock.as_ref().map(Domain::new);
    let domain = domain.transpose().map_err(Error::layer)?;
    let namespaces_for = match plan.isolation {
        Isolation::Namespaces(_) => Some(&plan.identity),
        Isolation::Shared => None,
    };
    match clone_init(namespaces_for, domain)? {
        Side::Launcher(child) => Ok(child),
        Side::Init(start) => {
            if let Some(gate) = gate {
                gate.leave();
            }
            let begun = init::begin(namespaces_for, false, &start.socket);
            let key = gate.as_ref().map(Watch::key);
            init::run(start.with(plan, key, caller), begun)
        }
    }
}

/// In which process one is after a clone.
pub(super) enum Side {
    Launcher(Child),
    Init(Beginning),
}

/// What an init has from the start.
pub(super) struct Beginning {
    pub(super) socket: OwnedFd,
    domain: Option<Domain>,
    processors: Processors,
}

impl Beginning {
    pub(super) fn with<'a>(
        self,
        plan: &'a Plan,
        key: Option<Key<'a>>,
        caller: Caller,
    ) -> init::Start<'a> {
        init::Start {
            plan,
            key,
            caller,
            domain: self.domain,
            processors: self.processors,
            socket: self.socket,
        }
    }
}

/// Clones init, on another processor where there is one.
pub(super) fn clone_init(
    namespaces_for: Option<&Identity>,
    domain: Option<Domain>,
) -> Result<Side, Error> {
    let (socket, init_socket) =
        message::pair().map_err(|e| Error::launcher("make a pair of sockets", e))?;
    let processors = Processors::of_caller();
    match sys::clone_process(namespaces_for.map_or(Namespaces::NONE, namespaces::cloned_into)) {
        Ok(Cloned::Child) => Ok(Side::Init(Beginning {
            socket: init_socket,
            domain,
            processors,
        })),
        Ok(Cloned::Parent { pid, pidfd }) => {
            processors.send_away(pid);
            Ok(Side::Launcher(Child {
                pid,
                pidfd,
                socket,
                domain,
            }))
        }
        Err(error) if namespaces_for.is_some() => Err(Error::Layer {
            layer: Layer::Namespaces,
            action: "make namespaces".into(),
            errno: error.raw_os_error().unwrap_or(libc::EPERM),
        }),
        Err(error) => Err(Error::launcher("start a process", error)),
    }
}
