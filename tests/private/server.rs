//! A host with git repositories, by https: `git http-backend` behind TLS with an authority of the tests' own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::proxy::identity;

/// Who may read, and by which password.
pub const LOGIN: (&str, &str) = ("reader", "secret-of-netrc");

/// How a host behaves.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// Whether only [`LOGIN`] may read.
    pub is_closed: bool,
    /// Where it sends whoever asks for this path.
    pub redirects: Vec<(String, String)>,
    /// What it says of a module in place of its own repository.
    pub repository: Option<String>,
}

/// The host.
pub struct Host {
    /// The authority's certificate, PEM.
    pub ca: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Host {
    /// Starts one with a name, at an address, for the bare repositories in a folder.
    pub fn start(name: &str, address: &str, repositories: &Path, behaviour: Behaviour) -> Host {
        let (pem, config, _) = identity(&[name]);
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, pem).unwrap();
        let listener = TcpListener::bind((address, 443)).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let (name, repositories) = (name.to_owned(), repositories.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = rustls::StreamOwned::new(tls, stream);
                let (log, name) = (Arc::clone(&log), name.clone());
                let (repositories, behaviour) = (repositories.clone(), behaviour.clone());
                std::thread::spawn(move || {
                    let Some(request) = read(&mut stream) else {
                        return;
                    };
                    log.lock().unwrap().push(request.path.clone());
                    let answer = answer(&name, &repositories, &behaviour, &request);
                    let _gone = stream.write_all(&answer);
                    stream.conn.send_close_notify();
                    let _gone = stream.flush();
                });
            }
        });
        Host {
            ca,
            asked,
            _folder: folder,
        }
    }

    /// The paths that were asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &mut impl Read) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
    };
    if let Ok(length) = request.header("content-length").parse() {
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}

fn page(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn answer(name: &str, repositories: &Path, behaviour: &Behaviour, request: &Request) -> Vec<u8> {
    let moved = behaviour.redirects.iter();
    if let Some((_, to)) = moved
        .into_iter()
        .find(|(from, _)| request.path.starts_with(from))
    {
        let to = format!("Location: {to}?{}\r\n", request.query);
        return page("302 Found", &to, "");
    }
    let (login, password) = LOGIN;
    let expected = BASE64_STANDARD.encode(format!("{login}:{password}"));
    if behaviour.is_closed && request.header("authorization") != format!("Basic {expected}") {
        let asks = "WWW-Authenticate: Basic realm=\"repositories\"\r\n";
        return page("401 Unauthorized", asks, "");
    }
    if request.query == "go-get=1" {
        let mut elements = request.path.trim_start_matches('/').split('/');
        let module = format!("{}/{}", elements.next().unwrap(), elements.next().unwrap());
        let own = format!("https://{name}/{module}.git");
        let repository = behaviour.repository.as_ref().unwrap_or(&own);
        let meta =
            format!("<meta name=\"go-import\" content=\"{name}/{module} git {repository}\">");
        return page("200 OK", "Content-Type: text/html\r\n", &meta);
    }
    by_git(repositories, request)
}

/// Answers as a git server does (git-http-backend(1)).
fn by_git(repositories: &Path, request: &Request) -> Vec<u8> {
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", repositories)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("GIT_PROTOCOL", request.header("git-protocol"))
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("CONTENT_TYPE", request.header("content-type"))
        .env("HTTP_CONTENT_ENCODING", request.header("content-encoding"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = backend.stdin.take().unwrap();
    let body = request.body.clone();
    let writer = std::thread::spawn(move || input.write_all(&body));
    let output = backend.wait_with_output().unwrap().stdout;
    let _gone = writer.join();
    let end = output
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let (mut status, mut headers) = ("200 OK".to_owned(), String::new());
    for line in head.lines() {
        match line.strip_prefix("Status: ") {
            Some(text) => status = text.to_owned(),
            None => headers.push_str(&format!("{line}\r\n")),
        }
    }
    let length = output.len() - end - 4;
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    )
    .into_bytes();
    answer.extend_from_slice(&output[end + 4..]);
    answer
}
