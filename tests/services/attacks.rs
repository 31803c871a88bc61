//! What a hostile test tries with a service: other ports, more than the launcher can hold, and to stay.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use crate::support::{Env, in_environments};
use crate::{Echo, looks};

const ATTACKS: &str = include_str!("../fixtures/services/attack_test.go");

/// A project of attacks on the first of these addresses.
fn attacks(env: Env, addresses: &[&str]) -> crate::Site {
    let site = looks(env, addresses);
    site.file("look_test.go", ATTACKS);
    site.settle();
    site
}

/// Runs one of them.
fn words(test: &str) -> [&str; 6] {
    ["go", "test", "-v", "-count=1", "-buildvcs=false", test]
}

fn nothing_beside_the_named_port_is_reached(env: Env) {
    let (named, other) = (Echo::new(), Echo::new());
    let port = named.port;
    let addresses = [
        named.address(),
        other.address(),
        format!("127.0.0.2:{port}"),
        format!("[::1]:{port}"),
        format!("10.0.0.1:{port}"),
        "127.0.0.1:9419".to_owned(),
        "127.0.0.1:9420".to_owned(),
    ];
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let site = attacks(env, &addresses);
    let words = words("-run=TestBeside");
    let ended = site.run(&["--profile=ci", "--service", &named.name()], &words);
    let ended = ended.expect(0).says("BESIDE DONE");
    assert!(!ended.stdout.contains("answers"), "{env:?}: {ended:?}");
    assert!(!ended.stdout.contains("REACHED by"), "{env:?}: {ended:?}");
    assert_eq!(other.lines.load(Ordering::Relaxed), 0);
    // The control: without gosandbox the other one is there.
    let mut command = site.bare(&words);
    let bare = crate::support::Ended::of(&mut command).expect(0);
    bare.says(&format!("BESIDE {} answers echo hello", other.address()));
}
in_environments!(nothing_beside_the_named_port_is_reached);

fn a_flood_of_silent_connections_is_bounded_and_over_when_it_ends(env: Env) {
    let named = Echo::new();
    let site = attacks(env, &[&named.address()]);
    let words = words("-run=TestFlood");
    let ended = site.run(&["--profile=ci", "--service", &named.name()], &words);
    ended.expect(0).says("AFTER answers echo hello");
}
in_environments!(a_flood_of_silent_connections_is_bounded_and_over_when_it_ends: user User, restricted Restricted);

/// A service that notes the last line of each connection, once that has ended.
fn notes() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ends: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&ends);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let ends = Arc::clone(&noted);
            std::thread::spawn(move || {
                let lines = BufReader::new(stream).lines();
                let last = lines.map_while(Result::ok).last();
                ends.lock().unwrap().push(last.unwrap_or_default());
            });
        }
    });
    (port, ends)
}

fn what_a_test_leaves_behind_keeps_no_connection_after_the_run(env: Env) {
    let (port, ends) = notes();
    let site = attacks(env, &[&format!("127.0.0.1:{port}")]);
    let words = words("-run=TestLeaves");
    let option = format!("--service={port}");
    site.run(&["--profile=ci", &option], &words)
        .expect(0)
        .says("LEFT");
    // The run is over: the connection has ended, and no new one comes.
    crate::support::wait::eventually("the connection ends", || !ends.lock().unwrap().is_empty());
    assert_eq!(ends.lock().unwrap().len(), 1, "{env:?}");
}
in_environments!(what_a_test_leaves_behind_keeps_no_connection_after_the_run);

/// Data that a program has sent just before it ended arrives.
fn last_words_arrive(env: Env) {
    let (port, ends) = notes();
    let site = looks(env, &[&format!("127.0.0.1:{port}")]);
    site.file(
        "main.go",
        "package main\n\nimport (\n\t\"fmt\"\n\t\"net\"\n)\n\nfunc main() {\n\
         \tc, _ := net.Dial(\"tcp\", addresses[0])\n\tfmt.Fprint(c, \"last words\")\n}\n",
    );
    site.settle();
    let option = format!("--service={port}");
    for round in 1..=5 {
        let words = ["go", "run", "-buildvcs=false", "."];
        site.run(&["--profile=ci", &option], &words).expect(0);
        crate::support::wait::eventually("it arrives", || ends.lock().unwrap().len() == round);
    }
    assert!(
        ends.lock().unwrap().iter().all(|it| it == "last words"),
        "{env:?}"
    );
}
in_environments!(last_words_arrive);
