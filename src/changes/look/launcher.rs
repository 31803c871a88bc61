//! Which process has started a run. Its lock alone does not say whether it is alive: without namespaces init
//! holds it too, until everything inside is killed.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process, by its number and the time of its start: numbers are used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launcher {
    pid: u32,
    started: u64,
}

impl Launcher {
    /// This process. `None`: there is no /proc.
    pub fn this() -> Option<Launcher> {
        let pid = std::process::id();
        let (_, started) = state_of(pid)?;
        Some(Launcher { pid, started })
    }

    /// Whether it has not ended.
    pub(super) fn is_alive(&self) -> bool {
        state_of(self.pid).is_some_and(|(state, started)| {
            started == self.started && !matches!(state, 'Z' | 'X' | 'x')
        })
    }
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
        assert!(!Launcher { started, ..own }.is_alive());
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = child.id();
        let (_, started) = state_of(pid).unwrap();
        let launcher = Launcher { pid, started };
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
