//! What the `-exec` wrapper does for the programs of a run.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::build::{checks, filter};
use super::grants::{common, ruleset};
use super::inputs::{Inputs, Wraps};
use super::own::{OwnFiles, PROGRAM_ROOT};
use super::system::{self, System};
use super::tree::{Tree, program_access};
use super::{Check, Filter, ProgramPlan, Rule};
use crate::policy::{Access, Cage, Layer, TreeAccess};

/// What the wrapper does for a program of this run.
pub(super) fn program(
    inputs: &Inputs<'_>,
    own: &OwnFiles,
    execute: &[PathBuf],
    tree: &Tree,
) -> ProgramPlan {
    let Inputs {
        host, project, run, ..
    } = *inputs;
    let view = host.namespaces.is_ok();
    // Whatever this run's terminal, so that a result of a test is the same in each: the tool cage decides.
    let mut rules = system::rules(System::Dynamic, &[], view, true);
    // The tool cage's domain holds the list of executables already; domains only ever narrow.
    rules.push(Rule::new("/usr", Access::Execute));
    if !view {
        rules.extend(execute.iter().map(|path| Rule::new(path, Access::Execute)));
    }
    rules.push(Rule::new(&project.goroot, Access::Execute));
    rules.extend(
        project
            .goroot_linked
            .iter()
            .map(|path| Rule::new(path, Access::Read)),
    );
    rules.push(Rule::new(&own.tmp, Access::WriteExecute));
    rules.push(Rule::new(&own.home, Access::WriteExecute));
    rules.push(Rule::new(&project.program_cache, Access::WriteExecute));
    rules.push(Rule::new(&project.gomodcache, Access::Read));
    rules.push(Rule::new(&project.gocache, Access::Execute));
    if run.fuzzes {
        // It is kept, and later runs, outside too, write new entries where a link there leads.
        rules.push(Rule::new(project.gocache.join("fuzz"), Access::Write).without_links());
    }
    let tree_access = program_access(inputs);
    if let Some(root) = &project.tree {
        match tree_access {
            // What is not wanted is dropped in the end.
            _ if run.stage.is_some() => rules.push(Rule::new(root, Access::WriteExecute)),
            // The go command, which goes on beside tests, writes their binaries into the tree, and through
            // links that lie in the way.
            TreeAccess::Write if run.wraps == Some(Wraps::Tests) => {
                let written = tree.write_rules(root, view).into_iter();
                rules.extend(written.map(Rule::without_links));
            }
            TreeAccess::Write => rules.extend(tree.write_rules(root, view)),
            TreeAccess::Read | TreeAccess::Testdata => rules.push(Rule::new(root, Access::Execute)),
        }
    }
    rules.extend(common(inputs));
    // The kernel lets a test write those of the go command's own files in /proc that belong to their common user
    // (oom_score_adj, coredump_filter, clear_refs). Neither the rule nor the mount lets it, so that one of them is
    // enough. What /proc/self/fd leads to is not on this mount.
    for rule in &mut rules {
        if rule.path == Path::new("/proc") {
            rule.access = Access::Read;
        }
    }
    let mut writable_mounts: Vec<PathBuf> = ["/dev/shm", "/dev/pts"].map(PathBuf::from).into();
    writable_mounts.extend([
        own.tmp.clone(),
        own.work.clone(),
        own.home.clone(),
        project.program_cache.clone(),
    ]);
    let named = project.write.iter().chain(&inputs.policy.files.write);
    writable_mounts.extend(run.outputs.iter().chain(named).cloned());
    if run.fuzzes {
        writable_mounts.push(project.gocache.join("fuzz"));
    }
    let mut options = filter(host, false);
    options.nesting = false;
    let mut plan = ProgramPlan {
        digest: String::new(),
        nest: view,
        root: run.stage.as_ref().map(|_| PROGRAM_ROOT.into()),
        writable_mounts,
        labels: labels(inputs),
        landlock: ruleset(host, rules),
        tree: project.tree.clone().unwrap_or_default(),
        tree_access,
        protected: match view {
            true => Vec::new(),
            false => tree.protected.clone(),
        },
        set: run.program_environment.0.clone(),
        unset: run.program_environment.1.clone(),
        hosts: run.program_hosts.clone(),
        filter: Filter {
            cage: Cage::Program,
            options,
        },
        checks: [
            checks(
                host,
                &[
                    project.goroot.join("VERSION"),
                    project.gocache.join("README"),
                ],
            ),
            staged(inputs),
        ]
        .concat(),
    };
    plan.digest = digest(&plan, own);
    plan
}

/// That programs do not write the work tree itself.
pub(super) fn staged(inputs: &Inputs<'_>) -> Vec<Check> {
    let tree = inputs.project.tree.iter();
    let tree = tree.filter(|_| inputs.run.stage.is_some());
    tree.cloned().map(Check::Staged).collect()
}

/// Only SELinux: without its switch the program would go on in the tool cage's domain where the loaded
/// policy has no transition, while AppArmor refuses to execute what its rules do not name.
fn labels(inputs: &Inputs<'_>) -> Vec<(Layer, String)> {
    let mut labels = inputs.policy.mandatory.labels(Cage::Program);
    labels.retain(|(layer, _)| *layer == Layer::Selinux);
    labels
}

/// Part of go's test cache key: the same for the same policy and version, else another.
fn digest(plan: &ProgramPlan, own: &OwnFiles) -> String {
    let mut text = serde_json::to_string(plan).unwrap_or_default();
    if own.wrapper.is_none() {
        // Without a view the run's own folders have names of their own each time.
        let run = own.tmp.parent().unwrap_or(&own.tmp).display().to_string();
        text = text.replace(&run, "RUN");
    }
    let hash = Sha256::digest(format!("{}\n{text}", env!("CARGO_PKG_VERSION")));
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
