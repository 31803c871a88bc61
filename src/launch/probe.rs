//! Whether this host really gives namespaces and a mount view: tried in a child, not read from settings.

use super::message::{self, Message};
use super::{Error, failed, supervised};
use crate::enforce::{capabilities, identity, namespaces, view};
use crate::plan::{Identity, Node, View};
use crate::policy::Layer;
use crate::sys::{self, Cloned, Namespaces};

/// Makes the namespaces and a small view in a child, which then ends.
///
/// # Errors
/// What failed there, as a run would say it.
pub fn namespaces(identity: &Identity) -> Result<(), Error> {
    attempt(identity, namespaces::cloned_into(identity), || {
        let view = View {
            programs: None,
            judged: Vec::new(),
            nodes: vec![
                Node::Proc {
                    target: "/proc".into(),
                },
                Node::bind("/usr", false),
            ],
        };
        namespaces::enter(identity)?;
        namespaces::enter_cgroup()?;
        view::build(&view, view::Mounts::make()?, |_| false, || Ok(())).map(drop)
    })
}

/// Whether `folder` can be bound with its owner mapped to the sandbox user.
///
/// # Errors
/// As for [`namespaces`].
pub fn id_mapped_mount(identity: &Identity, folder: &std::path::Path) -> Result<(), Error> {
    attempt(identity, namespaces::cloned_into(identity), || {
        let bind = Node::Bind {
            source: folder.into(),
            target: "/mnt".into(),
            writable: true,
            id_map: true,
        };
        namespaces::enter(identity)?;
        let view = View {
            nodes: vec![bind],
            programs: None,
            judged: Vec::new(),
        };
        let mut mounts = view::Mounts::make()?;
        mounts.map_to(identity)?;
        view::build(&view, mounts, |_| true, || Ok(())).map(drop)
    })
}

/// Whether calls can be decided by a supervisor: as the sandbox user, a process's are.
///
/// # Errors
/// As for [`namespaces`].
pub fn notification(identity: &Identity) -> Result<(), Error> {
    attempt(identity, Namespaces::NONE, || {
        identity::switch(identity)?;
        capabilities::clear()?;
        capabilities::no_new_privs()?;
        supervised::try_out()
    })
}

fn attempt(
    identity: &Identity,
    into: Namespaces,
    act: impl FnOnce() -> Result<(), crate::enforce::Error>,
) -> Result<(), Error> {
    let (socket, childs) =
        message::pair().map_err(|e| Error::launcher("make a pair of sockets", e))?;
    let cloned = sys::clone_process(into).map_err(|error| Error::Layer {
        layer: Layer::Namespaces,
        action: format!(
            "make namespaces as user {}",
            if identity.switch { 0 } else { identity.uid }
        ),
        errno: error.raw_os_error().unwrap_or(libc::EPERM),
    })?;
    let Cloned::Parent { pid, pidfd: _ } = cloned else {
        if let Err(error) = act() {
            message::send(&childs, &failed(&error));
        }
        sys::exit_now(0);
    };
    sys::wait_for(pid).map_err(|e| Error::launcher("wait for the child", e))?;
    match message::receive(&socket) {
        Some((
            Message::Failed {
                layer,
                action,
                errno,
            },
            _,
        )) => Err(Error::Layer {
            layer,
            action,
            errno,
        }),
        _ => Ok(()),
    }
}
