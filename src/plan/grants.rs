//! What each cage of a run is granted, as Landlock rules.

use crate::policy::places::{OWN_FOLDER, PROGRAM_PLAN, SETTINGS};
use std::path::{Path, PathBuf};

use super::build::has_tmp;
use super::compiler::Part;
use super::inputs::{Error, Inputs, Wraps};
use super::libraries::of_interpreters;
use super::own::OwnFiles;
use super::programs::host_folder;
use super::system::{self, System};
use super::tree::{Tree, program_access};
use super::{Rule, Ruleset, Way};
use crate::grants::{self, Compiler, Contradiction, Grant, Places, Role, Subject, Uses};
use crate::host::Host;
use crate::policy::{Access, Cage};

/// Where everything lies, for the command itself.
fn places<'a>(inputs: &Inputs<'a>, own: &OwnFiles) -> Places<'a> {
    let Inputs {
        policy,
        project,
        run,
        host,
        ..
    } = *inputs;
    let view = host.namespaces.is_ok();
    let folder = if view {
        Path::new(OWN_FOLDER)
    } else {
        &project.scratch
    };
    let paths = |paths: &'a [PathBuf]| paths.iter().map(PathBuf::as_path);
    Places {
        goroot: project.goroot.clone(),
        linked: &project.goroot_linked,
        gocache: project.gocache.clone(),
        gomodcache: project.gomodcache.clone(),
        sumdb: project.sumdb.as_deref(),
        program_cache: project.program_cache.clone(),
        tree: project.tree.as_deref(),
        launcher: own
            .wrapper
            .clone()
            .unwrap_or_else(|| project.launcher.clone()),
        program_plan: Some(folder.join(PROGRAM_PLAN)),
        temporary: (!view || has_tmp(run))
            .then(|| own.tmp.clone())
            .into_iter()
            .chain(run.cages().map(|cage| own.of_cage(cage).0))
            .collect(),
        work: (!view || run.cage == Cage::Tool).then(|| own.work.clone()),
        read: paths(&project.read)
            .chain(paths(&project.proxy_folders))
            .collect(),
        read_if_there: paths(&policy.files.read).collect(),
        compiler: match &run.compiler {
            Some(Part::Compiles) => Some(Path::new("/usr")),
            Some(Part::StandsIn { library, .. }) => library.as_deref(),
            None => None,
        },
        write: paths(&project.write)
            .chain(paths(&policy.files.write))
            .collect(),
        outputs: &run.outputs,
    }
}

fn uses(inputs: &Inputs<'_>) -> Uses {
    let run = inputs.run;
    Uses {
        runs_built: run.wraps.is_some() || run.cage == Cage::Program,
        runs_cached: run.runs_cached,
        wraps: run.wraps.is_some(),
        fetches: run.way == Some(Way::Modules),
        fuzzes: run.fuzzes,
        is_staged: run.stage.is_some(),
        compiler: run.compiler.as_ref().map(|part| match part {
            Part::Compiles => Compiler::Runs,
            Part::StandsIn { .. } => Compiler::Answered,
        }),
    }
}

/// The system's certificates, where programs reach hosts. A view has them in its own `/etc`.
fn certificates(inputs: &Inputs<'_>) -> Option<Rule> {
    let certificates = inputs.run.certificates.as_ref()?;
    let is_shared = inputs.host.namespaces.is_err();
    is_shared.then(|| Rule::new(certificates, Access::Read))
}

/// The grants of the command's own cage.
pub(super) fn of_command(
    inputs: &Inputs<'_>,
    own: &OwnFiles,
    system: System,
    execute: &[PathBuf],
    tree: &Tree,
) -> Vec<Rule> {
    let view = inputs.host.namespaces.is_ok();
    let subject = match inputs.run.cage {
        Cage::Tool => Subject::Tool,
        Cage::Program => Subject::Program,
    };
    let mut rules = system::rules(system, execute, view, inputs.run.terminal);
    rules.extend(certificates(inputs));
    if view && inputs.run.cages().any(|cage| cage == Cage::Program) {
        rules.push(Rule::new(SETTINGS, Access::Read));
    }
    let uses = uses(inputs);
    let places = places(inputs, own);
    let grants = grants::grants(subject, program_access(inputs), &places, uses);
    rules.extend(lowered(grants, inputs, tree));
    rules
}

/// What programs are granted that the command starts by the wrapper.
pub(super) struct Programs {
    /// The grants, apart from those of the system.
    pub grants: Vec<Grant>,
    /// All of them.
    pub rules: Vec<Rule>,
}

impl Programs {
    /// The folders and files that they write, apart from the work tree.
    pub fn written(&self) -> impl Iterator<Item = &PathBuf> {
        let written = self.grants.iter().filter(|grant| {
            let is_in_tree = matches!(grant.role, Role::Work | Role::Testdata);
            !is_in_tree && matches!(grant.access, Access::Write | Access::WriteExecute)
        });
        written.map(|grant| &grant.path)
    }
}

