//! The toolchain that runs: the one found, or the one that the project's lines ask for, which is
//! fetched where it is not at hand.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::identity::{self, Who};
use super::{Project, Session, caches, fetch};
use crate::cli::args::Command;
use crate::go::select::{self, SelectError};
use crate::go::toolchain::{self, Toolchain};
use crate::go::trust::Trust;
use crate::host::Host;

/// Finds it, or fetches it.
///
/// # Errors
/// There is none that the project is content with and the policy lets run.
pub(super) fn choose(
    project: &Project<'_>,
    host: &mut Host,
    command: &Command,
) -> anyhow::Result<Toolchain> {
    let Project {
        session, workspace, ..
    } = *project;
    let found = discover(project, command)?;
    let wish = wish(session, &found)?;
    let own = caches::module_cache(session);
    let select = |module_cache: Option<&Path>, trust| {
        select::select(&select::Request {
            found: &found,
            lines: &workspace.lines,
            wish: &wish,
            module_cache,
            trust,
            range: project.policy.modules.toolchains.as_ref(),
        })
    };
    let absent = match select(own.as_deref(), session.trust()) {
        Err(absent @ SelectError::Absent { .. }) => absent,
        selected => return Ok(selected?),
    };
    // What the sandbox user's own module cache holds is as good as any other of its modules.
    let tree = (!workspace.none).then_some(workspace.root.as_path());
    let who = identity::choose(session, project.policy, tree)?;
    let trust = trust(session, &who);
    let theirs = caches::find(session, &who, tree.unwrap_or(&session.folder))?.gomodcache;
    match select(Some(&theirs), trust) {
        Err(SelectError::Absent { module, .. }) => {
            fetch::toolchain(project, host, &who, &found, &module, absent)?;
            fetch::make_executable(&theirs.join(module))?;
            Ok(select(Some(&theirs), trust)?)
        }
        selected => Ok(selected?),
    }
}

fn trust(session: &Session<'_>, who: &Who) -> Trust<'static> {
    if who.identity.switch {
        Trust::new(who.identity.uid, who.identity.gid)
    } else {
        session.trust()
    }
}

fn discover(project: &Project<'_>, command: &Command) -> anyhow::Result<Toolchain> {
    let Project {
        session, workspace, ..
    } = *project;
    let goroot = session
        .args
        .goroot
        .clone()
        .map(std::path::absolute)
        .transpose()?
        .or(named_goroot(&command.program));
    Ok(toolchain::discover(&toolchain::Choice {
        goroot: goroot.as_deref(),
        path: session.variable("PATH").map(OsString::as_os_str),
        trust: session.trust(),
        work_tree: (!workspace.none).then_some(workspace.root.as_path()),
    })?)
}

/// The caller's GOTOOLCHAIN, else that of `$GOROOT/go.env`.
fn wish(session: &Session<'_>, found: &Toolchain) -> Result<select::Wish, SelectError> {
    let own = || {
        let setting = found
            .settings
            .iter()
            .find(|(name, _)| name == "GOTOOLCHAIN");
        setting.map(|(_, value)| value.as_str())
    };
    let named = session.variable("GOTOOLCHAIN").map(OsString::as_os_str);
    match named.and_then(OsStr::to_str).or_else(own) {
        Some(value) => select::Wish::parse(value),
        None => Ok(select::Wish::Auto),
    }
}

/// The GOROOT of a go command that is named by its path.
fn named_goroot(program: &OsString) -> Option<PathBuf> {
    let path = Path::new(program);
    let is_path = path.file_name()? == "go" && path.components().count() > 1;
    is_path.then(|| Some(path.canonicalize().ok()?.parent()?.parent()?.to_owned()))?
}
