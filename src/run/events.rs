//! What became of the changes of a run, as events.

use std::path::Path;

use super::stage::Ended;
use crate::changes::look::Report;
use crate::record::{By, Event, EventKind, Log};
use crate::refusal::Code;

/// Writes down every change that was applied or kept from the work tree, and what was moved away.
pub(super) fn changed(log: &Log, ended: &Ended) {
    if let Some(report) = &ended.looked {
        looked(log, report);
    }
    let Some(landed) = &ended.landed else {
        return;
    };
    for change in landed.applied() {
        log.write(about(EventKind::ChangeApplied, &change.path));
    }
    for (change, code) in landed.refused() {
        log.write(refused(&change.path, code, code.meaning()));
    }
    for change in landed.conflicts() {
        let code = Code::Conflict;
        log.write(refused(&change.path, code, code.meaning()));
    }
    for failure in landed.failed() {
        let path = &failure.change.path;
        log.write(refused(path, Code::NotApplied, &failure.cause));
    }
}

/// What the look after a run found at protected paths.
fn looked(log: &Log, report: &Report) {
    for moved in &report.moved {
        let reason = match &moved.place {
            Some(place) => format!("it was moved away (now {})", place.display()),
            None => "it has come or was replaced".to_owned(),
        };
        log.write(refused(&moved.path, Report::CODE, &reason));
    }
    for stayed in &report.stayed {
        let reason = format!("it stays: {}", stayed.cause);
        log.write(refused(&stayed.path, Report::CODE, &reason));
    }
    let (moved, stayed) = report.more;
    if moved + stayed > 0 {
        let reason = format!("{} more came or stay", moved + stayed);
        log.write(refused(Path::new("."), Report::CODE, &reason));
    }
}

fn about(kind: EventKind, path: &Path) -> Event {
    Event::new(kind, By::Launcher).subject(path.to_string_lossy())
}

fn refused(path: &Path, code: Code, reason: &str) -> Event {
    about(EventKind::ChangeRefused, path)
        .code(code)
        .reason(reason)
}
