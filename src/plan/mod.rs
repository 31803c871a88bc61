//! Policy + host + toolchain → what is to be done, in order, as data.
//!
//! [`build`] decides; [`crate::enforce`] and [`crate::launch`] carry out, and decide nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::changes::look::Before;
use crate::policy::{Cage, Guarantee, Layer, Service};

pub mod build;
pub mod compiler;
mod folders;
mod grants;
pub mod guarantees;
mod hidden;
pub mod inputs;
mod libraries;
mod links;
mod mounts;
mod on_disk;
pub mod outputs;
pub mod own;
mod program;
mod programs;
mod ruleset;
mod supervision;
pub mod system;
pub mod tree;
pub mod view;
pub mod way;

pub use crate::host::cgroups::{CgroupVersion, Place};
pub use links::{ends_of_links, steps};
pub use on_disk::{Placeholder, PlaceholderKind, Scratch, Seed};
pub use ruleset::{Check, Rule, Ruleset};
pub use tree::protected_at_top;
pub use view::{Cover, NamedProgram, Node, Overlay, ProgramRoot, View};
pub use way::Way;

/// The word that makes the launcher act as the `-exec` wrapper.
pub const WRAPPER_WORD: &str = "__program";
/// Names that file where there is no view. The tool cage cannot write it.
pub const PLAN_VARIABLE: &str = "GOSANDBOX_PROGRAM_PLAN";
/// Stands in a command's arguments where `-exec` goes.
pub const EXEC_PLACE: &str = "\0exec";

/// A seccomp filter, not yet compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Filter {
    /// For which cage.
    pub cage: Cage,
    /// What is at hand where it is to hold.
    pub options: crate::policy::syscalls::Options,
}

/// Everything that one run needs. An init that was cloned ahead gets what it needs of it serialised.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// What is executed.
    pub command: Command,
    /// The cage that the command itself is in.
    pub cage: Cage,
    /// What it reaches through the gateway, where it reaches anything.
    pub way: Option<Way>,
    /// The port of the caller's own proxy, where the gateway listens in its stead.
    pub callers_proxy: Option<u16>,
    /// What programs reach beside it, and what they serve.
    pub ports: Ports,
    /// Whether a program may be a server that a person wants to reach: no test is.
    pub serves: bool,
    /// Who it runs as.
    pub identity: Identity,
    /// Namespaces and the mount view, where they can be had.
    pub isolation: Isolation,
    /// rlimits.
    pub limits: Limits,
    /// AppArmor profiles and SELinux domains that are switched to at exec.
    pub labels: Vec<(Layer, String)>,
    /// Landlock, where the kernel has it.
    pub landlock: Option<Ruleset>,
    /// The filter.
    pub filter: Filter,
    /// What the supervisor of notified calls goes by, where the filter notifies any.
    pub supervision: Option<Supervision>,
    /// Accesses that must fail before the command starts.
    pub checks: Vec<Check>,
    /// Folders that the launcher makes for the run and removes at its end.
    pub scratch: Option<Scratch>,
    /// What the programs' own build cache is filled from.
    pub seed: Option<Seed>,
    /// What the `-exec` wrapper does for each program, where there is a wrapper.
    pub program: Option<ProgramPlan>,
    /// What is at protected paths, for the look after the run.
    #[serde(skip)]
    pub before: Option<Before>,
    /// What the launcher makes first, and removes at the end if it is still empty.
    pub placeholders: Vec<Placeholder>,
    /// Without a view: by which names programs are looked up.
    #[serde(skip)]
    pub names: Vec<NamedProgram>,
    /// The work tree, where what programs write there is staged.
    #[serde(skip)]
    pub staged: Option<PathBuf>,
    /// Which layer holds which guarantee.
    #[serde(skip)]
    pub guarantees: BTreeMap<Guarantee, Holding>,
    /// What nothing confines here, in words.
    #[serde(skip)]
    pub gaps: Vec<&'static str>,
}

impl Plan {
    /// Whether the plan puts a layer in force.
    pub fn has_layer(&self, layer: Layer) -> bool {
        match layer {
            Layer::Namespaces | Layer::MountView => {
                matches!(self.isolation, Isolation::Namespaces(_))
            }
            Layer::Landlock => self.landlock.is_some(),
            Layer::Apparmor | Layer::Selinux => self.labels.iter().any(|(has, _)| *has == layer),
            _ => true,
        }
    }

