//! The caller's own proxy, through which everything goes where the host has no other way out.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use gosandbox::gateway::{Caller, Service};
use gosandbox::policy::{Modules, Network, Reach};

use crate::inside::{Inside, TOKEN, modules};
use crate::modules::Tree;
use crate::proxy::{Answer, NAME, Proxy};

/// A proxy that makes tunnels, to one place whatever it is asked for.
struct Way {
    address: String,
    /// The heads of what it was asked.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Way {
    fn new(target: u16) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, log) = (stream.unwrap(), Arc::clone(&log));
                std::thread::spawn(move || {
                    log.lock().unwrap().push(head(&mut stream));
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                    join(stream, TcpStream::connect(("127.0.0.1", target)).unwrap());
                });
            }
        });
        Way { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn caller(&self, no_proxy: &str) -> Caller {
        Caller {
            https_proxy: Some(format!("http://user:secret@{}", self.address)),
            no_proxy: Some(no_proxy.to_owned()),
            ..Caller::default()
        }
    }
}

fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

fn join(one: TcpStream, other: TcpStream) {
    let (mut from, mut to) = (one.try_clone().unwrap(), other.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ended = std::io::copy(&mut from, &mut to);
        let _gone = to.shutdown(std::net::Shutdown::Write);
    });
    let (mut from, mut to) = (other, one);
    let _ended = std::io::copy(&mut from, &mut to);
    let _gone = to.shutdown(std::net::Shutdown::Write);
}

/// A policy whose upstream only the caller's proxy can reach.
fn behind(proxy: &Proxy) -> Modules {
    Modules {
        ca: vec![proxy.ca.clone()],
        ..modules(&format!("https://{NAME}"))
    }
}

const ZIP: &str = "example.com/a/@v/v1.0.0.zip";

fn with(modules: Modules, caller: Caller) -> Inside {
    let service = Service::ModulesAndTunnel;
    Inside::with(modules, Network::default(), caller, service)
}

#[test]
fn modules_come_through_it_and_the_upstream_shows_its_certificate_all_the_same() {
    let mut tree = Tree::default();
    tree.hello("example.com/a", "v1.0.0");
    let whole = tree.0[&format!("/{ZIP}")].clone();
    let proxy = Proxy::https(move |asked| tree.answer(asked));
    let way = Way::new(proxy.port);
    let named = behind(&proxy);
    let inside = with(named.clone(), way.caller(""));
    assert_eq!(inside.get(ZIP), ("200".to_owned(), Ok(whole)));
    let asked = way.asked();
    let first = format!("CONNECT {NAME}:443 HTTP/1.1\r\n");
    assert!(asked[0].starts_with(&first), "{asked:?}");
    let credentials = BASE64_STANDARD.encode("user:secret");
    assert!(
        asked[0].contains(&format!("Basic {credentials}")),
        "{asked:?}"
    );
    assert!(!inside.audit_text().contains("secret"));
    // What is behind it is not believed for being behind it.
    let other = Modules {
        ca: Vec::new(),
        ..named.clone()
    };
    assert_eq!(with(other, way.caller("")).get(ZIP).0, "502");
    let before = way.asked().len();
    assert_eq!(with(named, way.caller(NAME)).get(ZIP).0, "502");
    assert_eq!(
        way.asked().len(),
        before,
        "NO_PROXY names it, and nothing else leads there"
    );
}

#[test]
fn a_redirect_into_a_private_network_does_not_reach_it() {
    let proxy = Proxy::https(|_| {
        Answer::Headers(
            302,
            "Location: https://169.254.169.254/latest\r\n".to_owned(),
        )
    });
    let way = Way::new(proxy.port);
    let inside = with(behind(&proxy), way.caller(""));
    assert_eq!(inside.get(ZIP).0, "403");
    let asked = way.asked();
    assert!(
        !asked.iter().any(|head| head.contains("169.254")),
        "{asked:?}"
    );
}

#[test]
fn tunnels_go_through_it() {
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = echo.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in echo.incoming() {
            let mut stream = stream.unwrap();
            let mut copy = stream.try_clone().unwrap();
            std::thread::spawn(move || std::io::copy(&mut stream, &mut copy));
        }
    });
    let way = Way::new(port);
    let network = Network {
        allow: vec!["host.example.invalid:9000".to_owned()],
        programs: Reach::Hosts,
        ..Network::default()
    };
    let service = Service::Tunnel;
    let inside = Inside::with(modules("off"), network, way.caller(""), service);
    let connect = |target: &str| {
        let mut stream = inside.connect();
        let credentials = BASE64_STANDARD.encode(format!("gosandbox:{TOKEN}"));
        write!(
            stream,
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n"
        )
        .unwrap();
        (head(&mut stream), stream)
    };
    let (answer, mut stream) = connect("host.example.invalid:9000");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    stream.write_all(b"hello").unwrap();
    let mut back = [0; 5];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"hello");
    let asked = way.asked();
    let first = "CONNECT host.example.invalid:9000 HTTP/1.1\r\n";
    assert!(asked[0].starts_with(first), "{asked:?}");
    // The sandbox's own credentials stay here.
    assert!(
        !asked[0].contains(TOKEN)
            && !asked[0].contains(&BASE64_STANDARD.encode("gosandbox:")[..10])
    );
    let (answer, _) = connect("other.example.invalid:9000");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(way.asked().len(), 1);
}
