//! Puts the layers in force, in the process that will execute the command. This file is the order.
//!
//! [`prepare`] runs in init (pid 1 of the new pid namespace), [`restrict`] in the command's own
//! process, which inherits what init prepared. Each layer returns an error or is in force; what
//! was put in force is recorded in an [`Enforcement`], never assumed.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::plan::{Identity, Isolation, Plan};
use crate::policy::{Cage, Layer};
use crate::sys;

pub mod capabilities;
pub mod cgroup;
mod cover;
mod filling;
pub mod id_map;
pub mod identity;
pub mod keyring;
pub mod landlock;
pub mod limits;
pub mod mandatory;
mod mounts;
pub mod namespaces;
pub mod nested;
pub mod seccomp;
pub mod self_check;
pub mod staged;
pub mod view;

/// A layer that could not be put in force.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}")]
pub struct Error {
    /// Which layer.
    pub layer: Layer,
    /// What was being done to what.
    pub action: String,
    /// Why it failed.
    #[source]
    pub source: io::Error,
}

/// Gives an I/O result the layer and the action that it belongs to.
pub(crate) trait Context<T> {
    /// The action is only put into words when it has failed.
    fn during(self, layer: Layer, action: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn during(self, layer: Layer, action: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error {
            layer,
            action: action(),
            source: source.into(),
        })
    }
}

/// The layers that are in force: a set, grown as each is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enforcement(u16);

impl Enforcement {
    /// Records that a layer is in force.
    pub fn add(&mut self, layer: Layer) {
        self.0 |= 1 << layer as u16;
    }

    /// Whether a layer is in force.
    pub fn has(self, layer: Layer) -> bool {
        self.0 & (1 << layer as u16) != 0
    }

    /// As two bytes, to be sent from the child.
    pub fn to_bytes(self) -> [u8; 2] {
        self.0.to_le_bytes()
    }

    /// From the two bytes that the child sent.
    pub fn from_bytes(bytes: [u8; 2]) -> Enforcement {
        Enforcement(u16::from_le_bytes(bytes))
    }
}

/// What init has done before it needs a plan.
#[derive(Debug)]
pub struct Begun {
    done: Enforcement,
    /// In namespaces of its own.
    mounts: Option<view::Mounts>,
}

/// In init, first of all: keyring, and for a run in namespaces these, what every view has, and the user
/// namespace for id-mapped binds where some are to be expected.
///
/// # Errors
/// As for [`prepare`].
pub fn begin(namespaces_for: Option<&Identity>, maps: bool) -> Result<Begun, Error> {
    let mut done = Enforcement::default();
    limits::no_core_dumps()?;
    if keyring::join()? {
        done.add(Layer::Keyring);
    }
    let mounts = namespaces_for.map(|identity| {
        namespaces::enter(identity)?;
        let mut mounts = view::Mounts::make()?;
        if maps {
            mounts.map_to(identity)?;
        }
        Ok(mounts)
    });
    Ok(Begun {
        done,
        mounts: mounts.transpose()?,
    })
}

/// What init has prepared.
#[derive(Debug)]
pub struct Prepared {
    /// The layers that are in force.
    pub done: Enforcement,
    /// The overlay of a staged work tree.
    pub staged: Option<staged::Staged>,
    /// On which a command that is a program itself asks for names.
    pub names: Option<OwnedFd>,
}

/// In init: the rest of the namespaces, root, identity, capabilities, `no_new_privs`.
///
/// `made` waits until what the launcher makes for the run is there, meanwhile.
///
/// # Errors
/// The layer that failed; nothing has been executed, and the process must exit.
pub fn prepare(
    plan: &Plan,
    begun: Begun,
    made: impl FnOnce() -> Result<(), Error>,
) -> Result<Prepared, Error> {
    let Begun { mut done, mounts } = begun;
    let (mut staged, mut names) = (None, None);
    match &plan.isolation {
        Isolation::Namespaces(view) => {
            let mut mounts = mounts
                .ok_or(Errno::INVAL)
                .during(Layer::Namespaces, || "do without namespaces".into())?;
            if view.is_mapped() {
                mounts.map_to(&plan.identity)?;
            }
            staged = view::build(view, mounts, |node| plan.is_made(node), made)?;
            done.add(Layer::MountView);
            namespaces::enter_cgroup()?;
            // Programs that hear no answer lose nothing else.
            names = (plan.cage == Cage::Program)
                .then(|| namespaces::resolver().ok())
                .flatten();
            done.add(Layer::Namespaces);
        }
        Isolation::Shared => made()?,
    }
    capabilities::drop_bounding_set(plan.identity.switch)?;
    identity::switch(&plan.identity)?;
    done.add(Layer::Identity);
    capabilities::clear()?;
    done.add(Layer::Capabilities);
    capabilities::no_new_privs()?;
    done.add(Layer::NoNewPrivs);
    Ok(Prepared {
        done,
        staged,
        names,
    })
}

/// In the command's process: limits, AppArmor or SELinux, Landlock, seccomp, and the proof that they hold.
///
/// `domain` is the Landlock domain in which the launcher has granted what is the same outside the view.
/// Yields the listener for the supervisor, where the filter notifies one.
///
/// # Errors
/// As for [`prepare`].
pub fn restrict(
    plan: &Plan,
    domain: Option<landlock::Domain>,
    done: &mut Enforcement,
) -> Result<Option<OwnedFd>, Error> {
    limits::apply(&plan.limits)?;
    done.add(Layer::Limits);
    for layer in mandatory::switch(&plan.labels)? {
        done.add(layer);
    }
    if let Some(mut domain) = domain {
        domain.grant(plan.rules(false))?;
        domain.enter()?;
        done.add(Layer::Landlock);
    }
    let listener = seccomp::restrict(&plan.filter)?;
    done.add(Layer::Seccomp);
    self_check::run(&plan.checks)?;
    Ok(listener)
}

/// Opens an absolute, canonical path (`O_PATH`) and follows no symbolic link on the way: one that is
/// there now was put there since the path was resolved (ELOOP or ENOTDIR).
pub fn open_without_links(path: &Path) -> Result<OwnedFd, Errno> {
    sys::no_links::open_absolute(path, OFlags::PATH | OFlags::CLOEXEC)
}
