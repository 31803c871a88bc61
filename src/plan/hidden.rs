//! Files of which code of the source sees another content than the host has: git's configuration
//! without its secrets.

use std::path::PathBuf;

use super::inputs::Inputs;
use super::{Node, is_below};
use crate::policy::Cage;

/// What is placed over files that a view of `nodes` shows, in a run that executes code of the source.
pub(super) fn covers(inputs: &Inputs<'_>, nodes: &[Node]) -> Vec<Node> {
    let run = inputs.run;
    if run.wraps.is_none() && run.cage != Cage::Program {
        return Vec::new();
    }
    let is_shown = |path: &PathBuf| {
        nodes.iter().any(|node| match node {
            Node::Bind { source, target, .. } => source == target && is_below(path, target),
            _ => false,
        })
    };
    let covers = inputs.project.covers.iter();
    let shown = covers.filter(|cover| is_shown(&cover.target));
    shown.cloned().map(Node::Cover).collect()
}
