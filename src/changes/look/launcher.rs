//! Which process has started a run. Its lock alone does not say whether it is alive: without namespaces init
//! holds it too, until everything inside is killed.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

use crate::sys::process_stat::ProcessStat;

/// A process, by its number and the time of its start: numbers are used again. A number holds for a pid
/// namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Launcher {
    pid: u32,
    started: u64,
    namespace: (u64, u64),
}

impl Launcher {
    /// This process. `None`: there is no /proc.
    pub fn this() -> Option<Launcher> {
        let pid = std::process::id();
        let started = stat_of(pid)?.started;
        Some(Launcher {
            pid,
            started,
            namespace: namespace()?,
        })
    }

    /// Whether it has not ended, or that cannot be seen from here.
    pub(super) fn is_alive(&self) -> bool {
        if namespace() != Some(self.namespace) {
            return true;
        }
        stat_of(self.pid).is_some_and(|stat| stat.started == self.started && stat.is_alive())
    }
}

/// The pid namespace of this process.
fn namespace() -> Option<(u64, u64)> {
    let found = fs::metadata("/proc/self/ns/pid").ok()?;
    Some((found.dev(), found.ino()))
}

fn stat_of(pid: u32) -> Option<ProcessStat> {
    ProcessStat::of(i32::try_from(pid).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_until_it_has_ended_and_another_of_its_number_is_not_it() {
        let own = Launcher::this().unwrap();
        assert!(own.is_alive());
        let started = own.started + 1;
        let other = Launcher { started, ..own };
        assert!(!other.is_alive());
        let namespace = (own.namespace.0, own.namespace.1 + 1);
        assert!(Launcher { namespace, ..other }.is_alive());
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = child.id();
        let started = stat_of(pid).unwrap().started;
        let launcher = Launcher {
            pid,
            started,
            ..own
        };
        assert!(launcher.is_alive());
        child.kill().unwrap();
        // Not waited for yet.
        while launcher.is_alive() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.wait().unwrap();
        assert!(!launcher.is_alive());
    }
}
