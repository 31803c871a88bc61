//! A file on its way from an upstream to the go command: never whole in memory, its digest made as
//! it passes, where a log wants it. One that breaks off looks broken to the go command too.

use std::io::{self, Read, Write};
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::count::Fetch;
use super::route::File;
use crate::record::{By, Detail, Event, EventKind, Log};
use crate::text::{clean, hex};
use crate::web::fetch::Answer;

/// A file on its way.
pub(super) struct Transfer<'a> {
    pub(super) file: File,
    pub(super) answer: Answer,
    pub(super) fetch: Fetch<'a>,
    pub(super) audit: &'a Log,
    pub(super) started: Instant,
}

/// What has come of a file.
#[derive(Default)]
struct SoFar {
    /// `None` where no log wants it.
    digest: Option<Sha256>,
    bytes: u64,
    written_down: bool,
}

/// What of a transfer goes into the log.
pub(super) struct Passed<'a> {
    pub(super) file: &'a File,
    pub(super) upstream: &'a str,
    pub(super) bytes: u64,
    /// Of what has come; `None` where no log wants it.
    pub(super) digest: Option<Sha256>,
    pub(super) started: Instant,
}

impl Transfer<'_> {
    /// Passes the body on by way of a buffer, in chunks where its length is not known.
    pub(super) fn pass(mut self, out: &mut impl Write, buffer: &mut [u8]) -> io::Result<()> {
        let mut so_far = SoFar {
            digest: self.audit.is_kept().then(Sha256::new),
            ..SoFar::default()
        };
        let outcome = self.copy(out, buffer, &mut so_far);
        if let Err(error) = &outcome
            && !so_far.written_down
        {
            self.passed(&so_far).write_broken(self.audit, error);
        }
        outcome
    }

    fn passed(&self, so_far: &SoFar) -> Passed<'_> {
        Passed {
            file: &self.file,
            upstream: &self.answer.upstream,
            bytes: so_far.bytes,
            digest: so_far.digest.clone(),
            started: self.started,
        }
    }

    /// It has come whole: written down before the client can know, so that the log is never behind.
    fn whole(&self, so_far: &mut SoFar) {
        so_far.written_down = true;
        self.fetch.done(so_far.bytes);
        self.passed(so_far).write(self.audit);
    }

    fn copy(
        &mut self,
        out: &mut impl Write,
        buffer: &mut [u8],
        so_far: &mut SoFar,
    ) -> io::Result<()> {
        let length = self.answer.length;
        let chunked = length.is_none();
        loop {
            let read = match self.answer.body.read(buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if let Some(digest) = &mut so_far.digest {
                digest.update(&buffer[..read]);
            }
            so_far.bytes += read as u64;
            self.fetch.received(read);
            if length == Some(so_far.bytes) {
                self.whole(so_far);
            }
            if chunked {
                write!(out, "{read:x}\r\n")?;
            }
            out.write_all(&buffer[..read])?;
            if chunked {
                out.write_all(b"\r\n")?;
            }
        }
        if length.is_some_and(|length| length != so_far.bytes) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !so_far.written_down {
            self.whole(so_far);
        }
        if chunked {
            out.write_all(b"0\r\n\r\n")?;
        }
        out.flush()
    }
}

impl Passed<'_> {
    fn event(&self, kind: EventKind) -> Event {
        let File {
            module, version, ..
        } = self.file;
        let mut event = Event::new(kind, By::Gateway).subject(format!("{module}@{version}"));
        event.detail = Detail {
            module: Some(module.clone()),
            version: Some(version.clone()),
            file: Some(self.file.kind.word().to_owned()),
            upstream: Some(self.upstream.to_owned()),
            bytes: Some(self.bytes),
            duration_ms: u64::try_from(self.started.elapsed().as_millis()).ok(),
            ..Detail::default()
        };
        event
    }

    /// It has come whole. Where there is a log, there is a digest.
    pub(super) fn write(self, audit: &Log) {
        let Some(digest) = self.digest.clone() else {
            return;
        };
        let mut event = self.event(EventKind::ModuleFetched);
        event.detail.status = Some(200);
        event.detail.sha256 = Some(hex(&digest.finalize()));
        audit.write(event);
    }

    /// It broke off.
    fn write_broken(self, audit: &Log, error: &io::Error) {
        let reason = clean(&error.to_string());
        audit.write(self.event(EventKind::ModuleFailed).reason(reason));
    }
}
