//! Ends every descendant of this process by hand, where there is no pid namespace that does it.

use std::fs;

use crate::sys::{self, signal};

/// Kills all but the children in `spared`, and reaps them, until none is left.
///
/// For a subreaper: whatever a child leaves behind when it dies, however often it forked and whatever
/// session it moved to, becomes a child of this process, and the next round's.
pub fn kill(spared: &[i32]) {
    loop {
        let mut any = false;
        for pid in children() {
            if !spared.contains(&pid) {
                any |= signal::send(pid, libc::SIGKILL).is_ok();
            }
        }
        if !any {
            return;
        }
        // At least one has been killed, so that this ends; then those that ended with it.
        let mut waited = sys::wait_any(0);
        while let Ok(Some(_)) = waited {
            waited = sys::wait_any(libc::WNOHANG);
        }
    }
}

/// The children of this process, ended ones included (proc(5)).
pub fn children() -> Vec<i32> {
    let numbers = |text: String| {
        let words = text.split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    match fs::read_to_string("/proc/thread-self/children") {
        Ok(text) => numbers(text),
        // A kernel without CONFIG_PROC_CHILDREN.
        Err(_) => by_parent(std::process::id() as i32),
    }
}

fn by_parent(parent: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

/// The fourth field of `/proc/PID/stat`; the second, in brackets, may hold anything.
fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after = stat.rsplit_once(')')?.1;
    after.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same_children() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        assert_eq!(parent_of(pid), Some(std::process::id() as i32));
        assert!(by_parent(std::process::id() as i32).contains(&pid));
        assert!(children().contains(&pid));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
