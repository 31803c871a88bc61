//! Symbolic links of the repository's own, which choose neither what is read besides it nor what is written.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::go::workspace::Workspace;
use crate::plan::inputs::leads_out;
use crate::policy::Policy;

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
        return Ok(named.iter().flat_map(|path| path.canonicalize()).collect());
    };
    let granted = policy.files.read.iter().chain(&policy.files.write);
    let mut read = Vec::new();
    for path in named {
        let Ok(real) = path.canonicalize() else {
            continue;
        };
        if leads_out(path, &real, around) && !granted.clone().any(|it| real.starts_with(it)) {
            bail!(
                "cannot let go read {}: it is a symbolic link to {}, outside the repository; allow reading that with --ro {}",
                path.display(),
                real.display(),
                real.display()
            );
        }
        read.push(real);
    }
    Ok(read)
}

/// Makes sure that nothing which go writes by a name of its own choice (the program that `go build` makes,
/// go.sum) is a link into a cache: go writes through links, and may write the caches.
///
/// # Errors
/// One is.
pub(super) fn outputs(
    workspace: &Workspace,
    folder: &Path,
    changed: Option<&Path>,
    held: &[&PathBuf],
) -> anyhow::Result<()> {
    let mut folders = vec![changed.unwrap_or(folder)];
    folders.extend(workspace.module_root.as_deref());
    folders.push(&workspace.root);
    folders.sort();
    folders.dedup();
    for folder in folders {
        let Ok(entries) = folder.read_dir() else {
            continue;
        };
        for entry in entries.flatten() {
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let Some(real) = is_link.then(|| end_of(&entry.path())).flatten() else {
                continue;
            };
            // The files of extracted modules are not writable, and have links lead to them now and then.
            let is_writable = real
                .metadata()
                .map_or(true, |found| found.is_file() && found.mode() & 0o222 != 0);
            if is_writable && held.iter().any(|held| real.starts_with(held)) {
                bail!(
                    "cannot let go write in {}: {} is a symbolic link to {}, which only go itself may choose to write; \
                     remove the link",
                    folder.display(),
                    entry.path().display(),
                    real.display()
                );
            }
        }
    }
    Ok(())
}

/// What a link leads to, there or not.
fn end_of(link: &Path) -> Option<PathBuf> {
    if let Ok(real) = link.canonicalize() {
        return Some(real);
    }
    let named = link.parent()?.join(link.read_link().ok()?);
    Some(
        named
            .parent()?
            .canonicalize()
            .ok()?
            .join(named.file_name()?),
    )
}
