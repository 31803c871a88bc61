//! The launcher's part of `go clean -modcache`: the module cache goes once the go command has ended well.

use std::io;

use super::cache::{Removal, remove_modules};
use super::plan::Prepared;
use super::{Session, start::Ran};
use crate::refusal::{Code, Refused};

/// Removes the module cache, where the command is told to and has not failed.
///
/// # Errors
/// It is still there, or some of it.
pub(super) fn clean(
    session: &Session<'_>,
    prepared: &Prepared<'_>,
    ran: &Ran,
) -> anyhow::Result<()> {
    let Some(cleans) = prepared.go().and_then(|go| go.cleans_modules.as_ref()) else {
        return Ok(());
    };
    if ran.outcome.status != 0 || ran.outcome.timed_out {
        return Ok(());
    }
    let modules = prepared.modules(session);
    let path = modules.real.display();
    if cleans.is_said {
        // As go says it.
        session.console.print(&format!("rm -rf {path}\n"))?;
    }
    // This run's own mark.
    session.held.borrow_mut().clear();
    let text = match remove_modules(&modules) {
        Removal::Gone => return Ok(()),
        Removal::InUse => format!("cannot remove the module cache {path}: another run uses it"),
        Removal::Left(errno) => {
            let reason = io::Error::from_raw_os_error(errno);
            format!("cannot remove the whole module cache {path}: {reason}")
        }
    };
    Err(Refused::new(Code::CacheLeft, text)
        .words("gosandbox -- go clean -modcache, once nothing uses the module cache any more")
        .into())
}
