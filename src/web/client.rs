//! Requests to the web: retried where that helps, redirects followed by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::thread;
use std::time::Duration;

use ureq::config::Config as AgentConfig;
use ureq::http::{Response, StatusCode, Uri, header};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector};
use ureq::{Agent, Body};

use super::checked::{Checked, Refused, Unusable};
use super::credentials::Credentials;
use super::names::Unresolved;
use super::proxy::Proxies;
use super::tls::Tls;
use super::transport::Tcp;
use super::upstream::Origin;
use super::words::words;
use super::{Limits, address};
use crate::text::clean;

/// So many requests one redirect after another may take, as with the go command.
const REQUESTS: usize = 10;
/// How long is waited before each new attempt.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(1000)];
/// The longest wait that an upstream's `Retry-After` is granted.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A client of upstreams.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    /// What the policy names: may be anywhere, and gets credentials.
    named: BTreeSet<Origin>,
    credentials: Credentials,
    proxies: Proxies,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// An address that nothing may lead to.
    #[error("{0}")]
    Refused(Refused),
    /// A redirect that is not followed.
    #[error("it redirects to {0}")]
    Redirect(String),
    /// Redirects without an end.
    #[error("stopped after {REQUESTS} redirects")]
    Redirects,
    /// The network, TLS or HTTP.
    #[error("{0}")]
    Request(String),
}

impl Client {
    pub(crate) fn new(
        named: BTreeSet<Origin>,
        tls: Tls,
        credentials: Credentials,
        proxies: Proxies,
        limits: Limits,
    ) -> Client {
        let config = AgentConfig::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("gosandbox/", env!("CARGO_PKG_VERSION")))
            .accept("*/*")
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.response))
            .max_idle_connections(64)
            .max_idle_connections_per_host(32)
            .input_buffer_size(64 * 1024)
            .build();
        let anywhere = named.iter().cloned().chain(proxies.origins());
        let resolver = Checked::new(anywhere, limits.connect);
        let connector = ConnectProxyConnector::default()
            .chain(Tcp(limits))
            .chain(tls);
        Client {
            agent: Agent::with_parts(config, connector, resolver),
            named,
            credentials,
            proxies,
        }
    }

    /// Asks for an address that the policy names, again where that may help.
    pub(super) fn get(&self, address: &str) -> Result<Response<Body>, Failed> {
        let mut waits = BACK_OFF.into_iter();
        loop {
            let outcome = self.follow(address);
            let wait = match &outcome {
                Ok(response) if is_passing(response.status()) => retry_after(response),
                Err(Attempt::Again(_)) => None,
                _ => return outcome.map_err(Attempt::into_failed),
            };
            match waits.next() {
                Some(back_off) => thread::sleep(wait.unwrap_or(back_off)),
                None => return outcome.map_err(Attempt::into_failed),
            }
        }
    }

    /// Interrupts what is under way.
    pub(crate) fn shut_down(&self) {
        self.agent.clone().shutdown();
    }

    fn follow(&self, address: &str) -> Result<Response<Body>, Attempt> {
        let uri = address.parse::<Uri>();
        let mut uri = uri.map_err(|_| Failed::Request("its address cannot be read".to_owned()))?;
        let first = Origin::of(&uri);
        for _ in 0..REQUESTS {
            let origin = self.check(&uri)?;
            let mut request = self.agent.get(uri.clone());
            // To the host that they are for, and to no other that this one sends to.
            if Some(&origin) == first.as_ref()
                && self.named.contains(&origin)
                && let Some(value) = self.credentials.authorization(&origin)
            {
                request = request.header(header::AUTHORIZATION, value);
            }
            // The agent has none; a configuration of its own costs a request as much as the rest of it.
            if let Some(proxy) = self.proxies.of(&origin) {
                request = request.config().proxy(Some(proxy.clone())).build();
            }
            let response = request.call().map_err(Attempt::of)?;
            let next = match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 => location(&uri, &response),
                _ => return Ok(response),
            };
            uri = next.ok_or_else(|| Failed::Redirect("nowhere".to_owned()))?;
        }
        Err(Failed::Redirects.into())
    }

    /// Whether an address may be asked at all, before its name is resolved.
    fn check(&self, uri: &Uri) -> Result<Origin, Failed> {
        let shown = || clean(&without_query(uri));
        let origin = Origin::of(uri).ok_or_else(|| Failed::Redirect(shown()))?;
        if self.named.contains(&origin) {
            return Ok(origin);
        }
        if !origin.https {
            return Err(Failed::Redirect(format!("{}, which is not https", shown())));
        }
        // Through a proxy, nothing is resolved here.
        let literal = origin.host.parse().ok();
        let private = literal.is_some_and(|ip| !address::is_public(ip));
        if private || address::is_odd_number(&origin.host) || origin.host == "localhost" {
            return Err(Failed::Refused(Refused(clean(&origin.host))));
        }
        Ok(origin)
    }
}

