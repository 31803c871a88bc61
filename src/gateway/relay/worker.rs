//! The relay's thread: waits for all sockets at once, so that no side that is slow or silent holds up
//! another. What it holds is bounded.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::far::{self, Place};
use super::flow::Flow;
use super::{Order, Passed, Program, RelayConfig};

/// So many connections are passed on at a time; more wait in their socket's queue.
const CONNECTIONS: usize = 256;
/// How long what a program has sent may still be passed on, once it has ended.
pub(super) const LAST_BYTES: Duration = Duration::from_secs(1);
/// How long nothing is accepted where there are too many descriptors.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// A listening socket.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) listener: TcpListener,
    /// The place in the list of what has passed.
    pub(super) place: usize,
    /// The program that connects; `None`: the host does.
    pub(super) program: Option<u64>,
}

/// A program, as long as it runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) number: u64,
    process: Option<OwnedFd>,
    pub(super) pool: Vec<OwnedFd>,
}

/// What poll(2) has waited for.
#[derive(Clone, Copy)]
enum Waited {
    Order,
    Entrance(usize),
    Program(u64),
    Flow(usize),
}

/// Everything that the thread has.
#[derive(Debug)]
pub(super) struct Worker {
    orders: Receiver<Order>,
    woken: OwnedFd,
    pub(super) config: Arc<RelayConfig>,
    passed: Arc<Mutex<Vec<Passed>>>,
    pub(super) places: Vec<Place>,
    pub(super) entrances: Vec<Entrance>,
    pub(super) programs: Vec<Running>,
    pub(super) flows: Vec<Flow>,
    next: u64,
    pub(super) finishing: bool,
    pub(super) paused: Option<Instant>,
}

impl Worker {
    pub(super) fn new(
        orders: Receiver<Order>,
        woken: OwnedFd,
        config: Arc<RelayConfig>,
        passed: Arc<Mutex<Vec<Passed>>>,
    ) -> Worker {
        Worker {
            orders,
            woken,
            places: config.services.iter().map(Place::new).collect(),
            config,
            passed,
            entrances: Vec::new(),
            programs: Vec::new(),
            flows: Vec::new(),
            next: 0,
            finishing: false,
            paused: None,
        }
    }

    /// Until the run is over, and what was sent is passed on.
    pub(super) fn work(mut self) {
        while !(self.finishing && self.flows.is_empty()) {
            let Ok(ready) = self.wait() else { return };
            let mut flows = vec![false; self.flows.len()];
            // Orders come last: they change which socket has which number.
            for waited in ready.iter().rev() {
                match *waited {
                    Waited::Order => self.hear(),
                    Waited::Entrance(index) => self.accept(index),
                    Waited::Program(_) => {}
                    Waited::Flow(index) => flows[index] = true,
                }
            }
            let ended = ready.iter().filter_map(|waited| match waited {
                Waited::Program(number) => Some(*number),
                _ => None,
            });
            ended.for_each(|number| self.end_program(number));
            self.pass_ready(&flows);
        }
    }

    /// What is ready, after a wait.
    fn wait(&mut self) -> io::Result<Vec<Waited>> {
        let now = Instant::now();
        self.paused = self.paused.filter(|until| *until > now);
        let mut waits: Vec<(BorrowedFd<'_>, PollFlags, Waited)> =
            vec![(self.woken.as_fd(), PollFlags::IN, Waited::Order)];
        if self.paused.is_none() && self.flows.len() < CONNECTIONS {
            let all = self.entrances.iter().enumerate();
            waits.extend(all.map(|(index, entrance)| {
                let waited = Waited::Entrance(index);
                (entrance.listener.as_fd(), PollFlags::IN, waited)
            }));
        }
        for program in &self.programs {
            if let Some(process) = &program.process {
                let waited = Waited::Program(program.number);
                waits.push((process.as_fd(), PollFlags::IN, waited));
            }
        }
        for (index, flow) in self.flows.iter().enumerate() {
            let sides = [
                (flow.near.as_fd(), flow.near_events()),
                (flow.far.as_fd(), flow.far_events()),
            ];
            // A side that is waited for nothing would report its end over and over.
            let sides = sides.into_iter().filter(|(_, events)| !events.is_empty());
            waits.extend(sides.map(|(fd, events)| (fd, events, Waited::Flow(index))));
        }
        let deadlines = self.flows.iter().filter_map(|flow| flow.deadline);
        let next = deadlines.chain(self.paused).min();
        let left = next.map(|at| at.saturating_duration_since(now));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut ready: Vec<_> = waits
            .iter()
            .map(|(fd, events, _)| PollFd::from_borrowed_fd(*fd, *events))
            .collect();
        match poll(&mut ready, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = ready.iter().zip(&waits);
        let ready = ready.filter(|(fd, _)| !fd.revents().is_empty());
        Ok(ready.map(|(_, (_, _, waited))| *waited).collect())
    }

    fn hear(&mut self) {
        let mut bytes = [0; 64];
        // Readable, and read by this thread alone.
        let _woken = rustix::io::read(&self.woken, &mut bytes);
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Program(program) => self.begin_program(program),
                Order::Published(port, listener) => {
                    let mut published = self.config.published.iter();
                    let place = published.position(|one| *one == port);
                    let place = place.map(|place| place + self.config.services.len());
                    self.listen(listener, place, None);
                }
                Order::Finish => self.finish(),
            }
        }
    }

