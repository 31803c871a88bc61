//! One run, from what is asked for to how it has ended: the pipeline. It prints nothing; what it says goes to a
//! [`Console`].
//!
//! Each step's values are what the next ones need, and none goes back. What has to be fetched first is an [`errand`]: a
//! run of its own. Nothing is made on disk for the command before [`start`].

mod audit;
mod caches;
mod console;
mod errand;
mod fetch;
mod folders;
mod foreign;
mod git;
mod guarded;
mod hints;
mod identity;
mod limits;
mod links;
mod mandatory;
mod place;
mod plan;
mod programs;
mod project;
mod protected;
mod report;
mod request;
mod require;
mod scratch;
mod session;
mod site;
mod stage;
mod start;
mod token;
mod toolchain;
mod tree_check;
mod verify;
mod way;
mod what;

use anyhow::Context;

use self::audit::Audit;
pub use self::console::{Console, Helped};
pub use self::folders::run_folders;
use self::guarded::Guarded;
use self::project::Project;
pub use self::request::{Command, Output, Request, caller, start_folder, whole_paths};
use self::session::Session;
pub use self::site::find as find_site;
use self::start::{Ran, start};
pub use self::what::NotFound;
use crate::files::look;
use crate::launch;

/// How a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing was to be started.
    Planned,
    /// The command has ended with this status; a signal's is 128 and its number.
    Status(u8),
    /// Its time ran out, and everything was ended.
    TimedOut,
    /// The command has ended, and changes to the work tree were refused.
    HeldBack,
}

/// Runs the command.
///
/// # Errors
/// It was refused or not started: [`NotFound`], [`launch::Error`], or what else has failed.
pub fn run(request: &Request, command: &Command, console: &dyn Console) -> anyhow::Result<Ended> {
    let log = request.audit_log.as_deref().filter(|_| !request.dry_run);
    let audit = log.map(Audit::open).transpose()?;
    let ended = audited(request, command, console, audit.as_ref());
    if let (Err(error), Some(audit)) = (&ended, &audit)
        && !matches!(error.downcast_ref(), Some(launch::Error::Execute { .. }))
    {
        audit.refused(&format!("{error:#}"));
    }
    ended
}

fn audited(
    request: &Request,
    command: &Command,
    console: &dyn Console,
    audit: Option<&Audit>,
) -> anyhow::Result<Ended> {
    launch::streams::check()?;
    let session = Session::open(request, console)?;
    identity::can_be_chosen(&session.host)?;
    let mut host = session.host.clone();
    let overrides = whole_paths(&request.overrides)?;
    for path in overrides.read.iter().chain(&overrides.write) {
        look::metadata(path).with_context(|| format!("cannot grant {}", path.display()))?;
    }
    let (workspace, policy) =
        project::resolve(&session, &overrides, command, |tree| {
            match request.dry_run {
                true => Ok(()),
                false => tree_check::finish_earlier(tree, console),
            }
        })?;
    let project = Project {
        session: &session,
        workspace: &workspace,
        policy: &policy,
        audit,
    };
    let writes = audit.is_some() || request.report.is_some();
    let guarded = Guarded::of(&session, &policy, project.tree(), writes)?;
    audit.map_or(Ok(()), |audit| audit.settle(&guarded))?;
    let report = report::Place::settle(request, &guarded)?;
    let who = identity::choose(&session, &policy, project.tree())?;
    let ahead = match request.dry_run {
        true => None,
        false => start::ahead(&mut host, &who, project.tree()),
    };
    let toolchain = toolchain::choose(&project, &mut host, &who, command)?;
    let mut prepared =
        plan::Prepared::new(&session, &workspace, &policy, who, &toolchain, command)?;
    if request.dry_run {
        let plan = start::planned(&project, host, &prepared)?;
        report::dry_run(report, &policy, &plan, console)?;
        return Ok(Ended::Planned);
    }
    fetch::missing(&project, &mut host, &prepared, &toolchain)?;
    hints::before(&project, &toolchain);
    let (plan, ended) = start(&project, &mut host, &mut prepared, ahead)?;
    let Ran { outcome, changes } = ended.map_err(start::refused)?;
    hints::after(&project, &toolchain, &host, &prepared, (&plan, &outcome));
    report::write(report, &policy, &plan, (&outcome, &changes), console)?;
    // What is dropped at the end waits until the kernel has taken the sandbox apart.
    Ok(start::ended(&outcome, &changes, &policy, console))
}
