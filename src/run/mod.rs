//! One run, from what is asked for to how it has ended: the pipeline. It prints nothing; what it says goes to a
//! [`Console`].
//!
//! Each step's values are what the next ones need, and none goes back. What has to be fetched first is an [`errand`]: a
//! run of its own. Nothing is made on disk for the command before [`start`].

mod audit;
pub mod cache;
mod caches;
mod captured;
mod certificates;
mod cgo;
mod console;
mod copy;
pub mod direct;
mod errand;
mod events;
mod fetch;
mod folders;
mod foreign;
mod git;
mod grants;
mod guarded;
mod hints;
mod identity;
mod kept_links;
mod led;
mod limits;
mod links;
mod loose;
mod mandatory;
mod modcache;
mod newer;
mod place;
mod plan;
mod ports;
mod programs;
mod project;
mod protected;
mod race;
mod refused;
mod report;
mod request;
mod require;
mod scratch;
mod seed;
mod session;
mod site;
mod sockets;
mod stage;
mod start;
mod token;
mod toolchain;
mod tools;
mod tree_check;
mod verify;
mod way;
mod what;

use self::audit::Audit;
pub use self::console::Console;
pub use self::folders::run_folders;
use self::guarded::Guarded;
pub use self::loose::{goroot_in as find_goroot, here as go_here};
use self::project::Project;
pub use self::refused::{refused, status};
use self::report::Reporter;
use self::request::are_there;
pub use self::request::{Command, Output, Request, caller, start_folder, whole_paths};
use self::session::Session;
pub use self::site::find as find_site;
use self::start::{Ran, start};
pub use self::what::NotFound;
use crate::launch;
use crate::record::Event;

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
/// It was refused or not started, or something failed: [`refused()`] says which.
pub fn run(request: &Request, command: &Command, console: &dyn Console) -> anyhow::Result<Ended> {
    let name = scratch::name()?;
    let log = request.audit_log.as_deref().filter(|_| !request.dry_run);
    let mut report = Reporter::new(request);
    let (audit, failed) = match log.map(|log| Audit::open(log, &name)).transpose() {
        Ok(audit) => (audit, None),
        Err(error) => (None, Some(error)),
    };
    let ended = match failed {
        Some(error) => Err(error),
        None => {
            let session = Session::open(request, console, name);
            session.and_then(|session| steps(&session, command, audit.as_ref(), &mut report))
        }
    };
    ended.inspect_err(|error| {
        let refused = refused(error);
        // What the kernel says of the command itself is no refusal of the launcher's.
        let is_own = !matches!(error.downcast_ref(), Some(launch::Error::Execute { .. }));
        if let Some(audit) = audit.as_ref().filter(|_| is_own) {
            audit.refused(Event::run_refused(&refused, command.in_words()));
        }
        report.refused(&refused, command, console);
    })
}

fn steps(
    session: &Session<'_>,
    command: &Command,
    audit: Option<&Audit>,
    report: &mut Reporter<'_>,
) -> anyhow::Result<Ended> {
    let (request, console) = (session.request, session.console);
    launch::streams::check()?;
    identity::can_be_chosen(&session.host)?;
    let mut host = session.host.clone();
    let overrides = whole_paths(&request.overrides)?;
    are_there(&overrides)?;
    let (workspace, policy) =
        project::resolve(session, &overrides, command, |tree| match request.dry_run {
            true => Ok(()),
            false => tree_check::finish_earlier(tree, console),
        })?;
    grants::are_there(&policy)?;
    sockets::refuse(session, &policy)?;
    ports::check(session, &policy, &overrides, command)?;
    let project = Project {
        session,
        workspace: &workspace,
        policy: &policy,
        audit,
    };
    let writes = audit.is_some() || request.report.is_some();
    let guarded = Guarded::of(session, &policy, project.tree(), writes)?;
    audit.map_or(Ok(()), |audit| audit.settle(&guarded))?;
    report.settle(&guarded)?;
    let who = identity::choose(session, &policy, project.tree())?;
    let ahead = match request.dry_run {
        true => None,
        false => start::ahead(&mut host, &who, project.tree()),
    };
    let toolchain = toolchain::choose(&project, &mut host, &who, command)?;
    let mut prepared = plan::Prepared::new(
        session,
        &workspace,
        &policy,
        who,
        &toolchain,
        command,
        &session.run,
    )?;
    if request.dry_run {
        let plan = start::planned(&project, host, &prepared)?;
        report.dry_run(&policy, &plan, console)?;
        return Ok(Ended::Planned);
    }
    fetch::missing(&project, &mut host, &prepared, &toolchain)?;
    fetch::of_directives(&project, &mut host, &prepared, &toolchain);
    let races = race::prepare(&project, &mut host, &mut prepared, &toolchain, command)?;
    if races.is_none() {
        cgo::refuse(&project, &mut host, &prepared, &toolchain, command)?;
    }
    seed::prepare(&project, &mut host, &mut prepared, &toolchain);
    let was_complete = cgo::is_complete(&project, &prepared);
    hints::before(&project, &toolchain, &prepared);
    let (plan, ended) = start(&project, &mut host, &mut prepared, ahead)?;
    let ran = (plan, ended.map_err(start::refused)?);
    let (plan, ran) = newer::again(&project, &mut host, &prepared, &toolchain, command, ran)?;
    modcache::clean(session, &prepared, &ran)?;
    let Ran { outcome, changes } = ran;
    hints::after(&project, &toolchain, &host, &prepared, (&plan, &outcome));
    report.write(&policy, &plan, (&outcome, &changes), console)?;
    match races {
        Some(race) => race.ended(&outcome),
        None => cgo::after(
            &project,
            &mut host,
            &prepared,
            &toolchain,
            command,
            was_complete,
        )?,
    }
    // What is dropped at the end waits until the kernel has taken the sandbox apart.
    Ok(start::ended(&outcome, &changes, &policy, console))
}
