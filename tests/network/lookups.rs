//! Name servers of the host's, asked from a program: by UDP and TCP, on the usual ports and others, by
//! multicast, and by every call that sends.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Ended, ports};
use crate::{Env, Scene, apart, dns};

const TEST: [&str; 6] = ["go", "test", "-v", "-count=1", "-buildvcs=false", "."];
const RUN: [&str; 4] = ["go", "run", "-buildvcs=false", "."];
const MDNS: &str = "224.0.0.251";

/// How a program reaches a server of its own everywhere. Fast-open is refused, and sendmmsg where calls are
/// notified.
const OWN: [&str; 8] = [
    "bound",
    "connected",
    "elsewhere",
    "mapped",
    "sendmsg",
    "sendto",
    "tcp",
    "tcp-mapped",
];

/// Name servers, and what they were asked.
struct Servers {
    all: Vec<SocketAddr>,
    asked: Arc<Mutex<BTreeSet<String>>>,
    zone: Arc<dns::Zone>,
}

impl Servers {
    fn new() -> Servers {
        let asked: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        Servers {
            all: Vec::new(),
            asked,
            zone: Arc::new(move |name, _| {
                log.lock().unwrap().insert(name.to_owned());
                vec!["93.184.215.14".parse().unwrap()]
            }),
        }
    }

    fn add(&mut self, at: &str) {
        let at = at.parse().unwrap();
        dns::serve(at, Arc::clone(&self.zone)).unwrap();
        self.all.push(at);
    }

    /// One that hears multicast on loopback as well.
    fn add_multicast(&mut self, port: u16) {
        let socket = UdpSocket::bind(("0.0.0.0", port)).unwrap();
        let group = MDNS.parse().unwrap();
        socket
            .join_multicast_v4(&group, &"127.0.0.1".parse().unwrap())
            .unwrap();
        let port = socket.local_addr().unwrap().port();
        self.all.push(SocketAddr::new(group.into(), port));
        dns::by_udp(socket, Arc::clone(&self.zone));
    }

    fn variables(&self, who: &str) -> Vec<(String, String)> {
        let all: Vec<String> = self.all.iter().map(SocketAddr::to_string).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut pairs = vec![pair("SERVERS", &all.join(",")), pair("WHO", who)];
        if self.all.iter().any(|at| at.port() == 53) {
            pairs.push(pair("RESOLVER", "1"));
        }
        pairs
    }

    /// What anybody but the bare program has asked, once everything has been heard that was sent so far.
    fn heard(&self) -> Vec<String> {
        for at in &self.all {
            let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).unwrap();
            socket
                .set_read_timeout(Some(Duration::from_secs(60)))
                .unwrap();
            let to = match at.ip().is_multicast() {
                true => SocketAddr::new("127.0.0.1".parse().unwrap(), at.port()),
                false => *at,
            };
            let question = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x04bare\0\0\x01\0\x01";
            socket.send_to(question, to).unwrap();
            socket.recv(&mut [0; 1500]).expect("the server answers");
        }
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|name| !name.starts_with("bare"))
            .cloned()
            .collect()
    }
}

fn lines<'a>(ended: &'a Ended, word: &str) -> BTreeSet<&'a str> {
    let word = format!("{word} ");
    ended
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix(&word))
        .collect()
}

/// A program that asks reaches every server in every way when it is bare, and none from the program cage.
fn nothing_is_asked(servers: &Servers) {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let scene = Scene::new(env);
        scene.program(
            "lookups",
            include_str!("../fixtures/network/lookups.go"),
            include_str!("../fixtures/network/lookups_test.go"),
        );
        scene.settle();
        for words in [&TEST[..], &RUN] {
            let mut bare: Command = scene.site.bare(words);
            let bare = Ended::of(bare.envs(servers.variables("bare"))).expect(0);
            let tried = lines(&bare, "TRIED");
            assert!(tried.len() > servers.all.len() * 4);
            assert_eq!(lines(&bare, "REACHED"), tried, "{env:?}");
            let who = format!("boxed-{env:?}");
            let options: Vec<String> = servers
                .variables(&who)
                .iter()
                .map(|(name, value)| format!("--env={name}={value}"))
                .collect();
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let boxed = scene.run(&options, words).expect(0).says("DONE");
            assert_eq!(lines(&boxed, "TRIED"), tried, "{env:?}");
            assert_eq!(lines(&boxed, "REACHED"), BTreeSet::new(), "{env:?}");
            // Its own server it does reach, so that what it tries is not just wrong.
            let own = lines(&boxed, "OWN");
            let own: BTreeSet<_> = own
                .iter()
                .filter_map(|line| line.split(' ').next())
                .collect();
            assert!(own.is_superset(&BTreeSet::from(OWN)), "{env:?}: {own:?}");
            assert_eq!(servers.heard(), Vec::<String>::new(), "{env:?}");
        }
    }
}

#[test]
fn no_program_asks_a_name_server_on_any_port() {
    let mut servers = Servers::new();
    for ip in ["127.0.0.1", "[::1]"] {
        servers.add(&format!("{ip}:{}", ports::free()));
    }
    servers.add_multicast(0);
    nothing_is_asked(&servers);
}

#[test]
fn no_program_asks_the_hosts_name_server() {
    if !apart::is("lookups::no_program_asks_the_hosts_name_server") {
        return;
    }
    const SERVER: &str = "93.184.215.53";
    apart::set_up(&[SERVER]);
    let mut servers = Servers::new();
    apart::resolve(Arc::clone(&servers.zone));
    servers.all.push("127.0.0.1:53".parse().unwrap());
    for port in [53, 853, 443, 5355, 1053] {
        servers.add(&format!("{SERVER}:{port}"));
    }
    for at in ["[::1]:53", "[::1]:853", "127.0.0.1:853"] {
        servers.add(at);
    }
    servers.add_multicast(5353);
    nothing_is_asked(&servers);
}
