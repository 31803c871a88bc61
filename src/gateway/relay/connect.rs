//! How a connection that was accepted finds its far end.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::super::peer;
use super::far::{self, Candidate};
use super::flow::Flow;
use super::worker::{LAST_BYTES, PAUSE, Running, Worker};

/// How long a far end may take until it is connected to.
const CONNECT: Duration = Duration::from_secs(20);

impl Worker {
    /// Accepts one connection, and begins to connect to its far end.
    pub(super) fn accept(&mut self, index: usize) {
        let Some(entrance) = self.entrances.get(index) else {
            return;
        };
        let (place, program) = (entrance.place, entrance.program);
        match entrance.listener.accept() {
            Ok((near, _)) => self.begin(near, place, program),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Too many descriptors, or a client that has gone: the next one may do better.
            Err(_) => self.paused = Some(Instant::now() + PAUSE),
        }
    }

    pub(super) fn begin(&mut self, near: TcpStream, place: usize, program: Option<u64>) {
        if near.set_nonblocking(true).is_err() || !self.may(&near, place) {
            return far::abort(near);
        }
        // Bytes are passed on as they come.
        let _only_slower = near.set_nodelay(true);
        let candidates = match self.places.get_mut(place) {
            Some(service) => service.candidates(),
            None => Ok(self.programs_with(place)),
        };
        match candidates {
            Ok(mut candidates) => {
                candidates.reverse();
                self.try_next(near, candidates, place, program);
            }
            Err(reason) => {
                self.failed(place, reason);
                far::abort(near);
            }
        }
    }

    /// Whether a connection may be passed on: on the host's loopback every user can make one, and to a
    /// named host they have no way of their own.
    fn may(&self, near: &TcpStream, place: usize) -> bool {
        let service = self.config.services.get(place);
        match (service.and_then(|it| it.host.as_ref()), self.config.user) {
            (Some(_), Some(user)) => peer::is(near, user),
            _ => true,
        }
    }

    /// The programs that may serve a published port, the newest one first.
    fn programs_with(&self, place: usize) -> Vec<Candidate> {
        let published = &self.config.published;
        let port = published.get(place - self.config.services.len());
        let programs = self.programs.iter().rev();
        let candidate = |port: &u16| {
            let candidate = |it: &Running| Candidate::Program(it.number, *port);
            programs.map(candidate).collect()
        };
        port.map(candidate).unwrap_or_default()
    }

    /// Connects to the first of the candidates for which a socket can be had.
    fn try_next(
        &mut self,
        near: TcpStream,
        mut candidates: Vec<Candidate>,
        place: usize,
        program: Option<u64>,
    ) {
        let mut reason = "no program runs that could serve it".to_owned();
        while let Some(candidate) = candidates.pop() {
            let (begun, server) = match candidate {
                Candidate::Address(address) => (far::connect_outside(address), None),
                Candidate::Program(number, port) => {
                    let mut programs = self.programs.iter_mut();
                    let found = programs.find(|it| it.number == number);
                    let Some(socket) = found.and_then(|it| it.pool.pop()) else {
                        continue;
                    };
                    (far::connect_inside(socket, port), Some(number))
                }
            };
            match begun {
                Ok(far) => {
                    let mut flow = Flow::new(near, far, place);
                    flow.candidates = candidates;
                    flow.program = program.or(server);
                    flow.is_published = server.is_some();
                    flow.deadline = Some(Instant::now() + CONNECT);
                    return self.flows.push(flow);
                }
                Err(error) => reason = error.to_string(),
            }
        }
        self.failed(place, reason);
        far::abort(near);
    }

    pub(super) fn connected(&mut self, flow: &mut Flow) {
        self.count(flow.place, |passed| passed.connections += 1);
        let is_ending = flow.program.is_some_and(|number| !self.runs(number));
        let is_last = is_ending || self.finishing;
        flow.deadline = is_last.then(|| Instant::now() + LAST_BYTES);
        flow.is_last = is_last;
        flow.is_open = true;
    }

    /// Nobody listens there.
    pub(super) fn try_another(&mut self, flow: Flow, error: &io::Error) {
        let program = flow.program.filter(|_| !flow.is_published);
        let (candidates, place) = (flow.candidates, flow.place);
        if flow.is_published {
            self.put_back(flow.program, flow.far);
        }
        match candidates.is_empty() {
            false => self.try_next(flow.near, candidates, place, program),
            true => {
                self.failed(place, error.to_string());
                far::abort(flow.near);
            }
        }
    }

    pub(super) fn break_off(&mut self, flow: Flow) {
        let program = flow.program;
        if let Some(far) = flow.break_off() {
            self.put_back(program, far);
        }
    }

    pub(super) fn give_back(&mut self, flow: Flow) {
        if flow.is_published {
            self.put_back(flow.program, flow.far);
        }
    }

    /// A program's socket is used again, as long as it runs.
    fn put_back(&mut self, program: Option<u64>, far: TcpStream) {
        let mut programs = self.programs.iter_mut();
        if let Some(running) = programs.find(|it| Some(it.number) == program) {
            running.pool.extend(far::disconnect(far));
        }
    }
}
