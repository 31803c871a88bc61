//! Hosts by name: who has the tunnel, and that it leads nowhere else.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use crate::support::{Ended, goroot};
use crate::{Env, LISTENING, Scene, write};

/// Asks the proxy of its environment for each address that it is called with, and the host itself.
pub const CLIENT: &str = r#"package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"os"
)

func main() {
	proxy, _ := url.Parse(os.Getenv("HTTPS_PROXY"))
	for _, to := range os.Args[1:] {
		if _, err := net.Dial("tcp", to); err == nil {
			fmt.Println("REACHED without the tunnel:", to)
		}
		if proxy == nil || proxy.Host == "" {
			fmt.Println("no proxy for", to)
			continue
		}
		c, err := net.Dial("tcp", proxy.Host)
		if err != nil {
			fmt.Println("no way to the proxy for", to)
			continue
		}
		user := base64.StdEncoding.EncodeToString([]byte(proxy.User.String()))
		fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: Basic %s\r\n\r\nhello\n", to, to, user)
		r := bufio.NewReader(c)
		status, _ := r.ReadString('\n')
		fmt.Print(to, " ", status)
		for line, err := r.ReadString('\n'); err == nil; line, err = r.ReadString('\n') {
			if line == "echo hello\n" {
				fmt.Print(to, " ", line)
			}
		}
	}
}
"#;

/// A service of the host that answers a line.
pub fn service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = [0; 6];
            if stream.read_exact(&mut line).is_ok() {
                let _gone = stream.write_all(&[b"echo ", &line[..]].concat());
            }
        }
    });
    port
}

/// Makes `client` in the project, of one source file.
pub fn build(scene: &Scene, source: &str) {
    let place = scene.site.root.join("client/main.go");
    write(&place, source);
    let built = Command::new(goroot().join("bin/go"))
        .args(["build", "-o"])
        .arg(scene.site.work.join("client"))
        .arg(&place)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-buildvcs=false")
        .status();
    assert!(built.unwrap().success());
    scene.settle();
}

#[test]
fn a_named_host_is_reached_through_the_tunnel_where_the_profile_lets_programs_and_no_other_is() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let scene = Scene::new(env);
        build(&scene, CLIENT);
        let (named, other) = (service(), service());
        let named = format!("127.0.0.1:{named}");
        let other = format!("127.0.0.1:{other}");
        let words = ["./client", named.as_str(), &other];
        let run = |options: &[&str]| -> Ended { scene.site.run(options, &words).expect(0) };
        let ended = run(&["--profile=dev", "--allow-host", &named]);
        assert!(!ended.stdout.contains("REACHED"), "{env:?}: {ended:?}");
        let ended = ended.says(&format!("{named} HTTP/1.1 200"));
        let ended = ended.says(&format!("{named} echo hello"));
        ended.says(&format!("{other} HTTP/1.1 403"));
        let strict = format!("extends = \"strict\"\n\n[network]\nallow = [{named:?}]\n");
        let strict = scene.site.profile(&strict);
        let ended = run(&["--profile", strict.to_str().unwrap()]);
        assert!(!ended.stdout.contains("REACHED"), "{env:?}: {ended:?}");
        ended.says(&format!("no proxy for {named}"));
    }
}

/// A project whose test and program look for a way to these addresses, under the profile that lets programs.
fn looks(env: Env, named: &str, other: &str) -> Scene {
    let scene = Scene::new(env);
    let upstream = fs::read_to_string(&scene.profile).unwrap();
    write(&scene.profile, &upstream.replace("strict", "dev"));
    scene
        .site
        .file("go.mod", "module example.test/main\n\ngo 1.21\n");
    let fixtures = [
        ("main.go", include_str!("../fixtures/network/hosts_main.go")),
        ("hosts.go", include_str!("../fixtures/network/hosts.go")),
        (
            "hosts_test.go",
            include_str!("../fixtures/network/hosts_test.go"),
        ),
        ("listening.go", LISTENING),
    ];
    for (name, content) in fixtures {
        scene.site.file(name, content);
    }
    // What no program can know, but might guess; the first run makes it.
    scene.settle();
    scene.run(&[], &["go", "list", "-m"]).expect(0);
    let token = fs::read_to_string(scene.site.home.join(".local/state/gosandbox/token"));
    let token = token.unwrap_or("none".into());
    let addresses =
        format!("package main\n\nconst named, other, token = {named:?}, {other:?}, {token:?}\n");
    scene.site.file("addresses.go", &addresses);
    scene.settle();
    scene
}

#[test]
fn programs_of_go_test_and_go_run_reach_named_hosts_where_the_profile_says_so_and_nothing_else() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (named, other) = (service(), service());
        let named = format!("127.0.0.1:{named}");
        let scene = looks(env, &named, &format!("127.0.0.1:{other}"));
        let options = ["--allow-host", named.as_str()];
        let test = ["go", "test", "-v", "-buildvcs=false", "."];
        let run = ["go", "run", "-buildvcs=false", "."];
        let good = |ended: Ended, who: &[&str]| {
            assert!(!ended.stdout.contains("REACHED"), "{env:?}: {ended:?}");
            for who in who {
                for line in [
                    "proxy http://127.0.0.1:9420",
                    "named HTTP/1.1 200",
                    "named echo hello",
                    "other HTTP/1.1 403 refused by gosandbox: network.allow",
                    "modules HTTP/1.1 404",
                    "plain HTTP/1.1 400",
                    "DONE",
                ] {
                    let line = format!("{who} {line}");
                    assert!(ended.stdout.contains(&line), "{env:?}: {line}: {ended:?}");
                }
            }
        };
        good(scene.run(&options, &test).expect(0), &["test", "child"]);
        good(scene.run(&options, &run).expect(0), &["program"]);
        let test = [&test[..], &["-run=TestNamed"]].concat();
        scene
            .run(&options, &test)
            .expect(0)
            .says("named echo hello");
        let again = scene.run(&options, &test).expect(0);
        assert!(again.stdout.contains("(cached)"), "{env:?}: {again:?}");
        // Another list of hosts is another test.
        let more = ["--allow-host", named.as_str(), "--allow-host=host.example"];
        let other = scene.run(&more, &test).expect(0);
        assert!(!other.stdout.contains("(cached)"), "{env:?}: {other:?}");
        // And under strict it has no proxy, also where it passed before.
        let text = fs::read_to_string(&scene.profile).unwrap();
        write(&scene.profile, &text.replace("dev", "strict"));
        for words in [&test[..], &run] {
            let strict = scene.run(&options, words).expect(0);
            assert!(!strict.stdout.contains("REACHED"), "{env:?}: {strict:?}");
            assert!(!strict.stdout.contains("(cached)"), "{env:?}: {strict:?}");
            strict.says("no way to the proxy");
        }
    }
}
