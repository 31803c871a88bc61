//! What a plan is made from: the project, the command, and what flags name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::{Command, Identity, Placeholder, PlaceholderKind, Way};
use crate::host::Host;
use crate::paths::clean;
use crate::policy::{Cage, Policy, is_device};

/// Everything that is known about the project and its toolchain. All paths are canonical.
#[derive(Clone, Debug)]
pub struct Project {
    /// The work tree; `None` where there is no folder that can be granted.
    pub tree: Option<PathBuf>,
    /// Root's folders on disk that are to appear as the sandbox user's.
    pub mapped: Vec<PathBuf>,
    /// What in the work tree git's own configuration leads to (hooks, includes), protected as well.
    pub protected: Vec<PathBuf>,
    /// Folders and files read besides: local modules, the repository's `.git`, what the user named.
    pub read: Vec<PathBuf>,
    /// Folders and files written besides: what the user named.
    pub write: Vec<PathBuf>,
    /// GOROOT.
    pub goroot: PathBuf,
    /// Folders outside GOROOT that links in it lead to.
    pub goroot_linked: Vec<PathBuf>,
    /// GOCACHE.
    pub gocache: PathBuf,
    /// GOMODCACHE.
    pub gomodcache: PathBuf,
    /// What go has seen of the checksum database, written where modules are fetched.
    pub sumdb: Option<PathBuf>,
    /// GOCACHE of go commands that programs run.
    pub program_cache: PathBuf,
    /// A file system module proxy that may be read (`file://`).
    pub proxy_folders: Vec<PathBuf>,
    /// Name of the sandbox user.
    pub user_name: String,
    /// The launcher's own executable.
    pub launcher: PathBuf,
    /// The folder in which the run's folder is made.
    pub scratch: PathBuf,
}

impl Project {
    /// What is protected in the work tree, there or not: what the policy names at its top, and what git is
    /// led to.
    pub(super) fn protected_paths(&self, policy: &Policy) -> Vec<PathBuf> {
        let tree = self.tree.as_ref();
        tree.map(|tree| policy.files.protected_in(tree, &self.protected))
            .unwrap_or_default()
    }
}

/// Whether a path, as it was written, lies in a folder, and what is there (`real`) does not: a link of the
/// repository's own has chosen it. Devices are nobody's.
pub fn leads_out(path: &Path, real: &Path, folder: &Path) -> bool {
    clean(path).starts_with(folder) && !real.starts_with(folder) && !is_device(real)
}

/// Whether a real path is one of a tree's protected names, at any depth, or lies in one of the protected paths
/// (absolute).
pub fn is_protected(real: &Path, tree: &Path, protected: &[PathBuf]) -> bool {
    let has_name = |path: &Path| {
        let mut parts = path.components();
        parts.any(|part| protected.iter().any(|name| name == part.as_os_str()))
    };
    let mut led_to = protected.iter().filter(|path| path.is_absolute());
    led_to.any(|path| real.starts_with(path)) || real.strip_prefix(tree).is_ok_and(has_name)
}

/// Files and folders that flags name and that lie outside the work tree.
#[derive(Clone, Debug, Default)]
pub struct Outputs(Vec<(PathBuf, Option<Placeholder>)>);

impl Outputs {
    /// Adds one, resolved. What lies in the work tree is granted with it.
    ///
    /// # Errors
    /// Where its folder does not exist, or is one that is never granted.
    pub fn add(
        &mut self,
        path: &Path,
        is_folder: bool,
        flag: &str,
        tree: Option<&Path>,
        protected: &[PathBuf],
    ) -> Result<(), Error> {
        let fail = |why: &'static str| Error::Output {
            flag: flag.to_owned(),
            path: path.to_owned(),
            why,
        };
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(_) => {
                let name = path.file_name().ok_or_else(|| fail("it names no file"))?;
                let parent = path
                    .parent()
                    .and_then(|parent| match is_folder || flag == "-o" {
                        // The go command makes those above it too.
                        true => real_as_far_as_it_goes(parent),
                        false => parent.canonicalize().ok(),
                    });
                parent
                    .ok_or_else(|| fail("its folder does not exist; make it first"))?
                    .join(name)
            }
        };
        if let Some(tree) = tree {
            // The repository's own links do not choose: coverage.out could lead to ~/.profile.
            if leads_out(path, &real, tree) {
                return Err(fail(
                    "a symbolic link in the work tree leads out of it; remove the link",
                ));
            }
            if is_protected(&real, tree, protected) {
                return Err(fail("it is protected; name another place"));
            }
        }
        // In the tree a file is granted with it, and the wrapper makes what a program writes; but not the one
        // folder that a program makes itself.
        let in_tree = tree.is_some_and(|tree| real.starts_with(tree));
        let is_made = !is_folder || !real.exists() && flag != "-artifacts";
        if in_tree && is_made || is_device(&real) {
            return Ok(());
        }
        // A variable has named it, and code of the source gets it as it is.
        if flag == "GOCOVERDIR" && holds_more_than_coverage(&real) {
            return Err(fail(
                "it holds more than coverage data, which tests could read and write; name an empty folder, or \
                 allow it with --rw",
            ));
        }
        if is_folder && real.components().count() < 3 {
            return Err(fail(
                "the folder is too wide to be granted; name one below it",
            ));
        }
        // As the go command makes them, less the umask.
        let mode = if is_folder || flag == "-o" {
            0o777
        } else {
            0o666
        };
        let placeholder = (!real.exists()).then(|| Placeholder {
            path: real.clone(),
            mode,
            kind: match is_folder {
                true => PlaceholderKind::Folder,
                false => PlaceholderKind::File,
            },
        });
        self.0.push((real, placeholder));
        Ok(())
    }

    /// All of them.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Files that do not exist yet.
    pub fn placeholders(&self) -> Vec<Placeholder> {
        self.0
            .iter()
            .filter_map(|(_, placeholder)| placeholder.clone())
            .collect()
    }
}

