//! Protected paths that the policy does not name.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use super::{Session, git};
use crate::go::hooks::{self, Unclear};
use crate::plan;
use crate::policy::Policy;

/// What of the work tree is protected besides the policy's names: what git executes or reads as its
/// configuration outside, and what links of these names lead to.
///
/// # Errors
/// Git's configuration cannot be read or understood, so that nobody knows what it executes.
pub(super) fn led_to(
    session: &Session<'_>,
    policy: &Policy,
    tree: Option<&Path>,
) -> Result<Vec<PathBuf>, Unclear> {
    let Some(tree) = tree else {
        return Ok(Vec::new());
    };
    // A submodule's, and those around it, up to that of a home folder.
    let is_repository = |folder: &&Path| folder.join(".git").symlink_metadata().is_ok();
    let user = git::user(session, tree);
    let mut found = Vec::new();
    for repository in tree.ancestors().filter(is_repository) {
        found.extend(hooks::led_to(repository, &user)?);
    }
    let steps: Vec<_> = found.iter().flat_map(|path| plan::steps(path)).collect();
    found.retain(|path| !path.components().any(|part| part == Component::ParentDir));
    found.extend(steps);
    let there = plan::protected_at_top(tree, &policy.files.matcher());
    found.extend(plan::ends_of_links(tree, &there));
    found.extend(there);
    // What the policy names is protected at any depth.
    let named: HashSet<PathBuf> = policy.files.protected_in(tree, &[]).into_iter().collect();
    found.retain(|path| path != tree && path.starts_with(tree) && !named.contains(path));
    found.sort();
    found.dedup();
    Ok(found)
}
