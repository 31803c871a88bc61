//! What passed so far: for the progress line while it lasts, and the summary at the end.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Progress, Summary};

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
    modules: BTreeSet<(String, String)>,
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
        let mut state = self.state();
        state.fetching += 1;
        state
            .modules
            .insert((module.to_owned(), version.to_owned()));
        Fetch { counts: self }
    }

    pub(super) fn refused(&self, what: String) {
        let refused = &mut self.state().summary.refused;
        if refused.len() < REFUSALS && !refused.contains(&what) {
            refused.push(what);
        }
    }

    pub(super) fn summary(&self) -> Summary {
        let mut summary = self.state().summary.clone();
        summary.refused.sort_unstable();
        summary
    }
}

/// A fetch that is under way.
#[derive(Debug)]
pub(super) struct Fetch<'a> {
    counts: &'a Counts,
}

impl Fetch<'_> {
    /// Bytes have come.
    pub(super) fn received(&self, bytes: usize) {
        let mut state = self.counts.state();
        state.bytes = state.bytes.saturating_add(bytes as u64);
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
