//! How old versions are, by the time that an upstream gives in `.info`. What was learnt is kept.
//!
//! The time is the commit's, which who makes the commit can choose: docs/gateway.md says what a
//! minimum age is worth.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::escape;
use super::route::{File, Kind};
use crate::web::client::Client;
use crate::web::fetch::{self, Failure};
use crate::web::upstream::Upstreams;

/// No `.info` is longer.
pub(super) const LONGEST: u64 = 1 << 20;

/// So many versions of a list are looked at at once.
const WORKERS: usize = 8;

/// What is known of the ages of versions.
#[derive(Debug, Default)]
pub(super) struct Ages(Mutex<BTreeMap<(String, String), Option<Timestamp>>>);

/// What an `.info` says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Info {
    pub(super) version: String,
    #[serde(default)]
    time: Option<String>,
}

impl Info {
    pub(super) fn parse(json: &[u8]) -> Option<Info> {
        serde_json::from_slice(json).ok()
    }

    pub(super) fn time(&self) -> Option<Timestamp> {
        self.time.as_deref()?.parse().ok()
    }
}

/// Whether a version of that time is old enough; one without a time is not.
pub(super) fn is_old(time: Option<Timestamp>, min_age: Duration) -> bool {
    time.is_some_and(|time| {
        let age = Timestamp::now().as_duration() - time.as_duration();
        Duration::try_from(age).is_ok_and(|age| age >= min_age)
    })
}

impl Ages {
    /// Keeps what an `.info` said.
    pub(super) fn learn(&self, module: &str, version: &str, time: Option<Timestamp>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((module.to_owned(), version.to_owned()), time);
    }

    /// The time of a version, asked for where it is not known.
    pub(super) fn of(
        &self,
        client: &Client,
        upstreams: &Upstreams,
        module: &str,
        version: &str,
    ) -> Result<Option<Timestamp>, Failure> {
        let key = (module.to_owned(), version.to_owned());
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(time) = known.get(&key) {
            return Ok(*time);
        }
        drop(known);
        let file = File {
            module: key.0,
            version: key.1,
            kind: Kind::Info,
        };
        let answer = fetch::get(client, upstreams, &file.path())?;
        let (json, _) = answer.read(LONGEST)?;
        let info = Info::parse(&json).filter(|info| info.version == version);
        let time = info.and_then(|info| info.time());
        self.learn(module, version, time);
        Ok(time)
    }

    /// The versions of a list that are old enough, in its order.
    pub(super) fn old(
        &self,
        client: &Client,
        upstreams: &Upstreams,
        module: &str,
        list: &str,
        min_age: Duration,
    ) -> Vec<String> {
        let first_words = list
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        let versions: Vec<&str> = first_words
            .filter(|one| escape::is_canonical(one))
            .collect();
        let next = AtomicUsize::new(0);
        let kept = Mutex::new(Vec::new());
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(version) = versions.get(at) else {
                    return;
                };
                // A version whose age cannot be had is as one that is too young.
                let time = self.of(client, upstreams, module, version);
                if time.is_ok_and(|time| is_old(time, min_age)) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.push(at);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..WORKERS.min(versions.len()) {
                // Where no more threads can be had, this one does the work.
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        let mut kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        kept.sort_unstable();
        kept.into_iter().map(|at| versions[at].to_owned()).collect()
    }
}

/// The newest of some versions, as `@latest` means it: releases before pre-releases, and those
/// before versions made from commits.
pub(super) fn newest(versions: &[String]) -> Option<&String> {
    versions.iter().max_by_key(|version| {
        let rest = version.strip_prefix('v').unwrap_or(version);
        let rest = rest.strip_suffix("+incompatible").unwrap_or(rest);
        let (numbers, pre) = rest.split_once('-').unwrap_or((rest, ""));
        let numbers: Vec<u64> = numbers
            .split('.')
            .map(|number| number.parse().unwrap_or(u64::MAX))
            .collect();
        (pre.is_empty(), numbers, pre.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_that_is_unknown_or_in_the_future_is_not_enough() {
        let at = |seconds: i64| {
            let now = Timestamp::now().as_second();
            Timestamp::from_second(now + seconds).ok()
        };
        let day = Duration::from_secs(86400);
        assert!(is_old(at(-90000), day));
        assert!(!is_old(at(-80000), day));
        assert!(!is_old(at(1000), Duration::ZERO));
        assert!(!is_old(None, Duration::ZERO));
        let info = Info::parse(br#"{"Version":"v1.0.0","Time":"2020-01-02T03:04:05Z"}"#);
        assert!(is_old(info.expect("an info").time(), day));
        assert!(Info::parse(b"{}").is_none());
    }

    #[test]
    fn releases_come_before_pre_releases_whatever_their_numbers() {
        let newest_of = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(|one| (*one).to_owned()).collect();
            newest(&list).cloned()
        };
        assert_eq!(
            newest_of(&["v1.9.0", "v1.10.0", "v2.0.0-rc.1"]).as_deref(),
            Some("v1.10.0")
        );
        assert_eq!(
            newest_of(&["v1.0.0-a", "v1.0.0-b"]).as_deref(),
            Some("v1.0.0-b")
        );
        assert_eq!(newest_of(&[]), None);
    }
}
