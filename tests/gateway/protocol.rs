//! The inner side: who is answered, what is not a request, how much is served at once.

use std::io::{Read, Write};
use std::sync::{Arc, Barrier};

use gosandbox::gateway::{Caller, Service};
use gosandbox::policy::{Modules, Network};

use crate::inside::{Inside, TOKEN, modules, of};
use crate::modules::Tree;
use crate::proxy::{Answer, Asked, Proxy};

fn inside() -> (Inside, Proxy) {
    let mut tree = Tree::default();
    tree.hello("example.com/a", "v1.0.0");
    let proxy = Proxy::https(move |asked| tree.answer(asked));
    (Inside::new(of(&proxy)), proxy)
}

const LIST: &str = "example.com/a/@v/list";

#[test]
fn only_who_knows_the_token_is_answered_and_nobody_is_told_why() {
    let (inside, proxy) = inside();
    let almost = format!("{}0", &TOKEN[..TOKEN.len() - 1]);
    for path in [
        format!("/{LIST}"),
        format!("/{almost}/{LIST}"),
        format!("/{TOKEN}x/{LIST}"),
        format!("/{TOKEN}"),
        format!("/x/{TOKEN}/{LIST}"),
    ] {
        let answer = inside.raw(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        assert!(
            answer.starts_with("HTTP/1.1 404 Not Found\r\n"),
            "{path}: {answer}"
        );
        assert!(!answer.contains("oken"), "{answer}");
    }
    assert!(proxy.asked().is_empty());
    let denied = inside.events("access-denied");
    assert_eq!(denied.len(), 5);
    assert!(denied.iter().all(|line| line["code"] == "token-unknown"));
    assert!(inside.get(LIST).1.is_ok());
}

#[test]
fn in_the_stead_of_the_callers_proxy_its_own_paths_are_answered_and_nothing_else() {
    let mut tree = Tree::default();
    tree.hello("example.com/a", "v1.0.0");
    let proxy = Proxy::https(move |asked| {
        let path = asked.path.strip_prefix("/base").unwrap_or(&asked.path);
        tree.answer(&Asked {
            path: path.to_owned(),
            headers: Vec::new(),
        })
    });
    let below = Modules {
        upstreams: format!("{}/base/", proxy.address),
        ..of(&proxy)
    };
    let inside = Inside::with(
        below,
        Network::default(),
        Caller::default(),
        Service::Modules,
    );
    let ask = |line: &str| inside.raw(format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    let good = ask(&format!("GET /base/{LIST}"));
    assert!(good.starts_with("HTTP/1.1 200 OK\r\n"), "{good}");
    let asked = proxy.asked().len();
    for (line, status) in [
        (format!("GET /{LIST}"), 404),
        (format!("GET /base{LIST}"), 404),
        (format!("GET /bas/{LIST}"), 404),
        (format!("GET /base/../{LIST}"), 400),
        (format!("GET /{TOKEN}/{LIST}"), 404),
        (format!("GET http://modules.gosandbox/{LIST}"), 404),
        (format!("GET http://modules.gosandbox/base/{LIST}"), 404),
        ("CONNECT example.com:443".to_owned(), 407),
    ] {
        let answer = ask(&line);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {answer}"
        );
    }
    assert_eq!(proxy.asked().len(), asked);
}

#[test]
fn a_connection_serves_one_request_after_another_and_early_ones_too() {
    let (inside, _proxy) = inside();
    let request = format!("GET /{TOKEN}/{LIST} HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = inside.raw(request.repeat(3).as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    assert_eq!(answer.matches("v1.0.0\n").count(), 3, "{answer}");
}

#[test]
fn a_smuggled_request_is_never_served() {
    let (inside, proxy) = inside();
    let second = format!("GET /{TOKEN}/{LIST} HTTP/1.1\r\nHost: h\r\n\r\n");
    let first = format!("GET /{TOKEN}/example.com/a/@latest HTTP/1.1\r\nHost: h\r\n");
    for header in [
        format!("Content-Length: {}\r\n", second.len()),
        "Transfer-Encoding: chunked\r\n".to_owned(),
        format!("Content-Length: 0\r\nContent-Length: {}\r\n", second.len()),
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n".to_owned(),
        "X: y\n".to_owned(),
        "X: y\r\r\n".to_owned(),
        "X: \0\r\n".to_owned(),
        "Content-Length : 0\r\n".to_owned(),
    ] {
        let answer = inside.raw(format!("{first}{header}\r\n{second}").as_bytes());
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{header:?}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1").count(),
            1,
            "{header:?}: {answer}"
        );
    }
    assert!(proxy.asked().is_empty());
}

#[test]
fn what_is_too_large_or_no_request_is_refused_and_the_next_client_is_served() {
    let (inside, _proxy) = inside();
    let long = "a".repeat(40_000);
    for (text, status) in [
        (
            format!("GET /{TOKEN}/{long} HTTP/1.1\r\nHost: h\r\n\r\n"),
            431,
        ),
        (
            format!("GET /{TOKEN}/{LIST} HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n"),
            431,
        ),
        (
            format!(
                "GET /{TOKEN}/{LIST} HTTP/1.1\r\nHost: h\r\n{}\r\n",
                "A: b\r\n".repeat(100)
            ),
            431,
        ),
        (
            format!("POST /{TOKEN}/{LIST} HTTP/1.1\r\nHost: h\r\n\r\n"),
            405,
        ),
        (
            format!("GET /{TOKEN}/{LIST} HTTP/1.0\r\nHost: h\r\n\r\n"),
            505,
        ),
        (
            format!("GET http://h/{TOKEN}/{LIST} HTTP/1.1\r\nHost: h\r\n\r\n"),
            400,
        ),
        (
            format!("GET /{TOKEN}/example.com/../a/@v/list HTTP/1.1\r\nHost: h\r\n\r\n"),
            400,
        ),
        (
            format!("GET /{TOKEN}/example.com/%2e%2e/@v/list HTTP/1.1\r\nHost: h\r\n\r\n"),
            400,
        ),
        (
            format!("GET /{TOKEN}//example.com/a/@v/list HTTP/1.1\r\nHost: h\r\n\r\n"),
            400,
        ),
        ("\x16\x03\x01\x00\x10".to_owned(), 400),
    ] {
        let answer = inside.raw(text.as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{status}: {answer}"
        );
    }
    for path in [
        "x",
        "example.com/a/@v/v1.0.0.ziphash",
        "example.com/A/@v/list",
        "sumdb/x/supported",
    ] {
        assert_eq!(inside.status_line(path), "HTTP/1.1 404 Not Found", "{path}");
    }
    assert_eq!(inside.get(LIST).0, "200");
}

#[test]
fn head_is_answered_without_a_body() {
    let (inside, _proxy) = inside();
    let text = format!(
        "HEAD /{TOKEN}/{LIST} HTTP/1.1\r\nHost: h\r\n\r\nHEAD /{TOKEN}/example.com/a/@v/v1.0.0.zip HTTP/1.1\r\nHost: h\r\n\r\n"
    );
    let answer = inside.raw(text.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert!(
        answer.contains("Content-Length: 7\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[test]
fn two_hundred_downloads_at_once_all_come_whole() {
    let mut tree = Tree::default();
    for at in 0..200 {
        tree.hello(&format!("example.com/m{at}"), "v1.0.0");
    }
    let expected = tree.clone();
    let proxy = Proxy::https(move |asked| tree.answer(asked));
    let inside = Arc::new(Inside::new(of(&proxy)));
    let start = Arc::new(Barrier::new(200));
    let threads: Vec<_> = (0..200)
        .map(|at| {
            let (inside, start) = (Arc::clone(&inside), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                inside.get(&format!("example.com/m{at}/@v/v1.0.0.zip"))
            })
        })
        .collect();
    for (at, thread) in threads.into_iter().enumerate() {
        let (status, body) = thread.join().unwrap();
        let path = format!("/example.com/m{at}/@v/v1.0.0.zip");
        assert_eq!(
            (status.as_str(), body.as_ref()),
            ("200", Ok(&expected.0[&path])),
            "{path}"
        );
    }
    let Some(inside) = Arc::into_inner(inside) else {
        panic!("all threads have ended");
    };
    assert_eq!(inside.events("module-fetched").len(), 200);
    assert_eq!(inside.finish().fetched, 200);
}

#[test]
fn a_client_that_goes_away_or_says_nothing_harms_nobody_else() {
    let (inside, _proxy) = inside();
    let silent: Vec<_> = (0..50).map(|_| inside.connect()).collect();
    for _ in 0..20 {
        let mut gone = inside.connect();
        let path = "example.com/a/@v/v1.0.0.zip";
        write!(gone, "GET /{TOKEN}/{path} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        drop(gone);
    }
    assert_eq!(inside.get(LIST).0, "200");
    drop(silent);
}

#[test]
fn the_end_ends_every_connection_and_the_socket() {
    let (inside, _proxy) = inside();
    let mut idle = inside.connect();
    let port = inside.port;
    assert_eq!(inside.get("example.com/a/@v/v1.0.0.mod").0, "200");
    let summary = inside.finish();
    assert_eq!(summary.fetched, 1);
    assert!(summary.refused.is_empty());
    let mut byte = [0];
    assert!(matches!(idle.read(&mut byte), Ok(0) | Err(_)));
    let late = std::net::TcpStream::connect(("127.0.0.1", port));
    let served = late.is_ok_and(|mut late| {
        let asked = write!(late, "GET /{TOKEN}/{LIST} HTTP/1.1\r\nHost: h\r\n\r\n");
        asked.is_ok() && late.read(&mut byte).is_ok_and(|read| read > 0)
    });
    assert!(!served);
}

#[test]
fn nothing_is_connected_to_before_the_first_request() {
    let proxy = Proxy::https(|_| Answer::Dead);
    let inside = Inside::new(modules(&proxy.address));
    drop(inside);
    assert!(proxy.asked().is_empty());
}