    /// Whether programs that the `-exec` wrapper starts have a tunnel to named hosts.
    pub fn programs_reach_hosts(&self) -> bool {
        let program = self.program.as_ref();
        program.is_some_and(|program| !program.hosts.is_empty())
    }

    /// Whether programs that the `-exec` wrapper starts hand sockets to the launcher.
    pub fn programs_have_door(&self) -> bool {
        let ports = self.program.as_ref().is_some_and(|it| !it.ports.is_none());
        self.programs_reach_hosts() || ports
    }

    /// Whether a node of the view binds what the launcher makes for the run, or needs it.
    pub fn is_made(&self, node: &Node) -> bool {
        let Node::Bind { source, id_map, .. } = node else {
            return false;
        };
        let scratch = self.scratch.iter().map(|scratch| &scratch.folder);
        let placeholders = self.placeholders.iter().map(|made| &made.path);
        *id_map
            || scratch
                .chain(placeholders)
                .any(|made| is_below(source, made))
    }

    /// The Landlock rules whose objects are the same inside the view and outside it (what is bound at its own
    /// place), or the other ones. The launcher adds the former while init is busy.
    pub fn rules(&self, same_outside: bool) -> impl Iterator<Item = &Rule> {
        let nodes = match &self.isolation {
            Isolation::Namespaces(view) => view.nodes.as_slice(),
            Isolation::Shared => &[],
        };
        // Most rules are for what lies there, and nothing else is mounted within.
        const USUAL: &str = "/usr";
        let usual = nodes.iter().find(|node| node.target().as_os_str() == USUAL);
        let has_usual = usual.is_some_and(binds_own_place);
        let is_same =
            move |path: &Path| has_usual && is_below(path, USUAL) || is_in_place(nodes, path);
        let rules = self.landlock.iter().flat_map(|ruleset| &ruleset.rules);
        rules.filter(move |rule| is_same(&rule.path) == same_outside)
    }
}

/// Whether a view shows at a path what is there outside: the nearest mount above binds its own place.
fn is_in_place(nodes: &[Node], path: &Path) -> bool {
    let above = nodes.iter().filter(|node| is_below(path, node.target()));
    let nearest = above.max_by_key(|node| node.target().as_os_str().len());
    nearest.is_some_and(binds_own_place)
}

fn binds_own_place(node: &Node) -> bool {
    matches!(node, Node::Bind { source, target, .. } if source.as_os_str() == target.as_os_str())
}

/// Whether a canonical path is another or lies below it. As [`Path::starts_with`], which takes both
/// apart: too slow where every rule is held against every mount before each start.
fn is_below(path: &Path, folder: impl AsRef<Path>) -> bool {
    let folder = folder.as_ref().as_os_str().as_bytes();
    let rest = path.as_os_str().as_bytes().strip_prefix(folder);
    let ends = |rest: &[u8]| rest.first().is_none_or(|byte| *byte == b'/');
    rest.is_some_and(|rest| ends(rest) || folder == b"/")
}

/// Ports of programs that lead out of their own loopback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ports {
    /// Services that programs reach on their loopback.
    pub services: Vec<Service>,
    /// What programs serve on their loopback, and the host reaches.
    pub publish: Vec<u16>,
}

impl Ports {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.services.is_empty() && self.publish.is_empty()
    }
}

/// What init goes by where it decides calls for the processes inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Supervision {
    /// Folders beneath which unix sockets may be made: those that programs may write.
    #[serde(with = "crate::paths")]
    pub socket_folders: Vec<PathBuf>,
    /// Paths beneath these in which they may not.
    #[serde(with = "crate::paths")]
    pub protected: Vec<PathBuf>,
    /// Where the command may change modes, owners and times.
    #[serde(with = "crate::paths")]
    pub command_writes: Vec<PathBuf>,
    /// Where programs may.
    #[serde(with = "crate::paths")]
    pub program_writes: Vec<PathBuf>,
    /// The folder in which programs may beneath every `testdata`.
    #[serde(with = "crate::paths")]
    pub testdata_in: Option<PathBuf>,
}

/// What is executed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// The file.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// Its arguments, with the name it is called by.
    pub argv: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// What is set for it where there is no variable.
    pub settings: Vec<Setting>,
    /// The folder it starts in.
    #[serde(with = "crate::paths")]
    pub folder: PathBuf,
}

