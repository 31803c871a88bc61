//! `gosandbox -- COMMAND`: from the command line to the exit status, top to bottom.

mod audit;
mod caches;
mod fetch;
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
mod progress;
mod protected;
mod report;
mod require;
mod review;
mod scratch;
mod session;
pub(in crate::cli) mod site;
mod stage;
mod token;
mod toolchain;
mod tree_check;
mod verify;
mod way;
mod what;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;

use self::audit::Audit;
use self::guarded::Guarded;
use self::require::require;
pub(in crate::cli) use self::session::Session;
use super::args::{Command, RunArgs, Verbosity};
use super::{REFUSED, caller, overrides, warn};
use crate::files::{self, look};
use crate::go::command;
use crate::go::workspace::{self, Workspace};
use crate::host::Host;
use crate::launch::{self, ahead::Ahead, caller::Caller};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::profile::{self, Overrides};

/// A command that is not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot find the command: {0}")]
pub struct NotFound(String);

/// Runs the command; its exit status, or an error where it was not started.
pub fn run(args: &RunArgs, command: &Command) -> anyhow::Result<u8> {
    let log = args.audit_log.as_deref().filter(|_| !args.dry_run);
    let audit = log.map(Audit::open).transpose()?;
    let ended = run_audited(args, command, audit.as_ref());
    if let (Err(error), Some(audit)) = (&ended, &audit) {
        audit.refused(&format!("{error:#}"));
    }
    ended
}

fn run_audited(args: &RunArgs, command: &Command, audit: Option<&Audit>) -> anyhow::Result<u8> {
    launch::streams::check()?;
    let session = Session::open(args)?;
    identity::can_be_chosen(&session.host)?;
    let mut host = session.host.clone();
    let overrides = overrides(args)?;
    for path in overrides.read.iter().chain(&overrides.write) {
        look::metadata(path).with_context(|| format!("cannot grant {}", path.display()))?;
    }
    let (workspace, policy) = resolve(&session, &overrides, command, |tree| match args.dry_run {
        true => Ok(()),
        false => tree_check::finish_earlier(tree),
    })?;
    let project = Project {
        session: &session,
        workspace: &workspace,
        policy: &policy,
        audit,
    };
    let tree = (!workspace.none).then_some(workspace.root.as_path());
    let writes = audit.is_some() || args.report.is_some();
    let guarded = Guarded::of(&session, &policy, tree, writes)?;
    audit.map_or(Ok(()), |audit| audit.settle(&guarded))?;
    let report = report::Place::settle(args, &guarded)?;
    let who = identity::choose(&session, &policy, tree)?;
    let ahead = match args.dry_run {
        true => None,
        false => ahead(&mut host, &who, tree),
    };
    let toolchain = toolchain::choose(&project, &mut host, command)?;
    let mut prepared =
        plan::Prepared::new(&session, &workspace, &policy, who, &toolchain, command)?;
    if args.dry_run {
        return dry_run(&project, host, &prepared, report);
    }
    fetch::missing(&project, &mut host, &prepared, &toolchain)?;
    hints::before(&project, &toolchain);
    match start(&project, &mut host, &mut prepared, ahead)? {
        (_, Err(error)) => refuse(error),
        (plan, Ok(Ran { outcome, changes })) => {
            hints::after(&project, &toolchain, &host, &prepared, (&plan, &outcome));
            report::write(report, &policy, &plan, &outcome, &changes)?;
            let status = match changes.is_held_back {
                true => finish(&outcome, &policy).map(|_| REFUSED),
                false => finish(&outcome, &policy),
            };
            // Last of all, this waits until the kernel has taken the sandbox apart.
            drop(plan);
            drop(outcome);
            status
        }
    }
}

/// The project that a command is run in, and the policy for it. `first` is done with the work tree before a
/// profile of its own is read.
fn resolve(
    session: &Session<'_>,
    overrides: &Overrides,
    command: &Command,
    first: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<(Workspace, Policy)> {
    let granted = [overrides.read.as_slice(), &overrides.write].concat();
    let workspace = workspace::discover(&workspace::Start {
        cwd: &go_folder(session, command)?,
        gowork: session.variable("GOWORK").map(OsString::as_os_str),
        home: session.home.as_deref(),
        granted: &granted,
    })?;
    if !workspace.none {
        first(&workspace.root)?;
    }
    let policy = profile::policy(&profile::Request {
        profile: &session.args.profile,
        work_tree: Some(&workspace.root),
        overrides,
        caller: &caller(Some(&workspace)),
    })?;
    Ok((workspace, policy))
}

/// What every start of a run has in common: that of the command, and those that fetch for it.
#[derive(Clone, Copy)]
struct Project<'a> {
    session: &'a Session<'a>,
    workspace: &'a Workspace,
    policy: &'a Policy,
    audit: Option<&'a Audit>,
}

fn dry_run(
    project: &Project<'_>,
    mut host: Host,
    prepared: &plan::Prepared<'_>,
    report: Option<report::Place>,
) -> anyhow::Result<u8> {
    let Project {
        session, policy, ..
    } = *project;
    if host.namespaces.is_ok() {
        // A run finds out by doing; a dry run has to try.
        if let Err(error) = launch::probe::namespaces(&prepared.who().identity) {
            host.without_namespaces(error.to_string());
        }
    }
    let mut plan = prepared.plan(&host)?;
    limits::settle(&mut plan, &host, session.args.verbosity)?;
    require(policy, &plan, session.args.verbosity)?;
    report::dry_run(report, policy, &plan)
}

