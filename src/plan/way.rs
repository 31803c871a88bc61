//! The way out that a run has, and what stands for it in an environment.
//!
//! Neither the port, where it is the host's, nor the token is known when the plan is made, and
//! neither belongs into a report: the launcher fills them in when the command is executed.

use std::ffi::{OsStr, OsString};
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// What the command's own cage reaches on the gateway's listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Modules, the checksum database, and the hosts that the policy names: the tool cage.
    Modules,
    /// Only the hosts that the policy names: the program cage.
    Hosts,
}

/// The gateway's port in a net namespace of the run's own: always the same, so that GOPROXY is, and
/// below the range from which the kernel takes ports for connections.
pub const PORT: u16 = 9419;

/// Where programs that the `-exec` wrapper starts find the tunnel, on their own loopback: always the
/// same too. Where they have none of their own, who decides their connects knows it by that.
pub const PROGRAMS_PORT: u16 = 9420;

/// Where programs in a view find the certificates that hosts are judged by: Debian's place, at which Go
/// and OpenSSL look by themselves.
pub const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How many sockets a program has for connections of the host's to ports that it publishes.
pub const POOL: usize = 32;

/// An address on the loopback interface of a net namespace of the run's own, beside 127.0.0.1: tests that
/// look for one that is no loopback address find it. It is one for documentation (RFC 5737), which nobody
/// has.
pub const OWN_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Whom programs ask for names, on their own loopback: what resolv.conf of a view names. Not 127.0.0.1, where a
/// name server of a test's own may be.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);

/// Whether a port on the loopback inside is gosandbox's own.
pub fn is_own_port(port: u16) -> bool {
    port == PORT || port == PROGRAMS_PORT
}

/// The first word of the launcher's own command line where it stands in for ssh in a cage.
pub const SSH_WORD: &str = "__ssh";

/// Stands for the gateway's address and port.
const ADDRESS: &str = "{gateway}";
/// Stands for the token.
const TOKEN: &str = "{token}";
/// The variables in which they may stand.
const VARIABLES: [&str; 5] = [
    "GOPROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "http_proxy",
    "https_proxy",
];

/// The name of the gateway in GOPROXY. Nothing resolves it: the go command finds it by `HTTP_PROXY`.
pub const MODULES: &str = "http://modules.gosandbox";

/// The value of GOPROXY. The go command prints it, so that the token is not in it where it can be elsewhere: with a net
/// namespace of the run's own, [`hosts`] is the value of `HTTP_PROXY`. Without one that would be another value with each
/// run, by which go would keep results of tests apart that look for a proxy; the token there is one for this run.
pub fn modules(own_network: bool) -> String {
    match own_network {
        true => MODULES.to_owned(),
        false => format!("http://{ADDRESS}/{TOKEN}"),
    }
}

/// The port on the loopback at which the caller's own proxy is, if that is the only upstream. In a net namespace of the
/// run's own the gateway listens there too, and GOPROXY is the caller's: go's messages then name what the caller knows.
pub fn callers_port(upstreams: &str) -> Option<u16> {
    let rest = upstreams.strip_prefix("http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._".contains(&byte);
    let port = host
        .strip_prefix("127.0.0.1:")
        .or_else(|| host.strip_prefix("localhost:"))?;
    let port: u16 = port.parse().ok().filter(|port| *port >= FIRST_FREE)?;
    (path.bytes().all(is_plain) && !is_own_port(port)).then_some(port)
}

/// Below are ports that not every user may listen on.
const FIRST_FREE: u16 = 1024;

/// The value of `HTTPS_PROXY` and `HTTP_PROXY`.
pub fn hosts() -> String {
    format!("http://gosandbox:{TOKEN}@{ADDRESS}")
}

/// The same for programs that the `-exec` wrapper starts: nobody else reaches it, so that there is no token.
pub fn programs_hosts() -> String {
    format!("http://127.0.0.1:{PROGRAMS_PORT}")
}

/// Whether a value will hold the token, which programs do not get.
pub fn is_secret(value: &OsStr) -> bool {
    value.to_str().is_some_and(|text| text.contains(TOKEN))
}

/// A variable's value for the command.
pub fn fill(name: &OsStr, value: &OsStr, address: &str, token: &str) -> OsString {
    match value.to_str() {
        Some(text) if VARIABLES.iter().any(|known| name == *known) => {
            text.replace(ADDRESS, address).replace(TOKEN, token).into()
        }
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_on_the_loopback_keeps_its_address() {
        for (upstreams, port) in [
            ("http://127.0.0.1:3000", Some(3000)),
            ("http://localhost:3000/go-proxy/v1.0_x/", Some(3000)),
            ("http://127.0.0.1:65535/", Some(65535)),
            ("https://127.0.0.1:3000", None),
            ("http://127.0.0.1", None),
            ("http://127.0.0.1:80", None),
            ("http://127.0.0.1:9419", None),
            ("http://127.0.0.1:9420", None),
            ("http://127.0.0.1:65536", None),
            ("http://127.0.0.2:3000", None),
            ("http://127.0.0.1:3000@evil.example:80", None),
            ("http://u@127.0.0.1:3000", None),
            ("http://127.0.0.1:3000,off", None),
            ("http://127.0.0.1:3000/a,off", None),
            ("http://127.0.0.1:3000/a|http://127.0.0.1:3001", None),
            ("http://127.0.0.1:3000/%2e%2e", None),
            ("http://127.0.0.1:3000/{token}", None),
            ("off", None),
        ] {
            assert_eq!(callers_port(upstreams), port, "{upstreams}");
        }
    }

    #[test]
    fn only_the_gateways_own_variables_are_filled_in() {
        let fill = |name: &str, value: &str| {
            let filled = fill(name.as_ref(), value.as_ref(), "127.0.0.1:1", "secret");
            filled.into_string().unwrap()
        };
        let shared = fill("GOPROXY", &modules(false));
        assert_eq!(shared, "http://127.0.0.1:1/secret");
        assert_eq!(fill("GOPROXY", &modules(true)), MODULES);
        assert_eq!(
            fill("HTTPS_PROXY", &hosts()),
            "http://gosandbox:secret@127.0.0.1:1"
        );
        assert_eq!(fill("PATH", "/{token}"), "/{token}");
        assert_eq!(fill("GOPROXY", "off"), "off");
    }
}
