//! Tunnels: for exactly the hosts that the policy names, and only to what they say they are.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use gosandbox::gateway::{Caller, Service};
use gosandbox::policy::{Network, Reach};

use crate::inside::{Inside, TOKEN, modules};
use crate::proxy::{Answer, Proxy};
use crate::reachable::wait::found;

fn inside(allow: &[&str], service: Service) -> Inside {
    let network = Network {
        allow: allow.iter().map(|one| (*one).to_owned()).collect(),
        programs: Reach::Hosts,
        ..Network::default()
    };
    Inside::with(modules("off"), network, Caller::default(), service)
}

fn connect(inside: &Inside, target: &str, token: &str) -> (String, TcpStream) {
    let mut stream = inside.connect();
    let credentials = BASE64_STANDARD.encode(format!("gosandbox:{token}"));
    write!(
        stream,
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        answer.push(byte[0]);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer.lines().next().unwrap_or_default().to_owned(), stream)
}

/// A server that answers everything with its own bytes.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut copy = stream.try_clone().unwrap();
                let _ended = std::io::copy(&mut stream, &mut copy);
                let _ended = copy.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    port
}

#[test]
fn only_named_hosts_and_ports_are_reached_and_only_with_the_token() {
    let (named, other) = (echo(), echo());
    let address = format!("127.0.0.1:{named}");
    let inside = inside(&[&address], Service::Tunnel);
    let status = |target: &str, token: &str| connect(&inside, target, token).0;
    assert_eq!(
        status(&address, TOKEN),
        "HTTP/1.1 200 Connection established"
    );
    assert_eq!(
        status(&address, "wrong"),
        "HTTP/1.1 407 Proxy Authentication Required"
    );
    for target in [
        format!("127.0.0.1:{other}"),
        format!("127.0.0.1:{named}0"),
        format!("127.0.0.2:{named}"),
        format!("localhost:{named}"),
        format!("x.127.0.0.1:{named}"),
    ] {
        let line = status(&target, TOKEN);
        assert!(!line.contains(" 200 "), "{target}: {line}");
    }
    let line = status(&format!("127.0.0.1:{other}"), TOKEN);
    assert_eq!(
        line,
        "HTTP/1.1 403 refused by gosandbox: network.allow does not name it"
    );
    for target in [
        "",
        "127.0.0.1",
        "http://127.0.0.1:1",
        "[::1]:1",
        "a b:1",
        "a:0",
        "a:99999",
    ] {
        assert!(!status(target, TOKEN).contains(" 200 "), "{target}");
    }
    let bare = inside.raw(format!("CONNECT {address} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    assert!(bare.starts_with("HTTP/1.1 407 "), "{bare}");
}

#[test]
fn bytes_pass_both_ways_and_are_counted() {
    let port = echo();
    let address = format!("127.0.0.1:{port}");
    let inside = inside(&[&address], Service::ModulesAndTunnel);
    let (_, mut stream) = connect(&inside, &address, TOKEN);
    stream.write_all(b"no TLS here").unwrap();
    let mut answer = [0; 11];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"no TLS here");
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(inside.events("tunnel-opened")[0]["host"], address);
    let closed = found("its end", || inside.events("tunnel-closed").pop());
    assert_eq!(
        (&closed["sent"], &closed["received"]),
        (&11.into(), &11.into())
    );
}

#[test]
fn a_name_that_leads_into_a_private_network_is_refused() {
    let port = echo();
    let inside = inside(&[&format!("localhost:{port}")], Service::Tunnel);
    let (line, _) = connect(&inside, &format!("localhost:{port}"), TOKEN);
    assert!(
        line.starts_with("HTTP/1.1 403 refused by gosandbox: network.allow it leads to "),
        "{line}"
    );
    assert_eq!(inside.events("tunnel-refused").len(), 1);
}

/// Speaks TLS through a tunnel, asking for a name, and says whether the other side answered.
fn tls(inside: &Inside, proxy: &Proxy, target: &str, name: &str) -> bool {
    let (line, mut stream) = connect(inside, target, TOKEN);
    assert!(line.contains(" 200 "), "{line}");
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let pem = rustls::pki_types::CertificateDer::from_pem_file(&proxy.ca).unwrap();
    roots.add(pem).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    client.complete_io(&mut stream).is_ok()
}

#[test]
fn tls_must_ask_for_the_host_that_the_tunnel_is_for() {
    let proxy = Proxy::https(|_| Answer::Whole(Vec::new()));
    let address = format!("127.0.0.1:{}", proxy.port);
    let inside = inside(&[&address], Service::Tunnel);
    // An address has no name in TLS; with one, it is another host's.
    assert!(tls(&inside, &proxy, &address, "127.0.0.1"));
    assert!(!tls(&inside, &proxy, &address, "localhost"));
    let refused = inside.events("tunnel-refused").pop().unwrap();
    let why = "is not `localhost`, which the client asks for in TLS";
    assert_eq!(refused["reason"], why);
    assert_eq!(refused["host"], address);
    assert_eq!(refused["subject"], address);
    assert_eq!(refused["code"], "host-not-allowed");
    assert_eq!(refused["remedy"], format!("--allow-host {address}"));
}

#[test]
fn a_hello_sent_byte_by_byte_is_judged_all_the_same() {
    let port = echo();
    let address = format!("127.0.0.1:{port}");
    let inside = inside(&[&address], Service::Tunnel);
    let (_, mut stream) = connect(&inside, &address, TOKEN);
    // The first byte says TLS; what follows never becomes a ClientHello.
    for byte in [0x16, 3, 1, 0, 5, 2, 0, 0, 1, 0] {
        if stream.write_all(&[byte]).is_err() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "the host saw {answer:?}");
    assert_eq!(
        inside.events("tunnel-refused")[0]["reason"],
        "must be spoken to in TLS"
    );
}

#[test]
fn a_tunnels_socket_serves_no_modules() {
    let inside = inside(&[], Service::Tunnel);
    let line = inside.status_line("example.com/a/@v/list");
    assert_eq!(line, "HTTP/1.1 404 Not Found");
    assert!(!inside.audit_text().contains(TOKEN));
}
