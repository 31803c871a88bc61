//! Protected paths besides the policy's names, and all of them before and after a run: one that was not there and has
//! appeared is put away.
//!
//! Those that are there are read-only mounts, or not granted. Those that are not cannot be mounted
//! over without being made; nothing is made for their sake.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};

use super::{Session, git};
use crate::go::hooks::{self, Unclear};
use crate::launch::quarantine;
use crate::plan::{self, OnDisk, Plan, Planted};
use crate::policy::Policy;

/// The protected paths, as they were before the run.
pub(super) struct Guard {
    watched: Vec<(PathBuf, Option<OnDisk>)>,
    planted: Option<Planted>,
}

impl Guard {
    /// Looks at them.
    pub fn before(plan: &Plan) -> anyhow::Result<Guard> {
        let look = |path: &PathBuf| match OnDisk::at(path) {
            None => missing(path).map(|()| (path.clone(), None)),
            found => Ok((path.clone(), found)),
        };
        let watched = plan.watched.iter().map(look);
        let watched = watched.collect::<anyhow::Result<_>>()?;
        Ok(Guard {
            watched,
            planted: plan.planted.clone(),
        })
    }

    /// Moves what has appeared or was exchanged into quarantine, but for what `goes`: the launcher's own.
    ///
    /// # Errors
    /// Where there was anything, with the place that it was moved to.
    pub fn after(self, goes: impl Fn(&Path) -> bool) -> anyhow::Result<()> {
        let mut moved = Vec::new();
        let changed = |(path, before): (PathBuf, Option<OnDisk>)| {
            let now = OnDisk::at(&path);
            (now.is_some() && now != before).then_some(path)
        };
        let watched = self.watched.into_iter();
        let mut appeared: Vec<PathBuf> = watched.filter_map(changed).collect();
        appeared.extend(self.planted.iter().flat_map(Planted::found));
        appeared.retain(|path| !goes(path));
        appeared.sort();
        appeared.dedup();
        let mut stayed = Vec::new();
        for path in appeared {
            match put_away(&path) {
                // What led to it may have gone before.
                Ok(None) => {}
                Ok(Some((path, place))) => {
                    moved.push(format!("{} (now {})", path.display(), place.display()));
                    stayed.extend(self.planted.iter().flat_map(|it| disarm(it, &place)));
                }
                Err(error) => stayed.push(format!("{}: {error}", path.display())),
            }
        }
        if !stayed.is_empty() {
            bail!(
                "cannot move what the run made at protected paths out of the way: {}; remove it before anything reads \
                 it{}",
                stayed.join(", "),
                match moved.is_empty() {
                    true => String::new(),
                    false => format!("; these were moved away: {}", moved.join(", ")),
                }
            );
        }
        if !moved.is_empty() {
            bail!(
                "protected paths came or were replaced during the run, and were moved away: {}; look at them, and \
                 move those back that are yours",
                moved.join(", ")
            );
        }
        Ok(())
    }
}

/// Makes sure that nothing is at a path. What is there and cannot be looked at would be taken for new after
/// the run.
fn missing(path: &Path) -> anyhow::Result<()> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match path.symlink_metadata() {
        Err(error) if ![NotFound, NotADirectory].contains(&error.kind()) => {
            Err(error).with_context(|| format!("cannot look at {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// A repository is one under any name: what makes it one goes too. What cannot be moved is returned.
fn disarm(planted: &Planted, place: &Path) -> Vec<String> {
    let mut left = vec![place.to_owned()];
    let mut stayed = Vec::new();
    while let Some(place) = left.pop() {
        // Nothing is below a link: what it leads to is found in its own place.
        if place.is_symlink() {
            continue;
        }
        for path in planted.within(place) {
            match put_away(&path) {
                Ok(moved) => left.extend(moved.map(|(_, place)| place)),
                Err(error) => stayed.push(format!("{}: {error}", path.display())),
            }
        }
    }
    stayed
}

/// Moves it to a name that nothing looks for: what has moved, and where it is now. Nothing may be there any more.
fn put_away(path: &Path) -> std::io::Result<Option<(PathBuf, PathBuf)>> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match path.symlink_metadata() {
        Err(error) if [NotFound, NotADirectory].contains(&error.kind()) => Ok(None),
        _ => quarantine::put_away(path).map(Some),
    }
}

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
