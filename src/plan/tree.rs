//! The work tree and its protected paths: what is there, what is not, and what can be written beside.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::inputs::{Error, Inputs, Wraps};
use super::links::ends_of_links;
use super::{Placeholder, PlaceholderKind, Rule};
use crate::changes::look::{Before, Scope, Seen, before, folders_named};
use crate::files::look;
use crate::policy::protected::Matcher;
use crate::policy::{Access, Cage, TreeAccess};

/// The names that something stands in for while a run lasts, where they are not there and programs write the
/// live work tree. The others are looked for after the run.
///
/// Not among them: folders of version control, since an empty one would make tools believe in it; what an
/// agent that has started the run may make meanwhile; what nothing reads before somebody calls it.
const MADE: [&str; 8] = [
    ".devcontainer",
    ".envrc",
    ".github",
    ".gitlab-ci.yml",
    ".gosandbox.toml",
    ".husky",
    ".idea",
    ".vscode",
];

/// What is known of the work tree for one run.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Protected paths that exist and can be mounted over.
    pub protected: Vec<PathBuf>,
    /// Protected paths that do not exist and are made, empty, so that they can be mounted over.
    pub placeholders: Vec<Placeholder>,
    /// Folders that tests may write, as mounts of their own beside a tree that they may not.
    pub testdata: Vec<PathBuf>,
    /// What is at protected paths, for the look after the run.
    pub before: Option<Before>,
}

impl Tree {
    /// Looks at the tree: deeply only where code of the source may write all of it, which alone can
    /// plant a path anywhere.
    ///
    /// # Errors
    /// A protected path cannot be looked at.
    pub fn look(inputs: &Inputs<'_>) -> Result<Tree, Error> {
        let Inputs {
            policy, project, ..
        } = *inputs;
        let Some(root) = &project.tree else {
            return Ok(Tree::default());
        };
        let matcher = policy.files.matcher();
        let mut protected = look::with_rights_of(root, || {
            let mut protected = protected_at_top(root, &matcher);
            protected.extend(project.protected.iter().cloned());
            protected.retain(|path| is_real(path) && is_way_real(root, path));
            protected
        });
        // Of a staged tree the changes are judged. Where go alone runs, whatever comes is the user's.
        let runs_source = inputs.run.cages().any(|cage| cage == Cage::Program);
        if inputs.run.stage.is_some() || !runs_source {
            return Ok(Tree::without_look(protected));
        }
        let access = program_access(inputs);
        let user = user(inputs, root);
        let mut testdata = Vec::new();
        let roots = match access {
            TreeAccess::Testdata => {
                // Nothing is tested in the last two.
                const ENDS: [&str; 3] = [TESTDATA, "vendor", "node_modules"];
                testdata = folders_named(root, TESTDATA, &ENDS, &matcher, user)?;
                match inputs.run.fuzzes {
                    // Fuzzing makes its own where there is none.
                    true => vec![PathBuf::new()],
                    false => testdata.clone(),
                }
            }
            TreeAccess::Write => vec![PathBuf::new()],
            TreeAccess::Read => Vec::new(),
        };
        let watched = project.protected_paths(policy);
        let watched = watched
            .iter()
            .filter_map(|path| path.strip_prefix(root).ok());
        let scope = Scope {
            roots,
            names: policy.files.protected.clone(),
            watched: watched.map(Path::to_owned).collect(),
            stand_ins: MADE.map(PathBuf::from).to_vec(),
        };
        let before = before(root, &scope, &matcher, user)?;
        let written = match access {
            TreeAccess::Testdata => testdata.as_slice(),
            _ => before.scope.roots.as_slice(),
        };
        protected.extend(to_mount(root, written, &before));
        let mut placeholders = Vec::new();
        if access == TreeAccess::Write {
            protected.extend(caches_within(root, inputs));
            let names = policy.files.protected.iter();
            let missing = names.filter(|name| !knew(&before, name));
            placeholders.extend(missing.filter_map(|name| placeholder(root, name)));
        }
        // Where there are very many, a test gets the whole tree's mount, narrowed by Landlock alone.
        if inputs.host.namespaces.is_err() || testdata.len() > MOST_MOUNTS {
            testdata.clear();
        }
        protected.sort();
        protected.dedup();
        Ok(Tree {
            protected,
            placeholders,
            testdata: testdata.iter().map(|folder| root.join(folder)).collect(),
            before: Some(before),
        })
    }

    /// That of a work tree which no code of the source writes itself.
    fn without_look(mut protected: Vec<PathBuf>) -> Tree {
        protected.sort();
        protected.dedup();
        Tree {
            protected,
            ..Tree::default()
        }
    }

    /// Rules that let the tree be written without its protected paths.
    ///
    /// With a view these are mounts of their own. Without, Landlock cannot take a part out of what
    /// it grants: then the unprotected children are granted one by one, and nothing can be made
    /// beside them.
    pub fn write_rules(&self, root: &Path, view: bool) -> Vec<Rule> {
        if view {
            return vec![Rule::new(root, Access::WriteExecute)];
        }
        let mut rules = vec![Rule::new(root, Access::Execute)];
        grant_children(root, &self.protected, &mut rules);
        rules
    }
}

/// Rules that let a folder be written without what is protected in it, where nothing can be mounted over that.
pub fn rules_for(folder: &Path, protected: &[PathBuf]) -> Vec<Rule> {
    if protected.iter().any(|path| path.starts_with(folder)) {
        let mut rules = vec![Rule::new(folder, Access::Execute)];
        grant_children(folder, protected, &mut rules);
        return rules;
    }
    vec![Rule::new(folder, Access::WriteExecute)]
}

