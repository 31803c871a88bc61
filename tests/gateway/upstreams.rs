//! Upstreams: their order, their failures, and what of these the go command sees.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use crate::inside::{Inside, TOKEN, modules, of};
use crate::modules::Tree;
use crate::proxy::{Answer, Asked, Proxy};
use crate::reachable::wait::found;

const ZIP: &str = "example.com/a/@v/v1.0.0.zip";

fn tree() -> Tree {
    let mut tree = Tree::default();
    tree.hello("example.com/a", "v1.0.0");
    tree
}

fn status(status: u16) -> impl Fn(&Asked) -> Answer + Send + Sync {
    move |_| Answer::Status(status, "a detail".to_owned())
}

#[test]
fn the_next_upstream_is_asked_as_goproxy_means_it() {
    for (first, separator, expected) in [
        (404, ",", "200"),
        (410, ",", "200"),
        (403, ",", "403"),
        (500, ",", "500"),
        (500, "|", "200"),
        (403, "|", "200"),
        (404, "|", "200"),
    ] {
        let tree = tree();
        let one = Proxy::http(status(first));
        let two = Proxy::http(move |asked| tree.answer(asked));
        let inside = Inside::new(modules(&format!(
            "{}{separator}{}",
            one.address, two.address
        )));
        assert_eq!(inside.get(ZIP).0, expected, "{first}{separator}");
        assert_eq!(two.asked().is_empty(), expected != "200");
    }
}

#[test]
fn an_upstream_that_cannot_be_reached_is_an_error_and_no_absence() {
    let folder = tempfile::tempdir().unwrap();
    tree().write(folder.path());
    let file = format!("file://{}", folder.path().display());
    let dead = Proxy::http(|_| Answer::Dead);
    let inside = Inside::new(modules(&format!("{},{file}", dead.address)));
    let line = inside.status_line(ZIP);
    assert!(
        line.starts_with("HTTP/1.1 502 gosandbox cannot fetch from http://127.0.0.1:"),
        "{line}"
    );
    let inside = Inside::new(modules(&format!("{}|{file}", dead.address)));
    assert_eq!(inside.get(ZIP).0, "200");
}

#[test]
fn what_passes_is_tried_again_and_not_for_ever() {
    for (code, tries, expected) in [
        (503, 2, "200"),
        (429, 1, "200"),
        (503, 9, "503"),
        (500, 1, "500"),
    ] {
        let (tree, count) = (tree(), AtomicUsize::new(0));
        let proxy =
            Proxy::https(
                move |asked| match count.fetch_add(1, Ordering::Relaxed) < tries {
                    true => Answer::Headers(code, "Retry-After: 0\r\n".to_owned()),
                    false => tree.answer(asked),
                },
            );
        let inside = Inside::new(of(&proxy));
        assert_eq!(inside.get(ZIP).0, expected, "{code} {tries}");
        assert!(proxy.asked().len() <= 3, "{code} {tries}");
    }
}

#[test]
fn a_transfer_that_breaks_off_is_never_a_short_success() {
    let whole = tree().0[&format!("/{ZIP}")].clone();
    let half = whole[..whole.len() / 2].to_vec();
    let (length, cut, chunked) = (whole.len(), half.clone(), half);
    for proxy in [
        Proxy::https(move |_| Answer::Cut(length, cut.clone())),
        Proxy::https(move |_| Answer::CutChunked(chunked.clone())),
    ] {
        let inside = Inside::new(of(&proxy));
        let (status, body) = inside.get(ZIP);
        assert_eq!(status, "200");
        assert!(body.is_err(), "{body:?}");
        // The log may come a moment after the client has seen the end.
        let failed = found("the failure", || inside.events("module-failed").pop());
        assert_eq!(failed["version"], "v1.0.0");
        assert!(inside.events("module-fetched").is_empty());
        assert_eq!(inside.finish().fetched, 0);
    }
}

#[test]
fn slow_and_chunked_answers_come_whole() {
    let whole = tree().0[&format!("/{ZIP}")].clone();
    let (drip, chunks) = (whole.clone(), whole.clone());
    for proxy in [
        Proxy::https(move |_| Answer::Drip(drip.clone())),
        Proxy::https(move |_| Answer::Chunked(chunks.clone())),
    ] {
        let inside = Inside::new(of(&proxy));
        assert_eq!(inside.get(ZIP), ("200".to_owned(), Ok(whole.clone())));
        let fetched = inside.events("module-fetched");
        assert_eq!(fetched[0]["bytes"], whole.len() as u64);
    }
}

#[test]
fn a_file_is_passed_on_while_it_comes() {
    let (first, second) = (vec![1; 300_000], vec![2; 300_000]);
    let barrier = Arc::new(Barrier::new(2));
    let halves = (first.clone(), second.clone(), Arc::clone(&barrier));
    let proxy = Proxy::https(move |_| {
        let (first, second, client) = halves.clone();
        Answer::Halves(first, second, client)
    });
    let inside = Inside::new(of(&proxy));
    let mut stream = inside.connect();
    write!(
        stream,
        "GET /{TOKEN}/{ZIP} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    // A gateway that keeps a file until it has all of it would wait for ever, and so would this. Its buffer
    // holds less than half of what has come.
    let mut body = vec![0; first.len() / 2];
    stream.read_exact(&mut body).unwrap();
    barrier.wait();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!([body, rest].concat() == [first, second].concat());
}

/// An upstream whose first answer on each connection is followed by something that nobody asked for: with
/// it, or between two meetings at the barrier. Its port, and the number of its connections.
fn talkative(
    with: &'static str,
    later: &'static str,
    client: &Arc<Barrier>,
) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let (count, client) = (Arc::clone(&connections), Arc::clone(client));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let client = Arc::clone(&client);
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let mut first = true;
                while let Some(Ok(line)) = lines.next() {
                    let version = line.split(' ').nth(1).unwrap().rsplit('/').next().unwrap();
                    let body = version.split(".mod").next().unwrap().to_owned();
                    while lines
                        .next()
                        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
                    {
                    }
                    let length = body.len();
                    let tail = if first { with } else { "" };
                    let answer =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}{tail}");
                    stream.write_all(answer.as_bytes()).unwrap();
                    if first && !later.is_empty() {
                        client.wait();
                        stream.write_all(later.as_bytes()).unwrap();
                        client.wait();
                    }
                    first = false;
                }
            });
        }
    });
    (port, connections)
}

