//! The run's own folders in the view.

use crate::policy::places::{OWN_FOLDER, OWN_MOUNT, SETTINGS};
use std::path::{Path, PathBuf};

use super::build::has_tmp;
use super::inputs::Inputs;
use super::own::{CLOSED_FILE, OwnFiles, USUAL_TMP};
use super::{Node, is_below};
use crate::policy::Cage;

/// HOME, `$WORK` and the temporary folder, which belong to the run.
pub(super) fn own_folders(inputs: &Inputs<'_>, own: &OwnFiles) -> Vec<Node> {
    let Inputs {
        host,
        identity,
        project,
        run,
        ..
    } = *inputs;
    let bind = |source: PathBuf, target: &Path| Node::Bind {
        source,
        target: target.to_owned(),
        writable: true,
        id_map: false,
    };
    let mut nodes = Vec::new();
    if host.landlock.is_ok() {
        nodes.push(Node::File {
            target: Path::new(OWN_FOLDER).join(CLOSED_FILE),
            content: Vec::new(),
        });
    }
    if run.cage == Cage::Tool {
        nodes.push(Node::Tmpfs {
            target: own.tool_home.clone(),
            mode: 0o700,
            size: 256 << 20,
            // Mounted by root where root changes to another user.
            owner: identity.switch.then_some((identity.uid, identity.gid)),
        });
    }
    if !has_tmp(run) {
        nodes.push(bind(project.scratch.clone(), &own.work));
        return nodes;
    }
    nodes.push(bind(project.scratch.clone(), OWN_MOUNT.as_ref()));
    let settings = run.command.settings.iter();
    let shown = settings.filter(|setting| setting.path.starts_with(SETTINGS));
    nodes.extend(shown.map(|setting| Node::File {
        target: setting.path.clone(),
        content: setting.content.clone().into(),
    }));
    if own.shows_tmp {
        nodes.push(bind(project.scratch.join("tmp"), USUAL_TMP.as_ref()));
    }
    nodes
}

/// The cache that the programs' own is filled from. Only init reads it: the command is not granted it.
pub(super) fn seed(inputs: &Inputs<'_>) -> Option<Node> {
    let Inputs { project, run, .. } = *inputs;
    let from = &run.seed.as_ref()?.from;
    // In the work tree it is shown with that.
    let tree = project.tree.as_ref();
    let is_apart = tree.is_none_or(|tree| !is_below(from, tree));
    is_apart.then(|| Node::Bind {
        source: from.clone(),
        target: from.clone(),
        writable: false,
        id_map: project.mapped.contains(from),
    })
}
