//! Upstreams that keep the gateway waiting: at each step, in silence and with a byte now and then. Each is
//! asked bare as well, by somebody who has no deadline, and who still waits when the gateway has given up.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use gosandbox::gateway::{Caller, Limits, Service};
use gosandbox::policy::{Modules, Network, Reach};
use rustix::net::{AddressFamily, SocketType};

use crate::inside::{Inside, TOKEN, modules, of};
use crate::proxy::{Answer, NAME, Proxy};
use crate::reachable::wait::DEADLINE;

const ZIP: &str = "example.com/a/@v/v1.0.0.zip";
/// Later than a test waits.
const NEVER: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(400);
/// The limits that a test is not about.
const LONG: Limits = Limits {
    connect: NEVER,
    response: NEVER,
    pace: NEVER,
};

/// What a server says at once, and what it repeats for ever, a moment apart; nothing is silence.
#[derive(Clone, Copy)]
struct Slow {
    first: &'static [u8],
    again: &'static [u8],
    /// Whether it waits for a request.
    asked: bool,
}

impl Slow {
    /// One that waits for a request.
    fn answer(first: &'static [u8], again: &'static [u8]) -> Slow {
        Slow {
            first,
            again,
            asked: true,
        }
    }

    /// One that does not.
    fn greeting(first: &'static [u8], again: &'static [u8]) -> Slow {
        Slow {
            asked: false,
            ..Slow::answer(first, again)
        }
    }

    fn start(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                thread::spawn(move || self.serve(stream));
            }
        });
        port
    }

    fn serve(self, mut stream: TcpStream) {
        let mut request = Vec::new();
        while self.asked && !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte).unwrap_or(0) == 0 {
                return;
            }
            request.push(byte[0]);
        }
        let mut next = self.first;
        while stream.write_all(next).is_ok() {
            thread::sleep(Duration::from_millis(20));
            next = self.again;
        }
    }
}

/// Runs something that might wait for ever.
fn beside<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (done, outcome) = mpsc::channel();
    thread::spawn(move || done.send(act()));
    outcome
}

/// What the gateway was asked for, in bounded time.
fn in_time<T>(asked: &Receiver<T>) -> T {
    asked
        .recv_timeout(DEADLINE)
        .expect("the gateway waits for ever")
}

/// Somebody without a deadline, who waits for the end of what comes.
fn bare(port: u16) -> Receiver<()> {
    beside(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .write_all(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        let _read = std::io::copy(&mut stream, &mut std::io::sink());
    })
}

/// Whoever has no deadline has not come to an end either.
fn still_waits<T>(bare: &Receiver<T>, otherwise: &str) {
    assert!(bare.try_recv().is_err(), "{otherwise}");
}

fn inside(modules: Modules, limits: Limits) -> Inside {
    let network = Network::default();
    let service = Service::ModulesAndTunnel;
    Inside::limited(modules, network, Caller::default(), service, limits)
}

