//! Which ports programs listen on, for the hint of a run that is stopped: nobody outside reaches them.
//!
//! Ctrl-C ends the program and wakes the launcher at the same time. So the launcher looks while the
//! program runs, less and less often, and once more when it is told to end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use crate::plan::way::is_own_port;
use crate::plan::{Isolation, Plan};
use crate::sys::process_stat::ProcessStat;

/// When the launcher looks for the first time.
const FIRST: Duration = Duration::from_secs(1);
/// How rarely it looks in the end.
const RAREST: Duration = Duration::from_secs(64);
/// LISTEN, in proc_pid_net(5).
const LISTEN: &str = "0A";

/// The ports on which programs of a run were seen to listen.
#[derive(Debug, Default)]
pub(super) struct Listening {
    next: Option<Instant>,
    pause: Duration,
    is_stopped: bool,
    found: BTreeSet<u16>,
}

impl Listening {
    /// For a plan whose programs have a loopback that the host does not see.
    pub(super) fn of(plan: &Plan) -> Listening {
        let is_apart = matches!(plan.isolation, Isolation::Namespaces(_));
        let may_serve = plan.serves && plan.ports.publish.is_empty();
        Listening {
            next: (is_apart && may_serve).then(|| Instant::now() + FIRST),
            pause: FIRST,
            ..Listening::default()
        }
    }

    /// How long until the next look.
    pub(super) fn left(&self) -> Option<Duration> {
        let next = self.next?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Looks, if it is time. What was found once is enough.
    pub(super) fn tick(&mut self, init: i32) {
        if self.left() != Some(Duration::ZERO) {
            return;
        }
        self.look(init);
        self.pause = RAREST.min(self.pause * 2);
        let goes_on = self.found.is_empty();
        self.next = goes_on.then(|| Instant::now() + self.pause);
    }

    /// The run is told to end, by a signal or since its time is over.
    pub(super) fn stopped(&mut self, init: i32) {
        if self.next.is_some() && !self.is_stopped {
            self.look(init);
        }
        self.is_stopped = true;
    }

    /// What a stopped run has listened on.
    pub(super) fn of_stopped(self) -> Vec<u16> {
        match self.is_stopped {
            true => self.found.into_iter().collect(),
            false => Vec::new(),
        }
    }

    fn look(&mut self, init: i32) {
        for pid in below(init) {
            for table in ["tcp", "tcp6"] {
                // A process that has ended listens no more.
                let text = fs::read_to_string(format!("/proc/{pid}/net/{table}"));
                let text = text.unwrap_or_default();
                let ports = text.lines().skip(1).filter_map(listening);
                self.found.extend(ports.filter(|port| !is_own_port(*port)));
            }
        }
    }
}

/// The port of a line whose socket listens.
fn listening(line: &str) -> Option<u16> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let port = local.rsplit(':').next()?;
    (state == LISTEN).then(|| u16::from_str_radix(port, 16).ok())?
}

/// The processes below one.
fn below(ancestor: i32) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid
            && let Some(stat) = ProcessStat::of(pid)
        {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut next = vec![ancestor];
    while let Some(pid) = next.pop() {
        let below = children.remove(&pid).unwrap_or_default();
        next.extend(&below);
        found.extend(below);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_on_which_somebody_listens_is_read() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 100 0 0 10 0";
        assert_eq!(listening(line), Some(8080));
        assert_eq!(listening(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listening("nonsense"), None);
    }

    #[test]
    fn the_processes_below_one_are_found_and_no_others() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & echo; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Its own child is there.
        let mut byte = [0];
        let stdout = child.stdout.as_mut().unwrap();
        std::io::Read::read_exact(stdout, &mut byte).unwrap();
        let own = below(child.id() as i32);
        assert_eq!(own.len(), 1);
        let all = below(std::process::id() as i32);
        assert!(all.contains(&own[0]) && all.contains(&(child.id() as i32)));
        assert!(!all.contains(&1));
        for pid in own.iter().chain([&(child.id() as i32)]) {
            crate::sys::signal::send(*pid, libc::SIGKILL).unwrap();
        }
        child.wait().unwrap();
    }
}
