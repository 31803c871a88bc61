//! The module gateway: the sandbox's only way out, and it knows Go.
//!
//! It stands outside, on a listening socket made inside, and speaks the GOPROXY protocol to the go
//! command: no DNS, no TLS and no credentials are needed in the sandbox. What may be fetched is
//! decided path by path ([`crate::policy::Modules`]); named hosts are reached by a CONNECT tunnel.
//! This room faces the sandbox. What it asks for outside, it asks of [`crate::web`].

mod age;
mod connection;
mod count;
mod direct;
mod escape;
mod hello;
mod outside;
mod peer;
mod relay;
mod request;
mod route;
mod rules;
mod server;
mod service;
mod ssh;
mod sumdb;
mod transfer;
mod tunnel;

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

pub use self::direct::{Direct, Wanted};
pub use self::outside::ChecksumDatabase;
pub use self::relay::{Passed, Program, Relay, RelayConfig, RelayHandle};
use self::server::Shared;
pub use self::ssh::SshCaller;
use crate::policy::{Modules, Network};
use crate::record::Log;
use crate::refusal::{Code, Refuse};
use crate::web;
pub use crate::web::{Caller, Limits, netrc_for};

/// What a gateway goes by.
#[derive(Debug)]
pub struct Config {
    /// Where modules come from, and which may.
    pub modules: Modules,
    /// Hosts that are reached by name, through a tunnel.
    pub network: Network,
    /// First part of every path that is answered.
    pub token: String,
    /// What the caller's environment says about the way out.
    pub caller: Caller,
    /// Who fetches modules that come directly from their repositories.
    pub direct: Option<Arc<dyn Direct>>,
    /// What ssh has of the caller's, where repositories are reached by it.
    pub ssh: SshCaller,
    /// Where every fetch and every refusal is written.
    pub audit: Log,
    /// Told of the progress, a few times a second while a download lasts, and once at its end.
    pub progress: Option<fn(Progress)>,
}

/// What a listening socket may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Modules, the checksum database and the tunnel: the tool cage's.
    ModulesAndTunnel,
    /// Modules and the checksum database at the address of the only upstream, and no token is asked for: a second socket
    /// in the tool cage's own net namespace, where all have the token.
    Modules,
    /// The tunnel alone: the program cage's, where the profile lets programs reach named hosts.
    Tunnel,
    /// The tunnel alone, and no token is asked for: programs that the `-exec` wrapper starts, on a socket
    /// that nobody else can connect to. On the host's loopback that is this user, whose programs they are.
    Programs {
        /// The user id; `None` on a socket in a net namespace of the program's own.
        user: Option<u32>,
    },
}

/// A gateway that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the module gateway: {0}")]
pub struct Error(pub String);

impl Refuse for Error {
    fn code(&self) -> Code {
        Code::GatewayFailed
    }
}

impl From<web::Error> for Error {
    fn from(error: web::Error) -> Error {
        Error(error.0)
    }
}

/// How far downloads are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Modules fetched so far, with those that are being fetched.
    pub modules: u64,
    /// Bytes received so far.
    pub bytes: u64,
    /// Whether nothing is being fetched any more.
    pub idle: bool,
}

/// What passed through a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Module files fetched.
    pub fetched: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Requests refused, each with the rule that decided.
    pub refused: Vec<String>,
    /// Modules that were asked for and that the caller's environment withholds.
    pub withheld: Vec<Withheld>,
}

/// A module that the caller's environment withholds from those who could be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Withheld {
    /// Its path, or one that go tries to find it by.
    pub module: String,
    /// The pattern that it matches.
    pub pattern: String,
    /// The variable that holds the pattern.
    pub variable: String,
    /// Who would have been asked.
    pub upstreams: String,
}

/// A gateway. Nothing is read, resolved or connected before the first request. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
}

impl Gateway {
    /// Checks what can be checked without I/O.
    ///
    /// # Errors
    /// An upstream, a pattern or a host that makes no sense.
    pub fn new(config: Config) -> Result<Gateway, Error> {
        Gateway::with_limits(config, Limits::default())
    }

    /// The same, with other limits than the usual ones.
    ///
    /// # Errors
    /// As [`Gateway::new`].
    pub fn with_limits(config: Config, limits: Limits) -> Result<Gateway, Error> {
        Ok(Gateway {
            shared: Arc::new(Shared::new(config, limits)?),
        })
    }

    /// Serves a listening socket from now on, in threads of its own.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn serve(&self, listener: TcpListener, service: Service) -> Result<(), Error> {
        server::start(&self.shared, listener, service)
            .map_err(|error| Error(format!("no thread can be started: {error}")))
    }

    /// Serves a connection that has been accepted elsewhere, in a thread of its own. It ends at once where
    /// there are too many already, or no thread is to be had.
    pub fn admit(&self, stream: TcpStream, service: Service) {
        server::admit(&self.shared, stream, service);
    }

    /// Ends everything that is under way, and says what passed.
    pub fn finish(self) -> Summary {
        self.shared.close();
        self.shared.summary()
    }
}
