//! Connections between programs inside and named ports outside, passed on byte by byte.
//!
//! A program connects to a *service* on its own loopback: the relay connects to the service outside.
//! The host connects to a *published* port: the relay connects to the program. One thread of the
//! launcher's passes on all bytes. It reads nothing of them, and connects to nothing but what the
//! policy names. `launch` brings it the sockets, which were made in the net namespaces inside.

mod connect;
mod far;
mod flow;
mod worker;

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::net::{self, AddressFamily, SocketType, sockopt};
use rustix::pipe::{PipeFlags, pipe_with};

use self::worker::Worker;
use crate::policy::Service;

/// Of its thread, which keeps its buffers elsewhere.
const STACK: usize = 128 << 10;

/// What a relay connects.
#[derive(Debug, Default)]
pub struct RelayConfig {
    /// The services that programs reach.
    pub services: Vec<Service>,
    /// The ports that programs publish. None where programs serve on the host's own loopback.
    pub published: Vec<u16>,
    /// Whose connections to a named host are passed on, where others can make them: on the host's
    /// loopback.
    pub user: Option<u32>,
}

/// What has passed to one service, or to one published port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// The service as the policy writes it, or the port.
    pub name: String,
    /// Whether it is a published port.
    pub is_published: bool,
    /// Connections that were passed on.
    pub connections: u64,
    /// Connections that could not be.
    pub failed: u64,
    /// Why the last one could not be.
    pub reason: Option<String>,
}

/// What the thread is told.
#[derive(Debug)]
enum Order {
    Program(Program),
    Published(u16, TcpListener),
    Finish,
}

/// The sockets of one program, or of a command that is a program itself.
#[derive(Debug, Default)]
pub struct Program {
    /// Its process; connections end with it. `None`: they end with the run.
    pub process: Option<OwnedFd>,
    /// Listening sockets, each for the service at this port.
    pub listeners: Vec<(u16, TcpListener)>,
    /// Unconnected sockets in its net namespace, with which published ports are connected to.
    pub pool: Vec<OwnedFd>,
}

impl Program {
    /// Sorts sockets that came from a net namespace inside.
    ///
    /// # Errors
    /// One is neither a listening nor an unconnected TCP socket.
    pub fn add(&mut self, socket: OwnedFd) -> io::Result<()> {
        let is_tcp = sockopt::socket_domain(&socket)? == AddressFamily::INET
            && sockopt::socket_type(&socket)? == SocketType::STREAM;
        if !is_tcp {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match sockopt::socket_acceptconn(&socket)? {
            true => {
                let listener = TcpListener::from(socket);
                // On its own loopback a service has the port that it has outside.
                let port = listener.local_addr()?.port();
                self.listeners.push((port, listener));
            }
            // One that is connected already leads somewhere else.
            false if net::getpeername(&socket).is_err() => self.pool.push(socket),
            false => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(())
    }
}

/// The way to the relay's thread. Clones lead to the same one.
#[derive(Clone, Debug)]
pub struct RelayHandle {
    orders: Sender<Order>,
    wake: Arc<OwnedFd>,
}

impl RelayHandle {
    /// Serves a program from now on.
    pub fn serve(&self, program: Program) {
        self.tell(Order::Program(program));
    }

    /// Passes connections of the host's on to programs.
    pub fn publish(&self, port: u16, listener: TcpListener) {
        self.tell(Order::Published(port, listener));
    }

    fn tell(&self, order: Order) {
        // A thread that has ended serves nobody; one that has a full pipe is awake.
        let _or_it_has_ended = self.orders.send(order);
        let _or_it_is_awake = rustix::io::write(&self.wake, b"O");
    }
}

/// A relay. Its thread starts with [`Relay::start`].
#[derive(Debug)]
pub struct Relay {
    handle: RelayHandle,
    waiting: Option<(Receiver<Order>, OwnedFd)>,
    config: Arc<RelayConfig>,
    passed: Arc<Mutex<Vec<Passed>>>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// A relay that connects nothing yet.
    ///
    /// # Errors
    /// As pipe(2).
    pub fn new(config: RelayConfig) -> io::Result<Relay> {
        let (orders, received) = channel();
        let (woken, wake) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let services = config.services.iter().map(|service| Passed {
            name: service.to_string(),
            ..Passed::default()
        });
        let published = config.published.iter().map(|port| Passed {
            name: port.to_string(),
            is_published: true,
            ..Passed::default()
        });
        let passed = services.chain(published).collect();
        Ok(Relay {
            handle: RelayHandle {
                orders,
                wake: Arc::new(wake),
            },
            waiting: Some((received, woken)),
            config: Arc::new(config),
            passed: Arc::new(Mutex::new(passed)),
            thread: None,
        })
    }

    /// The way to it.
    pub fn handle(&self) -> RelayHandle {
        self.handle.clone()
    }

    /// Starts its thread, once.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(&mut self) -> io::Result<()> {
        let Some((orders, woken)) = self.waiting.take() else {
            return Ok(());
        };
        let worker = Worker::new(
            orders,
            woken,
            Arc::clone(&self.config),
            Arc::clone(&self.passed),
        );
        let thread = std::thread::Builder::new()
            .name("relay".to_owned())
            .stack_size(STACK);
        self.thread = Some(thread.spawn(move || worker.work())?);
        Ok(())
    }

    /// Passes on what programs have sent before they ended, ends all connections, and says what passed.
    pub fn finish(mut self) -> Vec<Passed> {
        self.handle.tell(Order::Finish);
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has closed its sockets.
            let _ended = thread.join();
        }
        let passed = self.passed.lock();
        passed.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
