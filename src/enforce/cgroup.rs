//! A cgroup for one run that holds its limits: made before it, given init, removed after it.
//!
//! Empty ones that a crashed run has left are removed by the next run that makes one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::{Context, Error};
use crate::plan::{CgroupVersion, Limits, Place};
use crate::policy::Layer;
use crate::sys::process_stat::ProcessStat;

/// Begins the name of every cgroup that is made here.
const PREFIX: &str = "gosandbox-";
/// The file with the processes of a cgroup.
const PROCESSES: &str = "cgroup.procs";
/// The file with the controllers that its children have.
const SUBTREE: &str = "cgroup.subtree_control";

/// The limits that were hit, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exceeded {
    /// Processes that were killed because the memory was used up.
    pub memory: u64,
    /// Processes and threads that were refused because there were too many.
    pub pids: u64,
}

/// The cgroups of a run.
#[derive(Debug)]
pub struct Group {
    folders: Vec<Folder>,
    /// The cgroup that the launcher stays in during the run, if it had to leave its own. Fields are dropped in
    /// order: this one after the folders.
    aside: Option<Aside>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    version: CgroupVersion,
    /// Locked: a sweep leaves it alone.
    _lock: File,
}

impl Group {
    /// Makes what the limits ask for; `None` where they need no cgroup.
    pub fn make(limits: &Limits) -> io::Result<Option<Group>> {
        let mut group = Group {
            folders: Vec::new(),
            aside: None,
        };
        if let (Some(place), Some(bytes)) = (&limits.memory_cgroup, limits.memory) {
            group.folder(place, "memory")?.limit_memory(bytes)?;
        }
        if let (Some(place), Some(pids)) = (&limits.pids_cgroup, limits.pids) {
            // Init is in it too.
            let all = pids.saturating_add(1);
            group.folder(place, "pids")?.lower("pids.max", all)?;
        }
        Ok((!group.folders.is_empty()).then_some(group))
    }

    /// The cgroup in `place`; in version 2 one holds both limits.
    fn folder(&mut self, place: &Place, controller: &str) -> io::Result<&Folder> {
        if place.version == CgroupVersion::V2 {
            // Also where the cgroup is there already: its files of this controller appear with it.
            self.hand_on(&place.folder, controller)?;
        }
        let parent = |folder: &Folder| folder.path.parent() == Some(&place.folder);
        if let Some(known) = self.folders.iter().position(parent) {
            return Ok(&self.folders[known]);
        }
        sweep(&place.folder);
        let folder = make(place)?;
        folder.inherit(&place.left)?;
        self.folders.push(folder);
        Ok(&self.folders[self.folders.len() - 1])
    }

    /// Lets the children of a version 2 cgroup have a controller, where they have not.
    fn hand_on(&mut self, parent: &Path, controller: &str) -> io::Result<()> {
        let file = parent.join(SUBTREE);
        let handed = read(&file)?;
        if handed.split_whitespace().any(|word| word == controller) {
            return Ok(());
        }
        let change = format!("+{controller}");
        match write(&file, &change) {
            // The launcher is in it.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && self.aside.is_none() => {
                self.aside = Some(Aside::step(parent)?);
                write(&file, &change)
            }
            result => result,
        }
    }

    /// Moves init, and so everything that it starts from now on, into the cgroups.
    pub fn admit(&self, init: i32) -> Result<(), Error> {
        for folder in &self.folders {
            let init = u64::from(init.unsigned_abs());
            folder.write(PROCESSES, init).during(Layer::Limits, || {
                format!("move init into the cgroup {}", folder.path.display())
            })?;
        }
        Ok(())
    }

    /// After the run: which limits were hit. The cgroups go.
    pub fn remove(self) -> Exceeded {
        let mut exceeded = Exceeded::default();
        for folder in &self.folders {
            let memory = match folder.version {
                CgroupVersion::V1 => "memory.oom_control",
                CgroupVersion::V2 => "memory.events",
            };
            exceeded.memory += folder.count(memory, "oom_kill");
            exceeded.pids += folder.count("pids.events", "max");
        }
        exceeded
    }
}