/// The first line and the body that the gateway answers with, as far as that comes, in bounded time.
fn answer(inside: Inside) -> (String, usize, Inside) {
    let asked = beside(move || {
        let request =
            format!("GET /{TOKEN}/{ZIP} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let text = inside.raw(request.as_bytes());
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let line = head.lines().next().unwrap_or_default().to_owned();
        (line, body.len(), inside)
    });
    in_time(&asked)
}

#[test]
fn an_upstream_that_does_not_answer_is_given_up() {
    for slow in [
        // Silence, and headers that never end.
        Slow::answer(b"", b""),
        Slow::answer(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        Slow::answer(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        let port = slow.start();
        let waiting = bare(port);
        let limits = Limits {
            response: SHORT,
            ..LONG
        };
        let (line, _, inside) =
            answer(inside(modules(&format!("http://127.0.0.1:{port}")), limits));
        let expected = format!(
            "HTTP/1.1 502 gosandbox cannot fetch from http://127.0.0.1:{port}: it does not answer in time"
        );
        assert_eq!(line, expected);
        assert_eq!(inside.events("module-failed").len(), 1);
        still_waits(&waiting, "the upstream has ended by itself");
    }
}

#[test]
fn a_handshake_that_does_not_end_is_given_up() {
    for slow in [
        Slow::greeting(b"", b""),
        // A record of 16 KiB, a byte at a time.
        Slow::greeting(b"\x16\x03\x03\x40\x00\x02", b"\0"),
    ] {
        let port = slow.start();
        let waiting = bare(port);
        let limits = Limits {
            connect: SHORT,
            ..LONG
        };
        let (line, _, _) = answer(inside(
            modules(&format!("https://127.0.0.1:{port}")),
            limits,
        ));
        assert!(
            line.ends_with("it cannot be connected to in time"),
            "{line}"
        );
        still_waits(&waiting, "the upstream has ended by itself");
    }
}

#[test]
fn a_connection_that_nobody_takes_is_given_up() {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let any: std::net::SocketAddrV4 = "127.0.0.1:0".parse().unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    // One fits into the queue; what comes then gets no answer.
    let _queued = TcpStream::connect(address).unwrap();
    let waiting = beside(move || TcpStream::connect(address).is_ok());
    let limits = Limits {
        connect: SHORT,
        ..LONG
    };
    let (line, _, _) = answer(inside(modules(&format!("http://{address}")), limits));
    assert!(
        line.ends_with("it cannot be connected to in time"),
        "{line}"
    );
    // And by a tunnel.
    let network = Network {
        allow: vec![address.to_string()],
        programs: Reach::Hosts,
        ..Network::default()
    };
    let service = Service::ModulesAndTunnel;
    let inside = Inside::limited(modules("off"), network, Caller::default(), service, limits);
    let (line, inside) = tunnel(inside, address.to_string());
    assert!(line.starts_with("HTTP/1.1 502 "), "{line}");
    assert_eq!(inside.events("tunnel-failed").len(), 1);
    still_waits(&waiting, "the connection was taken");
}

/// The first line of the answer to CONNECT, in bounded time.
fn tunnel(inside: Inside, target: String) -> (String, Inside) {
    let asked = beside(move || {
        let credentials = BASE64_STANDARD.encode(format!("gosandbox:{TOKEN}"));
        let request = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n"
        );
        let line = inside.raw(request.as_bytes());
        (line.lines().next().unwrap_or_default().to_owned(), inside)
    });
    in_time(&asked)
}

#[test]
fn a_callers_proxy_that_does_not_answer_is_given_up() {
    for slow in [
        Slow::answer(b"", b""),
        Slow::answer(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    ] {
        let port = slow.start();
        let waiting = bare(port);
        let caller = Caller {
            https_proxy: Some(format!("http://127.0.0.1:{port}")),
            ..Caller::default()
        };
        let limits = Limits {
            connect: SHORT,
            ..LONG
        };
        let network = Network {
            allow: vec!["host.example.invalid:9000".to_owned()],
            programs: Reach::Hosts,
            ..Network::default()
        };
        let upstream = modules(&format!("https://{NAME}"));
        let service = Service::ModulesAndTunnel;
        let inside = Inside::limited(upstream, network, caller, service, limits);
        let (line, _, inside) = answer(inside);
        assert!(
            line.ends_with("it cannot be connected to in time"),
            "{line}"
        );
        let (line, _) = tunnel(inside, "host.example.invalid:9000".to_owned());
        assert!(line.starts_with("HTTP/1.1 502 "), "{line}");
        still_waits(&waiting, "the proxy has ended by itself");
    }
}

#[test]
fn a_body_that_stands_still_or_dribbles_is_given_up_and_is_no_success() {
    for (slow, least) in [
        (
            Slow::answer(
                b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nhalf",
                b"",
            ),
            4,
        ),
        (
            Slow::answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nx", b"x"),
            1,
        ),
        (
            Slow::answer(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
                b"1\r\nx\r\n",
            ),
            1,
        ),
        // A chunk's length with an extension that has no end.
        (
            Slow::answer(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
                b"x",
            ),
            0,
        ),
    ] {
        let port = slow.start();
        let waiting = bare(port);
        let limits = Limits {
            pace: SHORT,
            ..LONG
        };
        let (line, bytes, inside) =
            answer(inside(modules(&format!("http://127.0.0.1:{port}")), limits));
        assert_eq!(line, "HTTP/1.1 200 OK");
        assert!(bytes >= least, "{bytes}");
        still_waits(&waiting, "the upstream has ended by itself");
        let failed = inside.events("module-failed");
        assert_eq!(
            failed[0]["reason"],
            "it sends less than 16 KiB in 0 seconds"
        );
        assert_eq!(inside.finish().fetched, 0);
    }
}

/// A line to a server that carries so many bytes of an answer, and from then on one now and then.
fn narrowing(to: u16, bytes: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut near, mut far) = (
                stream.unwrap(),
                TcpStream::connect(("127.0.0.1", to)).unwrap(),
            );
            let (mut from, mut into) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from, &mut into));
            thread::spawn(move || {
                let _fast = std::io::copy(&mut Read::by_ref(&mut far).take(bytes), &mut near);
                let mut byte = [0];
                while far.read(&mut byte).unwrap_or(0) == 1 && near.write_all(&byte).is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    port
}

#[test]
fn a_dribble_within_one_record_of_tls_is_seen() {
    let proxy = Proxy::https(|_| Answer::Whole(vec![0; 300_000]));
    let port = narrowing(proxy.port, 50_000);
    let limits = Limits {
        pace: SHORT,
        ..LONG
    };
    let upstream = Modules {
        upstreams: format!("https://127.0.0.1:{port}"),
        ..of(&proxy)
    };
    let (line, bytes, inside) = answer(inside(upstream, limits));
    assert_eq!(line, "HTTP/1.1 200 OK");
    assert!(bytes < 300_000, "{bytes}");
    assert_eq!(inside.events("module-failed").len(), 1);
}

#[test]
fn what_is_read_whole_before_it_is_answered_is_given_up_too() {
    let slow = Slow::answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"v");
    let upstream = format!("http://127.0.0.1:{}", slow.start());
    let limits = Limits {
        pace: SHORT,
        ..LONG
    };
    let inside = inside(modules(&upstream), limits);
    let asked = beside(move || inside.status_line("example.com/a/@v/list"));
    let line = in_time(&asked);
    let expected =
        format!("HTTP/1.1 502 gosandbox cannot fetch from {upstream}: it sends less than ");
    assert!(line.starts_with(&expected), "{line}");
}

#[test]
fn an_upstream_may_think_for_longer_than_a_body_may_pause_and_a_client_may_sleep() {
    // A machine that stands still for so long breaks the transfer for its own reasons, but not each of these.
    let mut paces = [1, 8, 64].map(Duration::from_secs).into_iter();
    assert!(paces.any(comes_whole_after_pauses));
}

/// Whether an answer comes whole whose upstream and client each do nothing for longer than a body may pause.
fn comes_whole_after_pauses(pace: Duration) -> bool {
    let body = vec![7; 20 << 20];
    let proxy = {
        let body = body.clone();
        Proxy::https(move |_| {
            thread::sleep(pace + SHORT);
            Answer::Whole(body.clone())
        })
    };
    let inside = inside(of(&proxy), Limits { pace, ..LONG });
    let mut stream = inside.connect();
    write!(
        stream,
        "GET /{TOKEN}/{ZIP} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    // As with Ctrl-Z: meanwhile nothing is taken off the upstream's hands.
    thread::sleep(pace + SHORT);
    let mut rest = Vec::new();
    let read = stream.read_to_end(&mut rest);
    let fetched = inside.finish().fetched;
    read.is_ok() && rest.ends_with(&body) && fetched == 1
}
