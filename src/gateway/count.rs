//! What passed so far: for the progress line while it lasts, and the summary at the end.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Progress, Summary, Withheld};

/// How often progress is told.
const OFTEN: Duration = Duration::from_millis(200);

/// Refusals beyond this many are counted in the log alone.
const REFUSALS: usize = 1000;

/// What passed so far.
#[derive(Debug)]
pub(super) struct Counts {
    progress: Option<fn(Progress)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    summary: Summary,
    modules: HashSet<(String, String)>,
    bytes: u64,
    fetching: usize,
    told: Option<Instant>,
}

impl Counts {
    pub(super) fn new(progress: Option<fn(Progress)>) -> Counts {
        Counts {
            progress,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file of a module is being fetched, until what is returned is dropped.
    pub(super) fn fetch(&self, module: &str, version: &str) -> Fetch<'_> {
        self.state().fetching += 1;
        Fetch {
            counts: self,
            module: Some((module.to_owned(), version.to_owned())),
        }
    }

    pub(super) fn refused(&self, what: String) {
        let refused = &mut self.state().summary.refused;
        if refused.len() < REFUSALS && !refused.contains(&what) {
            refused.push(what);
        }
    }

    /// A module was asked for that is withheld from all who could be asked.
    pub(super) fn withheld(&self, one: Withheld) {
        let withheld = &mut self.state().summary.withheld;
        if withheld.len() < REFUSALS && !withheld.contains(&one) {
            withheld.push(one);
        }
    }

    pub(super) fn summary(&self) -> Summary {
        let mut summary = self.state().summary.clone();
        summary.refused.sort_unstable();
        summary.withheld.sort_unstable();
        summary
    }
}

/// A fetch that is under way.
#[derive(Debug)]
pub(super) struct Fetch<'a> {
    counts: &'a Counts,
    /// `None` once it is counted.
    module: Option<(String, String)>,
}

impl Fetch<'_> {
    /// Bytes have come.
    pub(super) fn received(&mut self, bytes: usize) {
        let mut state = self.counts.state();
        state.bytes = state.bytes.saturating_add(bytes as u64);
        // Only what has come counts: go asks for paths that are no modules, too.
        state.modules.extend(self.module.take());
        let Some(progress) = self.counts.progress else {
            return;
        };
        if state.told.is_none_or(|told| told.elapsed() >= OFTEN) {
            state.told = Some(Instant::now());
            progress(state.progress());
        }
    }

    /// The file has come whole.
    pub(super) fn done(&self, bytes: u64) {
        let summary = &mut self.counts.state().summary;
        summary.fetched += 1;
        summary.bytes = summary.bytes.saturating_add(bytes);
    }
}

impl Drop for Fetch<'_> {
    fn drop(&mut self) {
        let mut state = self.counts.state();
        state.fetching -= 1;
        if state.fetching == 0
            && let (Some(progress), Some(_)) = (self.counts.progress, state.told.take())
        {
            progress(state.progress());
        }
    }
}

impl State {
    fn progress(&self) -> Progress {
        Progress {
            modules: self.modules.len() as u64,
            bytes: self.bytes,
            idle: self.fetching == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    static TOLD: Mutex<Vec<Progress>> = Mutex::new(Vec::new());

    #[test]
    fn progress_is_told_while_something_comes_and_once_at_its_end() {
        let counts = Counts::new(Some(|progress| TOLD.lock().expect("whole").push(progress)));
        drop(counts.fetch("a.b", "v9.9.9"));
        let (mut one, mut two) = (counts.fetch("a.b", "v1.0.0"), counts.fetch("a.b", "v1.0.0"));
        one.received(10);
        two.received(20);
        one.done(10);
        drop((one, two));
        let told = TOLD.lock().expect("whole").clone();
        let state = |bytes, idle| Progress {
            modules: 1,
            bytes,
            idle,
        };
        assert_eq!(told.first(), Some(&state(10, false)));
        assert_eq!(told.last(), Some(&state(30, true)));
        assert_eq!(told.iter().filter(|one| one.idle).count(), 1);
        assert_eq!((counts.summary().fetched, counts.summary().bytes), (1, 10));
    }

    #[test]
    fn refusals_are_told_once_each_and_bounded() {
        let counts = Counts::new(None);
        for at in (0..3000).chain(0..3000) {
            counts.refused(format!("{at:04}"));
        }
        let refused = counts.summary().refused;
        assert_eq!(refused.len(), REFUSALS);
        assert!(refused.is_sorted());
    }
}
