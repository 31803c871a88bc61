//! A module proxy on loopback that serves a folder's files, and the gateway in front of it without any
//! sandbox.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use gosandbox::gateway::{Caller, Config, Gateway, Service};
use gosandbox::policy::{Modules, Network};
use gosandbox::record::Log;

/// Go's own server, `upstream/main.go`, as a process; it ends with this.
pub struct Upstream {
    process: Child,
    /// Its address.
    pub address: String,
    /// The file with the certificate that it is known by, over TLS.
    pub ca: Option<PathBuf>,
}

impl Upstream {
    /// Builds and starts it, over TLS or `plain`.
    pub fn start(goroot: &Path, folder: &Path, files: &Path, plain: bool) -> Upstream {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/gateway/upstream/main.go");
        let program = folder.join("upstream");
        let built = Command::new(goroot.join("bin/go"))
            .args(["build", "-o"])
            .args([&program, &source])
            .env("CGO_ENABLED", "0")
            .status();
        assert!(
            built.expect("go").success(),
            "go build {}",
            source.display()
        );
        let ca = folder.join("ca.pem");
        let mut process = Command::new(program)
            .args([files, &ca])
            .args(plain.then_some("plain"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut address = String::new();
        let said = process.stdout.take().expect("a pipe");
        BufReader::new(said)
            .read_line(&mut address)
            .expect("its address");
        Upstream {
            process,
            address: address.trim().to_owned(),
            ca: (!plain).then_some(ca),
        }
    }

    /// What it has used of the processor, as `/proc/PID/stat`.
    pub fn stat(&self) -> String {
        fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("a process")
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _it_has_ended = self.process.kill();
        let _nobody_asks_why = self.process.wait();
    }
}

/// The gateway as a run has it, with an audit log, and the GOPROXY for it.
pub fn gateway(upstream: &Upstream) -> (Gateway, String) {
    let gateway = Gateway::new(Config {
        modules: Modules {
            upstreams: upstream.address.clone(),
            ca: upstream.ca.iter().cloned().collect(),
            checksum_database: "off".to_owned(),
            allow: vec!["*".to_owned()],
            ..Modules::closed()
        },
        network: Network::default(),
        token: "token".to_owned(),
        direct: None,
        ssh: Default::default(),
        caller: Caller::default(),
        audit: Log::new(tempfile::tempfile().expect("a log"), "bench"),
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
