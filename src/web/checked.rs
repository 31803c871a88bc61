//! Addresses of hosts, each judged after it was resolved and before anything is connected to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config as AgentConfig;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::address;
use super::names::{self, Unresolved};
use super::upstream::Origin;
use crate::text::clean;

/// So many addresses of a name are tried; ureq has room for no more.
const MOST: usize = 16;
/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(30);

/// An address that nothing may lead to.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "{0} is an address of this machine or of a private network, which no name may lead to unless the policy names that host as an upstream"
)]
pub(super) struct Refused(pub(super) String);

/// What was found for each host, and when.
type Found = Mutex<BTreeMap<String, (Instant, Result<Vec<IpAddr>, Unresolved>)>>;

/// Resolves names, and lets only those addresses through that a name may lead to. What is connected
/// to is what was checked: a name that resolves otherwise the next time gains nothing.
#[derive(Debug)]
pub(super) struct Checked {
    anywhere: BTreeSet<(String, u16)>,
    /// What was found a moment ago: every request asks, and go makes hundreds.
    found: Found,
    /// How long a name may take.
    limit: Duration,
}

/// Why a name leads nowhere.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("{0}")]
    Private(Refused),
    #[error("{0}")]
    Unresolved(#[from] Unresolved),
}

impl Checked {
    /// These origins may lead anywhere. A name may take so long.
    pub(super) fn new(anywhere: impl Iterator<Item = Origin>, limit: Duration) -> Checked {
        Checked {
            anywhere: anywhere.map(|one| (one.host, one.port)).collect(),
            found: Found::default(),
            limit,
        }
    }

    /// One question at a time: some name servers lose what is asked all at once, and each such loss
    /// costs seconds.
    fn found(&self, host: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let begun = Instant::now();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.get(host) {
            Some((since, Ok(addresses))) if since.elapsed() < FRESH => {
                return Ok(addresses.clone());
            }
            // Who has waited for the same question does not ask it again.
            Some((since, Err(why))) if *since >= begun => return Err(why.clone()),
            _ => {}
        }
        let outcome = names::addresses(host, Instant::now() + self.limit);
        found.insert(host.to_owned(), (Instant::now(), outcome.clone()));
        outcome
    }

    /// The addresses that may be connected to.
    fn usable(&self, host: String, port: u16) -> Result<Vec<SocketAddr>, Unusable> {
        let addresses = self.found(&host)?;
        let place = (host, port);
        let is_named = self.anywhere.contains(&place);
        let (kept, refused): (Vec<_>, Vec<_>) = addresses
            .into_iter()
            .partition(|one| is_named || address::is_public(*one));
        match (&kept[..], &refused[..]) {
            ([], [ip, ..]) => {
                let refused = Refused(format!("{ip} ({})", clean(&place.0)));
                Err(Unusable::Private(refused))
            }
            _ => Ok(kept
                .into_iter()
                .map(|one| SocketAddr::new(one, port))
                .collect()),
        }
    }
}

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &AgentConfig,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let origin = Origin::of_any(uri).ok_or(ureq::Error::HostNotFound)?;
        let usable = self
            .usable(origin.host, origin.port)
            .map_err(|why| ureq::Error::Other(Box::new(why)))?;
        let mut kept = self.empty();
        for one in usable.into_iter().take(MOST) {
            kept.push(one);
        }
        Ok(kept)
    }
}