fn grant_children(folder: &Path, protected: &[PathBuf], rules: &mut Vec<Rule>) {
    let mut children = children(folder);
    children.sort();
    for child in children {
        if protected.contains(&child) || !is_real(&child) {
            continue;
        }
        if protected.iter().any(|path| path.starts_with(&child)) {
            grant_children(&child, protected, rules);
        } else {
            rules.push(Rule::optional(child, Access::WriteExecute));
        }
    }
}

/// What holds the trusted caches where they lie in the tree, as CI services lay them: the topmost
/// folder, for one below could be moved aside with those above it, and another put in its place.
fn caches_within(root: &Path, inputs: &Inputs<'_>) -> Vec<PathBuf> {
    let Inputs { project, run, .. } = *inputs;
    let topmost = |cache: &PathBuf| {
        let first = cache.strip_prefix(root).ok()?.components().next()?;
        let folder = root.join(first);
        // The go command writes its cache, which is a mount of its own beside its programs.
        (folder != *cache || run.cage == Cage::Program).then_some(folder)
    };
    [&project.gocache, &project.gomodcache]
        .into_iter()
        .filter_map(topmost)
        .collect()
}

/// What code of the source may write of the tree in this run.
pub fn program_access(inputs: &Inputs<'_>) -> TreeAccess {
    let files = &inputs.policy.files;
    match (inputs.run.cage, inputs.run.wraps) {
        (Cage::Program, _) => files.command,
        (Cage::Tool, Some(Wraps::Tests)) => files.test,
        (Cage::Tool, Some(Wraps::Run)) => files.run,
        (Cage::Tool, None) => TreeAccess::Read,
    }
}

/// Above this many `testdata` folders none gets a mount of its own.
const MOST_MOUNTS: usize = 500;

/// The folders that tests may write.
const TESTDATA: &str = "testdata";

/// The user who looks at a tree where the launcher is root and the tree is not root's.
fn user(inputs: &Inputs<'_>, root: &PathBuf) -> Option<(u32, u32)> {
    let identity = inputs.identity;
    let is_switched = identity.switch && !inputs.project.mapped.contains(root);
    is_switched.then_some((identity.uid, identity.gid))
}

/// What can be mounted over in folders that programs may write, and what links lead to there.
fn to_mount(root: &Path, written: &[PathBuf], before: &Before) -> Vec<PathBuf> {
    let written: HashSet<PathBuf> = written.iter().map(|folder| root.join(folder)).collect();
    let is_written = |path: &Path| {
        let mut above = path.ancestors().skip(1);
        above.any(|folder| written.contains(folder))
    };
    let paths = before.to_mount.iter().map(|path| root.join(path));
    let mut found: Vec<PathBuf> = paths.filter(|path| is_written(path)).collect();
    found.extend(ends_of_links(root, &found));
    let ends = before.known.iter().filter_map(Seen::end);
    found.extend(ends.map(Path::to_owned));
    found.retain(|path| path != root && is_written(path));
    found
}

/// Whether there was anything at a path, a link that leads nowhere too.
fn knew(before: &Before, path: &Path) -> bool {
    let search = |seen: &Seen| seen.path.as_path().cmp(path);
    before.known.binary_search_by(search).is_ok()
}

/// What is there and protected at the top of a tree, and at the end of a protected path from there.
pub fn protected_at_top(root: &Path, matcher: &Matcher) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in children(&folder) {
            let below = path.strip_prefix(root).unwrap_or(&path);
            if matcher.matches_end(below) {
                found.push(path);
            } else if matcher.is_on_the_way(below) && is_real(&path) {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

fn placeholder(root: &Path, name: &Path) -> Option<Placeholder> {
    if !MADE.iter().any(|made| Path::new(made) == name) {
        return None;
    }
    // In a folder that cannot be written it cannot be made inside either.
    if rustix::fs::access(root, rustix::fs::Access::WRITE_OK).is_err() {
        return None;
    }
    Some(Placeholder {
        path: root.join(name),
        mode: 0o444,
        kind: PlaceholderKind::Decoy,
    })
}

fn children(folder: &Path) -> Vec<PathBuf> {
    look::read_dir(folder)
        .map(|entries| entries.iter().map(look::Entry::path).collect())
        .unwrap_or_default()
}

/// Whether a path is there and is no symbolic link, which cannot be mounted over.
fn is_real(path: &Path) -> bool {
    look::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_symlink())
}

/// Whether no symbolic link lies on the way from the tree to a path: else it is what the way leads to that is
/// mounted over.
fn is_way_real(root: &Path, path: &Path) -> bool {
    let within = path.ancestors().skip(1);
    within
        .take_while(|folder| folder.starts_with(root) && *folder != root)
        .all(is_real)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn without_a_view_everything_but_the_protected_paths_is_granted_for_writing() {
        let folder = tempfile::tempdir().unwrap();
        let root = &folder.path().canonicalize().unwrap();
        for path in ["a/b", "c/.git/hooks", "c/d", ".git"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("f"), "").unwrap();
        let names = Matcher::new([".git"]);
        let scope = Scope {
            roots: vec![PathBuf::new()],
            ..Scope::default()
        };
        let before = before(root, &scope, &names, None).unwrap();
        let mut protected = to_mount(root, &before.scope.roots, &before);
        protected.sort();
        assert_eq!(protected, [root.join(".git"), root.join("c/.git")]);
        let tree = Tree {
            protected,
            ..Tree::default()
        };
        let rules = tree.write_rules(root, false);
        let written: Vec<_> = rules
            .iter()
            .filter(|rule| rule.access == Access::WriteExecute)
            .map(|rule| rule.path.clone())
            .collect();
        assert_eq!(written, [root.join("a"), root.join("c/d"), root.join("f")]);
        assert_eq!(rules[0], Rule::new(root, Access::Execute));
    }
}
