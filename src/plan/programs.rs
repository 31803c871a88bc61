//! The programs that a policy names: where they are, and the links by whose names they are called.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::Node;
use crate::files::look;
use crate::policy::compilers::is_compiler;

/// Where the names of programs are looked up, in the order of the PATH inside.
const PROGRAM_FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// A folder that programs are looked up in.
struct ProgramFolder {
    path: PathBuf,
    /// What is in it, where that is little: `/usr/local/bin` holds few of the hundred names.
    names: Option<BTreeSet<OsString>>,
}

impl ProgramFolder {
    fn look(path: PathBuf) -> ProgramFolder {
        const LITTLE: usize = 32;
        let is_local = path.starts_with("/usr/local");
        let entries = is_local.then(|| fs::read_dir(&path).ok()).flatten();
        let names = entries.and_then(|entries| {
            let mut names = BTreeSet::new();
            for entry in entries {
                names.insert(entry.ok()?.file_name());
                if names.len() > LITTLE {
                    return None;
                }
            }
            Some(names)
        });
        ProgramFolder { path, names }
    }

    fn may_hold(&self, name: &Path) -> bool {
        let names = self.names.as_ref();
        names.is_none_or(|names| names.contains(name.as_os_str()) || name.components().count() > 1)
    }
}

/// Finds the programs that a policy names: canonical paths, sorted, each once. Missing ones are left out.
pub fn programs(names: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders: Vec<ProgramFolder> = PROGRAM_FOLDERS
        .iter()
        .filter_map(|path| fs::canonicalize(path).ok())
        .map(ProgramFolder::look)
        .collect();
    folders.dedup_by(|a, b| a.path == b.path);
    let mut found: Vec<PathBuf> = names
        .iter()
        .flat_map(|name| match name.is_absolute() {
            true => Vec::from_iter(look::canonicalize(name)),
            false => folders
                .iter()
                .filter(|folder| folder.may_hold(name))
                .filter_map(|folder| canonical(&folder.path.join(name)))
                .collect(),
        })
        .filter(|path| !is_compiler(path))
        .collect();
    found.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    found.dedup();
    found
}

/// Links by whose names programs are called (`sh`, `awk`), for a view that does not hold their folder.
pub fn links(names: &[PathBuf]) -> Vec<Node> {
    let folders: Vec<PathBuf> = PROGRAM_FOLDERS
        .iter()
        .filter_map(|path| fs::canonicalize(path).ok())
        .collect();
    let mut found = BTreeMap::new();
    for name in names.iter().filter(|name| !name.is_absolute()) {
        for target in folders.iter().map(|folder| folder.join(name)) {
            let is_link = fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink());
            if let (true, Ok(to)) = (is_link, fs::canonicalize(&target)) {
                found.insert(target, to);
            }
        }
    }
    found
        .into_iter()
        .filter(|(_, to)| !is_compiler(to))
        .map(|(target, to)| Node::Symlink { target, to })
        .collect()
}

/// The canonical path of a program in a canonical folder: one system call unless it is a link.
fn canonical(path: &Path) -> Option<PathBuf> {
    let found = fs::symlink_metadata(path).ok()?;
    if found.is_file() {
        return Some(path.to_owned());
    }
    fs::canonicalize(path).ok().filter(|path| path.is_file())
}