/// Has an init begin while the project is looked at. What goes wrong with it the run says, but for a host
/// that refuses namespaces: there nothing is to be planned with them.
fn ahead(host: &mut Host, who: &identity::Who, tree: Option<&Path>) -> Option<Ahead> {
    if host.namespaces.is_err() {
        return None;
    }
    let abi = host.landlock.as_ref().ok().copied();
    let maps = who.identity.switch && tree.is_some_and(plan::is_roots);
    match Ahead::start(who.identity.clone(), maps, abi) {
        Ok(ahead) => ahead,
        Err(error) => {
            if error.is_about_namespaces() {
                host.without_namespaces(error.to_string());
            }
            None
        }
    }
}

/// Starts what is prepared with what this host can hold, and waits for its end. What the host refuses
/// is left out, once for all, and the same policy held by other layers.
fn start(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &mut plan::Prepared<'_>,
    mut ahead: Option<Ahead>,
) -> anyhow::Result<(Plan, Result<Ran, launch::Error>)> {
    let verbosity = project.session.args.verbosity;
    loop {
        let mut plan = prepared.plan(host)?;
        prepared.require_stage(host)?;
        limits::settle(&mut plan, host, verbosity)?;
        require(project.policy, &plan, verbosity)?;
        if let Some(audit) = project.audit {
            audit.check(&plan)?;
        }
        let gate = prepared.gate(&plan, project.audit)?;
        let look = prepared.begin_look(&plan)?;
        let stage = prepared.begin_stage(&plan)?;
        // Signals wait until everything that the run has left is seen to.
        let caller = Caller::set_aside().context("cannot block signals")?;
        let ended = launch::run(&plan, gate, ahead.take(), caller);
        progress::end();
        let settled = settle(&ended, look, stage, &caller, verbosity);
        files::forget();
        caller.restore().context("cannot restore the signal mask")?;
        let changes = settled?;
        if let (Some(audit), Some(report)) = (project.audit, &changes.looked) {
            audit.refused(&tree_check::in_one_line(report));
        }
        match ended {
            Err(error) if error.is_about_namespaces() && host.namespaces.is_ok() => {
                host.without_namespaces(error.to_string());
                prepared.renew()?;
            }
            Err(error) if error.is_about_supervision(&plan) => {
                host.notification = Err(error.to_string());
                prepared.renew()?;
            }
            Err(launch::Error::NotStaged { action, errno }) if host.staging.is_ok() => {
                let reason = std::io::Error::from_raw_os_error(errno);
                host.staging = Err(format!("cannot {action}: {reason}"));
                prepared.renew()?;
            }
            Err(error) => return Ok((plan, Err(error))),
            Ok(outcome) => {
                if let Some(Err(error)) = &outcome.gateway {
                    warn(verbosity, &error.to_string());
                }
                return Ok((plan, Ok(Ran { outcome, changes })));
            }
        }
    }
}

/// A command that was started and has ended.
struct Ran {
    outcome: launch::Outcome,
    changes: stage::Ended,
}

/// Looks at the work tree, and does with the changes of a run what the profile says.
fn settle(
    ended: &Result<launch::Outcome, launch::Error>,
    look: tree_check::Guard,
    stage: Option<stage::Running>,
    caller: &Caller,
    verbosity: Verbosity,
) -> anyhow::Result<stage::Ended> {
    let ending = ended.as_ref().ok().and_then(|it| it.ending.as_ref());
    // Also where the run could not be looked after: the command may have started.
    let looked = look.end(|path| ending.is_some_and(|ending| ending.removes(path)))?;
    let mut changes = match (stage, ended) {
        (None, _) => stage::Ended::default(),
        (Some(mut stage), Ok(_)) => {
            stage.ask(caller)?;
            stage.end(verbosity)?
        }
        (Some(stage), Err(_)) => {
            stage.abandon();
            stage::Ended::default()
        }
    };
    changes.is_held_back |= looked.is_some();
    changes.looked = looked;
    Ok(changes)
}

/// The folder that the go command works in: `-C` of its own may change it.
fn go_folder(session: &Session<'_>, command: &Command) -> anyhow::Result<PathBuf> {
    let is_go = Path::new(&command.program)
        .file_name()
        .is_some_and(|name| name == "go");
    let changes = |word: &OsString| {
        let word = word.to_string_lossy();
        word.trim_start_matches('-').starts_with('C') && word.starts_with('-')
    };
    if !is_go || !command.arguments.iter().take(2).any(changes) {
        return Ok(session.folder.clone());
    }
    let changed = command::changed_dir(&command.arguments, &session.folder);
    let folder = changed.unwrap_or_else(|| session.folder.clone());
    look::canonicalize_folder(&folder)
        .with_context(|| format!("cannot enter {}, which -C names", folder.display()))
}

/// A run that did not start: the message, and the status that the contract gives it.
fn refuse(error: launch::Error) -> anyhow::Result<u8> {
    let status = match &error {
        launch::Error::Execute {
            errno: libc::ENOENT,
            ..
        } => 127,
        launch::Error::Execute { .. } => 126,
        _ => return Err(error).context("cannot start the sandbox"),
    };
    super::print_error(&error.into());
    Ok(status)
}

fn finish(outcome: &launch::Outcome, policy: &Policy) -> anyhow::Result<u8> {
    limits::tell(&outcome.exceeded, policy);
    if outcome.timed_out {
        let seconds = policy.limits.timeout.unwrap_or_default();
        super::print_error(&anyhow::anyhow!(
            "the time of {seconds} s ran out, and everything was ended"
        ));
        return Ok(128 + libc::SIGKILL as u8);
    }
    Ok(u8::try_from(outcome.status).unwrap_or(REFUSED))
}
