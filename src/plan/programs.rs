//! The programs that a policy names: where they are, and the names by which they are looked up.
//!
//! Where the view shows `/usr` as a whole, Landlock alone decides what runs. A program that may not run would still be
//! found: `exec.LookPath` and `command -v` look at modes. So each folder of PATH is shown as a folder of links to what
//! may run ([`folders`]). The host's folder lies apart ([`host_folder`]), where the links lead.

use crate::policy::places::OWN_FOLDER;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::libraries::of_interpreters;

use super::{NamedProgram, Node, is_below};
use crate::files::look;
use crate::policy::Files;
use crate::policy::compilers::is_compiler;

/// Where the names of programs are looked up, in the order of the PATH inside.
pub const PROGRAM_FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// Below it are the host's folders of programs.
pub(super) fn host_folder() -> PathBuf {
    Path::new(OWN_FOLDER).join("host")
}

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

/// The programs that names stand for, where they are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Canonical paths, sorted, each once.
    pub programs: Vec<PathBuf>,
    /// By which path in a folder of PATH each is looked up, with the canonical path. In the order of their bytes: taking
    /// paths apart to compare them is too slow for each start.
    names: BTreeMap<OsString, PathBuf>,
    /// The folders of PATH.
    folders: Vec<PathBuf>,
}

/// Finds the programs that a policy names. Missing ones are left out, and compilers always.
pub fn find(names: &[PathBuf]) -> Found {
    let mut folders: Vec<ProgramFolder> = PROGRAM_FOLDERS
        .iter()
        .filter_map(|path| fs::canonicalize(path).ok())
        .map(ProgramFolder::look)
        .collect();
    folders.dedup_by(|a, b| a.path == b.path);
    let mut found = Found::default();
    let mut elsewhere = Vec::new();
    for name in names {
        if name.is_absolute() {
            elsewhere.extend(look::canonicalize(name).ok().map(|real| (name, real)));
            continue;
        }
        for folder in folders.iter().filter(|folder| folder.may_hold(name)) {
            let path = folder.path.join(name);
            if let Some(real) = canonical(&path) {
                found.names.insert(path.into(), real);
            }
        }
    }
    found.names.retain(|_, real| !is_compiler(real));
    elsewhere.retain(|(_, real)| !is_compiler(real));
    found.programs = found.names.values().cloned().collect();
    found
        .programs
        .extend(elsewhere.iter().map(|(_, real)| real.clone()));
    found
        .programs
        .sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    found.programs.dedup();
    found.folders = folders.into_iter().map(|folder| folder.path).collect();
    // What is named by its path is found by its name too, unless another program has that.
    for (name, real) in elsewhere {
        let (Some(name), Some(folder)) = (name.file_name(), found.folders.first()) else {
            continue;
        };
        if !found
            .folders
            .iter()
            .any(|folder| found.names.contains_key(folder.join(name).as_os_str()))
        {
            found.names.insert(folder.join(name).into(), real);
        }
    }
    found
}

/// Links by whose names programs are called (`sh`, `awk`), for a view that does not hold their folder.
pub fn links(found: &Found) -> Vec<Node> {
    let names = found.names.iter();
    names
        .filter(|(name, real)| name.as_os_str() != real.as_os_str())
        .map(|(target, to)| Node::Symlink {
            target: target.into(),
            to: to.clone(),
        })
        .collect()
}

/// Whether something in a folder is granted by name for writing, or the folder as a whole.
fn is_whole(folder: &Path, files: &Files) -> bool {
    let holds = |path: &PathBuf| is_below(path, folder);
    files
        .read
        .iter()
        .chain(&files.write)
        .any(|path| is_below(folder, path))
        || files.write.iter().any(holds)
}

/// The names of what may run, for a host where no view can show them alone: in one folder, which stands in PATH for the
/// system's. Of programs with one name it has the one that comes first in PATH. Nothing where a folder of PATH is granted.
pub fn in_one_folder(found: &Found, files: &Files) -> Vec<NamedProgram> {
    if found.folders.iter().any(|folder| is_whole(folder, files)) {
        return Vec::new();
    }
    let mut names: BTreeMap<&[u8], &Path> = BTreeMap::new();
    for folder in found.folders.iter().rev() {
        let of_folder = |(name, real)| Some((child_of(folder, OsString::as_os_str(name))?, real));
        let real = found.names.iter().filter_map(of_folder);
        names.extend(real.map(|(name, real): (_, &PathBuf)| (name, real.as_path())));
    }
    let link = |(name, real): (&[u8], &Path)| NamedProgram {
        name: OsStr::from_bytes(name).into(),
        program: real.to_owned(),
    };
    names.into_iter().map(link).collect()
}

/// The folders of PATH for a view that shows `/usr` as a whole: in each only what may run. A folder in which something
/// is granted by name for writing, or as a whole, stays as it is.
pub fn folders(found: &Found, files: &Files) -> Vec<Node> {
    let covered: Vec<&PathBuf> = found
        .folders
        .iter()
        .filter(|folder| !is_whole(folder, files))
        .collect();
    let host = |path: &Path| host_folder().join(path.strip_prefix("/").unwrap_or(path));
    let inside = |real: &Path| match covered.iter().any(|folder| is_below(real, folder)) {
        true => host(real),
        false => real.to_owned(),
    };
    let of_etc = |path: &PathBuf| !path.starts_with("/usr");
    let libraries = of_interpreters(&found.programs).into_iter().filter(of_etc);
    let mut nodes: Vec<Node> = libraries.map(|path| Node::bind(path, false)).collect();
    for folder in &covered {
        let mut names: BTreeMap<&[u8], &Path> = BTreeMap::new();
        let own = files.read.iter().chain(&found.programs);
        let own = own.map(|path| (path.as_os_str(), path));
        let named = found
            .names
            .iter()
            .map(|(name, real)| (name.as_os_str(), real));
        for (name, real) in named.chain(own) {
            if let Some(last) = child_of(folder, name) {
                names.insert(last, real);
            }
        }
        let link = |(name, real): (&[u8], &Path)| NamedProgram {
            name: OsStr::from_bytes(name).into(),
            program: inside(real),
        };
        nodes.push(Node::Bind {
            source: (*folder).clone(),
            target: host(folder),
            writable: false,
            id_map: false,
        });
        nodes.push(Node::Programs {
            target: (*folder).clone(),
            links: names.into_iter().map(link).collect(),
        });
    }
    nodes
}

/// The name of what lies in a folder, by its path.
fn child_of<'n>(folder: &Path, path: &'n OsStr) -> Option<&'n [u8]> {
    let below = path
        .as_bytes()
        .strip_prefix(folder.as_os_str().as_bytes())?;
    let name = below.strip_prefix(b"/")?;
    (!name.is_empty() && !name.contains(&b'/')).then_some(name)
}

/// The canonical path of a program in a canonical folder: one system call unless it is a link.
fn canonical(path: &Path) -> Option<PathBuf> {
    let found = fs::symlink_metadata(path).ok()?;
    if found.is_file() {
        return Some(path.to_owned());
    }
    fs::canonicalize(path).ok().filter(|path| path.is_file())
}
