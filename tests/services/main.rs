//! Services that programs reach, and ports that they publish.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod names;
mod published;
mod reached;
mod real;
mod refused;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{Env, Site};

/// A service of the host's that answers each line with itself.
struct Echo {
    port: u16,
    /// Lines that came.
    lines: Arc<AtomicUsize>,
}

impl Echo {
    fn new() -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&lines);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || answer(stream, &count));
            }
        });
        Echo { port, lines }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn name(&self) -> String {
        self.port.to_string()
    }
}

fn answer(stream: TcpStream, count: &AtomicUsize) {
    let mut writer = stream.try_clone().unwrap();
    let lines = BufReader::new(stream).lines();
    for line in lines.map_while(Result::ok) {
        count.fetch_add(1, Ordering::Relaxed);
        if writeln!(writer, "echo {line}").is_err() {
            return;
        }
    }
}

/// A project whose test and program look for these addresses.
fn looks(env: Env, addresses: &[&str]) -> Site {
    let site = Site::new(env);
    let files = [
        ("go.mod", "module example.test/main\n\ngo 1.21\n"),
        ("main.go", include_str!("../fixtures/services/main.go")),
        ("look.go", include_str!("../fixtures/services/look.go")),
        (
            "look_test.go",
            include_str!("../fixtures/services/look_test.go"),
        ),
    ];
    for (name, content) in files {
        site.file(name, content);
    }
    let addresses: Vec<_> = addresses.iter().map(|one| format!("{one:?}")).collect();
    let list = format!(
        "package main\n\nvar addresses = []string{{{}}}\n",
        addresses.join(", ")
    );
    site.file("addresses.go", &list);
    site.settle();
    site
}