#[test]
fn an_answer_that_nobody_asked_for_is_never_taken_for_the_next_one() {
    const EVIL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for (with, later, expected) in [("", "", 1), (EVIL, "", 2), ("", EVIL, 2), ("", "\n", 2)] {
        let client = Arc::new(Barrier::new(2));
        let (port, connections) = talkative(with, later, &client);
        let inside = Inside::new(modules(&format!("http://127.0.0.1:{port}")));
        for version in ["v1.0.0", "v1.1.0"] {
            let (status, body) = inside.get(&format!("example.com/a/@v/{version}.mod"));
            assert_eq!((&*status, body), ("200", Ok(version.as_bytes().to_vec())));
            // The gateway has put the connection by: what comes now is for no one.
            if !later.is_empty() && version == "v1.0.0" {
                client.wait();
                client.wait();
            }
        }
        let connections = connections.load(Ordering::Relaxed);
        assert_eq!(connections, expected, "{with:?} {later:?}");
    }
}

#[test]
fn what_an_upstream_says_of_an_absence_is_passed_on() {
    let proxy = Proxy::https(|_| Answer::Status(404, "no \x1b[2Jsuch module".to_owned()));
    let inside = Inside::new(of(&proxy));
    let (status, body) = inside.get(ZIP);
    assert_eq!(status, "404");
    assert_eq!(body.unwrap(), b"no ?[2Jsuch module");
    assert!(inside.events("module-failed").is_empty());
}

#[test]
fn a_folder_is_an_upstream_and_nothing_beside_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("proxy");
    tree().write(&root);
    std::fs::write(folder.path().join("secret.zip"), "secret").unwrap();
    let versions = root.join("example.com/a/@v");
    std::os::unix::fs::symlink("../../../../secret.zip", versions.join("v1.0.1.zip")).unwrap();
    std::os::unix::fs::symlink("v1.0.0.zip", versions.join("v1.0.2.zip")).unwrap();
    let inside = Inside::new(modules(&format!("file://{}", root.display())));
    let whole = &tree().0[&format!("/{ZIP}")];
    assert_eq!(inside.get(ZIP).1.as_ref(), Ok(whole));
    assert_eq!(
        inside.get("example.com/a/@v/v1.0.2.zip").1.as_ref(),
        Ok(whole)
    );
    let line = inside.status_line("example.com/a/@v/v1.0.1.zip");
    assert!(
        line.starts_with("HTTP/1.1 502 ") && line.contains("leads out of the folder"),
        "{line}"
    );
    assert_eq!(inside.get("example.com/b/@v/list").0, "404");
}

#[test]
fn off_is_off() {
    let inside = Inside::new(modules("off"));
    assert_eq!(
        inside.status_line(ZIP),
        "HTTP/1.1 403 refused by gosandbox: modules.upstreams is off"
    );
}

#[test]
fn the_log_has_every_file_with_its_digest() {
    use sha2::Digest as _;
    let tree = tree();
    let whole = tree.0.clone();
    let proxy = Proxy::https(move |asked| tree.answer(asked));
    let inside = Inside::new(of(&proxy));
    for kind in ["info", "mod", "zip"] {
        assert_eq!(
            inside.get(&format!("example.com/a/@v/v1.0.0.{kind}")).0,
            "200"
        );
    }
    let mut lines = inside.events("module-fetched");
    lines.sort_by_key(|line| line["file"].as_str().unwrap().to_owned());
    let kinds: Vec<_> = lines
        .iter()
        .map(|line| line["file"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["info", "mod", "zip"]);
    for line in &lines {
        let kind = line["file"].as_str().unwrap();
        let body = &whole[&format!("/example.com/a/@v/v1.0.0.{kind}")];
        assert_eq!(line["schema"], 2);
        assert_eq!(line["subject"], "example.com/a@v1.0.0");
        assert_eq!(line["module"], "example.com/a");
        assert_eq!(line["version"], "v1.0.0");
        assert_eq!(line["status"], 200);
        assert_eq!(line["upstream"], proxy.address);
        assert_eq!(line["bytes"], body.len() as u64);
        assert_eq!(
            line["sha256"],
            crate::modules::hex(&sha2::Sha256::digest(body))
        );
        assert!(line["duration_ms"].is_u64() && line["time"].is_string());
    }
    let summary = inside.finish();
    assert_eq!(summary.fetched, 3);
    let bytes: usize = ["info", "mod", "zip"]
        .iter()
        .map(|kind| whole[&format!("/example.com/a/@v/v1.0.0.{kind}")].len())
        .sum();
    assert_eq!(summary.bytes, bytes as u64);
}
