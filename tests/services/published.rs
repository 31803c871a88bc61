//! A published port of a program is reached on the host's loopback, and no other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::support::{Ended, Env, Site, in_environments, ports, wait};

const SERVE: &str = include_str!("../fixtures/services/serve.go");

fn serves(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.test/main\n\ngo 1.21\n");
    site.file("main.go", SERVE);
    site.settle();
    // A command that is a program runs go commands of its own.
    site.warm_own_cache();
    site
}

/// Starts a command, and waits until its program serves.
fn start(command: &mut Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert_eq!(line, "SERVING\n");
    child
}

/// What the port answers; nothing where nobody does.
fn ask(port: u16, text: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    let mut answer = String::new();
    let sent = stream.write_all(text.as_bytes());
    let sent = sent.and_then(|()| stream.shutdown(Shutdown::Write));
    let _broken = sent.and_then(|()| stream.read_to_string(&mut answer));
    answer
}

const RUN: [&str; 4] = ["go", "run", "-buildvcs=false", "."];
const SHELL: [&str; 3] = [
    "sh",
    "-c",
    "go build -buildvcs=false -o $TMPDIR/serve . && exec $TMPDIR/serve",
];

fn the_host_reaches_a_published_port(env: Env) {
    let site = serves(env);
    let (port, other) = (ports::free(), ports::free());
    let listen = format!("LISTEN=127.0.0.1:{port}");
    let other = format!("--publish={other}");
    for words in [&RUN[..], &SHELL] {
        let publish = format!("--publish={port}");
        let options = ["--profile=dev", &publish, &other, "--env", &listen];
        let mut child = start(&mut site.gosandbox(&options, words));
        // More than the program has sockets for: each is used again.
        for round in 0..80 {
            let text = format!("{round}\n");
            assert_eq!(ask(port, &text), format!("served {text}"), "{env:?}");
        }
        let large = "x".repeat(3 << 20);
        assert_eq!(ask(port, &large).len(), large.len() + "served ".len());
        ask(port, "end\n");
        wait::ends(&mut child);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{env:?}");
        assert_eq!(ask(port, "gone\n"), "", "{env:?}");
    }
}
in_environments!(the_host_reaches_a_published_port);

/// With namespaces nobody outside is in the program's; without, the host's loopback is the program's.
#[test]
fn a_port_that_is_not_published_is_not_reached() {
    for env in Env::ALL
        .into_iter()
        .filter(|env| env.is_here() && env.has_namespaces())
    {
        let site = serves(env);
        let (port, published) = (ports::free(), ports::free());
        let listen = format!("LISTEN=127.0.0.1:{port}");
        let publish = format!("--publish={published}");
        let options = ["--profile=dev", &publish, "--env", &listen, "--timeout=1h"];
        let mut child = start(&mut site.gosandbox(&options, &RUN));
        assert_eq!(ask(port, "x\n"), "", "{env:?}");
        // A connection that no program takes is broken off, and not held.
        assert_eq!(ask(published, "x\n"), "", "{env:?}");
        let pid = child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(killed.unwrap().success());
        wait::ends(&mut child);
    }
}

/// The control.
#[test]
fn without_gosandbox_the_port_is_reached() {
    let site = serves(Env::User);
    let port = ports::free();
    let mut command = site.bare(&RUN);
    command.env("LISTEN", format!("127.0.0.1:{port}"));
    let mut child = start(&mut command);
    assert_eq!(ask(port, "x\n"), "served x\n");
    ask(port, "end\n");
    wait::ends(&mut child);
}

#[test]
fn a_program_that_listens_and_is_killed_leaves_one_hint() {
    for env in Env::ALL
        .into_iter()
        .filter(|env| env.is_here() && env.has_namespaces())
    {
        let site = serves(env);
        let port = ports::free();
        let listen = format!("LISTEN=127.0.0.1:{port}");
        let hint = format!("--publish {port}");
        for (options, is_said) in [
            (vec!["--profile=dev", "--env", &listen], true),
            (vec!["--profile=dev", "-q", "--env", &listen], false),
        ] {
            let mut command = site.gosandbox(&options, &RUN);
            command.stderr(Stdio::piped());
            let child = start(&mut command);
            let pid = child.id().to_string();
            let killed = Command::new("kill").args(["-TERM", &pid]).status();
            assert!(killed.unwrap().success());
            let ended = Ended::from(child.wait_with_output().unwrap());
            let said = ended.stderr.matches(&hint).count();
            assert_eq!(said, usize::from(is_said), "{env:?}: {ended:?}");
        }
    }
}
