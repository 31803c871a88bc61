//! The launcher has one thread until somebody inside connects to the gateway: it clones processes, and what
//! nobody uses must cost nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use crate::{Scene, scenes, tunnels};

/// Says when it runs, and ends when its standard input does.
const MAIN: &str = r#"package main

import (
	"fmt"
	"io"
	"os"

	"example.test/dep"
)

func main() {
	fmt.Println(dep.Word())
	io.Copy(io.Discard, os.Stdin)
}
"#;

/// Threads of a process, as the kernel counts them; `None` where it has ended.
fn threads(child: &Child) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("Threads:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The most threads that the launcher was seen with until the program runs, and what it has then. A gateway
/// that was started keeps the thread that accepts until the end, so that the second number misses none.
fn counted(scene: &Scene) -> (usize, usize) {
    let words = ["go", "run", "-buildvcs=false", "."];
    let mut command = scene.command(&[], &words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut launcher = command.spawn().unwrap();
    let mut output = BufReader::new(launcher.stdout.take().unwrap());
    let said = std::thread::spawn(move || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line
    });
    let mut most = 0;
    while !said.is_finished() {
        most = most.max(threads(&launcher).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(said.join().unwrap(), "fetched\n", "{:?}", scene.site.env);
    let now = threads(&launcher).unwrap();
    drop(launcher.stdin.take());
    assert!(launcher.wait().unwrap().success());
    (most, now)
}

#[test]
fn the_launcher_has_one_thread_where_everything_is_cached_and_more_once_something_is_fetched() {
    for scene in scenes() {
        let env = scene.site.env;
        scene.site.file("main.go", MAIN);
        scene.settle();
        scene.run(&[], &["go", "mod", "tidy"]).expect(0);
        scene.forget();
        let (_, fetching) = counted(&scene);
        assert!(scene.has_fetched() && fetching > 1, "{env:?}: {fetching}");
        assert_eq!(counted(&scene), (1, 1), "{env:?}");
    }
}

/// Connects to its proxy for each line that it is given.
const CLIENT: &str = r#"package main

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"os"
)

func main() {
	proxy, err := url.Parse(os.Getenv("HTTPS_PROXY"))
	fmt.Println("ready", err == nil && proxy.Host != "")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		c, err := net.Dial("tcp", proxy.Host)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(c, "CONNECT other.example:1 HTTP/1.1\r\nHost: other.example:1\r\n\r\n")
		status, _ := bufio.NewReader(c).ReadString('\n')
		fmt.Print(status)
	}
}
"#;

#[test]
fn the_launcher_has_one_thread_until_somebody_inside_connects() {
    for scene in scenes() {
        let env = scene.site.env;
        tunnels::build(&scene, CLIENT);
        let options = ["--profile=dev", "--allow-host=host.example"];
        let mut command = scene.site.gosandbox(&options, &["./client"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut launcher = command.spawn().unwrap();
        let mut output = BufReader::new(launcher.stdout.take().unwrap()).lines();
        let mut says = || output.next().unwrap().unwrap();
        assert_eq!(says(), "ready true", "{env:?}");
        assert_eq!(threads(&launcher), Some(1), "{env:?}");
        let mut input = launcher.stdin.take().unwrap();
        input.write_all(b"connect\n").unwrap();
        let status = says();
        assert!(status.starts_with("HTTP/1.1 407 "), "{env:?}: {status}");
        assert!(threads(&launcher).unwrap() > 1, "{env:?}");
        drop(input);
        assert!(launcher.wait().unwrap().success());
    }
}
