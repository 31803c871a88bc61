//! The resolved rules, as pure data: what is granted, what is required, what is left out.
//!
//! Nothing here performs I/O or knows the kernel; [`crate::plan`] turns a policy into steps and
//! the generators turn it into other formats. This module imports nothing of the rest of the crate except how paths are written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub mod compilers;
mod guarantee;
mod modules;
pub mod pattern;
pub mod places;
pub mod protected;
pub mod secrets;
pub mod syscalls;
mod toolchain;
mod tree;

pub use self::guarantee::{Guarantee, Layer, Requirement};
pub use self::modules::{Direct, Modules, Network, Pin, Reach, Service, Transport};
pub use self::toolchain::{Loose, Toolchain};
pub use self::tree::{Runs, Staging, TreeAccess};

/// Which of the two cages a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cage {
    /// The go command and GOROOT's own tools.
    Tool,
    /// Everything that was built from source or is unknown.
    Program,
}

/// What may be done with a file, or with everything beneath a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// List folders, and read nothing in them.
    List,
    /// Read files, list folders.
    Read,
    /// Read, list and execute.
    Execute,
    /// Read, list, write, create, delete, rename.
    Write,
    /// Write and execute: temporary folders and work trees, where programs are built and run.
    WriteExecute,
}

/// Whether a path is for a device, which is inside what it is outside. Shared memory is files, and a run's own.
pub fn is_device(path: &Path) -> bool {
    path.starts_with("/dev") && !path.starts_with("/dev/shm")
}

/// The rules of one run, before they meet a project and a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// Name of the profile it was resolved from.
    pub name: String,
    /// Who runs inside when the caller is root.
    pub identity: Identity,
    /// Files beyond the project, GOROOT and the caches.
    pub files: Files,
    /// What may be executed in the program cage.
    pub programs: Programs,
    /// Where modules come from.
    pub modules: Modules,
    /// Which Go may run.
    #[serde(default)]
    pub toolchain: Toolchain,
    /// What is reachable beyond the own loopback.
    pub network: Network,
    /// What of the caller's environment passes.
    pub environment: Environment,
    /// Resource limits.
    pub limits: Limits,
    /// Layers asked for by name; those not named are `Preferred`.
    pub layers: BTreeMap<Layer, Requirement>,
    /// The AppArmor profile and the SELinux domain to switch to.
    pub mandatory: Mandatory,
    /// What must hold, whichever layer holds it.
    pub guarantees: BTreeMap<Guarantee, Requirement>,
}

impl Policy {
    /// The tightest policy: nothing granted, every guarantee required, no module source.
    ///
    /// Profiles are built on it, so that what no profile says is not granted.
    pub fn closed() -> Policy {
        Policy {
            name: "closed".to_owned(),
            identity: Identity::default(),
            files: Files {
                read: Vec::new(),
                write: Vec::new(),
                links: Vec::new(),
                protected: protected::names(),
                test: TreeAccess::Read,
                run: TreeAccess::Read,
                command: TreeAccess::Read,
                stage: Staging::default(),
                direct: Vec::new(),
                keep_staged: Files::keep_staged(),
            },
            programs: Programs {
                execute: Vec::new(),
                cgo: Cgo::Refuse,
                stamping: false,
                race: false,
                debug: false,
                allow_flags: Vec::new(),
            },
            modules: Modules::closed(),
            toolchain: Toolchain::default(),
            network: Network::default(),
            environment: Environment::default(),
            limits: Limits::default(),
            layers: BTreeMap::new(),
            mandatory: Mandatory::default(),
            guarantees: Guarantee::ALL
                .into_iter()
                .map(|guarantee| (guarantee, Requirement::Required))
                .collect(),
        }
    }

    /// How much a layer is wanted.
    pub fn layer(&self, layer: Layer) -> Requirement {
        self.layers
            .get(&layer)
            .copied()
            .unwrap_or(Requirement::Preferred)
    }

    /// How much a guarantee is wanted.
    pub fn guarantee(&self, guarantee: Guarantee) -> Requirement {
        self.guarantees
            .get(&guarantee)
            .copied()
            .unwrap_or(Requirement::Required)
    }
}

/// Who runs inside when the caller is root. An ordinary caller stays who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Identity {
    /// `USER[:GROUP]`, names or numbers; `None`: the work tree's owner, else the user
    /// `gosandbox`, else 65534.
    pub user: Option<String>,
}

