//! Upstreams, as GOPROXY writes them: addresses in order, with `,` (the next one on 404 and 410) or
//! `|` (the next one on any error) between.

use std::path::PathBuf;

use ureq::http::Uri;

use super::Error;
use crate::paths;
use crate::text::proxy_list;

/// Where modules come from. Bundles will be one more of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// A module proxy; its address without a `/` at the end.
    Web(String),
    /// A folder laid out as one.
    Folder(PathBuf),
    /// Nowhere.
    Off,
}

/// When the next upstream is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Where this one does not have it.
    OnMissing,
    /// Where this one failed, however it did.
    OnError,
}

/// Upstreams in order, each with what it takes for the next one to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstreams(pub(crate) Vec<(Upstream, Next)>);

/// Scheme, host and port of an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(super) https: bool,
    /// In small letters, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Origin {
    /// The origin of an https or http address without credentials.
    pub(super) fn of(uri: &Uri) -> Option<Origin> {
        match uri.authority()?.as_str().contains('@') {
            true => None,
            false => Origin::of_any(uri),
        }
    }

    /// The same, whatever credentials stand in the address: a proxy's may.
    pub(super) fn of_any(uri: &Uri) -> Option<Origin> {
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority
            .host()
            .trim_matches(['[', ']'])
            .to_ascii_lowercase();
        let default = if https { 443 } else { 80 };
        (!host.is_empty()).then(|| Origin {
            https,
            host,
            port: authority.port_u16().unwrap_or(default),
        })
    }

    /// The origin of an address in text.
    pub(crate) fn parse(address: &str) -> Option<Origin> {
        Origin::of(&address.parse().ok()?)
    }
}

impl Upstreams {
    /// Reads the value of GOPROXY.
    pub(crate) fn parse(text: &str) -> Result<Upstreams, Error> {
        let mut list = Vec::new();
        let mut entries: Vec<_> = proxy_list(text).collect();
        // A sign at the end ends the list.
        entries.pop_if(|(last, _)| last.is_empty());
        for (entry, goes_on) in entries {
            let next = match goes_on {
                true => Next::OnError,
                false => Next::OnMissing,
            };
            list.push((parse_one(entry.trim())?, next));
        }
        if list.is_empty() {
            list.push((Upstream::Off, Next::OnMissing));
        }
        Ok(Upstreams(list))
    }

    /// Whether nothing is ever fetched.
    pub(crate) fn is_off(&self) -> bool {
        matches!(self.0.first(), None | Some((Upstream::Off, _)))
    }

    /// The folders among them. They learn nothing by being asked.
    pub(crate) fn folders(&self) -> Upstreams {
        let folders = self.0.iter();
        let folders = folders.filter(|(upstream, _)| matches!(upstream, Upstream::Folder(_)));
        Upstreams(folders.cloned().collect())
    }

    /// The path of the only upstream that is one of the web's, without a sign at its end.
    pub(crate) fn only_path(&self) -> Option<&str> {
        let mut addresses = self.0.iter().filter_map(|(upstream, _)| match upstream {
            Upstream::Web(address) => Some(address),
            _ => None,
        });
        let (address, None) = (addresses.next()?, addresses.next()) else {
            return None;
        };
        let (_, rest) = address.split_once("://")?;
        Some(rest.find('/').map_or("", |start| &rest[start..]))
    }

    /// The origins of the web's upstreams.
    pub(crate) fn origins(&self) -> impl Iterator<Item = Origin> + '_ {
        self.0.iter().filter_map(|(upstream, _)| match upstream {
            Upstream::Web(address) => Origin::parse(address),
            _ => None,
        })
    }
}

fn parse_one(text: &str) -> Result<Upstream, Error> {
    let wrong = |why: &str| Err(Error(format!("upstream `{text}` {why}")));
    match text.split_once("://") {
        None if text == "off" => Ok(Upstream::Off),
        None if text == "direct" => wrong(
            "is for patterns of [modules.private]: \"git.example.com/*\" = { direct = \"https\" }",
        ),
        Some(("file", _)) => match paths::of_file_url(text) {
            Some(path) => Ok(Upstream::Folder(path)),
            None => wrong("is not a folder: write file:///…"),
        },
        Some(("https" | "http", _)) => match text.parse::<Uri>() {
            Ok(uri) if uri.query().is_none() && Origin::of(&uri).is_some() => {
                Ok(Upstream::Web(text.trim_end_matches('/').to_owned()))
            }
            // The address is not shown: it may hold a password.
            _ if text.contains('@') => Err(Error(
                "an upstream's address holds credentials: put them into netrc".to_owned(),
            )),
            _ => wrong("is not an address"),
        },
        _ => wrong("is neither https://…, http://…, file://… nor off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_and_what_takes_to_the_next_are_as_goproxy_means_them() {
        let list = Upstreams::parse("https://a.example/x/|file:///srv/a%20b,off").expect("good");
        assert_eq!(
            list.0,
            [
                (Upstream::Web("https://a.example/x".into()), Next::OnError),
                (Upstream::Folder("/srv/a b".into()), Next::OnMissing),
                (Upstream::Off, Next::OnMissing),
            ]
        );
        assert!(!list.is_off() && Upstreams::parse("off").expect("good").is_off());
    }

    #[test]
    fn what_is_no_upstream_is_refused_and_no_password_is_shown() {
        for bad in [
            "direct",
            "https://a,direct",
            "ftp://a",
            "https://",
            "file://x",
            "a",
            "https://a?b",
        ] {
            assert!(Upstreams::parse(bad).is_err(), "{bad}");
        }
        let error = Upstreams::parse("https://u:secret@a").expect_err("credentials");
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn origins_are_compared_by_scheme_host_and_port() {
        let of = |text: &str| Origin::parse(text).expect(text);
        assert_eq!(of("https://A.example/x"), of("https://a.example:443"));
        assert_ne!(of("https://a.example"), of("http://a.example:443"));
        assert_eq!(of("https://[::1]:8/").host, "::1");
        assert_eq!(Origin::parse("https://u@a.example"), None);
    }
}
