//! Where a cgroup for the limits of a run can be made: version 1 or 2 (cgroups(7)).
//!
//! Looked for only where a limit is asked for. Nothing is made or changed here.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use crate::sys::process_stat::ProcessStat;

/// A cgroup in which that of the run is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Place {
    /// Its folder.
    #[serde(with = "crate::paths")]
    pub folder: PathBuf,
    /// Which files it has.
    pub version: CgroupVersion,
    /// The launcher's own cgroup and those above it that a run leaves for the one made here, whose
    /// limits would not count for it any more. Of version 2 alone.
    #[serde(with = "crate::paths")]
    pub left: Vec<PathBuf>,
}

/// The two kinds of cgroup (cgroups(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CgroupVersion {
    /// A hierarchy for each controller.
    V1,
    /// One for all.
    V2,
}

/// A controller that holds one of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Memory of all processes together.
    Memory,
    /// Number of processes and threads.
    Pids,
}

impl Controller {
    fn word(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Pids => "pids",
        }
    }
}

/// The hierarchies of this process.
#[derive(Clone, Debug)]
pub struct Cgroups {
    mounts: String,
    own: String,
}

impl Cgroups {
    /// Reads what /proc says of them.
    pub fn read() -> Cgroups {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Cgroups {
            mounts: text("/proc/self/mountinfo"),
            own: text("/proc/self/cgroup"),
        }
    }

    /// The folder in which a cgroup with this controller can be made, or why there is none.
    pub fn place(&self, controller: Controller) -> Result<Place, String> {
        let word = controller.word();
        if let Some(folder) = self.version_1(word) {
            return match writable(&folder, &["cgroup.procs"]) {
                true => Ok(Place {
                    folder,
                    version: CgroupVersion::V1,
                    left: Vec::new(),
                }),
                false => Err(format!("cgroup {} is not writable", folder.display())),
            };
        }
        let Some((root, own)) = self.version_2() else {
            return Err("no cgroup hierarchy is mounted".into());
        };
        // The ancestors that this process may be moved within, the nearest first.
        let mut reason = format!("cgroup {} is not writable", own.display());
        let mut left = Vec::new();
        for folder in own
            .ancestors()
            .take_while(|folder| folder.starts_with(&root))
        {
            if !writable(folder, &["cgroup.procs"]) {
                break;
            }
            if hands_on(folder, word, folder == own) {
                return Ok(Place {
                    folder: folder.to_owned(),
                    version: CgroupVersion::V2,
                    left,
                });
            }
            left.push(folder.to_owned());
            reason = format!(
                "cgroup {} does not hand the {word} controller on",
                folder.display()
            );
        }
        Err(reason)
    }

    /// The limit that this process's own cgroup has already, as a container's has.
    pub fn limit(&self, controller: Controller) -> Option<u64> {
        let (folder, memory) = match self.version_1(controller.word()) {
            Some(folder) => (folder, "memory.limit_in_bytes"),
            None => (self.version_2()?.1, "memory.max"),
        };
        let file = match controller {
            Controller::Memory => memory,
            Controller::Pids => "pids.max",
        };
        fs::read_to_string(folder.join(file))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    fn version_1(&self, controller: &str) -> Option<PathBuf> {
        let own = self.own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let controllers = fields.next()?;
            let path = fields.next()?;
            controllers
                .split(',')
                .any(|c| c == controller)
                .then_some(path)
        })?;
        let mount = self.mounts.lines().filter_map(Mount::parse).find(|mount| {
            mount.kind == "cgroup" && mount.options.split(',').any(|option| option == controller)
        })?;
        mount.folder_of(own)
    }

    /// The root of the hierarchy and this process's own cgroup in it.
    fn version_2(&self) -> Option<(PathBuf, PathBuf)> {
        let own = self.own.lines().find_map(|line| line.strip_prefix("0::"))?;
        let mut mounts = self.mounts.lines().filter_map(Mount::parse);
        let mount = mounts.find(|mount| mount.kind == "cgroup2")?;
        Some((mount.point.clone(), mount.folder_of(own)?))
    }
}

/// Whether children of a cgroup have a controller, or can be given it: a cgroup other than the root
/// hands controllers on only where no process is in it (cgroups(7), "no internal processes"). The
/// launcher leaves its own one for a child of it, where it was delegated to an ordinary user and
/// nothing else is in it. Root can write every cgroup, so that it does not know which are delegated.
fn hands_on(folder: &Path, controller: &str, is_own: bool) -> bool {
    let lists = |file: &str| {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.split_whitespace().any(|word| word == controller)
    };
    if lists("cgroup.subtree_control") {
        return true;
    }
    let is_root = !folder.join("cgroup.type").exists();
    let is_empty = || processes(folder).is_some_and(|text| text.is_empty());
    let can_be_left = || is_own && !geteuid().is_root() && has_only_launcher(folder);
    lists("cgroup.controllers")
        && writable(folder, &["cgroup.subtree_control"])
        && (is_root || is_empty() || can_be_left())
}

/// Whether this process and its children are all that is in a cgroup.
fn has_only_launcher(folder: &Path) -> bool {
    // A process of another pid namespace is 0.
    processes(folder).is_some_and(|text| {
        text.lines()
            .all(|line| line.parse().is_ok_and(ProcessStat::is_own))
    })
}

fn processes(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join("cgroup.procs")).ok()
}

