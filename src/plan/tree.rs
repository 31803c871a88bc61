//! The work tree and its protected paths: what is there, what is not, and what can be written beside.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::inputs::{Inputs, Wraps};
use super::{Placeholder, PlaceholderKind, Rule};
use crate::policy::{Access, Cage, TreeAccess};

/// Folders of version control. An empty one would make tools believe in it, go among them: none is
/// ever made, and one that a run makes is put away after it.
const VERSION_CONTROL: [&str; 4] = [".git", ".hg", ".jj", ".svn"];

/// What identifies something on disk: device and inode, and of a link what it says and leads to, since a
/// file system may give the number of one that was removed to the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    dev: u64,
    ino: u64,
    link: Option<Link>,
}

/// A symbolic link: what it says, and the canonical path, device and inode of what that leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    text: PathBuf,
    end: Option<(PathBuf, u64, u64)>,
}

impl Identity {
    /// That of what is at a path, where there is anything.
    pub fn at(path: &Path) -> Option<Identity> {
        let found = fs::symlink_metadata(path).ok()?;
        let link = found.is_symlink().then(|| Link::at(path)).flatten();
        Some(Identity {
            dev: found.dev(),
            ino: found.ino(),
            link,
        })
    }
}

impl Link {
    fn at(path: &Path) -> Option<Link> {
        let text = fs::read_link(path).ok()?;
        let end = fs::canonicalize(path).ok().and_then(|path| {
            let found = fs::symlink_metadata(&path).ok()?;
            Some((path, found.dev(), found.ino()))
        });
        Some(Link { text, end })
    }

    /// What it leads to, where that lies in the tree: whoever may write that need not touch the link.
    fn end_in(&self, tree: &Path) -> Option<PathBuf> {
        let (path, _, _) = self.end.as_ref()?;
        (path != tree && path.starts_with(tree)).then(|| path.clone())
    }
}

/// What links of these names at the top of a tree lead to, where that is in the tree too.
pub fn ends_of_links(tree: &Path, names: &[PathBuf]) -> Vec<PathBuf> {
    let links = names.iter().filter_map(|name| Link::at(&tree.join(name)));
    links.filter_map(|link| link.end_in(tree)).collect()
}

/// Something of a protected name; or, without an identity, what makes a folder a repository, which is
/// protected as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    path: PathBuf,
    identity: Option<Identity>,
}

impl Seen {
    fn link(&self) -> Option<&Link> {
        self.identity.as_ref()?.link.as_ref()
    }
}

/// Where protected paths may be planted, for a second look after the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    roots: Vec<PathBuf>,
    names: Vec<PathBuf>,
    known: Vec<Seen>,
}

impl Planted {
    /// Looks at folders that code of the source is about to write; what in them can be mounted over is added
    /// to `protected`.
    fn before(roots: Vec<PathBuf>, names: &[PathBuf], protected: &mut Vec<PathBuf>) -> Planted {
        let mut known = Vec::new();
        for root in &roots {
            let mut found = walk(root, names);
            protected.append(&mut found.to_mount);
            known.append(&mut found.planted);
        }
        known.sort();
        known.dedup();
        let links = known.iter().filter_map(Seen::link);
        protected.extend(links.flat_map(|link| roots.iter().find_map(|root| link.end_in(root))));
        let names = names.to_vec();
        Planted {
            roots,
            names,
            known,
        }
    }

    /// Whether there was anything at a path, a link that leads nowhere too.
    fn knew(&self, path: &Path) -> bool {
        let search = |seen: &Seen| seen.path.as_path().cmp(path);
        self.known.binary_search_by(search).is_ok()
    }

    /// Protected paths that are there now and were not, sorted: links of these names too, which git
    /// follows; folders of any name that git takes for a repository of its own; and what is another than it
    /// was, or a link that leads elsewhere: a mount is gone where what it was on is replaced from outside.
    /// Folders that have come and cannot be listed or entered are opened for their owner first: who knows a
    /// name in one that can only be entered finds it there.
    pub fn found(&self) -> Vec<PathBuf> {
        let mut found = self.come();
        // What opens shows what is below it; what does not open is put away as it is.
        while open_closed(&found) {
            found = self.come();
        }
        found
    }

    /// The same of a folder that was moved away, under which nothing was there before.
    pub fn within(&self, folder: PathBuf) -> Vec<PathBuf> {
        Planted {
            roots: vec![folder],
            names: self.names.clone(),
            known: Vec::new(),
        }
        .come()
    }

