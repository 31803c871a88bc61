//! Ends every descendant of this process by hand, where there is no pid namespace that does it.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use crate::sys::process_stat::ProcessStat;
use crate::sys::{self, signal};

/// The list of this process's children (proc(5)), held open: what runs inside can use up this process's
/// descriptors, and the host's.
#[derive(Debug)]
pub struct Children(Option<File>);

impl Children {
    /// Of the calling thread, which is the one that clones. Where the kernel has no CONFIG_PROC_CHILDREN all
    /// processes are looked through each time.
    pub fn open() -> Children {
        Children(File::open("/proc/thread-self/children").ok())
    }

    /// What is held open.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(File::as_fd)
    }

    /// Their ids, ended ones included.
    pub fn list(&self) -> Vec<i32> {
        let read = |mut file: &File| {
            let mut text = String::new();
            file.rewind()
                .and_then(|()| file.read_to_string(&mut text))?;
            std::io::Result::Ok(text)
        };
        let Some(Ok(text)) = self.0.as_ref().map(read) else {
            return by_parent(std::process::id() as i32);
        };
        let words = text.split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    }

    /// Kills all but those in `spared`, and reaps them, until none is left.
    ///
    /// For a subreaper: whatever a child leaves behind when it dies, however often it forked and whatever
    /// session it moved to, becomes a child of this process, and the next round's.
    pub fn kill(&self, spared: &[i32]) {
        loop {
            let mut any = false;
            for pid in self.list() {
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
}

fn by_parent(parent: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |pid: &i32| ProcessStat::of(*pid).is_some_and(|stat| stat.parent == parent);
    pids.filter(is_child).collect()
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
        assert!(by_parent(std::process::id() as i32).contains(&pid));
        let children = Children::open();
        assert!(children.list().contains(&pid));
        let mut other = std::process::Command::new("true").spawn().unwrap();
        assert!(children.list().contains(&(other.id() as i32)), "read again");
        other.wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