/// Files beyond the project, GOROOT and the caches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Files {
    /// Absolute paths that both cages may read; those that do not exist are skipped.
    #[serde(with = "crate::paths")]
    pub read: Vec<PathBuf>,
    /// Absolute paths that both cages may write.
    #[serde(with = "crate::paths")]
    pub write: Vec<PathBuf>,
    /// Symbolic links that lead to what is granted, as its path was written, each with what it says. A run finds them.
    #[serde(skip)]
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Names, patterns and relative paths that are never writable in the work tree, as
    /// [`protected::Matcher`] takes them.
    #[serde(with = "crate::paths")]
    pub protected: Vec<PathBuf>,
    /// What test binaries may write in the work tree.
    pub test: TreeAccess,
    /// What `go run` programs may write in the work tree.
    pub run: TreeAccess,
    /// What `go generate`, `go tool` and other commands may write in the work tree.
    pub command: TreeAccess,
    /// What becomes of their changes, where the work tree can be staged.
    #[serde(default)]
    pub stage: Staging,
    /// What works on the live work tree whatever `stage` says, unless that is tighter than `apply`.
    #[serde(default)]
    pub direct: Vec<Runs>,
    /// Seconds that changes which were not applied stay staged.
    #[serde(default = "Files::keep_staged")]
    pub keep_staged: u64,
}

impl Files {
    /// The default of `keep_staged`: a week.
    pub fn keep_staged() -> u64 {
        7 * 24 * 60 * 60
    }

    /// What becomes of the changes that this makes.
    pub fn staging(&self, runs: Runs) -> Staging {
        match self.stage {
            Staging::Apply if self.direct.contains(&runs) => Staging::Direct,
            stage => stage,
        }
    }

    /// What is protected in a tree, there or not: what is named, at its top, and what else the tree's own
    /// configuration leads to. No path stands for a pattern.
    pub fn protected_in(&self, tree: &Path, led_to: &[PathBuf]) -> Vec<PathBuf> {
        let named = self
            .protected
            .iter()
            .filter(|name| !protected::is_pattern(name));
        let named = named.map(|name| tree.join(name));
        named.chain(led_to.iter().cloned()).collect()
    }

    /// What compares names with the protected ones.
    pub fn matcher(&self) -> protected::Matcher {
        protected::Matcher::new(&self.protected)
    }
}

/// What may be executed beyond GOROOT's own tools and the project's programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Programs {
    /// Names looked up in the base folders (`/usr/bin`, `/bin`) or absolute paths.
    #[serde(with = "crate::paths")]
    pub execute: Vec<PathBuf>,
    /// What happens where a build leaves cgo files out.
    #[serde(default)]
    pub cgo: Cgo,
    /// Whether the tool cage may run git for version control stamping.
    pub stamping: bool,
    /// Whether `-race` builds: with Go's own cgo packages compiled beforehand, apart from the source.
    #[serde(default)]
    pub race: bool,
    /// Whether programs may trace (ptrace(2)) the programs that they start, as debuggers do.
    #[serde(default)]
    pub debug: bool,
    /// go command flags such as `-toolexec`, `-exec` or `-mod=mod` that the profile lets through.
    pub allow_flags: Vec<String>,
}

/// What happens where a build leaves out files that need cgo, which is off.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Cgo {
    /// It does not start.
    Refuse,
    /// A warning names the packages.
    #[default]
    Warn,
}

impl Cgo {
    /// Both, the tighter one first.
    pub const ALL: [Cgo; 2] = [Cgo::Refuse, Cgo::Warn];

    /// The word used in profiles.
    pub fn word(self) -> &'static str {
        match self {
            Cgo::Refuse => "refuse",
            Cgo::Warn => "warn",
        }
    }
}

/// What of the caller's environment passes into the cages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Environment {
    /// Variables passed on by name.
    pub pass: Vec<String>,
    /// Variables set to a value.
    pub set: BTreeMap<String, String>,
}

/// Mandatory access control that the host's administrator has loaded: required where it is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mandatory {
    /// Name of an AppArmor profile for the tool cage; `NAME//program` is that of the program cage.
    pub apparmor: Option<String>,
    /// SELinux type of the tool cage, `X_t`; `X_launched_t` is that of the program cage.
    pub selinux: Option<String>,
}

impl Mandatory {
    /// What to switch to for a cage.
    pub fn labels(&self, cage: Cage) -> Vec<(Layer, String)> {
        let apparmor = self.apparmor.as_ref().map(|name| match cage {
            Cage::Tool => name.clone(),
            Cage::Program => format!("{name}//program"),
        });
        let selinux = self.selinux.as_ref().map(|domain| match cage {
            Cage::Tool => domain.clone(),
            Cage::Program => {
                let stem = domain.strip_suffix("_t").unwrap_or(domain);
                format!("{stem}_launched_t")
            }
        });
        [(Layer::Apparmor, apparmor), (Layer::Selinux, selinux)]
            .into_iter()
            .filter_map(|(layer, label)| Some((layer, label?)))
            .collect()
    }
}

/// Resource limits of a run. `None`: as the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limits {
    /// Seconds of wall-clock time after which everything inside is ended.
    pub timeout: Option<u64>,
    /// Bytes of memory for everything inside together.
    pub memory: Option<u64>,
    /// Number of processes and threads inside.
    pub pids: Option<u64>,
    /// Open files a process (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
}
