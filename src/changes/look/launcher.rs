//! Which process has started a run. Its lock alone does not say whether it is alive: without namespaces init
//! holds it too, until everything inside is killed.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

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
        let (_, started) = state_of(pid)?;
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
        state_of(self.pid).is_some_and(|(state, started)| {
            started == self.started && !matches!(state, 'Z' | 'X' | 'x')
        })
    }
}

/// The pid namespace of this process.
fn namespace() -> Option<(u64, u64)> {
    let found = fs::metadata("/proc/self/ns/pid").ok()?;
    Some((found.dev(), found.ino()))
}

/// Fields 3 and 22 of `/proc/PID/stat`; the second, in brackets, may hold anything.
fn state_of(pid: u32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut after = stat.rsplit_once(')')?.1.split_whitespace();
    let state = after.next()?.chars().next()?;
    Some((state, after.nth(18)?.parse().ok()?))
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
        let (_, started) = state_of(pid).unwrap();
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
