//! A proxy of the caller's own on the loopback: go's messages name it, and the gateway decides as ever.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};

use crate::support::{Env, write};
use crate::{Scene, scenes};

/// Answers one request after another with the file that its path names below `/base`.
fn answer(stream: TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
        }
        let path = line.split(' ').nth(1).unwrap_or_default();
        let path = Path::new(path.strip_prefix("/base/").unwrap_or("none"));
        let is_plain = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let file = folder.join(path);
        let mut body = Vec::new();
        let found = is_plain
            && fs::File::open(file)
                .and_then(|mut file| file.read_to_end(&mut body))
                .is_ok();
        let status = if found { "200 OK" } else { "404 Not Found" };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all(head.as_bytes())?;
        writer.write_all(&body)?;
    }
}

/// Serves a folder on the loopback, until the tests end; returns its port.
fn serve(folder: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            std::thread::spawn(move || answer(stream, &folder));
        }
    });
    port
}

/// A scene whose modules come from the loopback, and that address.
fn served(scene: &Scene) -> String {
    let address = format!(
        "http://127.0.0.1:{}/base",
        serve(scene.modules.folder().to_owned())
    );
    let text = format!(
        "extends = \"strict\"\n\n[modules]\nupstreams = \"{address}\"\nprivate = [\"example.test/*\"]\n\
         deny = [\"example.test/denied\"]\n"
    );
    write(&scene.profile, &text);
    scene.settle();
    address
}

#[test]
fn gos_messages_name_the_callers_proxy() {
    for scene in scenes() {
        let env = scene.site.env;
        let address = served(&scene);
        let download = |module: &str| scene.run(&[], &["go", "mod", "download", "-x", module]);
        let fetched = download("example.test/dep@v1.0.0").expect(0);
        assert!(scene.has_fetched(), "{env:?}");
        let missing = download("example.test/none@v1.0.0");
        let denied = download("example.test/denied@v1.0.0");
        assert!(
            denied.stderr.contains("403 refused by gosandbox"),
            "{env:?}: {denied:?}"
        );
        assert_eq!((missing.status, denied.status), (1, 1), "{env:?}");
        if !env.has_namespaces() {
            continue;
        }
        let zip = format!("# get {address}/example.test/dep/@v/v1.0.0.zip: 200 OK");
        assert!(fetched.stderr.contains(&zip), "{env:?}: {fetched:?}");
        let reading = format!("reading {address}/example.test/none/@v/v1.0.0.info: 404 Not Found");
        assert!(missing.stderr.contains(&reading), "{env:?}: {missing:?}");
        let said = scene.run(&[], &["go", "env", "GOPROXY"]);
        let plain = [address.as_str(), "off"];
        assert!(plain.contains(&said.stdout.trim()), "{env:?}: {said:?}");
    }
}

const MAIN: &str = "package main\n\nfunc main() {}\n";

/// Whether somebody answers at ADDRESS.
const TEST: &str = r#"package main

import (
	"net"
	"os"
	"testing"
)

func TestDial(t *testing.T) {
	connection, err := net.Dial("tcp", os.Getenv("DIALLED"))
	if err == nil {
		connection.Close()
		t.Fatal("somebody is there")
	}
}
"#;

#[test]
fn programs_reach_neither_the_callers_proxy_nor_the_gateway_in_its_stead() {
    for env in [Env::User, Env::Root] {
        if !env.is_here() {
            continue;
        }
        let scene = Scene::new(env);
        let address = served(&scene);
        scene.program("main", MAIN, TEST);
        scene.settle();
        let dialled = address
            .strip_prefix("http://")
            .and_then(|it| it.strip_suffix("/base"));
        let dialled = format!("DIALLED={}", dialled.unwrap());
        // With a way to modules, as the command has it.
        let test = ["go", "test", "-count=1", "."];
        scene.run(&["--env", &dialled], &test).expect(0);
        // Without gosandbox somebody is there.
        let mut bare = scene.site.bare(&test);
        let (name, value) = dialled.split_once('=').unwrap();
        let said = crate::Ended::of(bare.env(name, value));
        assert!(
            said.status != 0 && said.stdout.contains("somebody is there"),
            "{said:?}"
        );
    }
}
