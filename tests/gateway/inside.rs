//! The gateway under test, and what speaks to it: raw sockets, and the go command run bare.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};

use gosandbox::gateway::{Caller, Config, Gateway, Limits, Service, Summary};
use gosandbox::policy::{Modules, Network};
use gosandbox::record::Log;

use super::proxy::Proxy;
use super::reachable::goroot;

pub const TOKEN: &str = "0123456789abcdef";
/// The run's name in the log.
pub const RUN: &str = "fedcba9876543210";

pub struct Inside {
    gateway: Option<Gateway>,
    pub port: u16,
    audit: File,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

/// A policy that fetches from these upstreams and allows everything.
pub fn modules(upstreams: &str) -> Modules {
    Modules {
        upstreams: upstreams.to_owned(),
        checksum_database: "off".to_owned(),
        allow: vec!["*".to_owned()],
        ..Modules::closed()
    }
}

/// The same for a proxy of the tests' own, with its authority.
pub fn of(proxy: &Proxy) -> Modules {
    Modules {
        ca: vec![proxy.ca.clone()],
        ..modules(&proxy.address)
    }
}

impl Inside {
    pub fn new(modules: Modules) -> Inside {
        Inside::with(
            modules,
            Network::default(),
            Caller::default(),
            Service::ModulesAndTunnel,
        )
    }

    pub fn with(modules: Modules, network: Network, caller: Caller, service: Service) -> Inside {
        Inside::limited(modules, network, caller, service, Limits::default())
    }

    pub fn limited(
        modules: Modules,
        network: Network,
        caller: Caller,
        service: Service,
        limits: Limits,
    ) -> Inside {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let open = || {
            File::options()
                .append(true)
                .read(true)
                .create(true)
                .open(&path)
                .unwrap()
        };
        let config = Config {
            direct: None,
            ssh: Default::default(),
            modules,
            network,
            token: TOKEN.to_owned(),
            caller,
            audit: Log::new(open(), RUN),
            progress: None,
        };
        let gateway = Gateway::with_limits(config, limits).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        gateway.serve(listener, service).unwrap();
        Inside {
            gateway: Some(gateway),
            port,
            audit: open(),
            path,
            _folder: folder,
        }
    }

    /// The value of GOPROXY.
    pub fn goproxy(&self) -> String {
        format!("http://127.0.0.1:{}/{TOKEN}", self.port)
    }

    /// Sends bytes, and returns all that comes until the gateway ends the connection.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The gateway may have answered and gone before all of it was sent.
        let _sent = stream.write_all(bytes);
        let _ended = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }

    /// Asks for a path below the token: the status line, and the body as far as it came whole.
    pub fn get(&self, path: &str) -> (String, Result<Vec<u8>, String>) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let response = agent
            .get(format!("{}/{path}", self.goproxy()))
            .call()
            .unwrap();
        let status = response.status().as_u16().to_string();
        let mut body = Vec::new();
        let outcome = response.into_body().into_reader().read_to_end(&mut body);
        (
            status,
            outcome.map(|_| body).map_err(|error| error.to_string()),
        )
    }

    /// The first line of the answer to a path, with its reason phrase.
    pub fn status_line(&self, path: &str) -> String {
        let text = format!("GET /{TOKEN}/{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        self.raw(text.as_bytes())
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    /// The audit log's lines so far.
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn audit_text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap()
    }

    /// Lines of one event.
    pub fn events(&self, event: &str) -> Vec<serde_json::Value> {
        let mut lines = self.audit();
        lines.retain(|line| line["kind"] == event);
        lines
    }

    pub fn finish(mut self) -> Summary {
        self.gateway.take().unwrap().finish()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.finish();
        }
        let _kept = self.audit.flush();
    }
}

/// A project, and a go command with a home of its own.
pub struct Project {
    folder: tempfile::TempDir,
    proxy: String,
    sumdb: String,
    nosumdb: String,
}

impl Project {
    pub fn new(inside: &Inside) -> Project {
        Project {
            folder: tempfile::tempdir().unwrap(),
            proxy: inside.goproxy(),
            sumdb: "off".to_owned(),
            nosumdb: String::new(),
        }
    }

    /// Upstream address and checksum database of a bare go command.
    pub fn sumdb(mut self, verifier: &str) -> Project {
        self.sumdb = verifier.to_owned();
        self
    }

    pub fn nosumdb(mut self, patterns: &str) -> Project {
        self.nosumdb = patterns.to_owned();
        self
    }

    pub fn file(&self, name: &str, content: &str) -> &Project {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub fn module_cache(&self) -> PathBuf {
        self.folder.path().join("mod")
    }

    pub fn go(&self, words: &[&str]) -> Output {
        let home = self.folder.path();
        std::fs::create_dir_all(self.path()).unwrap();
        // The standard library is compiled once for all tests.
        let user = rustix::process::geteuid().as_raw();
        let cache = std::env::temp_dir().join(format!("gosandbox-gateway-{user}"));
        let mut command = Command::new(goroot().join("bin/go"));
        command
            .args(words)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", home)
            .env("GOPATH", home.join("gopath"))
            .env("GOMODCACHE", self.module_cache())
            .env("GOCACHE", cache)
            .env("GOENV", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-modcacherw")
            .env("GOTELEMETRY", "off")
            .env("CGO_ENABLED", "0")
            .env("GOVCS", "*:off")
            .env("GOPROXY", &self.proxy)
            .env("GOSUMDB", &self.sumdb);
        if !self.nosumdb.is_empty() {
            command.env("GONOSUMDB", &self.nosumdb);
        }
        command.output().unwrap()
    }

    /// Runs go, expects success, and returns what it wrote.
    pub fn good(&self, words: &[&str]) -> String {
        let output = self.go(words);
        let text = said(&output);
        assert!(output.status.success(), "go {}: {text}", words.join(" "));
        text
    }

    /// Runs go, expects failure, and returns what it wrote.
    pub fn bad(&self, words: &[&str]) -> String {
        let output = self.go(words);
        let text = said(&output);
        assert!(
            !output.status.success(),
            "go {} passed: {text}",
            words.join(" ")
        );
        text
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
