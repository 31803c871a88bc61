//! The toolchain that runs: the one found, or the one that the project's lines ask for, which is
//! fetched where it is not at hand.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::caches::{self, Missing};
use super::identity::Who;
use super::{Command, Project, Session, fetch, loose, verify};
use crate::files::look;
use crate::go::command as go_command;
use crate::go::select::{self, SelectError, Wish};
use crate::go::toolchain::{self, Toolchain, ToolchainError};
use crate::go::trust::Trust;
use crate::go::version::Version;
use crate::host::Host;

/// Finds it, or fetches it; one from a module cache is compared with the checksum database.
///
/// # Errors
/// There is none that the project is content with and the policy lets run.
pub(super) fn choose(
    project: &Project<'_>,
    host: &mut Host,
    who: &Who,
    command: &Command,
) -> anyhow::Result<Toolchain> {
    choose_by(project, host, who, Search::new(project, command, true)?)
}

/// As [`choose`], and this version or a newer one.
///
/// # Errors
/// As for [`choose`].
pub(super) fn at_least(
    project: &Project<'_>,
    host: &mut Host,
    who: &Who,
    command: &Command,
    version: &Version,
) -> anyhow::Result<Toolchain> {
    let mut search = Search::new(project, command, true)?;
    search.wish = Wish::AtLeast(version.clone());
    choose_by(project, host, who, search)
}

/// Whether another Go than the one that was chosen may run where something asks for it.
///
/// # Errors
/// GOTOOLCHAIN makes no sense.
pub(super) fn may_change(session: &Session<'_>, found: &Toolchain) -> Result<bool, SelectError> {
    let wish = wish(session, found)?;
    Ok(matches!(wish, Wish::Auto | Wish::AtLeast(_)))
}

fn choose_by(
    project: &Project<'_>,
    host: &mut Host,
    who: &Who,
    search: Search<'_>,
) -> anyhow::Result<Toolchain> {
    let session = project.session;
    let own = caches::module_cache(session);
    match search.select(own.as_deref(), session.trust()) {
        Err(error) if may_be_theirs(session, &error) => {}
        selected => {
            let selected = selected?;
            if selected.goroot != search.found.goroot {
                let theirs = search.theirs(who)?;
                let cached = verify::Cached {
                    goroot: &selected.goroot,
                    cache: own.as_deref().unwrap_or(&theirs),
                    confirmed_in: &theirs,
                };
                verify::check(project, host, who, &search.found, &cached)?;
            }
            return Ok(selected);
        }
    }
    // What the sandbox user's own module cache holds is as good as any other of its modules.
    let theirs = search.theirs(who)?;
    let trust = trust(session, who);
    if let Err(absent) = search.select(Some(&theirs), trust)
        && let SelectError::Absent { module, .. } = &absent
    {
        let module = module.clone();
        fetch::toolchain(project, host, who, &search.found, &module, absent)?;
        fetch::make_executable(who, &theirs.join(module))?;
    }
    let selected = search.select(Some(&theirs), trust)?;
    let cached = verify::Cached {
        goroot: &selected.goroot,
        cache: &theirs,
        confirmed_in: &theirs,
    };
    verify::check(project, host, who, &search.found, &cached)?;
    Ok(selected)
}

/// The one that is at hand; nothing is fetched and nothing is run.
///
/// # Errors
/// As for [`choose`], and where it would have to be fetched.
pub(super) fn at_hand(
    project: &Project<'_>,
    who: &Who,
    command: &Command,
) -> anyhow::Result<Toolchain> {
    let session = project.session;
    let search = Search::new(project, command, false)?;
    let own = caches::module_cache(session);
    match search.select(own.as_deref(), session.trust()) {
        Err(error) if may_be_theirs(session, &error) => {
            let theirs = search.theirs(who)?;
            Ok(search.select(Some(&theirs), trust(session, who))?)
        }
        selected => Ok(selected?),
    }
}

/// Whether the sandbox user's module cache may hold what the caller's does not: also where the two are one
/// folder, and what the sandbox user has fetched is nothing that root would run.
fn may_be_theirs(session: &Session<'_>, error: &SelectError) -> bool {
    match error {
        SelectError::Absent { .. } => true,
        SelectError::Toolchain(ToolchainError::Untrusted { .. }) => session.host.uid == 0,
        _ => false,
    }
}

/// What a choice is made from.
struct Search<'a> {
    project: &'a Project<'a>,
    found: Toolchain,
    wish: Wish,
}

impl<'a> Search<'a> {
    fn new(
        project: &'a Project<'a>,
        command: &Command,
        fetches: bool,
    ) -> anyhow::Result<Search<'a>> {
        let found = loose::settle(project, discover(project, command)?, fetches)?;
        // As the go command: it names these files with any Go.
        let wish = match go_command::only_names_project(&command.arguments) {
            true => Wish::Local,
            false => wish(project.session, &found)?,
        };
        Ok(Search {
            project,
            found,
            wish,
        })
    }

    fn select(&self, cache: Option<&Path>, trust: Trust<'_>) -> Result<Toolchain, SelectError> {
        select::select(&select::Request {
            found: &self.found,
            lines: &self.project.workspace.lines,
            wish: &self.wish,
            module_cache: cache,
            trust,
            range: self.project.policy.modules.toolchains.as_ref(),
        })
    }

    /// The module cache of the user who runs inside.
    fn theirs(&self, who: &Who) -> anyhow::Result<PathBuf> {
        let Project { session, .. } = *self.project;
        let caches = caches::find(session, who, self.project.tree(), Missing::Leave)?;
        Ok(caches.gomodcache)
    }
}

fn trust(session: &Session<'_>, who: &Who) -> Trust<'static> {
    if who.identity.switch {
        Trust::new(who.identity.uid, who.identity.gid)
    } else {
        session.trust()
    }
}

fn discover(project: &Project<'_>, command: &Command) -> anyhow::Result<loose::Found> {
    let Project {
        session, workspace, ..
    } = *project;
    let goroot = session
        .request
        .goroot
        .clone()
        .map(std::path::absolute)
        .transpose()?
        .or(named_goroot(&command.program));
    let choice = toolchain::Choice {
        goroot: goroot.as_deref(),
        path: session.variable("PATH").map(OsString::as_os_str),
        trust: session.trust(),
        work_tree: (!workspace.none).then_some(workspace.root.as_path()),
    };
    Ok(loose::find(&choice)?)
}

/// The caller's GOTOOLCHAIN, in the environment or by `go env -w`, else that of `$GOROOT/go.env`. Which Go it may
/// choose the policy bounds.
fn wish(session: &Session<'_>, found: &Toolchain) -> Result<Wish, SelectError> {
    let own = || {
        let setting = found
            .settings
            .iter()
            .find(|(name, _)| name == "GOTOOLCHAIN");
        setting.map(|(_, value)| value.as_str())
    };
    let named = session.go_variable("GOTOOLCHAIN");
    let named = named.map(|value| value.to_string_lossy().into_owned());
    match named.as_deref().or_else(own) {
        Some(value) => Wish::parse(value),
        None => Ok(Wish::Auto),
    }
}

/// The GOROOT of a go command that is named by its path.
fn named_goroot(program: &OsString) -> Option<PathBuf> {
    let path = Path::new(program);
    let is_path = path.file_name()? == "go" && path.components().count() > 1;
    is_path.then(|| {
        Some(
            look::canonicalize(path)
                .ok()?
                .parent()?
                .parent()?
                .to_owned(),
        )
    })?
}
