//! The start of what is prepared, and its end.

use std::path::Path;

use anyhow::Context;

use super::require::require;
use super::{
    Console, Ended, Project, events, hints, identity, kept_links, limits, plan, stage, tree_check,
};
use crate::files;
use crate::host::Host;
use crate::launch::{self, ahead::Ahead, caller::Caller};
use crate::plan::Plan;
use crate::policy::Policy;

/// The plan of a dry run.
pub(super) fn planned(
    project: &Project<'_>,
    mut host: Host,
    prepared: &plan::Prepared<'_>,
) -> anyhow::Result<Plan> {
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
    limits::settle(&mut plan, &host, session.console)?;
    require(policy, &plan, session.console)?;
    Ok(plan)
}

/// Has an init begin while the project is looked at. What goes wrong with it the run says, but for a host
/// that refuses namespaces: there nothing is to be planned with them.
pub(super) fn ahead(host: &mut Host, who: &identity::Who, tree: Option<&Path>) -> Option<Ahead> {
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
pub(super) fn start(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &mut plan::Prepared<'_>,
    mut ahead: Option<Ahead>,
) -> anyhow::Result<(Plan, Result<Ran, launch::Error>)> {
    let console = project.session.console;
    prepared.make_folders()?;
    loop {
        let mut plan = prepared.plan(host)?;
        prepared.require_stage(host)?;
        limits::settle(&mut plan, host, console)?;
        require(project.policy, &plan, console)?;
        if let Some(audit) = project.audit {
            audit.check(&plan)?;
        }
        let gate = prepared.gate(&plan, project.audit)?;
        let look = prepared.begin_look(&plan)?;
        let stage = prepared.begin_stage(&plan)?;
        kept_links::keep(project.session, &mut plan);
        hints::start(project, prepared, &plan);
        // Signals wait until everything that the run has left is seen to.
        let caller = Caller::set_aside().context("cannot block signals")?;
        let ended = launch::run(&plan, gate, ahead.take(), caller);
        console.end_progress();
        let settled = settle(&ended, look, stage, &caller, console);
        files::forget();
        if let Ok(outcome) = &ended {
            // A signal that has come meanwhile may end the launcher next.
            limits::tell(&outcome.exceeded, project.policy, console);
        }
        caller.restore().context("cannot restore the signal mask")?;
        let changes = settled?;
        if let Some(audit) = project.audit {
            events::changed(&audit.log(&prepared.run_name())?, &changes);
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
                    console.warn(&error.to_string());
                }
                return Ok((plan, Ok(Ran { outcome, changes })));
            }
        }
    }
}

/// A command that was started and has ended.
pub(super) struct Ran {
    pub outcome: launch::Outcome,
    pub changes: stage::Ended,
}

/// Looks at the work tree, and does with the changes of a run what the profile says.
fn settle(
    ended: &Result<launch::Outcome, launch::Error>,
    look: tree_check::Guard,
    stage: Option<stage::Running>,
    caller: &Caller,
    console: &dyn Console,
) -> anyhow::Result<stage::Ended> {
    let ending = ended.as_ref().ok().and_then(|it| it.ending.as_ref());
    // Also where the run could not be looked after: the command may have started.
    let looked = look.end(
        |path| ending.is_some_and(|ending| ending.removes(path)),
        console,
    )?;
    let mut changes = match (stage, ended) {
        (None, _) => stage::Ended::default(),
        (Some(mut stage), Ok(_)) => {
            stage.ask(caller, console)?;
            stage.end(console)?
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

/// Why a run did not start. What the kernel says of the command itself is not the sandbox's.
pub(super) fn refused(error: launch::Error) -> anyhow::Error {
    match error {
        launch::Error::Execute { .. } | launch::Error::NotGranted { .. } => error.into(),
        _ => anyhow::Error::from(error).context("cannot start the sandbox"),
    }
}

/// How a command has ended. Says whether its time ran out.
pub(super) fn ended(
    outcome: &launch::Outcome,
    changes: &stage::Ended,
    policy: &Policy,
    console: &dyn Console,
) -> Ended {
    if outcome.timed_out {
        let seconds = policy.limits.timeout.unwrap_or_default();
        console.error(&format!(
            "the time of {seconds} s ran out, and everything was ended"
        ));
    }
    match u8::try_from(outcome.status) {
        _ if changes.is_held_back => Ended::HeldBack,
        _ if outcome.timed_out => Ended::TimedOut,
        // The kernel's are of one byte (wait(2)), and a signal's is below 256.
        status => Ended::Status(status.unwrap_or(u8::MAX)),
    }
}
