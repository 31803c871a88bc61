//! What the command's own cage is granted, as Landlock rules.

use std::path::{Path, PathBuf};

use super::inputs::Inputs;
use super::own::{OWN_FOLDER, OwnFiles};
use super::system::{self, System};
use super::tree::{Tree, program_access};
use super::{PROGRAM_PLAN, Rule, Ruleset, Way};
use crate::host::Host;
use crate::policy::{Access, Cage, TreeAccess};

/// The grants of the command's own cage.
pub(super) fn grants(
    inputs: &Inputs<'_>,
    own: &OwnFiles,
    system: System,
    execute: &[PathBuf],
    tree: &Tree,
) -> Vec<Rule> {
    let Inputs {
        project, run, host, ..
    } = *inputs;
    let view = host.namespaces.is_ok();
    let mut rules = system::rules(system, execute, view, run.terminal);
    let executes_built = run.wraps.is_some() || run.cage == Cage::Program;
    let written = if executes_built {
        Access::WriteExecute
    } else {
        Access::Write
    };
    rules.push(Rule::new(&project.goroot, Access::Execute));
    rules.extend(
        project
            .goroot_linked
            .iter()
            .map(|path| Rule::new(path, Access::Read)),
    );
    rules.push(Rule::new(&own.tmp, written));
    // Go executes a tool where it has built it, before it keeps it.
    rules.push(match run.runs_cached {
        true => Rule::new(&own.work, Access::WriteExecute),
        false => Rule::new(&own.work, written),
    });
    rules.extend(
        run.cages()
            .map(|cage| Rule::new(own.of_cage(cage).0, written)),
    );
    match run.cage {
        Cage::Tool => {
            let cache = if run.runs_cached || executes_built {
                Access::WriteExecute
            } else {
                Access::Write
            };
            rules.push(Rule::new(&project.gocache, cache));
            rules.push(Rule::new(&project.gomodcache, Access::Write));
            // Without a way out go still looks up what it has seen before, such as a toolchain's hash.
            rules.extend(project.sumdb.iter().map(|path| match run.way {
                Some(Way::Modules) => Rule::new(path, Access::Write),
                _ => Rule::optional(path, Access::Read),
            }));
            rules.extend(project.tree.iter().map(|tree| Rule::new(tree, written)));
            if run.wraps.is_some() {
                rules.push(Rule::new(&project.program_cache, Access::WriteExecute));
                let wrapper = own.wrapper.as_ref().unwrap_or(&project.launcher);
                rules.push(Rule::new(wrapper, Access::Execute));
                let folder = if view {
                    Path::new(OWN_FOLDER)
                } else {
                    &project.scratch
                };
                rules.push(Rule::new(folder.join(PROGRAM_PLAN), Access::Read));
            }
        }
        Cage::Program => {
            rules.push(Rule::new(&project.program_cache, Access::WriteExecute));
            rules.push(Rule::new(&project.gomodcache, Access::Read));
            if let Some(root) = &project.tree {
                match program_access(inputs) {
                    _ if run.stage.is_some() => rules.push(Rule::new(root, Access::WriteExecute)),
                    TreeAccess::Write => rules.extend(tree.write_rules(root, view)),
                    TreeAccess::Read | TreeAccess::Testdata => {
                        rules.push(Rule::new(root, Access::Execute))
                    }
                }
            }
        }
    }
    rules.extend(common(inputs));
    rules
}

/// What both cages are granted because the user, the policy or a flag named it.
pub(super) fn common(inputs: &Inputs<'_>) -> Vec<Rule> {
    let Inputs {
        policy,
        project,
        run,
        ..
    } = *inputs;
    let mut rules = Vec::new();
    rules.extend(
        project
            .read
            .iter()
            .map(|path| Rule::new(path, Access::Read)),
    );
    rules.extend(
        project
            .proxy_folders
            .iter()
            .map(|path| Rule::new(path, Access::Read)),
    );
    rules.extend(
        policy
            .files
            .read
            .iter()
            .map(|path| Rule::optional(path, Access::Read)),
    );
    rules.extend(
        project
            .write
            .iter()
            .map(|path| Rule::new(path, Access::WriteExecute)),
    );
    rules.extend(
        policy
            .files
            .write
            .iter()
            .map(|path| Rule::new(path, Access::WriteExecute)),
    );
    rules.extend(
        run.outputs
            .iter()
            .map(|path| Rule::new(path, Access::Write)),
    );
    rules
}

pub(super) fn ruleset(host: &Host, rules: Vec<Rule>) -> Option<Ruleset> {
    let abi = *host.landlock.as_ref().ok()?;
    Some(Ruleset {
        abi,
        refuse_tcp: host.namespaces.is_err(),
        rules,
    })
}
