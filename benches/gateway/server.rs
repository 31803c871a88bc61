//! A server of a folder's files on loopback, and the gateway in front of it without any sandbox.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use gosandbox::gateway::{Caller, Config, Gateway, Service};
use gosandbox::policy::{Modules, Network};

/// Serves a folder as a module proxy, until the process ends; its address.
pub fn files(root: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let root = root.clone();
            thread::spawn(move || connection(&root, stream.expect("a client")));
        }
    });
    address
}

/// One connection; its end is that of the client, which is no failure.
fn connection(root: &Path, mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let path = request(&mut reader)?;
        let Ok(mut file) = File::open(root.join(path.trim_start_matches('/'))) else {
            let none = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(none).ok()?;
            continue;
        };
        let length = file.metadata().ok()?.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
        )
        .ok()?;
        // sendfile(2): what is measured is not this server.
        io::copy(&mut file, &mut stream).ok()?;
    }
}

/// The path that a request asks for.
fn request(reader: &mut impl BufRead) -> Option<String> {
    let mut first = String::new();
    let mut line = String::new();
    while !line.trim_end().is_empty() || first.is_empty() {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if first.is_empty() {
            first.clone_from(&line);
        }
    }
    // What is escaped of a module's path is no more than its `!`.
    Some(first.split(' ').nth(1)?.replace("%21", "!"))
}

/// The gateway as a run has it, with an audit log, and the GOPROXY for it.
pub fn gateway(upstream: &str) -> (Gateway, String) {
    let gateway = Gateway::new(Config {
        modules: Modules {
            upstreams: upstream.to_owned(),
            checksum_database: "off".to_owned(),
            allow: vec!["*".to_owned()],
            ..Modules::closed()
        },
        network: Network::default(),
        token: "token".to_owned(),
        caller: Caller::default(),
        audit: Some(tempfile::tempfile().expect("a log")),
        progress: None,
    })
    .expect("a gateway");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    gateway
        .serve(listener, Service::ModulesAndTunnel)
        .expect("threads");
    (gateway, format!("http://127.0.0.1:{port}/token"))
}