/// An attempt that failed.
#[derive(Debug)]
enum Attempt {
    Final(Failed),
    /// Another one may succeed.
    Again(Failed),
}

impl From<Failed> for Attempt {
    fn from(failed: Failed) -> Attempt {
        Attempt::Final(failed)
    }
}

impl Attempt {
    fn into_failed(self) -> Failed {
        match self {
            Attempt::Final(failed) | Attempt::Again(failed) => failed,
        }
    }

    fn of(error: ureq::Error) -> Attempt {
        let request = |text: String| Failed::Request(clean(&text));
        match error {
            ureq::Error::Other(other) => match other.downcast::<Unusable>() {
                Ok(unusable) => Attempt::of_name(*unusable),
                Err(other) => Attempt::Final(request(other.to_string())),
            },
            ureq::Error::Io(error) if is_passing_error(&error) => {
                Attempt::Again(request(words(&error)))
            }
            ureq::Error::Io(error) => Attempt::Final(request(words(&error))),
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                Attempt::Final(request("it cannot be connected to in time".to_owned()))
            }
            ureq::Error::Timeout(_) => {
                Attempt::Final(request("it does not answer in time".to_owned()))
            }
            other => Attempt::Final(request(other.to_string())),
        }
    }

    fn of_name(unusable: Unusable) -> Attempt {
        let failed = |why: &Unresolved| {
            Failed::Request(clean(&format!("its name cannot be resolved: {why}")))
        };
        match unusable {
            Unusable::Private(refused) => Attempt::Final(Failed::Refused(refused)),
            Unusable::Unresolved(why @ Unresolved::Failure { .. }) => Attempt::Again(failed(&why)),
            Unusable::Unresolved(why) => Attempt::Final(failed(&why)),
        }
    }
}

fn is_passing_error(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof
    )
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(value.trim().parse().ok()?).min(LONGEST_WAIT))
}

/// Where a response sends to.
fn location(from: &Uri, response: &Response<Body>) -> Option<Uri> {
    let value = response.headers().get(header::LOCATION)?.to_str().ok()?;
    resolve(from, value)
}

/// A reference against the address that it stands in (RFC 3986, section 5), without its fragment.
fn resolve(from: &Uri, reference: &str) -> Option<Uri> {
    let base = fluent_uri::Uri::parse(from.to_string()).ok()?;
    let mut found = fluent_uri::UriRef::parse(reference)
        .ok()?
        .resolve_against(&base)
        .ok()?;
    found.set_fragment(None);
    found.as_str().parse().ok()
}

/// An address without what may be a signature or a password.
fn without_query(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let port = uri
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    format!(
        "{}://{host}{port}{}",
        uri.scheme_str().unwrap_or("?"),
        uri.path()
    )
}

/// The pins of a policy by origin.
pub(crate) fn pins(
    pins: &BTreeMap<String, crate::policy::Pin>,
) -> Result<BTreeMap<Origin, crate::policy::Pin>, super::Error> {
    pins.iter()
        .map(|(address, pin)| match Origin::parse(address) {
            Some(origin) if origin.https => Ok((origin, pin.clone())),
            _ => Err(super::Error(format!(
                "pinned upstream `{address}` is not an https address"
            ))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn redirects_resolve_as_addresses_do() {
        let from = "https://proxy.example:8443/a/b/list?x=1".parse().unwrap();
        for (reference, expected) in [
            ("https://other.example/c", "https://other.example/c"),
            (
                "/c?next=https://evil.example/",
                "https://proxy.example:8443/c?next=https://evil.example/",
            ),
            (
                "c?u=http://evil.example",
                "https://proxy.example:8443/a/b/c?u=http://evil.example",
            ),
            ("?page=2", "https://proxy.example:8443/a/b/list?page=2"),
            ("../c", "https://proxy.example:8443/a/c"),
            ("//cdn.example/c#part", "https://cdn.example/c"),
        ] {
            let found = resolve(&from, reference).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), Some(expected), "{reference}");
        }
        for reference in ["https://a b/", "http://[::1", "\u{e9}"] {
            assert_eq!(resolve(&from, reference), None, "{reference}");
        }
    }
}