    fn begin_program(&mut self, program: Program) {
        self.next += 1;
        let number = self.next;
        for (port, listener) in program.listeners {
            let mut services = self.config.services.iter();
            let place = services.position(|service| service.port == port);
            self.listen(listener, place, Some(number));
        }
        self.programs.push(Running {
            number,
            process: program.process,
            pool: program.pool,
        });
    }

    /// One that is for nothing is closed.
    fn listen(&mut self, listener: TcpListener, place: Option<usize>, program: Option<u64>) {
        if let (Some(place), Ok(())) = (place, listener.set_nonblocking(true)) {
            self.entrances.push(Entrance {
                listener,
                place,
                program,
            });
        }
    }

    /// Passes on what there is on connections that are ready, and ends what is over. Those that were
    /// accepted since the wait come after the ones that it knew.
    fn pass_ready(&mut self, ready: &[bool]) {
        let now = Instant::now();
        let is_ready = ready.iter().copied().chain(std::iter::repeat(false));
        for (mut flow, is_ready) in std::mem::take(&mut self.flows).into_iter().zip(is_ready) {
            if flow.deadline.is_some_and(|at| at <= now) {
                if !flow.is_open {
                    self.failed(flow.place, "it does not answer in time".to_owned());
                }
                self.break_off(flow);
                continue;
            }
            if is_ready && !flow.is_open {
                if let Err(error) = far::connected(&flow.far) {
                    self.try_another(flow, &error);
                    continue;
                }
                self.connected(&mut flow);
            }
            if !is_ready && !flow.is_last {
                self.flows.push(flow);
                continue;
            }
            match flow.pass() {
                Ok(true) => self.flows.push(flow),
                Ok(false) => self.give_back(flow),
                Err(_) => self.break_off(flow),
            }
        }
    }

    pub(super) fn runs(&self, number: u64) -> bool {
        self.programs.iter().any(|it| it.number == number)
    }

    /// What it has sent is passed on. What it leaves behind reaches nothing any more.
    fn end_program(&mut self, number: u64) {
        self.programs.retain(|it| it.number != number);
        self.end_entrances(|entrance| entrance.program == Some(number));
        self.hurry(|flow| flow.program == Some(number));
    }

    fn finish(&mut self) {
        self.finishing = true;
        self.programs.clear();
        self.end_entrances(|_| true);
        self.hurry(|_| true);
    }

    /// Takes the connections that wait at listening sockets, and closes these.
    fn end_entrances(&mut self, is_over: impl Fn(&Entrance) -> bool) {
        let entrances = std::mem::take(&mut self.entrances);
        for entrance in entrances {
            if !is_over(&entrance) {
                self.entrances.push(entrance);
                continue;
            }
            while self.flows.len() < CONNECTIONS
                && let Ok((near, _)) = entrance.listener.accept()
            {
                self.begin(near, entrance.place, entrance.program);
            }
        }
    }

    fn hurry(&mut self, is_meant: impl Fn(&Flow) -> bool) {
        let last = Instant::now() + LAST_BYTES;
        for flow in self.flows.iter_mut().filter(|flow| is_meant(flow)) {
            flow.is_last = true;
            flow.deadline = Some(last);
        }
    }

    pub(super) fn failed(&self, place: usize, reason: String) {
        self.count(place, |passed| {
            passed.failed += 1;
            passed.reason = Some(reason);
        });
    }

    pub(super) fn count(&self, place: usize, change: impl FnOnce(&mut Passed)) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(passed) = passed.get_mut(place) {
            change(passed);
        }
    }
}