    fn come(&self) -> Vec<PathBuf> {
        let all = self
            .roots
            .iter()
            .flat_map(|root| walk(root, &self.names).planted);
        let mut found: Vec<PathBuf> = all
            .filter(|seen| self.known.binary_search(seen).is_err())
            .map(|seen| seen.path)
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

/// Opens folders for their owner; whether any did open.
fn open_closed(found: &[PathBuf]) -> bool {
    let closed = found.iter().filter(|path| is_closed(path));
    closed.filter(|path| open_for_owner(path).is_ok()).count() > 0
}

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
        let names = &policy.files.protected;
        let written = program_access(inputs) == TreeAccess::Write;
        let mut protected = project.protected_paths(policy);
        // Those at its top are found where all of it is looked at.
        protected.retain(|path| !(written && path.parent() == Some(root)) && is_real(path));
        let mut placeholders = Vec::new();
        let mut testdata = Vec::new();
        let mut planted = None;
        if program_access(inputs) == TreeAccess::Testdata {
            let folders = folders_of_testdata(root, names);
            let below = Planted::before(folders.clone(), names, &mut protected);
            // Fuzzing makes its own where there is none.
            planted = Some(match inputs.run.fuzzes {
                true => Planted::before(vec![root.clone()], names, &mut Vec::new()),
                false => below,
            });
            // Where there are very many, a test gets the whole tree's mount, narrowed by Landlock alone.
            if inputs.host.namespaces.is_ok() && folders.len() <= MOST_MOUNTS {
                testdata = folders;
            }
        }
        if written {
            let all = Planted::before(vec![root.clone()], names, &mut protected);
            protected.extend(caches_within(root, inputs));
            let missing = names.iter().filter(|name| !all.knew(&root.join(name)));
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
        self.grant_children(root, &mut rules);
        rules
    }

    fn grant_children(&self, folder: &Path, rules: &mut Vec<Rule>) {
        let mut children = children(folder);
        children.sort();
        for child in children {
            if self.protected.contains(&child) || !is_real(&child) {
                continue;
            }
            if self.protected.iter().any(|path| path.starts_with(&child)) {
                self.grant_children(&child, rules);
            } else {
                rules.push(Rule::optional(child, Access::WriteExecute));
            }
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
fn folders_of_testdata(root: &Path, protected: &[PathBuf]) -> Vec<PathBuf> {
    const NAME: &str = "testdata";
    // Their names end the walk: nothing is tested in there.
    let mut names = protected.to_vec();
    names.extend([NAME, "vendor", "node_modules"].map(PathBuf::from));
    let mut found = walk(root, &names).to_mount;
    found.retain(|path| path.ends_with(NAME) && path.is_dir());
    found.sort();
    found
}

/// What a walk has found.
#[derive(Default)]
struct Found {
    /// What can be mounted over: no links, and repositories as a whole.
    to_mount: Vec<PathBuf>,
    /// What must not come: links too, and of a repository the file that makes it one.
    planted: Vec<Seen>,
}

/// Looks for protected names at any depth, and for repositories without such a name. Links are not followed.
fn walk(root: &Path, names: &[PathBuf]) -> Found {
    let mut found = Found::default();
    let mut folders = vec![(root.to_owned(), false)];
    while let Some((folder, is_covered)) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            let closed = closed(root, &folder);
            found
                .to_mount
                .extend(closed.clone().filter(|_| !is_covered));
            found.planted.extend(closed.map(|path| Seen {
                path,
                identity: None,
            }));
            continue;
        };
        let mut parts = RepositoryParts::default();
        let mut below = Vec::new();
        for entry in entries.flatten() {
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name();
            parts.note(&name);
            if names.iter().any(|protected| protected.as_os_str() == name) {
                let path = entry.path();
                if !is_link && !is_covered {
                    found.to_mount.push(path.clone());
                }
                let identity = Identity::at(&path);
                found.planted.push(Seen { path, identity });
            } else if is_folder {
                below.push(entry.path());
            }
        }
        // The work tree itself cannot be moved away.
        let is_repository = parts.are_whole() && folder != *root;
        if is_repository && !is_covered {
            found.to_mount.push(folder.clone());
        }
        if parts.are_whole() {
            // Without it the folder is none.
            let path = folder.join("HEAD");
            found.planted.push(Seen {
                path,
                identity: None,
            });
        }
        let is_covered = is_covered || is_repository;
        folders.extend(below.into_iter().map(|folder| (folder, is_covered)));
    }
    found
}

/// The topmost folder on the way to one that cannot be listed which the caller may not list or enter,
/// if that is why.
fn closed(root: &Path, folder: &Path) -> Option<PathBuf> {
    let rest = folder.strip_prefix(root).ok()?;
    let mut way = root.to_owned();
    for part in rest {
        way.push(part);
        if is_closed(&way) {
            return Some(way);
        }
    }
    None
}

fn is_closed(path: &Path) -> bool {
    let wanted = rustix::fs::Access::READ_OK | rustix::fs::Access::EXEC_OK;
    let is_folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    is_folder && rustix::fs::access(path, wanted) == Err(Errno::ACCESS)
}

fn open_for_owner(folder: &Path) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let mode = rustix::fs::fstat(&folder)?.st_mode | Mode::RWXU.as_raw_mode();
    // fchmod(2) takes no O_PATH descriptor.
    let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
    rustix::fs::chmod(path, Mode::from_raw_mode(mode & 0o7777))
}

/// What git looks for in a folder before it takes it for a repository, whose configuration can name
/// programs (setup.c, `is_git_directory`; git-config(1), `safe.bareRepository`).
#[derive(Default)]
struct RepositoryParts {
    head: bool,
    objects: bool,
    refs: bool,
    common: bool,
}

impl RepositoryParts {
    fn note(&mut self, name: &OsStr) {
        match name.as_encoded_bytes() {
            b"HEAD" => self.head = true,
            b"objects" => self.objects = true,
            b"refs" => self.refs = true,
            b"commondir" => self.common = true,
            _ => {}
        }
    }

    fn are_whole(&self) -> bool {
        self.head && (self.common || self.objects && self.refs)
    }
}

fn placeholder(root: &Path, name: &Path) -> Option<Placeholder> {
    let text = name.to_str()?;
    let is_plain = name.components().count() == 1;
    if !is_plain || VERSION_CONTROL.contains(&text) || !text.starts_with('.') {
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
    fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

/// Whether a path is there and is no symbolic link, which cannot be mounted over.
fn is_real(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_symlink())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_view_everything_but_the_protected_paths_is_granted_for_writing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["a/b", "c/.git/hooks", "c/d", ".git"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("f"), "").unwrap();
        let mut protected = walk(root, &[".git".into()]).to_mount;
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