/// A file of HOME that sets what no variable does, written by the sandbox user before the command starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Where it appears inside.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// What it says.
    pub content: String,
}

/// Who runs inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Identity {
    /// User id, never 0.
    pub uid: u32,
    /// Group id, never 0.
    pub gid: u32,
    /// Whether the launcher is root and has to change to it.
    pub switch: bool,
}

/// How far the run is set apart from the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// User (unless root), mount, pid, net, ipc, uts and cgroup namespaces, and a root of its own.
    Namespaces(View),
    /// None of them.
    Shared,
}

/// rlimits of the command; `None` leaves the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limits {
    /// Seconds after which everything is ended.
    pub timeout: Option<u64>,
    /// Bytes of private memory a process (`RLIMIT_DATA`), where no cgroup can be had.
    pub data: Option<u64>,
    /// Processes and threads of the sandbox user in the run's own user namespace (`RLIMIT_NPROC`),
    /// where no cgroup can be had.
    pub processes: Option<u64>,
    /// Bytes of memory for everything inside, held by a cgroup.
    pub memory: Option<u64>,
    /// Where that is made.
    pub memory_cgroup: Option<Place>,
    /// Processes and threads inside, held by a cgroup.
    pub pids: Option<u64>,
    /// Where that is made.
    pub pids_cgroup: Option<Place>,
    /// Open files (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
}

/// What the `-exec` wrapper does. Serialised into the run, where nothing inside can write it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProgramPlan {
    /// Digest that is part of go's test cache key: changes with the policy.
    pub digest: String,
    /// Whether the wrapper makes namespaces of its own.
    pub nest: bool,
    /// The root that the wrapper enters: [`ProgramRoot::path`]. `None`: it stays in the go command's
    /// and makes the mounts read-only for itself.
    #[serde(with = "crate::paths")]
    pub root: Option<PathBuf>,
    /// Mounts that stay writable in its mount namespace.
    #[serde(with = "crate::paths")]
    pub writable_mounts: Vec<PathBuf>,
    /// SELinux domains that are switched to at exec; AppArmor switches by its own rules.
    pub labels: Vec<(Layer, String)>,
    /// The second Landlock domain, without what depends on the program.
    pub landlock: Option<Ruleset>,
    /// The work tree.
    #[serde(with = "crate::paths")]
    pub tree: PathBuf,
    /// What tests may write in the work tree.
    pub tree_access: crate::policy::TreeAccess,
    /// What they may not write of it, where nothing can be mounted over it.
    #[serde(with = "crate::paths")]
    pub protected: Vec<PathBuf>,
    /// Environment variables set for programs.
    pub set: BTreeMap<String, String>,
    /// Environment variables removed for programs.
    pub unset: Vec<String>,
    /// Hosts that programs reach by name.
    pub hosts: Vec<String>,
    /// Services that they reach, and ports that they publish.
    pub ports: Ports,
    /// The filter.
    pub filter: Filter,
    /// Accesses that must fail before the program starts.
    pub checks: Vec<Check>,
}

/// Which layer holds a guarantee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holding {
    /// These do.
    Held(Vec<Layer>),
    /// Nothing does, for this reason, with what the user can do.
    Missing {
        /// Why.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_outside_is_what_the_nearest_mount_binds_at_its_own_place() {
        let tmpfs = Node::Tmpfs {
            target: "/tree/inner".into(),
            mode: 0o700,
            size: 1,
            owner: None,
        };
        let moved = Node::Bind {
            source: "/var/tmp/run".into(),
            target: "/tmp".into(),
            writable: true,
            id_map: false,
        };
        let nodes = [
            Node::bind("/tree", true),
            tmpfs,
            Node::bind("/tree/inner/own", false),
            moved,
        ];
        let there = ["/tree", "/tree/a", "/tree/inner/own", "/tree/inner/own/a"];
        let not_there = [
            "/tree/inner",
            "/tree/inner/a",
            "/tmp",
            "/tmp/a",
            "/treetop",
            "/etc",
        ];
        assert!(there.iter().all(|path| is_in_place(&nodes, path.as_ref())));
        assert!(
            !not_there
                .iter()
                .any(|path| is_in_place(&nodes, path.as_ref()))
        );
    }
}
