//! /etc/resolv.conf, resolv.conf(5): which name servers are asked, for which names, and how.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use resolv_conf::{Config, ScopedIp};
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketType, socket};

use super::{LONGEST_NAME, is_name};

/// The C library asks no more servers.
const MOST_SERVERS: usize = 3;
/// Its limits of the options.
const MOST_DOTS: u32 = 15;
const LONGEST_WAIT: u32 = 30;
const MOST_ATTEMPTS: u32 = 5;

/// What resolv.conf says. `RES_OPTIONS` and `LOCALDOMAIN` of the environment are not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Servers {
    pub(super) addresses: Vec<SocketAddr>,
    search: Vec<String>,
    /// A name with fewer dots is looked for in the domains of `search` first.
    dots: usize,
    /// How long one server is waited for.
    pub(super) wait: Duration,
    /// How often all servers are asked.
    pub(super) attempts: u32,
    /// Whether the first server is another one each time.
    pub(super) rotates: bool,
    /// Whether nothing is asked by UDP.
    pub(super) by_tcp: bool,
    /// Whether IPv6 addresses are asked for only when the IPv4 ones are known.
    pub(super) one_by_one: bool,
    /// Whether IPv6 addresses are not asked for.
    pub(super) only_v4: bool,
}

impl Servers {
    /// Reads the file's content. A line that makes no sense does not count. The node's name has the
    /// domain that is searched where the file names none.
    pub(super) fn parse(content: &[u8], node: &str, port: u16) -> Servers {
        let (config, _what_makes_no_sense) = Config::parse_with_errors(content);
        let mut search: Vec<String> = config.get_last_search_or_domain().map(clean).collect();
        if config.get_search().is_none() && config.get_domain().is_none() {
            search.extend(node.split_once('.').map(|(_, domain)| clean(domain)));
        }
        search.retain(|domain| is_name(domain));
        let listed = config.get_nameservers_or_local();
        Servers {
            addresses: listed
                .into_iter()
                .filter_map(|one| socket_address(one, port))
                .take(MOST_SERVERS)
                .collect(),
            search,
            dots: config.ndots.min(MOST_DOTS) as usize,
            wait: Duration::from_secs(config.timeout.clamp(1, LONGEST_WAIT).into()),
            attempts: config.attempts.clamp(1, MOST_ATTEMPTS),
            rotates: config.rotate,
            by_tcp: config.use_vc,
            one_by_one: config.single_request || config.single_request_reopen,
            only_v4: config.no_aaaa,
        }
    }

    /// The names that a name may stand for, in the order in which they are asked for.
    pub(super) fn candidates(&self, name: &str, is_absolute: bool) -> Vec<String> {
        let as_it_is = name.to_owned();
        if is_absolute {
            return vec![as_it_is];
        }
        let mut all: Vec<String> = self
            .search
            .iter()
            .map(|domain| format!("{name}.{domain}"))
            .filter(|name| name.len() <= LONGEST_NAME)
            .collect();
        match name.matches('.').count() >= self.dots {
            true => all.insert(0, as_it_is),
            false => all.push(as_it_is),
        }
        all
    }
}

fn clean(domain: impl AsRef<str>) -> String {
    domain.as_ref().trim_matches('.').to_ascii_lowercase()
}

/// `None` where the interface that a scope names does not exist.
fn socket_address(server: ScopedIp, port: u16) -> Option<SocketAddr> {
    let ScopedIp::V6(address, Some(scope)) = server else {
        return Some(SocketAddr::new(IpAddr::from(server), port));
    };
    let scope = scope.parse().ok().or_else(|| {
        let any = socket(AddressFamily::INET6, SocketType::DGRAM, None).ok()?;
        name_to_index(any, &scope).ok()
    })?;
    Some(SocketAddrV6::new(address, port, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Servers {
        Servers::parse(text.as_bytes(), "node.internal.example", 53)
    }

    #[test]
    fn what_makes_no_sense_does_not_hide_what_does() {
        let found = parse(
            "; a comment\nnameserver 10.0.0.1 # near\nnameserver nowhere\nnonsense\n\
             nameserver fe80::1%1\noptions ndots:99 timeout:0 attempts:9 colour rotate use-vc\n\
             nameserver 10.0.0.3\nnameserver 10.0.0.4\nsearch a.example. b.example b!d\n",
        );
        let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.1:53", "[fe80::1%1]:53", "10.0.0.3:53"]);
        assert_eq!(found.search, ["a.example", "b.example"]);
        assert_eq!((found.dots, found.attempts), (15, 5));
        assert_eq!(found.wait, Duration::from_secs(1));
        assert!(found.rotates && found.by_tcp && !found.one_by_one && !found.only_v4);
    }

    #[test]
    fn without_a_file_loopback_is_asked_and_the_nodes_domain_is_searched() {
        let found = parse("");
        let addresses: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1:53", "[::1]:53"]);
        assert_eq!(found.search, ["internal.example"]);
        assert_eq!(found.wait, Duration::from_secs(5));
        assert_eq!(found.attempts, 2);
        let found = Servers::parse(b"search .\n", "node.internal.example", 53);
        assert_eq!(found.search, [""; 0]);
    }

    #[test]
    fn a_name_with_few_dots_is_searched_for_first() {
        let text = "search a.example b.example\noptions ndots:2\n";
        let found = parse(text);
        assert_eq!(
            found.candidates("proxy", false),
            ["proxy.a.example", "proxy.b.example", "proxy"]
        );
        assert_eq!(
            found.candidates("proxy.c.example", false),
            [
                "proxy.c.example",
                "proxy.c.example.a.example",
                "proxy.c.example.b.example"
            ]
        );
        assert_eq!(found.candidates("proxy", true), ["proxy"]);
        // The last of both counts, as resolv.conf(5) says.
        let found = parse("search a.example\ndomain c.example\n");
        assert_eq!(
            found.candidates("proxy", false),
            ["proxy.c.example", "proxy"]
        );
        let long = ["x".repeat(60), "y".repeat(60), "z".repeat(60)].join(".");
        let far = format!("search {long}.example\n");
        let parsed = parse(&far);
        assert_eq!(parsed.search.len(), 1);
        assert_eq!(parsed.candidates(&long, false), [long]);
    }
}
