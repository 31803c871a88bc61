//! Decides: which cage, which view, which rules, and who holds which guarantee.

use crate::policy::places::{OWN_FOLDER, PROGRAM_PLAN, SETTINGS, TOOL_HOME};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::compiler::Part;
use super::grants::{contradictions, of_command, of_programs, ruleset};
use super::inputs::{Error, Inputs, Project, Run, Wraps};
use super::mounts::view;
use super::own::{CLOSED_FILE, OwnFiles};
use super::program::{program as program_plan, staged};
use super::system::{self, Found, System};
use super::tree::Tree;
use super::{
    Check, Command, Filter, Isolation, Limits, NamedProgram, Plan, Rule, Scratch, guarantees,
    supervision::supervision,
};
use crate::host::Host;
use crate::policy::syscalls::{Network, Options, Signals};
use crate::policy::{Access, Cage, Policy};

/// Makes the plan.
///
/// # Errors
/// Grants that contradict each other.
pub fn build(inputs: &Inputs<'_>) -> Result<Plan, Error> {
    let Inputs {
        policy,
        host,
        identity,
        project,
        run,
    } = *inputs;
    let namespaces = host.namespaces.is_ok();
    let own = OwnFiles::new(namespaces, project, &policy.files);
    let dynamic = run.dynamic || run.compiler == Some(Part::Compiles) || run.cage == Cage::Program;
    let system = if dynamic || run.wraps.is_some() {
        System::Dynamic
    } else {
        System::Static
    };
    contradictions(inputs, &own)?;
    let execute = executables(inputs);
    let mut tree = Tree::look(inputs)?;
    if !namespaces {
        // Nothing can be mounted over them.
        tree.placeholders.clear();
    }
    let grants = of_command(inputs, &own, system, &execute.programs, &tree);
    let programs = run
        .wraps
        .map(|_| of_programs(inputs, &own, &execute.programs, &tree));
    let planned = |programs| program_plan(inputs, &own, programs, &tree);
    let program = programs.as_ref().map(planned).transpose()?;
    let closed = closed(host, project, &grants);
    let supervision = supervision(inputs, &own, &tree, &grants, program.as_ref());
    let isolation = if namespaces {
        Isolation::Namespaces(view(
            inputs,
            &own,
            (system, &execute),
            &grants,
            programs.as_ref().zip(program.as_ref()),
            &tree,
        )?)
    } else {
        Isolation::Shared
    };
    let mut plan = Plan {
        command: run.command.clone(),
        cage: run.cage,
        way: run.way,
        callers_proxy: run.callers_proxy,
        ports: run.ports.clone(),
        serves: run.wraps == Some(Wraps::Run) || run.cage == Cage::Program,
        identity: identity.clone(),
        isolation,
        limits: limits(policy),
        labels: policy.mandatory.labels(run.cage),
        landlock: ruleset(host, grants),
        filter: Filter {
            cage: run.cage,
            options: filter_of_command(inputs),
        },
        supervision,
        checks: checks_of_command(inputs, closed),
        scratch: Some(scratch(inputs)),
        seed: run.seed.clone(),
        program,
        names: names(inputs, &execute),
        staged: project.tree.clone().filter(|_| run.stage.is_some()),
        before: tree.before,
        placeholders: [run.placeholders.clone(), tree.placeholders].concat(),
        guarantees: BTreeMap::new(),
        gaps: guarantees::gaps(host),
    };
    // The view has these.
    let settings = &mut plan.command.settings;
    settings.retain(|setting| !setting.path.starts_with(SETTINGS));
    if let Some(program) = &plan.program {
        wrap(&mut plan.command, &own, &program.digest, project)?;
    }
    plan.guarantees = guarantees::holdings(host, run.wraps.is_some());
    Ok(plan)
}

/// That what is granted by name is there.
fn granted(policy: &Policy) -> Vec<Check> {
    let check = |writes| {
        move |path: &PathBuf| Check::Granted {
            path: path.clone(),
            writes,
        }
    };
    let read = policy.files.read.iter().map(check(false));
    read.chain(policy.files.write.iter().map(check(true)))
        .collect()
}

/// Accesses that must fail before the command starts.
fn checks_of_command(inputs: &Inputs<'_>, closed: Option<Check>) -> Vec<Check> {
    let goroot = std::slice::from_ref(&inputs.project.goroot);
    let staged = match inputs.run.cage {
        Cage::Tool => Vec::new(),
        Cage::Program => staged(inputs),
    };
    [
        checks(inputs.host, goroot),
        closed.into_iter().chain(granted(inputs.policy)).collect(),
        staged,
    ]
    .concat()
}

/// The programs of the system that may be executed.
fn executables(inputs: &Inputs<'_>) -> Found {
    let Inputs { policy, run, .. } = *inputs;
    let mut names = run.programs.clone();
    if run.wraps.is_some() || run.cage == Cage::Program {
        names.extend(policy.programs.execute.iter().cloned());
    }
    system::find(&names)
}

/// By which names they are looked up where no view shows them.
fn names(inputs: &Inputs<'_>, found: &Found) -> Vec<NamedProgram> {
    match inputs.host.namespaces.is_ok() {
        true => Vec::new(),
        false => system::in_one_folder(found, &inputs.policy.files),
    }
}

/// The policy's limits. Which of them cgroups hold is decided later.
fn limits(policy: &Policy) -> Limits {
    Limits {
        timeout: policy.limits.timeout,
        memory: policy.limits.memory,
        pids: policy.limits.pids,
        open_files: policy.limits.open_files,
        ..Limits::default()
    }
}

