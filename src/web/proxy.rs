//! The caller's own way out: `HTTPS_PROXY`, `HTTP_PROXY`, and `NO_PROXY` as Go's
//! `http.ProxyFromEnvironment` reads it.

use std::net::IpAddr;

use ureq::Proxy;
use ureq::http::Uri;

use super::upstream::Origin;
use super::{Caller, Error};

/// Which proxy an address is reached through.
#[derive(Debug)]
pub(crate) struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    none: Vec<Exception>,
}

/// What one word of `NO_PROXY` names.
#[derive(Debug, PartialEq, Eq)]
enum Exception {
    All,
    Network(IpAddr, u32),
    /// A host with those below it, or only those; perhaps at one port.
    Host {
        name: String,
        below_only: bool,
        port: Option<u16>,
    },
}

impl Proxies {
    pub(crate) fn new(caller: &Caller) -> Result<Proxies, Error> {
        let none = caller.no_proxy.as_deref().unwrap_or_default();
        Ok(Proxies {
            https: proxy("HTTPS_PROXY", caller.https_proxy.as_deref())?,
            http: proxy("HTTP_PROXY", caller.http_proxy.as_deref())?,
            none: none.split(',').filter_map(exception).collect(),
        })
    }

    /// The proxy for an origin; none for loopback, nor for what `NO_PROXY` names.
    pub(super) fn of(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = match origin.https {
            true => self.https.as_ref(),
            false => self.http.as_ref(),
        }?;
        let address = origin.host.parse::<IpAddr>().ok();
        let local = origin.host == "localhost" || address.is_some_and(|one| one.is_loopback());
        let excepted = self.none.iter().any(|one| one.matches(origin, address));
        (!local && !excepted).then_some(proxy)
    }

    /// The origins of the proxies, which may be anywhere: the caller chose them.
    pub(super) fn origins(&self) -> impl Iterator<Item = Origin> + '_ {
        [&self.https, &self.http]
            .into_iter()
            .flatten()
            .map(|proxy| Origin {
                https: proxy.uri().scheme_str() == Some("https"),
                host: proxy.host().trim_matches(['[', ']']).to_ascii_lowercase(),
                port: proxy.port(),
            })
    }
}

fn proxy(name: &str, value: Option<&str>) -> Result<Option<Proxy>, Error> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    // The value is not shown: it may hold a password.
    let wrong = |why: &str| Error(format!("the proxy that {name} names {why}"));
    let scheme = match value.split_once("://") {
        Some((scheme, _)) => scheme,
        None => "http",
    };
    if !matches!(scheme, "http" | "https") {
        return Err(wrong(
            "is neither http:// nor https://, which is all that is spoken here",
        ));
    }
    let proxy = Proxy::new(value.trim_end_matches('/')).map_err(|_| wrong("is not an address"))?;
    Ok(Some(proxy))
}

fn exception(word: &str) -> Option<Exception> {
    let word = word.trim().to_ascii_lowercase();
    if word.is_empty() {
        return None;
    }
    if word == "*" {
        return Some(Exception::All);
    }
    if let Some((address, bits)) = word.split_once('/') {
        return Some(Exception::Network(
            address.parse().ok()?,
            bits.parse().ok()?,
        ));
    }
    let uri = word.parse::<Uri>().ok().filter(|_| !word.contains("::"));
    let port = uri.as_ref().and_then(Uri::port_u16);
    let name = match port {
        Some(_) => word.rsplit_once(':').map_or(&*word, |(name, _)| name),
        None => &word,
    };
    let name = name.trim_matches(['[', ']']).trim_start_matches('*');
    Some(Exception::Host {
        name: name.trim_start_matches('.').to_owned(),
        below_only: name.starts_with('.'),
        port,
    })
}

impl Exception {
    fn matches(&self, origin: &Origin, address: Option<IpAddr>) -> bool {
        match self {
            Exception::All => true,
            Exception::Network(network, bits) => {
                address.is_some_and(|address| within(address, *network, *bits))
            }
            Exception::Host {
                name,
                below_only,
                port,
            } => {
                let below = origin
                    .host
                    .strip_suffix(name.as_str())
                    .is_some_and(|rest| rest.ends_with('.'));
                port.is_none_or(|port| port == origin.port)
                    && (below || (!below_only && origin.host == *name))
            }
        }
    }
}

fn within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let shift = 32_u32.saturating_sub(bits);
            u32::from(one).checked_shr(shift).unwrap_or(0)
                == u32::from(other).checked_shr(shift).unwrap_or(0)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let shift = 128_u32.saturating_sub(bits);
            u128::from(one).checked_shr(shift).unwrap_or(0)
                == u128::from(other).checked_shr(shift).unwrap_or(0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(no_proxy: &str, address: &str) -> bool {
        let proxies = Proxies::new(&Caller {
            https_proxy: Some("http://u:p@proxy.example:3128/".to_owned()),
            no_proxy: Some(no_proxy.to_owned()),
            ..Caller::default()
        });
        let origin = Origin::parse(address).expect(address);
        proxies.expect("good").of(&origin).is_some()
    }

    #[test]
    fn no_proxy_is_read_as_go_reads_it() {
        assert!(through("", "https://a.example"));
        assert!(!through("", "http://a.example"));
        for (no_proxy, address, expected) in [
            ("*", "https://a.example", false),
            ("a.example", "https://a.example", false),
            ("a.example", "https://x.a.example", false),
            ("a.example", "https://xa.example", true),
            (".a.example", "https://a.example", true),
            ("*.a.example", "https://x.a.example", false),
            ("b.example, A.EXAMPLE", "https://a.example", false),
            ("a.example:8443", "https://a.example", true),
            ("a.example:8443", "https://a.example:8443", false),
            ("10.0.0.0/8", "https://10.1.2.3", false),
            ("10.0.0.0/8", "https://11.1.2.3", true),
            ("0.0.0.0/0", "https://11.1.2.3", false),
            ("10.1.2.3", "https://10.1.2.3", false),
            ("", "https://127.0.0.1", false),
            ("", "https://localhost", false),
        ] {
            assert_eq!(through(no_proxy, address), expected, "{no_proxy} {address}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_spoken_to_is_refused_without_its_password() {
        for value in [
            "socks5://u:secret@a:1",
            "ftp://u:secret@a",
            "http://u:secret@",
        ] {
            let error = Proxies::new(&Caller {
                https_proxy: Some(value.to_owned()),
                ..Caller::default()
            });
            let error = error.expect_err(value).to_string();
            assert!(
                error.contains("HTTPS_PROXY") && !error.contains("secret"),
                "{error}"
            );
        }
    }
}
