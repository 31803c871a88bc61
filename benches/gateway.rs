//! What the module gateway costs: `go mod download` of a large graph from a server on loopback, bare
//! and through the gateway, in turn. What is printed are medians; nothing passes or fails by it.
//!
//!     cargo bench --bench gateway [-- ROUNDS]

#![allow(clippy::unwrap_used, dead_code)]

#[path = "../tests/gateway/modules.rs"]
mod modules;
mod proxy {
    //! What the tests' modules need of the tests' proxy.
    pub struct Asked {
        pub path: String,
    }
    pub enum Answer {
        Whole(Vec<u8>),
        Status(u16, String),
    }
}

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gosandbox::gateway::{Caller, Config, Gateway, Service};
use gosandbox::policy::{Modules, Network};
use modules::{Module, OLD, Tree};

const MODULES: usize = 400;
const FILES: usize = 40;

fn main() {
    let rounds = std::env::args()
        .filter_map(|word| word.parse().ok())
        .next()
        .unwrap_or(9);
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("proxy");
    let requires = graph()
        .into_iter()
        .fold(String::new(), |mut all, (tree, line)| {
            tree.write(&root);
            all.push_str(&line);
            all
        });
    let project = scratch.path().join("project");
    std::fs::create_dir(&project).unwrap();
    let gomod = format!("module example.org/mine\n\ngo 1.21\n\nrequire (\n{requires})\n");
    std::fs::write(project.join("go.mod"), gomod).unwrap();

    let server = serve(root.clone());
    let (gateway, through) = gateway(&server);
    let file = format!("file://{}", root.display());
    let (other, through_file) = self::gateway(&file);
    let cases = [
        ("bare", server.as_str()),
        ("gateway", through.as_str()),
        ("bare, file://", file.as_str()),
        ("gateway, file://", through_file.as_str()),
    ];
    let mut times = vec![Vec::new(); cases.len()];
    for round in 0..=rounds {
        for at in 0..cases.len() {
            // Each round begins with another one.
            let at = (at + round) % cases.len();
            let took = download(scratch.path(), &project, cases[at].1);
            if round > 0 {
                times[at].push(took);
            }
        }
    }
    println!("{MODULES} modules of {FILES} files, {rounds} rounds, medians:");
    for (at, (name, _)) in cases.iter().enumerate() {
        let bare = median(times[at / 2 * 2].clone());
        let own = median(times[at].clone());
        let ratio = own.as_secs_f64() / bare.as_secs_f64();
        println!(
            "{name:<18} {:7.1} ms ({ratio:.2})",
            own.as_secs_f64() * 1000.0
        );
    }
    println!("{:?}", (gateway.finish().fetched, other.finish().fetched));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Modules, each requiring some before it, and the lines that require them all.
fn graph() -> Vec<(Tree, String)> {
    let source = format!(
        "package m\n\n{}",
        "// A line that fills the file.\n".repeat(60)
    );
    let names: Vec<String> = (0..FILES).map(|at| format!("f{at}.go")).collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), source.as_str()))
        .collect();
    let one = |at: usize| {
        let before = [at / 2, at / 3, at / 5]
            .into_iter()
            .filter(|other| *other < at);
        let requires: std::collections::BTreeSet<_> = before.collect();
        let requires = requires
            .into_iter()
            .map(|other| format!("require example.com/m{other} v1.0.0\n"))
            .collect::<String>();
        let mut tree = Tree::default();
        tree.module(&Module {
            path: &format!("example.com/m{at}"),
            version: "v1.0.0",
            time: OLD,
            files: &files,
            requires: &requires,
        });
        (tree, format!("\texample.com/m{at} v1.0.0\n"))
    };
    (0..MODULES).map(one).collect()
}

fn gateway(upstream: &str) -> (Gateway, String) {
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
        audit: Some(tempfile::tempfile().unwrap()),
        progress: None,
    })
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    gateway.serve(listener, Service::ModulesAndTunnel).unwrap();
    (gateway, format!("http://127.0.0.1:{port}/token"))
}

/// Fetches everything into a new module cache.
fn download(scratch: &Path, project: &Path, goproxy: &str) -> Duration {
    let cache = scratch.join("mod");
    let _none = std::fs::remove_dir_all(&cache);
    let _none = std::fs::remove_file(project.join("go.sum"));
    let start = Instant::now();
    let status = Command::new("go")
        .args(["mod", "download"])
        .current_dir(project)
        .env("GOMODCACHE", &cache)
        .env("GOCACHE", scratch.join("cache"))
        .env("GOENV", "off")
        .env("GOFLAGS", "-modcacherw")
        .env("GOTOOLCHAIN", "local")
        .env("GOSUMDB", "off")
        .env("GOPROXY", goproxy)
        .stdin(Stdio::null())
        .status()
        .expect("this needs the go command in PATH");
    assert!(status.success());
    start.elapsed()
}

/// A server of a folder's files on loopback.
fn serve(root: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let root = root.clone();
            std::thread::spawn(move || connection(&root, stream.unwrap()));
        }
    });
    address
}

fn connection(root: &Path, mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
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
        let path = first.split(' ').nth(1)?.trim_start_matches('/');
        let (status, body) = match std::fs::read(root.join(path)) {
            Ok(body) => ("200 OK", body),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        let mut answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend(body);
        stream.write_all(&answer).ok()?;
    }
}
