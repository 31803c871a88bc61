//! What init goes by where it decides calls for the processes inside.

use std::path::PathBuf;

use super::inputs::Inputs;
use super::own::OwnFiles;
use super::tree::{Tree, program_access};
use super::{ProgramPlan, Rule, Supervision};
use crate::policy::{Access, TreeAccess};

/// Where the filter notifies calls. Sockets have the same rules in both cages, the narrower one's.
pub(super) fn supervision(
    inputs: &Inputs<'_>,
    own: &OwnFiles,
    tree: &Tree,
    grants: &[Rule],
    program: Option<&ProgramPlan>,
) -> Option<Supervision> {
    let Inputs {
        policy,
        host,
        project,
        ..
    } = *inputs;
    if host.namespaces.is_ok() || host.notification.is_err() {
        return None;
    }
    let mut socket_folders = vec![
        own.tmp.clone(),
        own.home.clone(),
        project.program_cache.clone(),
    ];
    socket_folders.extend(project.write.iter().chain(&policy.files.write).cloned());
    let mut protected = tree.protected.clone();
    if let Some(root) = &project.tree {
        protected.extend(project.protected_paths(policy));
        if program_access(inputs) == TreeAccess::Write {
            let written = tree.write_rules(root, false).into_iter();
            let written = written.filter(|rule| rule.access == Access::WriteExecute);
            socket_folders.extend(written.map(|rule| rule.path));
        }
    }
    let mut program_writes = Vec::new();
    let mut testdata_in = None;
    if let Some(program) = program {
        let rules = program.landlock.iter().flat_map(|ruleset| &ruleset.rules);
        program_writes = written(rules);
        // Of it the wrapper grants a test its own part, for writing.
        program_writes.push(own.work.clone());
        testdata_in = project
            .tree
            .clone()
            .filter(|_| program.tree_access == TreeAccess::Testdata);
    }
    Some(Supervision {
        socket_folders,
        protected,
        command_writes: written(grants),
        program_writes,
        testdata_in,
    })
}

/// What rules let be written, apart from a process's own files in /proc.
fn written<'r>(rules: impl IntoIterator<Item = &'r Rule>) -> Vec<PathBuf> {
    let written = |rule: &&Rule| matches!(rule.access, Access::Write | Access::WriteExecute);
    let rules = rules.into_iter().filter(written);
    rules
        .map(|rule| rule.path.clone())
        .filter(|path| !path.starts_with("/proc"))
        .collect()
}
