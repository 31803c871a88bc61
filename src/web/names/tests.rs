//! Names against name servers of the test's own.

mod server;

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use self::server::{Reply, Server};
use super::message::{Answer, Family, answer, question};
use super::{Places, Unresolved, is_name};

/// Nothing in these tests takes so long, unless it would wait for ever.
const LONG: Duration = Duration::from_secs(60);

/// The two files, in a folder of the test's own.
struct Files(tempfile::TempDir);

impl Files {
    fn new(hosts: &str, servers: &str) -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        std::fs::write(files.path("hosts"), hosts).unwrap();
        files.serve(servers);
        files
    }

    fn path(&self, name: &str) -> String {
        Path::join(self.0.path(), name).to_str().unwrap().to_owned()
    }

    fn serve(&self, servers: &str) {
        std::fs::write(self.path("resolv.conf"), servers).unwrap();
    }

    fn within(&self, host: &str, port: u16, limit: Duration) -> Result<Vec<String>, Unresolved> {
        let places = Places {
            hosts: &self.path("hosts"),
            servers: &self.path("resolv.conf"),
            port,
        };
        let found = places.addresses(host, Instant::now() + limit)?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    fn ask(&self, host: &str, server: &Server) -> Result<Vec<String>, Unresolved> {
        self.within(host, server.port(), LONG)
    }
}

/// Answers as a zone of the internet's would: the addresses, or no such name.
fn zone(name: &str, family: Family) -> Reply {
    let addresses: &[&str] = match (name, family) {
        ("v4.example", Family::V4) => &["203.0.113.1", "203.0.113.2"],
        ("v6.example", Family::V6) => &["2001:db9::1"],
        ("proxy.corp.example", Family::V4) => &["203.0.113.3"],
        ("v4.example" | "v6.example" | "proxy.corp.example", _) => &[],
        _ => return Reply::NoSuchName,
    };
    Reply::Addresses(addresses.iter().map(|one| one.parse().unwrap()).collect())
}

fn addresses(texts: &[&str]) -> Result<Vec<String>, Unresolved> {
    Ok(texts.iter().map(|&text| text.to_owned()).collect())
}

#[test]
fn a_name_server_is_asked_for_both_families() {
    let server = Server::start("127.0.0.1:0", zone);
    let files = Files::new("", "nameserver 127.0.0.1\n");
    let v4 = ["203.0.113.1", "203.0.113.2"];
    assert_eq!(files.ask("v4.example", &server), addresses(&v4));
    assert_eq!(files.ask("V4.Example.", &server), addresses(&v4));
    assert_eq!(
        files.ask("v6.example", &server),
        addresses(&["2001:db9::1"])
    );
    assert_eq!(
        files.ask("none.example", &server),
        Err(Unresolved::NoSuchHost)
    );
    assert_eq!(
        server.asked()[..2],
        ["v4.example V4 udp", "v4.example V6 udp"]
    );
    // One family is enough where it is all that is wanted.
    let server = Server::start("127.0.0.1:0", zone);
    files.serve("nameserver 127.0.0.1\noptions no-aaaa\n");
    assert_eq!(files.ask("v4.example", &server), addresses(&v4));
    assert_eq!(server.asked(), ["v4.example V4 udp"]);
}

