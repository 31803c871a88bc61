//! The gateway's threads: one that accepts a socket's connections, one for each connection, and no
//! more of these than a bound.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::age::Ages;
use super::count::Counts;
use super::rules::Rules;
use super::sumdb::Database;
use super::tunnel::Hosts;
use super::{Config, Direct, Error, Limits, Service, SshCaller, Summary, connection};
use crate::record::Log;
use crate::web::client::{self, Client};
use crate::web::credentials::Credentials;
use crate::web::proxy::Proxies;
use crate::web::tls::Tls;

/// So many connections of a socket are served at a time; more wait in the socket's queue.
const CONNECTIONS: usize = 256;
/// Of a connection's thread: TLS needs some.
const STACK: usize = 1 << 20;
/// How long the end waits for the last lines of the log.
const LAST_LINES: Duration = Duration::from_millis(500);

/// What all threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) token: String,
    pub(super) rules: Rules,
    pub(super) client: Client,
    pub(super) limits: Limits,
    pub(super) proxies: Proxies,
    pub(super) ages: Ages,
    pub(super) sumdb: Option<Database>,
    /// Who fetches modules that no upstream is asked for.
    pub(super) direct: Option<Arc<dyn Direct>>,
    pub(super) ssh: SshCaller,
    pub(super) hosts: Hosts,
    pub(super) audit: Log,
    pub(super) counts: Counts,
    pub(super) stopping: AtomicBool,
    /// Requests without the token.
    pub(super) strangers: AtomicUsize,
    network_rule: String,
    sockets: Mutex<Sockets>,
    /// For connections that others accept.
    admitted: Arc<Slots>,
    /// Told whenever a connection has ended.
    ended: Condvar,
}

/// What is open.
#[derive(Debug, Default)]
struct Sockets {
    listeners: Vec<TcpListener>,
    connections: BTreeMap<u64, TcpStream>,
    next: u64,
}

impl Shared {
    pub(super) fn new(config: Config, limits: Limits) -> Result<Shared, Error> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if config.token.is_empty() || !config.token.bytes().all(plain) {
            return Err(Error("its token is not letters and digits".to_owned()));
        }
        let network_rule = config.modules.rule("network.allow", None);
        let (ca, pins) = (config.modules.ca.clone(), &config.modules.pins);
        let tls = Tls::new(&ca, client::pins(pins)?);
        let own = config.modules.credentials.clone();
        let credentials = Credentials::new(own.or_else(|| config.caller.netrc.clone()));
        let rules = Rules::new(config.modules)?;
        let sumdb = Database::new(rules.checksum_database())?;
        let upstreams = rules.all_upstreams().flat_map(|list| list.origins());
        let database = sumdb.as_ref().and_then(Database::origin);
        let named = upstreams.chain(database).collect();
        let proxies = Proxies::new(&config.caller)?;
        Ok(Shared {
            client: Client::new(
                named,
                tls,
                credentials,
                Proxies::new(&config.caller)?,
                limits,
            ),
            limits,
            token: config.token,
            rules,
            proxies,
            ages: Ages::default(),
            sumdb,
            direct: config.direct,
            ssh: config.ssh,
            hosts: Hosts::new(&config.network)?,
            audit: config.audit,
            counts: Counts::new(config.progress),
            stopping: AtomicBool::new(false),
            strangers: AtomicUsize::new(0),
            network_rule,
            sockets: Mutex::default(),
            admitted: Arc::default(),
            ended: Condvar::new(),
        })
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a connection, so that it can be ended from elsewhere, and returns its number.
    pub(super) fn open(&self, stream: TcpStream) -> u64 {
        let mut sockets = self.sockets();
        if self.stopping.load(Ordering::Relaxed) {
            let _ended = stream.shutdown(Shutdown::Both);
        }
        sockets.next += 1;
        let number = sockets.next;
        sockets.connections.insert(number, stream);
        number
    }

    pub(super) fn closed(&self, number: u64) {
        self.sockets().connections.remove(&number);
        self.ended.notify_all();
    }

    /// Ends everything, and waits a moment for the log's last lines.
    pub(super) fn close(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        let mut sockets = self.sockets();
        for listener in sockets.listeners.drain(..) {
            // Unlike closing a descriptor, this wakes the thread that accepts.
            let _ended = rustix::net::shutdown(&listener, rustix::net::Shutdown::Both);
        }
        for stream in sockets.connections.values() {
            let _ended = stream.shutdown(Shutdown::Both);
        }
        self.client.shut_down();
        if let Some(direct) = &self.direct {
            direct.stop();
        }
        let deadline = Instant::now() + LAST_LINES;
        while !sockets.connections.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.ended.wait_timeout(sockets, left);
            sockets = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn summary(&self) -> Summary {
        self.counts.summary()
    }

    /// The rule that refuses a host, in words.
    pub(super) fn network_rule(&self) -> &str {
        &self.network_rule
    }
}

/// Starts serving a socket.
pub(super) fn start(
    shared: &Arc<Shared>,
    listener: TcpListener,
    service: Service,
) -> io::Result<()> {
    shared.sockets().listeners.push(listener.try_clone()?);
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("gateway".to_owned())
        .stack_size(256 * 1024)
        .spawn(move || accept(&shared, &listener, service))?;
    Ok(())
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener, service: Service) {
    let slots = Arc::new(Slots::default());
    while !shared.stopping.load(Ordering::Relaxed) {
        let slot = Slots::take(&slots);
        match listener.accept() {
            Ok((stream, _)) => begin(shared, stream, service, slot),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            // Too many descriptors, or a client that has gone: the next one may do better.
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Serves a connection in a thread. Where none can be had, it ends, and the next may do better.
fn begin(shared: &Arc<Shared>, stream: TcpStream, service: Service, slot: Slot) {
    let shared = Arc::clone(shared);
    let connection = move || {
        let _slot = slot;
        connection::serve(&shared, stream, service);
    };
    let thread = thread::Builder::new()
        .name("connection".to_owned())
        .stack_size(STACK);
    let _started = thread.spawn(connection);
}

/// Serves a connection that was accepted elsewhere, unless there are too many.
pub(super) fn admit(shared: &Arc<Shared>, stream: TcpStream, service: Service) {
    if let Some(slot) = Slots::take_free(&shared.admitted) {
        begin(shared, stream, service, slot);
    }
}

/// How many connections may still be served.
#[derive(Debug, Default)]
struct Slots {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// The right to serve one connection.
struct Slot(Arc<Slots>);

impl Slots {
    fn take(slots: &Arc<Slots>) -> Slot {
        let mut taken = slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= CONNECTIONS {
            taken = slots
                .freed
                .wait(taken)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Slot(Arc::clone(slots))
    }

    /// `None` where that would have to wait.
    fn take_free(slots: &Arc<Slots>) -> Option<Slot> {
        let mut taken = slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if *taken >= CONNECTIONS {
            return None;
        }
        *taken += 1;
        Some(Slot(Arc::clone(slots)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken -= 1;
        self.0.freed.notify_one();
    }
}