fn writable(folder: &Path, files: &[&str]) -> bool {
    access(folder, Access::WRITE_OK).is_ok()
        && files
            .iter()
            .all(|file| access(folder.join(file), Access::WRITE_OK).is_ok())
}

/// A line of /proc/self/mountinfo (proc(5)).
struct Mount<'a> {
    root: PathBuf,
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Mount<'a>> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let mut kind = after.split(' ');
        Some(Mount {
            root: unescape(fields.next()?),
            point: unescape(fields.next()?),
            kind: kind.next()?,
            options: kind.nth(1)?,
        })
    }

    /// Where a cgroup is seen through this mount.
    fn folder_of(&self, cgroup: &str) -> Option<PathBuf> {
        let below = Path::new(cgroup).strip_prefix(&self.root).ok()?;
        let climbs = below
            .components()
            .any(|part| part == std::path::Component::ParentDir);
        (!climbs).then(|| self.point.join(below))
    }
}

/// Blanks, tabs, newlines and backslashes stand there as octal numbers.
fn unescape(field: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let [first, after @ ..] = rest {
        let octal = after
            .get(..3)
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match (first, octal) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsStr::from_bytes(&bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(root: &str, point: &str, kind: &str, options: &str) -> String {
        format!("40 30 0:35 {root} {point} rw,nosuid shared:9 - {kind} {kind} rw,{options}\n")
    }

    #[test]
    fn a_version_1_cgroup_is_found_below_a_containers_mount() {
        let cgroups = Cgroups {
            mounts: mount("/docker/ab", "/sys/fs/cgroup/cpu,x", "cgroup", "cpu")
                + &mount("/docker/ab", "/sys/fs/cgroup/a\\040b", "cgroup", "memory"),
            own: "5:cpu:/docker/ab\n4:memory:/docker/ab/c\n0::/\n".into(),
        };
        let found = cgroups.version_1("memory").unwrap();
        assert_eq!(found, Path::new("/sys/fs/cgroup/a b/c"));
        assert!(cgroups.version_1("pids").is_none());
        assert!(cgroups.version_2().is_none());
    }

    #[test]
    fn a_cgroup_outside_the_namespace_is_not_looked_for() {
        let cgroups = Cgroups {
            mounts: mount("/", "/sys/fs/cgroup", "cgroup2", "nsdelegate"),
            own: "0::/../x\n".into(),
        };
        assert!(cgroups.version_2().is_none());
        assert_eq!(
            cgroups.place(Controller::Pids).unwrap_err(),
            "no cgroup hierarchy is mounted"
        );
    }

    #[test]
    fn a_version_2_cgroup_is_made_beside_the_own_one_where_controllers_are_handed_on() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        let own = root.join("user.slice/app.slice/own.scope");
        fs::create_dir_all(&own).unwrap();
        for folder in own
            .ancestors()
            .take_while(|folder| *folder != root.parent().unwrap())
        {
            fs::write(folder.join("cgroup.procs"), "1\n").unwrap();
            fs::write(folder.join("cgroup.type"), "domain\n").unwrap();
            fs::write(folder.join("cgroup.controllers"), "memory pids\n").unwrap();
            fs::write(folder.join("cgroup.subtree_control"), "").unwrap();
        }
        let cgroups = Cgroups {
            mounts: mount("/", root.to_str().unwrap(), "cgroup2", "nsdelegate"),
            own: "0::/user.slice/app.slice/own.scope\n".into(),
        };
        let reason = cgroups.place(Controller::Memory).unwrap_err();
        assert!(
            reason.ends_with("does not hand the memory controller on"),
            "{reason}"
        );
        let app = root.join("user.slice/app.slice");
        fs::write(app.join("cgroup.subtree_control"), "memory pids\n").unwrap();
        let found = cgroups.place(Controller::Memory).unwrap();
        assert_eq!(
            (found.folder, found.version),
            (app.clone(), CgroupVersion::V2)
        );
        assert_eq!(found.left, std::slice::from_ref(&own));
        fs::remove_file(root.join("cgroup.type")).unwrap();
        fs::write(root.join("user.slice/app.slice/cgroup.subtree_control"), "").unwrap();
        let found = cgroups.place(Controller::Pids).unwrap();
        assert_eq!(found.folder, root);
        assert_eq!(found.left, [own, app, root.join("user.slice")]);
    }

    #[test]
    fn the_limit_that_a_containers_engine_has_set_is_seen() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        let point = |name: &str| root.join(name).to_str().unwrap().to_owned();
        for (name, text) in [
            ("one/pids.max", "300\n"),
            ("one/memory.limit_in_bytes", "1073741824\n"),
            ("two/pids.max", "max\n"),
            ("two/memory.max", "4096\n"),
        ] {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), text).unwrap();
        }
        let one = Cgroups {
            mounts: mount("/", &point("one"), "cgroup", "pids,memory"),
            own: "4:pids,memory:/\n0::/\n".into(),
        };
        assert_eq!(one.limit(Controller::Pids), Some(300));
        assert_eq!(one.limit(Controller::Memory), Some(1 << 30));
        let two = Cgroups {
            mounts: mount("/", &point("two"), "cgroup2", "nsdelegate"),
            own: "0::/\n".into(),
        };
        assert_eq!(two.limit(Controller::Pids), None);
        assert_eq!(two.limit(Controller::Memory), Some(4096));
    }
}
