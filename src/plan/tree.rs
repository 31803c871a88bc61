//! The work tree and its protected paths: what is there, what is not, and what can be written beside.

use std::path::{Path, PathBuf};

use super::inputs::{Inputs, Wraps};
use super::planted::{Planted, walk};
use super::{Placeholder, PlaceholderKind, Rule};
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
    /// Where others may be planted, where code of the source may write all of the tree.
    pub planted: Option<Planted>,
}

impl Tree {
    /// Looks at the tree: deeply only where code of the source may write all of it, which alone can
    /// plant a path anywhere.
    pub fn look(inputs: &Inputs<'_>) -> Tree {
        let Inputs {
            policy, project, ..
        } = *inputs;
        let Some(root) = &project.tree else {
            return Tree::default();
        };
        let matcher = policy.files.matcher();
        let mut protected = look::with_rights_of(root, || {
            let mut protected = protected_at_top(root, &matcher);
            protected.extend(project.protected.iter().cloned());
            protected.retain(|path| is_real(path) && is_way_real(root, path));
            protected
        });
        if inputs.run.stage.is_some() {
            return Tree::staged(protected);
        }
        let written = program_access(inputs) == TreeAccess::Write;
        let mut placeholders = Vec::new();
        let mut testdata = Vec::new();
        let mut planted = None;
        if program_access(inputs) == TreeAccess::Testdata {
            let folders = folders_of_testdata(root, &matcher);
            let below = Planted::before(folders.clone(), &matcher, &mut protected);
            // Fuzzing makes its own where there is none.
            planted = Some(match inputs.run.fuzzes {
                true => Planted::before(vec![root.clone()], &matcher, &mut Vec::new()),
                false => below,
            });
            // Where there are very many, a test gets the whole tree's mount, narrowed by Landlock alone.
            if inputs.host.namespaces.is_ok() && folders.len() <= MOST_MOUNTS {
                testdata = folders;
            }
        }
        if written {
            let all = Planted::before(vec![root.clone()], &matcher, &mut protected);
            protected.extend(caches_within(root, inputs));
            let names = policy.files.protected.iter();
            let missing = names.filter(|name| !all.knew(&root.join(name)));
            placeholders.extend(missing.filter_map(|name| placeholder(root, name)));
            planted = Some(all);
        }
        protected.sort();
        protected.dedup();
        Tree {
            protected,
            placeholders,
            testdata,
            planted,
        }
    }

    /// That of a staged work tree: what is protected deeper, and what comes, is judged when it is applied.
    fn staged(mut protected: Vec<PathBuf>) -> Tree {
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

/// The `testdata` folders of a tree, sorted.
fn folders_of_testdata(root: &Path, protected: &Matcher) -> Vec<PathBuf> {
    const NAME: &str = "testdata";
    // Nothing is tested in there.
    const ENDS: [&str; 3] = [NAME, "vendor", "node_modules"];
    let mut found = walk(root, protected, &ENDS).to_mount;
    found.retain(|path| path.ends_with(NAME) && look::is_dir(path));
    found.sort();
    found
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
        let root = folder.path();
        for path in ["a/b", "c/.git/hooks", "c/d", ".git"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("f"), "").unwrap();
        let mut protected = walk(root, &Matcher::new([".git"]), &[]).to_mount;
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
