//! Symbolic links of the repository's own, which choose neither what is read besides it nor what is written.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::files;
use crate::files::look;
use crate::go::command::{GoCommand, Kind};
use crate::go::workspace::Workspace;
use crate::plan::inputs::{Protected, leads_out};
use crate::policy::Policy;
use crate::policy::secrets::is_secret;
use crate::refusal::{Code, Help, Refused, shell_path};

/// What the files that a command line names are, to be granted for reading.
///
/// # Errors
/// A link in the repository leads out of it, to what nobody has granted: `*.go` would be enough to have
/// a file of the user's read.
pub(super) fn inputs(
    named: &[PathBuf],
    workspace: &Workspace,
    policy: &Policy,
    tree: Option<&Path>,
) -> anyhow::Result<Vec<PathBuf>> {
    let around = workspace.repository.as_deref();
    let around = around.filter(|around| tree.is_none_or(|tree| tree.starts_with(around)));
    let Some(around) = around.or(tree) else {
        return Ok(named.iter().flat_map(look::canonicalize).collect());
    };
    look::with_rights_of(around, || inside(named, policy, around))
}

fn inside(named: &[PathBuf], policy: &Policy, around: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let granted = policy.files.read.iter().chain(&policy.files.write);
    let (mut read, mut out, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for path in named {
        let Ok(real) = look::canonicalize(path) else {
            continue;
        };
        if leads_out(path, &real, around) && !granted.clone().any(|it| real.starts_with(it)) {
            out.push(format!("{} (to {})", path.display(), real.display()));
            ends.push(real.clone());
        }
        read.push(real);
    }
    if out.is_empty() {
        return Ok(read);
    }
    let text = format!(
        "cannot let go read symbolic links that lead out of the repository: {}",
        out.join(", ")
    );
    ends.dedup();
    let (secrets, others): (Vec<_>, Vec<_>) = ends.into_iter().partition(|end| is_secret(end));
    let mut refused = Refused::new(Code::OutsideRepository, text);
    if !others.is_empty() {
        let options = others.iter().map(|end| format!("--ro {}", shell_path(end)));
        refused = refused.option(options.collect::<Vec<_>>().join(" "));
    }
    let help = secrets.iter().map(|end| Help::grant("--ro", end));
    Err(help.fold(refused, Refused::and).into())
}

/// What the go command may write in the cage, and must not because a link of the repository's says so.
pub(super) struct Held<'a> {
    /// GOCACHE and GOMODCACHE.
    pub caches: [&'a PathBuf; 2],
    pub tree: Option<&'a Path>,
    /// Names protected in the tree, and paths (absolute).
    pub protected: &'a Protected,
    /// Whether tests, before go is done, can put any folder of the tree in the place of that in which go writes.
    pub exchanged: bool,
}

impl Held<'_> {
    /// Whether go would write what a link named `name` leads to.
    fn is_written(&self, name: &OsStr, real: &Path) -> bool {
        let found = look::metadata(real);
        if found.as_ref().is_ok_and(|found| !found.is_file()) {
            return false;
        }
        if self.caches.iter().any(|cache| real.starts_with(cache)) {
            // The files of extracted modules are not writable, and have links lead to them now and then.
            return found.map_or(true, |found| found.mode() & 0o222 != 0);
        }
        let is_protected = |tree| self.protected.holds(real, tree);
        // No program is written over a text (README.md -> .github/README.md).
        let is_replaced = || GO_FILES.iter().any(|file| name == *file) || is_program(real);
        self.tree.is_some_and(is_protected) && (found.is_err() || is_replaced())
    }
}

/// Files that go writes by names of its own.
const GO_FILES: [&str; 4] = ["go.mod", "go.sum", "go.work", "go.work.sum"];

/// Whether go would write a program over a file: over one that is there already, or is empty.
fn is_program(path: &Path) -> bool {
    const PROGRAMS: [&[u8]; 2] = [b"\x7fELF", b"!<ar"];
    let mut start = [0; 4];
    let length = look::open(path).and_then(|mut file| file.read(&mut start));
    length.is_ok_and(|length| length == 0 || PROGRAMS.contains(&&start[..length]))
}

/// Makes sure that nothing which go writes by a name of its own choice (the program that `go build` makes,
/// go.sum) is a link into a cache or to what is protected: go writes through links, and may write the caches, and
/// what is protected deep in the tree or where there are no namespaces.
///
/// # Errors
/// One is.
pub(super) fn outputs(
    workspace: &Workspace,
    go: &GoCommand,
    folder: &Path,
    held: &Held<'_>,
) -> anyhow::Result<()> {
    let mut folders = vec![go.changed_dir.as_deref().unwrap_or(folder)];
    folders.extend(workspace.module_root.as_deref());
    folders.push(&workspace.root);
    // Files in there (`-o bin/`); what is a file itself is looked at where it is granted.
    let is_folder = |kind| !matches!(kind, Kind::File | Kind::Program);
    let named = go.outputs.iter().filter(|it| is_folder(it.kind));
    folders.extend(named.map(|output| output.path.as_path()));
    let all = held.tree.filter(|_| held.exchanged);
    let all = all.map(|tree| look::with_rights_of(tree, || folders_of(tree)));
    folders.extend(all.iter().flatten().map(PathBuf::as_path));
    folders.sort();
    folders.dedup();
    look::with_rights_of(&workspace.root, || are_not_links(&folders, held))
}

/// What go writes by a name of its own in these folders.
fn are_not_links(folders: &[&Path], held: &Held<'_>) -> anyhow::Result<()> {
    let (mut found, mut links) = (Vec::new(), Vec::new());
    for folder in folders {
        let Ok(entries) = look::read_dir(folder) else {
            continue;
        };
        for entry in entries {
            let is_link = entry.kind().is_symlink();
            let Some(real) = is_link.then(|| end_of(&entry.path())).flatten() else {
                continue;
            };
            if held.is_written(&entry.file_name(), &real) {
                let link = entry.path();
                found.push(format!(
                    "{} is a symbolic link to {}",
                    link.display(),
                    real.display()
                ));
                links.push(shell_path(&link));
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let text = format!(
        "cannot let go write through links of the repository: {}",
        found.join("; ")
    );
    Err(Refused::new(Code::LinkRedirectsWrite, text)
        .words(format!("rm {}", links.join(" ")))
        .into())
}

/// All folders of a tree.
fn folders_of(tree: &Path) -> Vec<PathBuf> {
    let mut found = vec![tree.to_owned()];
    let mut at = 0;
    while let Some(folder) = found.get(at) {
        at += 1;
        let entries = look::read_dir(folder).into_iter().flatten();
        let folders = entries.filter(|entry| entry.kind().is_dir());
        let below: Vec<_> = folders.map(|entry| entry.path()).collect();
        found.extend(below);
    }
    found
}

/// What a link leads to, there or not, over all links on the way: go follows them all. `None` where links lead in a
/// circle, or through what is no folder.
fn end_of(link: &Path) -> Option<PathBuf> {
    Some(files::end_of(link, None, None).ok()?.path)
}