#[test]
fn files_come_first_and_localhost_is_asked_of_nobody() {
    let server = Server::start("127.0.0.1:0", zone);
    let hosts = "203.0.113.9 v4.example short\n2001:db9::9 v4.example\n";
    let files = Files::new(hosts, "nameserver 127.0.0.1\nsearch corp.example\n");
    let found = files.ask("v4.example", &server).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(files.ask("short", &server), addresses(&["203.0.113.9"]));
    for name in ["localhost", "LOCALHOST", "a.localhost", "localhost."] {
        let mut found = files.ask(name, &server).unwrap();
        found.sort();
        assert_eq!(found, ["127.0.0.1", "::1"], "{name}");
    }
    for literal in ["203.0.113.7", "2001:db9::7"] {
        assert_eq!(files.ask(literal, &server), addresses(&[literal]));
    }
    let long = "x".repeat(64);
    for odd in [
        "127.1",
        "0x7f000001",
        "2130706433",
        "1.2.3.4.5",
        "a..b",
        ".",
        "",
        "a b",
        "caf\u{e9}",
        &long,
    ] {
        assert_eq!(
            files.ask(odd, &server),
            Err(Unresolved::NotAName),
            "{odd:?}"
        );
    }
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn the_search_list_is_gone_through_as_ndots_says() {
    let server = Server::start("127.0.0.1:0", zone);
    let files = Files::new("", "nameserver 127.0.0.1\nsearch no.example corp.example\n");
    assert_eq!(files.ask("proxy", &server), addresses(&["203.0.113.3"]));
    let asked = server.asked();
    assert_eq!(
        (asked.first().unwrap(), asked.last().unwrap()),
        (
            &"proxy.no.example V4 udp".to_owned(),
            &"proxy.corp.example V6 udp".to_owned()
        )
    );
    assert_eq!(files.ask("proxy.", &server), Err(Unresolved::NoSuchHost));
    // As it is first, and then in the list.
    assert_eq!(
        files.ask("proxy.corp", &server),
        Err(Unresolved::NoSuchHost)
    );
    let after = server.asked();
    let names: Vec<&str> = after[asked.len()..]
        .iter()
        .filter_map(|line| line.strip_suffix(" V4 udp"))
        .collect();
    assert_eq!(
        names,
        [
            "proxy",
            "proxy.corp",
            "proxy.corp.no.example",
            "proxy.corp.corp.example"
        ]
    );
    assert_eq!(
        files.ask("printer.local", &server),
        Err(Unresolved::NoSuchLocalHost)
    );
}

#[test]
fn what_is_truncated_is_asked_for_by_tcp() {
    let many = |_: &str, family: Family| match family {
        Family::V4 => Reply::Addresses((1..200).map(|n| IpAddr::from([203, 0, 113, n])).collect()),
        Family::V6 => Reply::Addresses(Vec::new()),
    };
    let server = Server::start("127.0.0.1:0", many);
    let files = Files::new("", "nameserver 127.0.0.1\n");
    assert_eq!(files.ask("many.example", &server).unwrap().len(), 199);
    let mut asked = server.asked();
    asked.sort();
    assert_eq!(
        asked,
        [
            "many.example V4 tcp",
            "many.example V4 udp",
            "many.example V6 udp"
        ]
    );
    // Without UDP.
    let server = Server::start("127.0.0.1:0", zone);
    files.serve("nameserver 127.0.0.1\noptions use-vc\n");
    assert!(files.ask("v4.example", &server).is_ok());
    assert_eq!(server.asked(), ["v4.example V4 tcp", "v4.example V6 tcp"]);
}

#[test]
fn a_server_that_is_silent_fails_or_is_not_there_is_followed_by_the_next() {
    let silent = |_: &str, _| Reply::Silence;
    let failing = |_: &str, _| Reply::Failure;
    let first = Server::start("127.0.0.1:0", silent);
    let at = |address: &str| format!("{address}:{}", first.port());
    let second = Server::start(&at("127.0.0.2"), failing);
    // Nobody is at 127.0.0.3.
    let files = Files::new(
        "",
        "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\noptions timeout:1 attempts:1\n",
    );
    let failed = files.ask("v4.example", &first);
    assert!(
        matches!(&failed, Err(Unresolved::Failure { server, .. }) if server.to_string() == "127.0.0.3"),
        "{failed:?}"
    );
    assert_eq!((first.asked().len(), second.asked().len()), (2, 2));
    let _third = Server::start(&at("127.0.0.3"), zone);
    // Often, since a busy machine may be slow to answer.
    files.serve(
        "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\noptions timeout:1 attempts:5\n",
    );
    let found = files.ask("v4.example", &first);
    assert_eq!(found, addresses(&["203.0.113.1", "203.0.113.2"]));
    // A change of the file counts at once.
    files.serve("nameserver 127.0.0.2\noptions attempts:1\n");
    let failed = files.ask("v4.example", &first).unwrap_err();
    assert_eq!(
        failed.to_string(),
        "name server 127.0.0.2: ServerFailure",
        "{failed:?}"
    );
}

#[test]
fn nobody_is_waited_for_longer_than_there_is_time() {
    let server = Server::start("127.0.0.1:0", |_: &str, _| Reply::Silence);
    let files = Files::new("", "");
    for servers in [
        "options timeout:30 attempts:5\n",
        "options timeout:30 attempts:5 use-vc\n",
    ] {
        files.serve(&format!("nameserver 127.0.0.1\n{servers}"));
        let failed = files.within("v4.example", server.port(), Duration::from_millis(200));
        assert_eq!(failed, Err(Unresolved::Silence("127.0.0.1".to_owned())));
    }
}

#[test]
fn one_family_is_enough_where_the_server_never_answers_for_the_other() {
    let half = |_: &str, family: Family| match family {
        Family::V4 => Reply::Addresses(vec!["203.0.113.1".parse().unwrap()]),
        Family::V6 => Reply::Silence,
    };
    let server = Server::start("127.0.0.1:0", half);
    let files = Files::new("", "nameserver 127.0.0.1\noptions timeout:3\n");
    assert_eq!(
        files.ask("half.example", &server),
        addresses(&["203.0.113.1"])
    );
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn an_alias_leads_to_its_names_addresses_and_no_others() {
    let aliases = |name: &str, family: Family| match (name, family) {
        ("alias.example", Family::V4) => Reply::Records(vec![
            ("far.example".into(), Err("near.example".into())),
            ("ALIAS.example".into(), Err("far.example".into())),
            ("near.example".into(), Ok("203.0.113.1".parse().unwrap())),
            ("other.example".into(), Ok("203.0.113.66".parse().unwrap())),
        ]),
        ("loop.example", Family::V4) => Reply::Records(vec![
            ("loop.example".into(), Err("pool.example".into())),
            ("pool.example".into(), Err("loop.example".into())),
        ]),
        _ => Reply::Addresses(Vec::new()),
    };
    let server = Server::start("127.0.0.1:0", aliases);
    let files = Files::new("", "nameserver 127.0.0.1\n");
    assert_eq!(
        files.ask("alias.example", &server),
        addresses(&["203.0.113.1"])
    );
    assert_eq!(
        files.ask("loop.example", &server),
        Err(Unresolved::NoSuchHost)
    );
}

#[test]
fn what_answers_another_question_is_passed_over() {
    let forged = |_: &str, family: Family| match family {
        Family::V4 => Reply::AfterForgeries("203.0.113.1".parse().unwrap()),
        Family::V6 => Reply::Addresses(Vec::new()),
    };
    let server = Server::start("127.0.0.1:0", forged);
    let files = Files::new("", "nameserver 127.0.0.1\n");
    assert_eq!(
        files.ask("v4.example", &server),
        addresses(&["203.0.113.1"])
    );
}

/// An answer to the question for `v4.example`, of all that servers put into answers.
fn sample() -> Vec<u8> {
    let reply = Reply::Records(vec![
        ("v4.example".into(), Err("far.example".into())),
        ("far.example".into(), Ok("203.0.113.1".parse().unwrap())),
        ("far.example".into(), Ok("2001:db9::1".parse().unwrap())),
    ]);
    let question = question("v4.example", Family::V4, 7).unwrap();
    server::message(&question, &reply).unwrap()
}

proptest! {
    #[test]
    fn no_answer_stops_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _any = answer(&bytes, "v4.example", Family::V4, 7);
        let mut begun = sample();
        begun.truncate(12);
        begun.extend(bytes);
        let _any = answer(&begun, "v4.example", Family::V4, 7);
    }

    #[test]
    fn no_change_of_an_answer_stops_the_reader(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = sample();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(length.index(bytes.len()) + 1);
        let _any = answer(&bytes, "v4.example", Family::V4, 7);
    }

    #[test]
    fn every_name_can_be_asked_for(name in "[a-z0-9_-]{1,63}(\\.[a-z0-9_-]{1,63}){0,3}") {
        prop_assume!(is_name(&name));
        prop_assert!(question(&name, Family::V6, 1).is_some());
    }
}

#[test]
fn an_unchanged_answer_is_read() {
    let expected = Answer::Addresses(vec!["203.0.113.1".parse().unwrap()]);
    let sample = sample();
    let read = |name, id| answer(&sample, name, Family::V4, id);
    assert_eq!(read("v4.example", 7), Some(expected));
    assert_eq!(read("v4.example", 8), None);
    assert_eq!(read("v5.example", 7), None);
}