/// Whether a folder has anything in it but what `runtime/coverage` writes, and what keeps it in a repository. One
/// that cannot be listed has.
fn holds_more_than_coverage(folder: &Path) -> bool {
    const EXPECTED: [&[u8]; 4] = [b"covmeta.", b"covcounters.", b".gitignore", b".gitkeep"];
    let is_expected = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        EXPECTED.iter().any(|start| name.starts_with(start))
    };
    match folder.read_dir() {
        Ok(entries) => entries
            .into_iter()
            .any(|entry| !entry.is_ok_and(|entry| is_expected(&entry.file_name()))),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// A folder's canonical path, where only those at its end are missing.
fn real_as_far_as_it_goes(folder: &Path) -> Option<PathBuf> {
    if folder.components().any(|part| part == Component::ParentDir) {
        return folder.canonicalize().ok();
    }
    folder.ancestors().find_map(|above| {
        let real = above.canonicalize().ok()?;
        Some(real.join(folder.strip_prefix(above).ok()?))
    })
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An output that cannot be granted.
    #[error("cannot let {flag} write {}: {why}", path.display())]
    Output {
        /// The flag or variable.
        flag: String,
        /// What it names.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// A writable folder that holds something which must not be written.
    #[error(
        "cannot grant {} for writing: {} lies in it and must stay as it is; name a folder that does not hold it",
        writable.display(), held.display()
    )]
    Contradiction {
        /// The folder.
        writable: PathBuf,
        /// What lies in it.
        held: PathBuf,
    },
    /// An output or a granted path in what must not be written.
    #[error(
        "cannot grant {} for writing: it lies in {}, which must stay as it is; name another place",
        writable.display(), held.display()
    )]
    Held {
        /// The path.
        writable: PathBuf,
        /// What it lies in.
        held: PathBuf,
    },
}

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The command, with its environment as it is to be in its own cage.
    pub command: Command,
    /// Which cage.
    pub cage: Cage,
    /// What the command reaches through the gateway.
    pub way: Option<Way>,
    /// Whether programs are started through the `-exec` wrapper.
    pub wraps: Option<Wraps>,
    /// Whether dynamic programs run in the cage (git for stamping).
    pub dynamic: bool,
    /// Files and folders that are written because a flag names them.
    pub outputs: Vec<PathBuf>,
    /// Those of them that the launcher makes first, and removes if nothing was written to them.
    pub placeholders: Vec<Placeholder>,
    /// Programs executed besides those of the policy.
    pub programs: Vec<PathBuf>,
    /// Whether the command may execute what lies in GOCACHE (`go run`, `go tool`).
    pub runs_cached: bool,
    /// Whether fuzzing writes its corpus into GOCACHE.
    pub fuzzes: bool,
    /// Whether the controlling terminal can be opened by its name.
    pub terminal: bool,
    /// Environment of programs that differs from the command's: set and unset.
    pub program_environment: (BTreeMap<String, String>, Vec<String>),
    /// Hosts that programs which the wrapper starts reach by name.
    pub program_hosts: Vec<String>,
}

impl Run {
    /// The cages there are in it: the command's, and that of programs which the command starts by the wrapper.
    pub fn cages(&self) -> impl Iterator<Item = Cage> {
        std::iter::once(self.cage).chain(self.wraps.map(|_| Cage::Program))
    }
}

/// What the wrapper is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wraps {
    /// Test binaries.
    Tests,
    /// `go run` programs.
    Run,
}

/// Everything that [`build`] decides from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// What is at hand.
    pub host: &'a Host,
    /// Who runs inside.
    pub identity: &'a Identity,
    /// The project.
    pub project: &'a Project,
    /// What is to be run.
    pub run: &'a Run,
}
