//! The line of progress: on a terminal while a download lasts, gone at its end; nowhere else.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::launch::{ORDINARY, Place, is_root, settings};
use super::pty::Terminal;
use crate::support::wait::eventually;

/// A module proxy with one module, whose archive comes drop by drop.
struct Slow {
    address: String,
    /// Set when the rest may come at once.
    enough: Arc<AtomicBool>,
    /// Set with the first drop.
    begun: Arc<AtomicBool>,
}

impl Slow {
    fn new() -> Slow {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let slow = Slow {
            address: format!("http://{}", listener.local_addr().unwrap()),
            enough: Arc::default(),
            begun: Arc::default(),
        };
        let (enough, begun) = (Arc::clone(&slow.enough), Arc::clone(&slow.begun));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (enough, begun) = (Arc::clone(&enough), Arc::clone(&begun));
                thread::spawn(move || serve(stream.unwrap(), &enough, &begun));
            }
        });
        slow
    }
}

fn archive(version: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let long = format!("package slow\n\n// {}\n", "x".repeat(60_000));
    for (name, content) in [("go.mod", "module example.test/slow\n"), ("slow.go", &long)] {
        zip.start_file(format!("example.test/slow@{version}/{name}"), options)
            .unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// One connection; its end is that of the client, which is no failure.
fn serve(mut stream: TcpStream, enough: &AtomicBool, begun: &AtomicBool) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != "\r\n") {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            lines.push(line);
        }
        let path = lines[0].split(' ').nth(1)?;
        let (version, kind) = path.rsplit('/').next()?.rsplit_once('.')?;
        let body = match kind {
            "info" => {
                format!(r#"{{"Version":"{version}","Time":"2020-01-02T03:04:05Z"}}"#).into_bytes()
            }
            "mod" => b"module example.test/slow\n".to_vec(),
            _ => archive(version),
        };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .ok()?;
        let mut rest = body.as_slice();
        while kind == "zip" && !enough.load(Ordering::Relaxed) && rest.len() > 1 {
            stream.write_all(&rest[..1]).ok()?;
            rest = &rest[1..];
            begun.store(true, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(20));
        }
        stream.write_all(rest).ok()?;
    }
}

/// What a shell is to be told, so that the module is fetched.
fn download(place: &Place, slow: &Slow, options: &str) -> String {
    let folder = place.tree().parent().unwrap().to_owned();
    let profile = folder.join("slow.toml");
    let text = format!(
        "extends = \"strict\"\n\n[modules]\nupstreams = \"{}\"\nprivate = [\"example.test/*\"]\n",
        slow.address
    );
    fs::write(&profile, text).unwrap();
    let modules = folder.join("modules");
    let _none_yet = fs::remove_dir_all(&modules);
    fs::create_dir(&modules).unwrap();
    if is_root() {
        let give = |path: &Path, to: u32| chown(path, Some(to), Some(to)).unwrap();
        give(&modules, ORDINARY);
        give(&profile, if place.setting.root { 0 } else { ORDINARY });
    }
    format!(
        "GOFLAGS=-modcacherw GOMODCACHE={} {} {options} --profile {} -- go mod download example.test/slow@v1.0.0",
        modules.display(),
        crate::reachable::gosandbox().display(),
        profile.display(),
    )
}

/// A terminal on which a download has begun.
fn begin(place: &Place, slow: &Slow, options: &str, redirected: &str) -> Terminal {
    let mut terminal = Terminal::open(place);
    terminal.expect("\n");
    let words = download(place, slow, options);
    terminal.send(&format!("{words} {redirected}; echo status=$?\n"));
    eventually("it begins", || slow.begun.load(Ordering::Relaxed));
    terminal
}

const LINE: &str = "gosandbox: fetching: 1 module, ";

#[test]
fn a_download_that_lasts_has_a_line_on_the_terminal_that_is_gone_at_the_end() {
    for setting in settings() {
        let place = Place::new(setting);
        let slow = Slow::new();
        let mut terminal = begin(&place, &slow, "", "");
        let before = terminal.expect(LINE);
        assert_eq!(before, format!("\r\x1b[K{LINE}"), "{setting:?}");
        slow.enough.store(true, Ordering::Relaxed);
        let after = terminal.expect("status=");
        // What is on the line after it was cleared last.
        let left = after.rsplit("\r\x1b[K").next();
        assert_eq!(left, Some("status="), "{setting:?}: {after:?}");
        assert!(terminal.expect("\n").starts_with('0'), "{setting:?}");
    }
}

#[test]
fn nothing_is_said_of_a_download_where_standard_error_is_no_terminal_or_with_q() {
    for setting in settings() {
        let silent = [("", "2>out/said"), ("-q", "")].map(|(options, redirected)| {
            let (place, slow) = (Place::new(setting), Slow::new());
            let terminal = begin(&place, &slow, options, redirected);
            (place, slow, terminal, !redirected.is_empty())
        });
        // They have lasted long enough when one that began after them has its line.
        let (place, slow) = (Place::new(setting), Slow::new());
        begin(&place, &slow, "", "").expect(LINE);
        for (place, slow, mut terminal, is_redirected) in silent {
            slow.enough.store(true, Ordering::Relaxed);
            let seen = terminal.expect("status=0");
            assert_eq!(seen, "status=0", "{setting:?}");
            if is_redirected {
                let said = fs::read_to_string(place.tree().join("out/said")).unwrap();
                assert_eq!(said, "", "{setting:?}");
            }
        }
        slow.enough.store(true, Ordering::Relaxed);
    }
}
