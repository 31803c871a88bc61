//! Which signals init has got itself, as a member of the caller's process group.
//!
//! The terminal's keys and `kill -- -PGID` reach launcher, init and command alike; the launcher asks
//! init to pass on what it has got, and init must then leave out what the command has got already.
//! The kernel signals the youngest members of a group first, so init knows before the launcher asks.

use std::time::{Duration, Instant};

/// After this long the launcher asks no more: it has merged two signals into one.
const FRESH: Duration = Duration::from_secs(1);

/// A count for each signal, and when the last came.
#[derive(Debug, Default)]
pub struct Direct {
    seen: Vec<(i32, u32, Option<Instant>)>,
}

impl Direct {
    /// Init has got this signal. SIGCHLD is its own children's.
    pub fn note(&mut self, number: i32) {
        if number == libc::SIGCHLD {
            return;
        }
        let now = Some(Instant::now());
        match self.seen.iter_mut().find(|entry| entry.0 == number) {
            Some(entry) => *entry = (number, entry.1 + 1, now),
            None => self.seen.push((number, 1, now)),
        }
    }

    /// Whether the signal that the launcher asks about went to the whole group.
    pub fn take(&mut self, number: i32) -> bool {
        let Some(entry) = self.seen.iter_mut().find(|entry| entry.0 == number) else {
            return false;
        };
        let is_fresh = entry.2.is_some_and(|at| at.elapsed() < FRESH);
        let taken = is_fresh && entry.1 > 0;
        entry.1 = if taken { entry.1 - 1 } else { 0 };
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_to_the_group_is_left_out_once() {
        let mut direct = Direct::default();
        assert!(!direct.take(libc::SIGTERM));
        direct.note(libc::SIGINT);
        direct.note(libc::SIGINT);
        direct.note(libc::SIGCHLD);
        assert!(!direct.take(libc::SIGTERM));
        assert!(direct.take(libc::SIGINT));
        assert!(direct.take(libc::SIGINT));
        assert!(!direct.take(libc::SIGINT));
        assert!(!direct.take(libc::SIGCHLD));
    }

    #[test]
    fn one_that_came_long_ago_is_no_reason_to_swallow_another() {
        let mut direct = Direct::default();
        direct.note(libc::SIGTERM);
        direct.seen[0].2 = Instant::now().checked_sub(FRESH * 2);
        assert!(!direct.take(libc::SIGTERM));
        assert!(!direct.take(libc::SIGTERM));
    }
}