/// The grants of programs that the command starts by the wrapper.
pub(super) fn of_programs(
    inputs: &Inputs<'_>,
    own: &OwnFiles,
    execute: &[PathBuf],
    tree: &Tree,
) -> Programs {
    let view = inputs.host.namespaces.is_ok();
    // Whatever this run's terminal, so that a result of a test is the same in each: the tool cage decides.
    let mut rules = system::rules(System::Dynamic, &[], view, true);
    rules.extend(certificates(inputs));
    if view {
        rules.push(Rule::new(SETTINGS, Access::Read));
    }
    // The tool cage's domain holds the list of executables already; domains only ever narrow.
    rules.push(Rule::new("/usr", Access::Execute));
    if view && inputs.host.landlock.is_ok() {
        // The same files, as the folders of PATH show them: their way to the root does not pass `/usr`.
        rules.push(Rule::optional(host_folder(), Access::Execute));
    }
    let apart = execute
        .iter()
        .filter(|path| !view || !path.starts_with("/usr"));
    rules.extend(apart.map(|path| Rule::new(path, Access::Execute)));
    if !view {
        let interpreted = of_interpreters(execute).into_iter();
        rules.extend(interpreted.map(|path| Rule::new(path, Access::Read)));
    }
    let subject = match inputs.run.wraps {
        Some(Wraps::Tests) => Subject::Test,
        _ => Subject::Program,
    };
    let places = Places {
        temporary: vec![own.tmp.clone(), own.home.clone()],
        // Of it the wrapper grants a test its own part.
        work: None,
        ..places(inputs, own)
    };
    let grants = grants::grants(subject, program_access(inputs), &places, uses(inputs));
    rules.extend(lowered(grants.clone(), inputs, tree));
    // The kernel lets a test write those of the go command's own files in /proc that belong to their common user
    // (oom_score_adj, coredump_filter, clear_refs). Neither the rule nor the mount lets it, so that one of them is
    // enough. What /proc/self/fd leads to is not on this mount.
    for rule in &mut rules {
        if rule.path == Path::new("/proc") {
            rule.access = Access::Read;
        }
    }
    Programs { grants, rules }
}

/// Grants as Landlock rules. `testdata` has none: the wrapper grants a test its own package's.
fn lowered(grants: Vec<Grant>, inputs: &Inputs<'_>, tree: &Tree) -> Vec<Rule> {
    let view = inputs.host.namespaces.is_ok();
    let run = inputs.run;
    let mut rules = Vec::new();
    for grant in grants {
        let rule = Rule {
            path: grant.path,
            access: grant.access,
            optional: grant.may_be_missing,
            links: true,
        };
        match (grant.subject, grant.role) {
            (_, Role::Testdata) => {}
            // It is kept, and later runs, outside too, write new entries where a link there leads.
            (_, Role::Corpus) => rules.push(rule.without_links()),
            (Subject::Program | Subject::Test, Role::Work)
                if run.stage.is_none() && rule.access == Access::WriteExecute =>
            {
                let written = tree.write_rules(&rule.path, view).into_iter();
                // The go command, which goes on beside tests, writes their binaries into the tree, and through links
                // that lie in the way.
                match grant.subject {
                    Subject::Test => rules.extend(written.map(Rule::without_links)),
                    _ => rules.extend(written),
                }
            }
            _ => rules.push(rule),
        }
    }
    rules
}

/// What the user names for writing must not hold what nothing may write.
pub(super) fn contradictions(inputs: &Inputs<'_>, own: &OwnFiles) -> Result<(), Error> {
    let places = Places {
        launcher: inputs.project.launcher.clone(),
        ..places(inputs, own)
    };
    if let (Some(tree), true) = (places.tree, inputs.host.namespaces.is_err()) {
        let holds = |writable: &&Path| *writable != tree && tree.starts_with(writable);
        if let Some(writable) = places.write.iter().copied().find(holds) {
            return Err(Error::HoldsTree {
                writable: writable.to_owned(),
                tree: tree.to_owned(),
            });
        }
    }
    grants::contradictions(&places).map_err(|found| match found {
        Contradiction::Holds { writable, held } => Error::Contradiction { writable, held },
        Contradiction::LiesIn { writable, held } => Error::Held {
            name: match &held {
                held if *held == places.gocache => Some("GOCACHE"),
                held if *held == places.gomodcache => Some("GOMODCACHE"),
                _ => None,
            },
            writable,
            held,
        },
    })
}

pub(super) fn ruleset(host: &Host, rules: Vec<Rule>) -> Option<Ruleset> {
    let abi = *host.landlock.as_ref().ok()?;
    Some(Ruleset {
        abi,
        refuse_tcp: host.namespaces.is_err(),
        rules,
    })
}
