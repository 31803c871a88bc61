//! What a plan is made from: the project, the command, and what flags name.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::compiler::Part;
use super::{Command, Cover, Identity, Placeholder, Ports, Seed, Way};
use crate::files::Judged;
use crate::host::Host;
use crate::paths::clean;
use crate::policy::protected::Matcher;
use crate::policy::{Cage, Policy, is_device};
use crate::refusal::{Code, Help, Refuse, shell_path};

/// A symbolic link outside the work tree by which the caller has named a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub to: PathBuf,
}

/// Everything that is known about the project and its toolchain. All paths are canonical.
#[derive(Clone, Debug)]
pub struct Project {
    /// The work tree; `None` where there is no folder that can be granted.
    pub tree: Option<PathBuf>,
    /// Folders that were judged, and what they were then.
    pub judged: Vec<Judged>,
    /// Root's folders on disk that are to appear as the sandbox user's.
    pub mapped: Vec<PathBuf>,
    /// What in the work tree git's own configuration leads to (hooks, includes), protected as well.
    pub protected: Vec<PathBuf>,
    /// What code of the source sees instead of files that hold secrets.
    pub covers: Vec<Cover>,
    /// Folders and files read besides: local modules, the repository's `.git`, what the user named.
    pub read: Vec<PathBuf>,
    /// Folders and files written besides: what the user named.
    pub write: Vec<PathBuf>,
    /// GOROOT.
    pub goroot: PathBuf,
    /// Where its files lie, if GOROOT is a place at which they are only shown.
    pub goroot_copy: Option<PathBuf>,
    /// Folders outside GOROOT that links in it lead to.
    pub goroot_linked: Vec<PathBuf>,
    /// Links by which the caller names places.
    pub links: Vec<Link>,
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

/// What is protected in a work tree: names at any depth, and absolute paths.
#[derive(Debug)]
pub struct Protected {
    all: Vec<PathBuf>,
    /// Made when the first path is compared: most runs compare none.
    matcher: OnceCell<Matcher>,
}

impl Protected {
    /// The policy's names, and the paths that the tree's own configuration leads to.
    pub fn new(names: &[PathBuf], led_to: &[PathBuf]) -> Protected {
        Protected {
            all: [names, led_to].concat(),
            matcher: OnceCell::new(),
        }
    }

    /// Whether a real path has one of the names in `tree` or lies below it, or lies in one of the absolute paths.
    /// Letters count in either case: some file systems do not tell them apart.
    pub fn holds(&self, real: &Path, tree: &Path) -> bool {
        let lower = |path: &Path| PathBuf::from(path.as_os_str().to_ascii_lowercase());
        let lies_in =
            |path: &PathBuf| real.starts_with(path) || lower(real).starts_with(lower(path));
        let mut led_to = self.all.iter().filter(|path| path.is_absolute());
        let matcher = || self.matcher.get_or_init(|| Matcher::new(&self.all));
        led_to.any(lies_in)
            || real
                .strip_prefix(tree)
                .is_ok_and(|path| matcher().protects(path))
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A protected path that cannot be looked at.
    #[error(transparent)]
    Look(#[from] crate::changes::Error),
    /// An output that cannot be granted.
    #[error("cannot let {flag} write {}: {why}", path.display())]
    Output {
        /// The flag or variable.
        flag: String,
        /// What it names.
        path: PathBuf,
        /// Why.
        why: &'static str,
        /// What to do instead.
        instead: Instead,
    },
    /// A writable folder that holds something which must not be written.
    #[error(
        "cannot grant {} for writing: {} lies in it and must stay as it is",
        writable.display(), held.display()
    )]
    Contradiction {
        /// The folder.
        writable: PathBuf,
        /// What lies in it.
        held: PathBuf,
    },
    /// A writable folder that holds the work tree, where nothing can be mounted over protected paths.
    #[error(
        "cannot grant {} for writing: it holds the work tree {}, and without a mount view its protected paths \
         could be written",
        writable.display(), tree.display()
    )]
    HoldsTree {
        /// The folder.
        writable: PathBuf,
        /// The work tree.
        tree: PathBuf,
    },
    /// A path that no quotes of Go's hold.
    #[error(
        "cannot name {} in -exec: it has blanks and both kinds of quotes",
        .0.display()
    )]
    Unquotable(PathBuf),
    /// What the wrapper does cannot be written down.
    #[error("cannot write down the programs' plan")]
    Written(#[from] serde_json::Error),
    /// An output or a granted path in what must not be written.
    #[error(
        "cannot grant {} for writing: it lies in {}{}, which must stay as it is",
        writable.display(), name.map_or(String::new(), |name| format!("{name}, ")), held.display()
    )]
    Held {
        /// The path.
        writable: PathBuf,
        /// What it lies in.
        held: PathBuf,
        /// The variable that names it.
        name: Option<&'static str>,
    },
}

/// What to do instead of having something written at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Name another place.
    Elsewhere,
    /// Make the folder first.
    MakeFolder,
    /// Remove the link.
    RemoveLink,
    /// Have the option grant the folder.
    Grant,
}

impl Refuse for Error {
    fn code(&self) -> Code {
        match self {
            Error::Look(error) => error.code(),
            Error::Output { .. } => Code::OutputRefused,
            Error::Contradiction { .. } | Error::Held { .. } | Error::HoldsTree { .. } => {
                Code::GrantRefused
            }
            Error::Unquotable(_) | Error::Written(_) => Code::SystemError,
        }
    }

    fn help(&self) -> Vec<Help> {
        let words = |text: &str| vec![Help::Words(text.to_owned())];
        match self {
            Error::Look(error) => error.help(),
            Error::Output { path, instead, .. } => {
                let folder = path.parent().unwrap_or(path);
                match instead {
                    Instead::Elsewhere => words("name a place without links, such as ./out"),
                    Instead::MakeFolder => words(&format!("mkdir -p {}", shell_path(folder))),
                    Instead::RemoveLink => words(&format!("find {} -type l", shell_path(folder))),
                    Instead::Grant => vec![Help::grant("--rw", path)],
                }
            }
            Error::Contradiction { .. } | Error::HoldsTree { .. } => {
                words("name a folder below it that does not hold this path")
            }
            Error::Held { name, .. } => match name {
                Some(name) => words(&format!("name a folder outside {name}")),
                None => Vec::new(),
            },
            Error::Unquotable(_) => {
                words("move gosandbox to a folder without blanks, such as /usr/local/bin")
            }
            Error::Written(_) => Vec::new(),
        }
    }
}

/// The folders of a run's stage, outside every view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFolders {
    /// What takes the changes.
    pub upper: PathBuf,
    /// What the kernel works in.
    pub work: PathBuf,
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
    /// The port of the caller's own proxy, where the gateway listens in its stead.
    pub callers_proxy: Option<u16>,
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
    /// What the programs' own build cache is filled from, where that was not done before.
    pub seed: Option<Seed>,
    /// Whether the controlling terminal can be opened by its name.
    pub terminal: bool,
    /// Environment of programs that differs from the command's: set and unset.
    pub program_environment: (BTreeMap<String, String>, Vec<String>),
    /// Hosts that programs which the wrapper starts reach by name.
    pub program_hosts: Vec<String>,
    /// The certificates that hosts are judged by, where programs reach any: a file of the system's.
    pub certificates: Option<PathBuf>,
    /// Services that programs reach, and ports that they publish.
    pub ports: Ports,
    /// What a C compiler has to do with it.
    pub compiler: Option<Part>,
    /// Where what programs write in the work tree goes. `None`: they write the work tree itself.
    pub stage: Option<StageFolders>,
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