/// The run's own folders on disk. Without a mount view HOME of the go command is one of them.
fn scratch(inputs: &Inputs<'_>) -> Scratch {
    let run = inputs.run;
    let parts: &[&str] = match (inputs.host.namespaces.is_ok(), run.cage) {
        (false, _) => &["tmp", "work", "home", TOOL_HOME],
        (true, _) if !has_tmp(run) => &[],
        (true, Cage::Program) => &["tmp", "home", "home/.config"],
        (true, Cage::Tool) if run.wraps.is_none() => &["tmp", "work"],
        (true, Cage::Tool) => &["tmp", "work", "home", "home/.config"],
    };
    let has_config = parts.last() == Some(&"home/.config");
    Scratch {
        folder: inputs.project.scratch.clone(),
        parts: parts.iter().map(PathBuf::from).collect(),
        link: has_config.then(|| ("home/.config/go".into(), SETTINGS.into())),
    }
}

/// Whether something runs that has a temporary folder apart from the go command's `$WORK`, which is the run's folder
/// itself otherwise.
pub(super) fn has_tmp(run: &Run) -> bool {
    run.cage == Cage::Program || run.wraps.is_some() || run.dynamic
}

pub(super) fn filter(host: &Host, wraps: bool) -> Options {
    let namespaces = host.namespaces.is_ok();
    Options {
        nesting: wraps && namespaces,
        network: match (namespaces, &host.notification) {
            (true, _) => Network::Namespace,
            (false, Ok(())) => Network::Notify,
            (false, Err(_)) => Network::None,
        },
        udp: true,
        signals: match (namespaces, &host.notification) {
            _ if host.has_scopes() => Signals::Scoped,
            (false, Ok(())) => Signals::Notify,
            _ => Signals::Group,
        },
        pid_namespace: namespaces,
        ipc_namespace: namespaces,
        debug: false,
    }
}

fn filter_of_command(inputs: &Inputs<'_>) -> Options {
    Options {
        debug: debugs(inputs),
        ..filter(inputs.host, inputs.run.wraps.is_some())
    }
}

/// Whether programs of the run trace others. User namespaces or Landlock must say which: without them a program would
/// trace whatever the same user has running.
pub(super) fn debugs(inputs: &Inputs<'_>) -> bool {
    let Inputs {
        policy, host, run, ..
    } = *inputs;
    let is_bounded = host.namespaces.is_ok() || host.landlock.is_ok();
    policy.programs.debug && is_bounded && run.cages().any(|cage| cage == Cage::Program)
}

/// Where no layer holds files, the guarantees say so, and there is nothing to show.
pub(super) fn checks(host: &Host, unwritable: &[PathBuf]) -> Vec<Check> {
    let held = host.namespaces.is_ok() || host.landlock.is_ok();
    let files = unwritable.iter().filter(|_| held).cloned();
    files
        .map(Check::Unwritable)
        .chain([Check::Filtered])
        .collect()
}

/// What only Landlock refuses: a file that the view has for this alone, or the folder that holds the run's own, which is
/// the user's or open to all. GOROOT is mostly root's, and refuses to be written whatever is in force.
fn closed(host: &Host, project: &Project, grants: &[Rule]) -> Option<Check> {
    let path = match host.namespaces.is_ok() {
        true => Path::new(OWN_FOLDER).join(CLOSED_FILE),
        false => project.scratch.clone(),
    };
    // Whoever grants /tmp grants what is in it.
    let mut grants = grants.iter().filter(|rule| rule.access != Access::List);
    let is_granted = grants.any(|rule| path.starts_with(&rule.path));
    (host.landlock.is_ok() && !is_granted).then_some(Check::Closed(path))
}

/// Puts `-exec` into the command's arguments: the first place after the subcommand. Where the run has no
/// wrapper file of its own, a variable names the wrapper's plan.
fn wrap(
    command: &mut Command,
    own: &OwnFiles,
    digest: &str,
    project: &Project,
) -> Result<(), Error> {
    let wrapper = own.wrapper.as_ref().unwrap_or(&project.launcher);
    let mut value = OsString::from("-exec=");
    value.push(quote(wrapper)?);
    value.push(format!(" {} {digest}", super::WRAPPER_WORD));
    for word in &mut command.argv {
        if word == super::EXEC_PLACE {
            word.clone_from(&value);
        }
    }
    if own.wrapper.is_none() {
        let file = project.scratch.join(PROGRAM_PLAN);
        let variable = (super::PLAN_VARIABLE.into(), file.into());
        command.environment.push(variable);
    }
    Ok(())
}

/// Quotes a word as Go's `cmd/internal/quoted` reads it: quotes at the start of a word, no escapes. An absolute
/// path begins with a slash, so that only blanks call for quotes.
fn quote(path: &Path) -> Result<OsString, Error> {
    const BLANKS: [u8; 4] = *b" \t\n\r";
    let bytes = path.as_os_str().as_bytes();
    if !bytes.iter().any(|byte| BLANKS.contains(byte)) {
        return Ok(path.into());
    }
    let free = ["'", "\""]
        .into_iter()
        .find(|quote| !bytes.contains(&quote.as_bytes()[0]));
    let quote = free.ok_or_else(|| Error::Unquotable(path.to_owned()))?;
    let mut quoted = OsString::from(quote);
    quoted.push(path);
    quoted.push(quote);
    Ok(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrappers_path_is_quoted_as_go_reads_it() {
        for (path, expected) in [
            ("/bin/gs", "/bin/gs"),
            ("/it's/gs", "/it's/gs"),
            ("/a b/gs", "'/a b/gs'"),
            ("/a b/it's/gs", "\"/a b/it's/gs\""),
            ("/a \"b\"/gs", "'/a \"b\"/gs'"),
        ] {
            assert_eq!(quote(Path::new(path)).unwrap(), expected);
        }
        assert!(quote(Path::new("/a b/it's/\"/gs")).is_err());
    }
}
