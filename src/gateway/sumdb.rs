//! The checksum database, passed through as it is: the go command verifies every signature itself.

use std::sync::{Mutex, PoisonError};

use super::Error;
use crate::web::client::Client;
use crate::web::fetch::{self, Answer, Failure};
use crate::web::upstream::{Next, Origin, Upstream, Upstreams};

/// The policy's checksum database.
#[derive(Debug)]
pub(super) struct Database {
    name: String,
    /// Where it answers itself.
    direct: Upstream,
    /// Whether the policy names that address: it alone is asked then, as by the go command.
    is_named: bool,
    /// Through which upstream, once that is known, and what stands before each path.
    base: Mutex<Option<(Upstream, String)>>,
}

impl Database {
    /// Reads the value of GOSUMDB; `None` where it is off.
    pub(super) fn new(text: &str) -> Result<Option<Database>, Error> {
        let mut words = text.split_whitespace();
        let (Some(first), address, None) = (words.next(), words.next(), words.next()) else {
            return Err(Error(format!("`{text}` is not a checksum database")));
        };
        if first == "off" {
            return Ok(None);
        }
        let name = first.split('+').next().unwrap_or(first);
        let is_named = address.is_some();
        let address = match address {
            Some(address) => address.trim_end_matches('/').to_owned(),
            // The mirror has the database's own key, and is called by another name.
            None => format!("https://{name}"),
        };
        let name = match name {
            "sum.golang.google.cn" => "sum.golang.org",
            name => name,
        };
        let Upstreams(list) = Upstreams::parse(&address)?;
        match <[_; 1]>::try_from(list) {
            Ok([(direct @ (Upstream::Web(_) | Upstream::Folder(_)), _)]) => Ok(Some(Database {
                name: name.to_owned(),
                direct,
                is_named,
                base: Mutex::new(None),
            })),
            _ => Err(Error(format!(
                "`{address}` is not a checksum database's address"
            ))),
        }
    }

    /// The name that go asks for.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where it answers itself, if that is on the web.
    pub(super) fn origin(&self) -> Option<Origin> {
        match &self.direct {
            Upstream::Web(address) => Origin::parse(address),
            _ => None,
        }
    }

    /// Asks for a path below the database's name.
    pub(super) fn get(
        &self,
        client: &Client,
        upstreams: &Upstreams,
        path: &str,
    ) -> Result<Answer, Failure> {
        let (upstream, prefix) = self.base(client, upstreams)?;
        fetch::one(client, &upstream, &format!("{prefix}{path}"))
    }

    /// Through which upstream the database is asked, decided once and as the go command does: the
    /// first one that supports it; the database itself where all say that they do not, or the policy names
    /// its address.
    fn base(&self, client: &Client, upstreams: &Upstreams) -> Result<(Upstream, String), Failure> {
        if self.is_named {
            return Ok((self.direct.clone(), String::new()));
        }
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*base {
            return Ok(known.clone());
        }
        let prefix = format!("sumdb/{}/", self.name);
        let mut found = (self.direct.clone(), String::new());
        for (upstream, next) in &upstreams.0 {
            if *upstream == Upstream::Off {
                break;
            }
            match fetch::one(client, upstream, &format!("{prefix}supported")) {
                Ok(_) => {
                    found = (upstream.clone(), prefix);
                    break;
                }
                Err(failure) if failure.is_missing() || *next == Next::OnError => {}
                // Not kept: the next lookup tries again.
                Err(failure) => return Err(failure),
            }
        }
        Ok(base.insert(found).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gosumdb_is_read_as_go_reads_it() {
        let of = |text: &str| {
            let database = Database::new(text).expect("good")?;
            Some((database.name, database.direct))
        };
        let web = |text: &str| Upstream::Web(text.to_owned());
        assert_eq!(of("off"), None);
        assert_eq!(
            of("sum.golang.org"),
            Some(("sum.golang.org".into(), web("https://sum.golang.org")))
        );
        assert_eq!(
            of("sum.golang.google.cn"),
            Some(("sum.golang.org".into(), web("https://sum.golang.google.cn")))
        );
        assert_eq!(
            of("my.example/db+1234+key https://x.example/db/"),
            Some(("my.example/db".into(), web("https://x.example/db")))
        );
        for bad in ["", "a b c", "a off", "a https://b,https://c", "a ftp://b"] {
            assert!(Database::new(bad).is_err(), "{bad}");
        }
    }
}
