//! An init that is cloned before there is a plan, and makes its namespaces while the launcher looks at the
//! project.
//!
//! It gets the plan by a pipe, serialised, when that is made. One that is not used ends with the launcher,
//! or before: nothing runs inside yet, and nothing was made on disk.

use std::fs::File;
use std::io::{Read, Write};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, pidfd_send_signal};

use super::caller::Caller;
use super::child::{Child, Side, clone_init};
use super::gate::Key;
use super::{Error, init};
use crate::enforce::landlock::Domain;
use crate::plan::{Identity, Isolation, Plan, Ruleset};
use crate::sys;

/// An init that waits for a plan in namespaces of its own.
#[derive(Debug)]
pub struct Ahead {
    child: Option<Child>,
    plan: File,
    identity: Identity,
    abi: Option<i32>,
}

impl Ahead {
    /// Clones it, for a plan that has namespaces for this user and, where there is to be any, a Landlock
    /// domain of this ABI; one that `maps` is likely to have root's folders appear as the user's. `None` where
    /// the caller ignores its children: what has become of this one could not be told.
    ///
    /// # Errors
    /// The host refuses namespaces.
    pub fn start(identity: Identity, maps: bool, abi: Option<i32>) -> Result<Option<Ahead>, Error> {
        let fail = |what: &str, error: std::io::Error| Error::launcher(what, error);
        let (from, to) = pipe_with(PipeFlags::CLOEXEC)
            .map_err(|errno| fail("make a pipe for the plan", errno.into()))?;
        let domain = abi.map(|abi| {
            Domain::new(&Ruleset {
                abi,
                ..Ruleset::default()
            })
        });
        let domain = domain.transpose().map_err(Error::layer)?;
        // What comes for the launcher meanwhile is not init's.
        let caller = Caller::set_aside().map_err(|error| fail("block signals", error))?;
        let side = match caller.ignores_children() {
            true => Ok(None),
            false => clone_init(Some(&identity), domain).map(Some),
        };
        if let Ok(Some(Side::Init(beginning))) = side {
            drop(to);
            let begun = init::begin(Some(&identity), maps, &beginning.socket);
            let mut bytes = Vec::new();
            let read = File::from(from).read_to_end(&mut bytes);
            let Ok((plan, key)) = read.map_err(drop).and_then(|_| decode(&bytes)) else {
                // The launcher has no use for this process, and ends it.
                sys::exit_now(125);
            };
            init::run(beginning.with(&plan, key, caller), begun)
        }
        let ahead = side.map(|side| match side {
            Some(Side::Launcher(child)) => Some(Ahead {
                child: Some(child),
                plan: to.into(),
                identity,
                abi,
            }),
            _ => None,
        });
        caller
            .restore()
            .map_err(|error| fail("restore the signal mask", error))?;
        ahead
    }

    /// Gives it the plan, if it is one for this init; else the init is ended.
    pub(super) fn give(mut self, plan: &Plan, key: Option<Key<'_>>) -> Option<Child> {
        let ruleset = plan.landlock.as_ref();
        let fits = matches!(plan.isolation, Isolation::Namespaces(_))
            && plan.identity == self.identity
            && ruleset.map(|ruleset| ruleset.abi) == self.abi
            && ruleset.is_none_or(|ruleset| !ruleset.refuse_tcp);
        let bytes = fits.then(|| encode(plan, key)).flatten()?;
        // An init that has failed has told why.
        let _given_or_it_has_ended = self.plan.write_all(&bytes);
        self.child.take()
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            let _it_has_ended = pidfd_send_signal(&child.pidfd, Signal::KILL);
            let _nobody_asks_why = sys::wait_for(child.pid);
        }
    }
}

fn encode(plan: &Plan, key: Option<Key<'_>>) -> Option<Vec<u8>> {
    // Serialising plain data to a vector does not fail.
    postcard::to_stdvec(&(plan, key)).ok()
}

fn decode(bytes: &[u8]) -> Result<(Plan, Option<Key<'_>>), ()> {
    postcard::from_bytes(bytes).map_err(drop)
}
