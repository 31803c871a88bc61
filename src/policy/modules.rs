//! Where modules come from, which may, and which hosts are reached beside them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where modules come from, and which may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Modules {
    /// The value of GOPROXY: upstream addresses with `,` and `|` as GOPROXY means them.
    pub upstreams: String,
    /// The value of GOSUMDB: `name`, or `name+key address`.
    pub checksum_database: String,
    /// Module patterns that may be fetched; what none of them matches is refused.
    pub allow: Vec<String>,
    /// Module patterns that are refused, whatever `allow` says.
    pub deny: Vec<String>,
    /// Seconds that a version must be old, by the time that the upstream gives for it.
    pub min_age: Option<u64>,
    /// Module patterns for which the checksum database does not apply (GONOSUMDB).
    pub private: Vec<String>,
    /// Module patterns that have upstreams of their own, and are never asked of others.
    pub private_upstreams: BTreeMap<String, String>,
    /// Module patterns that are fetched from their own repositories, without a proxy, and from which hosts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub direct: BTreeMap<String, Direct>,
    /// Module patterns that the caller's environment withholds, each with the variable that names it: they
    /// are asked of folders and of what the profile names for them, and of nobody else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub withheld: BTreeMap<String, String>,
    /// Certificates, beside the system's, that upstreams may be signed by.
    #[serde(with = "crate::paths")]
    pub ca: Vec<PathBuf>,
    /// What an upstream of that address must show, beside its name.
    pub pins: BTreeMap<String, Pin>,
    /// A file in netrc's form that is read instead of the caller's netrc.
    #[serde(with = "crate::paths")]
    pub credentials: Option<PathBuf>,
    /// `-mod` value put in force. `None`: nothing is set, go's own default (readonly, or vendor)
    /// holds, and `-mod=mod` is let through on the command line. In GOFLAGS it needs [`super::Programs::allow_flags`].
    pub mod_flag: Option<String>,
    /// Oldest and newest Go version (`1.21`, `1.27.3`) that a `toolchain` line may select.
    /// `None`: no other version than the one that was started.
    pub toolchains: Option<(String, String)>,
    /// Where the rules that refuse stand, for messages: `modules.deny example.com/x` → a profile's
    /// line. What is not in it has no place worth a name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, String>,
}

impl Modules {
    /// No source, no module.
    pub fn closed() -> Modules {
        Modules {
            upstreams: "off".to_owned(),
            checksum_database: "sum.golang.org".to_owned(),
            allow: Vec::new(),
            deny: Vec::new(),
            min_age: None,
            private: Vec::new(),
            private_upstreams: BTreeMap::new(),
            direct: BTreeMap::new(),
            withheld: BTreeMap::new(),
            ca: Vec::new(),
            pins: BTreeMap::new(),
            credentials: None,
            mod_flag: None,
            toolchains: None,
            places: BTreeMap::new(),
        }
    }

    /// GOSUMDB inside, where the gateway knows the way to the database: told an address, the go command
    /// would go there by itself, past every proxy.
    pub fn gosumdb(&self) -> &str {
        match self.checksum_database.split_whitespace().next() {
            // A name that the go command reads as one with an address.
            Some("sum.golang.google.cn") => "sum.golang.org",
            Some(key) => key,
            None => "off",
        }
    }

    /// Whether any module that an upstream has could be refused.
    pub fn decides(&self) -> bool {
        let every = self.allow.iter().any(|pattern| pattern == "*");
        !every
            || !self.deny.is_empty()
            || self.min_age.is_some()
            || !self.withheld.is_empty()
            || !self.direct.is_empty()
    }

    /// A rule as it is named in a refusal, with its place where that is known.
    pub fn rule(&self, key: &str, item: Option<&str>) -> String {
        let rule = match item {
            Some(item) => format!("{key} {item}"),
            None => key.to_owned(),
        };
        match self.places.get(&rule) {
            Some(place) => format!("{rule} ({place})"),
            None => rule,
        }
    }
}

/// Where modules come from that no proxy is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Direct {
    /// How git speaks to the repository's host.
    pub transport: Transport,
    /// `HOST` or `HOST:PORT`: whatever is asked for a module is one of these.
    pub hosts: Vec<String>,
}

/// How git speaks to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// By https.
    Https,
    /// By ssh, which the launcher runs.
    Ssh,
}

impl Transport {
    /// All of them.
    pub const ALL: [Transport; 2] = [Transport::Https, Transport::Ssh];

    /// The word that a profile writes.
    pub fn word(self) -> &'static str {
        match self {
            Transport::Https => "https",
            Transport::Ssh => "ssh",
        }
    }
}

/// What a pinned upstream must show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pin {
    /// A certificate signed by what this file holds, and by nothing else.
    Authority(PathBuf),
    /// A certificate that is valid, and for this key: SHA-256 of its `SubjectPublicKeyInfo`.
    Key([u8; 32]),
}

/// What is reachable beyond the own loopback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Network {
    /// `HOST[:PORT]` reachable from the tool cage by name.
    pub allow: Vec<String>,
    /// What programs may reach of what is named here.
    pub programs: Reach,
    /// `PORT` or `HOST:PORT` of services that programs reach, as [`Service`] writes them.
    #[serde(default)]
    pub services: Vec<String>,
    /// Ports that programs serve, reachable on the host's loopback.
    #[serde(default)]
    pub publish: Vec<String>,
    /// Whether the names in `allow` may lead to addresses of this machine and of private networks, as those
    /// of upstreams may. No profile says it: it holds where modules are fetched from their own hosts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anywhere: bool,
    /// `HOST:PORT` at which git repositories are reached by ssh, which runs outside. No profile says it either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh: Vec<String>,
}

impl Network {
    /// The services, parsed. What is no service was refused when the profile was read.
    pub fn services(&self) -> Vec<Service> {
        let services = self.services.iter();
        services.filter_map(|text| Service::parse(text)).collect()
    }

    /// The published ports.
    pub fn published(&self) -> Vec<u16> {
        let ports = self.publish.iter();
        ports.filter_map(|text| text.parse().ok()).collect()
    }
}

/// How far programs reach beyond their own loopback. Each includes those before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Their own loopback only.
    #[default]
    Loopback,
    /// The named services.
    Services,
    /// The named hosts, and the host reaches published ports.
    Hosts,
}

impl Reach {
    /// All, the tightest first.
    pub const ALL: [Reach; 3] = [Reach::Loopback, Reach::Services, Reach::Hosts];

    /// The word that a profile writes.
    pub fn word(self) -> &'static str {
        match self {
            Reach::Loopback => "loopback",
            Reach::Services => "services",
            Reach::Hosts => "hosts",
        }
    }
}

/// A service outside that programs reach on their own loopback, at the same port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Service {
    /// Its host; `None`: the host's loopback.
    pub host: Option<String>,
    /// Its port, and the one that programs connect to.
    pub port: u16,
}

impl Service {
    /// Reads `PORT` or `HOST:PORT`, as [`Service`] is displayed.
    pub fn parse(text: &str) -> Option<Service> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (Some(host.to_owned()), port),
            None => (None, text),
        };
        let port = port.parse().ok()?;
        Some(Service { host, port })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host}:{}", self.port),
            None => write!(f, "{}", self.port),
        }
    }
}