/// Removes a cgroup. Its last process is gone from it a little after it was reaped.
fn remove(path: &Path) {
    for _ in 0..50 {
        match fs::remove_dir(path) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                std::thread::sleep(Duration::from_millis(2));
            }
            _ => break,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// A child of the launcher's own cgroup that the launcher moves into, so that the own one hands
/// controllers on.
#[derive(Debug)]
struct Aside {
    own: PathBuf,
    child: Folder,
}

impl Aside {
    /// Moves the launcher and what it has started.
    fn step(own: &Path) -> io::Result<Aside> {
        let place = Place {
            folder: own.to_owned(),
            version: CgroupVersion::V2,
            left: Vec::new(),
        };
        let aside = Aside {
            own: own.to_owned(),
            child: make(&place)?,
        };
        for line in read(&own.join(PROCESSES))?.lines() {
            // Another process stays. The cgroup then hands nothing on.
            if line.parse().is_ok_and(ProcessStat::is_own) {
                write(&aside.child.path.join(PROCESSES), line)?;
            }
        }
        Ok(aside)
    }
}

/// A cgroup takes processes only where it hands nothing on.
impl Drop for Aside {
    fn drop(&mut self) {
        let handed = read(&self.own.join(SUBTREE)).unwrap_or_default();
        for controller in handed.split_whitespace() {
            let _has_other_children = write(&self.own.join(SUBTREE), &format!("-{controller}"));
        }
        let own = std::process::id().to_string();
        let _stays_where_it_is = write(&self.own.join(PROCESSES), &own);
    }
}

impl Folder {
    fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        let (memory, swap, swap_bytes) = match self.version {
            CgroupVersion::V1 => (
                "memory.limit_in_bytes",
                "memory.memsw.limit_in_bytes",
                bytes,
            ),
            CgroupVersion::V2 => ("memory.max", "memory.swap.max", 0),
        };
        self.lower(memory, bytes)?;
        match self.lower(swap, swap_bytes) {
            // A kernel that does not account for swap.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(()),
            result => result,
        }
    }

    /// Takes over the limits of cgroups that the run leaves for this one, such as `MemoryMax=` of the
    /// launcher's service: it stands beside them.
    fn inherit(&self, left: &[PathBuf]) -> io::Result<()> {
        for file in ["memory.max", "memory.high", "memory.swap.max", "pids.max"] {
            let lowest = left.iter().filter_map(|one| number(&one.join(file))).min();
            if let Some(lowest) = lowest {
                self.lower(file, lowest)?;
            }
        }
        let quotas = left
            .iter()
            .filter_map(|one| Quota::read(&one.join(Quota::FILE)));
        match quotas.min_by(Quota::compare) {
            Some(Quota { most, period }) => {
                write(&self.path.join(Quota::FILE), &format!("{most} {period}"))
            }
            None => Ok(()),
        }
    }

    /// Sets a limit, unless there is a lower one.
    fn lower(&self, file: &str, value: u64) -> io::Result<()> {
        match number(&self.path.join(file)) {
            Some(now) if now <= value => Ok(()),
            _ => self.write(file, value),
        }
    }

    fn write(&self, file: &str, value: u64) -> io::Result<()> {
        write(&self.path.join(file), &value.to_string())
    }

    /// A line `key number` of a file; 0 where there is none.
    fn count(&self, file: &str, key: &str) -> u64 {
        let text = read(&self.path.join(file)).unwrap_or_default();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
        value.unwrap_or_default()
    }
}

/// A limit; `None` where there is none.
fn number(file: &Path) -> Option<u64> {
    read(file).ok()?.trim().parse().ok()
}

/// Time of processors for each period, both in microseconds.
struct Quota {
    most: u64,
    period: u64,
}

impl Quota {
    const FILE: &str = "cpu.max";

    fn read(file: &Path) -> Option<Quota> {
        let text = read(file).ok()?;
        let (most, period) = text.trim().split_once(' ')?;
        Some(Quota {
            most: most.parse().ok()?,
            period: period.parse().ok()?,
        })
    }

    fn compare(&self, other: &Quota) -> std::cmp::Ordering {
        let share = |one: &Quota, of: &Quota| u128::from(one.most) * u128::from(of.period);
        share(self, other).cmp(&share(other, self))
    }
}

/// Makes a cgroup of a name that is free, and locks it. One that a sweep took before it was locked
/// is made again.
fn make(place: &Place) -> io::Result<Folder> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for n in 0..100 {
        let name = format!("{PREFIX}{}-{n}", std::process::id());
        let path = place.folder.join(name);
        if let Err(error) = fs::create_dir(&path) {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(error);
            }
            continue;
        }
        match lock(&path) {
            Ok(lock) => {
                return Ok(Folder {
                    path,
                    version: place.version,
                    _lock: lock,
                });
            }
            Err(error) => {
                last = error;
                // Without a lock it is nobody's. Another launcher's sweep may have removed it.
                let _may_be_gone = fs::remove_dir(&path);
            }
        }
    }
    Err(last)
}

fn lock(path: &Path) -> io::Result<File> {
    let folder = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(path)?;
    flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
    Ok(folder)
}

/// Removes the cgroups of runs that are no more; the kernel keeps those that have processes.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes());
        if is_ours && let Ok(_lock) = lock(&entry.path()) {
            let _has_processes = fs::remove_dir(entry.path());
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

/// Files of a cgroup are never made, and take a value in one write.
fn write(path: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(value.as_bytes())
}
