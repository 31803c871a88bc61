//! The mount view of a plan: every grant at its own place, and nothing else.

use std::path::{Path, PathBuf};

use super::build::has_one_folder;
use super::grants::Programs;
use super::hidden::covers;
use super::inputs::{Error, Inputs};
use super::own::{OWN_FOLDER, OwnFiles, PROGRAM_ROOT};
use super::system::{self, Account, System};
use super::tree::Tree;
use super::{Node, Overlay, PROGRAM_PLAN, ProgramPlan, ProgramRoot, Rule, View, is_below};
use crate::files::look;
use crate::policy::Access;

/// The view: every granted path at its own place, and nothing else.
pub(super) fn view(
    inputs: &Inputs<'_>,
    own: &OwnFiles,
    system: System,
    grants: &[Rule],
    program: Option<(&Programs, &ProgramPlan)>,
    tree: &Tree,
) -> Result<View, Error> {
    let Inputs {
        policy,
        host,
        identity,
        project,
        run,
        ..
    } = *inputs;
    let homes: Vec<_> = run.cages().map(|cage| own.of_cage(cage).0).collect();
    let account = Account {
        name: &project.user_name,
        uid: identity.uid,
        gid: identity.gid,
        // Programs look it up.
        home: homes.last().unwrap_or(&own.home),
    };
    let whole = host.landlock.is_ok();
    let mut nodes = system::nodes(system, &account, whole, run.terminal);
    if system == System::Dynamic && !whole {
        let names = [policy.programs.execute.clone(), run.programs.clone()].concat();
        nodes.extend(system::links(&names));
    }
    nodes.extend(homes.into_iter().map(|target| Node::Tmpfs {
        target,
        mode: 0o700,
        size: 256 << 20,
        // Mounted by root where root changes to another user.
        owner: identity.switch.then_some((identity.uid, identity.gid)),
    }));
    for (part, target) in [("tmp", &own.tmp), ("work", &own.work)] {
        let source = if has_one_folder(run) {
            project.scratch.clone()
        } else {
            project.scratch.join(part)
        };
        nodes.push(Node::Bind {
            source,
            target: target.clone(),
            writable: true,
            id_map: false,
        });
    }
    // What programs are granted and the command is not, or only as a part of something else.
    let programs = program.iter().flat_map(|(programs, _)| &programs.grants);
    let programs = programs.filter(|grant| grants.iter().all(|rule| rule.path != grant.path));
    let programs = programs.map(|grant| (&grant.path, grant.access, grant.may_be_missing));
    let granted = grants
        .iter()
        .map(|rule| (&rule.path, rule.access, rule.optional))
        .chain(programs);
    let mut binds: Vec<(PathBuf, bool)> = granted
        .filter(|(path, ..)| run.outputs.contains(path) || !is_inside_view(path, own))
        // Bound as a whole below, and rarely written to: what is, is a mount of its own.
        .filter(|(path, access, _)| {
            let in_usr = system == System::Dynamic && whole && is_below(path, "/usr");
            !(in_usr && is_read(*access))
        })
        .filter(|(path, _, may_be_missing)| !may_be_missing || look::exists(path))
        .map(|(path, access, _)| (path.clone(), !is_read(access)))
        .collect();
    binds.extend(tree.protected.iter().map(|path| (path.clone(), false)));
    binds.extend(
        tree.placeholders
            .iter()
            .map(|placeholder| (placeholder.path.clone(), false)),
    );
    binds.extend(tree.testdata.iter().map(|path| (path.clone(), true)));
    binds.sort_unstable_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()).then(a.1.cmp(&b.1)));
    binds.dedup_by(|a, b| a.0.as_os_str() == b.0.as_os_str());
    // What a program may write less of than the go command beside it needs a mount of its own.
    let apart = [
        &project.goroot,
        &project.gocache,
        &project.gomodcache,
        &project.program_cache,
    ];
    // What is written in a staged work tree itself, and not in the overlay over it.
    let is_in_staged = |path: &Path| {
        let tree = project.tree.as_ref().filter(|_| run.stage.is_some());
        tree.is_some_and(|tree| path != tree && is_below(path, tree))
    };
    let covered = |path: &Path, writable: bool, binds: &[(PathBuf, bool)]| {
        if writable && is_in_staged(path)
            || run.wraps.is_some() && apart.into_iter().any(|apart| apart == path)
            || run.outputs.iter().any(|o| o == path)
            || tree.testdata.iter().any(|own| own == path)
        {
            return false;
        }
        let above = binds
            .iter()
            .rfind(|(other, _)| path.as_os_str() != other.as_os_str() && is_below(path, other));
        let above = above.map(|(_, writable)| *writable);
        let usr = system == System::Dynamic && whole && is_below(path, "/usr");
        above == Some(writable) || above.is_none() && usr && !writable
    };
    for (path, writable) in &binds {
        if covered(path, *writable, &binds) && !(run.fuzzes && path.ends_with("fuzz")) {
            continue;
        }
        // A placeholder holds nothing that its owner would have to read.
        let id_map = project.mapped.iter().any(|mapped| is_below(path, mapped))
            && !tree.placeholders.iter().any(|own| own.path == *path);
        nodes.push(Node::Bind {
            source: path.clone(),
            target: path.clone(),
            writable: *writable,
            id_map,
        });
    }
    if let (Some((_, program)), Some(wrapper)) = (program, &own.wrapper) {
        nodes.push(Node::Bind {
            source: project.launcher.clone(),
            target: wrapper.clone(),
            writable: false,
            id_map: false,
        });
        let content = serde_json::to_vec(program)?;
        nodes.push(Node::File {
            target: Path::new(OWN_FOLDER).join(PROGRAM_PLAN),
            content,
        });
    }
    nodes.extend(covers(inputs, &nodes));
    let overlay = overlay(inputs);
    let programs = match (&overlay, program) {
        (Some(tree), Some((_, program))) => Some(ProgramRoot {
            path: PROGRAM_ROOT.into(),
            writable: program.writable_mounts.clone(),
            tree: tree.clone(),
            owner: (identity.uid, identity.gid),
        }),
        _ => None,
    };
    if programs.is_none() {
        // After the work tree's own mount, which has the same target.
        nodes.extend(overlay.map(Node::Staged));
    }
    let judged = project.judged.clone();
    let mut view = View {
        nodes,
        programs,
        judged,
    };
    view.sort();
    Ok(view)
}

/// The staged work tree, where it is staged.
fn overlay(inputs: &Inputs<'_>) -> Option<Overlay> {
    let stage = inputs.run.stage.as_ref()?;
    Some(Overlay {
        target: inputs.project.tree.clone()?,
        upper: stage.upper.clone(),
        work: stage.work.clone(),
    })
}

fn is_read(access: Access) -> bool {
    matches!(access, Access::Read | Access::Execute)
}

/// Paths that the view makes itself.
fn is_inside_view(path: &Path, own: &OwnFiles) -> bool {
    const MADE: [&str; 6] = ["/proc", "/dev", "/etc", "/sys", "/lib", "/lib64"];
    MADE.iter().any(|made| is_below(path, made))
        || path == own.tmp
        || path == own.work
        || is_below(path, OWN_FOLDER)
}
