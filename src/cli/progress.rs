//! One line on a terminal while a download lasts, gone at its end; nothing otherwise.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::args::Verbosity;
use crate::gateway::Progress;

/// A download that is over before says nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is on the terminal.
#[derive(Debug)]
enum Line {
    /// Nothing is being fetched.
    Idle,
    /// Something is, since then.
    Waiting(Instant),
    /// The line is there.
    Shown,
}

static LINE: Mutex<Line> = Mutex::new(Line::Idle);

/// Who is told of downloads, if anybody wants to know.
pub(super) fn wanted(verbosity: Verbosity) -> Option<fn(Progress)> {
    let wanted = verbosity > Verbosity::Quiet && io::stderr().is_terminal();
    wanted.then_some(tell)
}

/// Nothing is fetched any more, whether it was said or not.
pub(super) fn end() {
    tell(Progress {
        idle: true,
        ..Progress::default()
    });
}

fn tell(progress: Progress) {
    let Ok(mut line) = LINE.lock() else { return };
    let text = next(&mut line, progress, Instant::now());
    // A terminal that is gone takes no line.
    let _unseen = io::stderr().write_all(text.as_bytes());
}

/// What is written, for what is there.
fn next(line: &mut Line, progress: Progress, now: Instant) -> String {
    const GONE: &str = "\r\x1b[K";
    match line {
        Line::Shown if progress.idle => {
            *line = Line::Idle;
            GONE.to_owned()
        }
        _ if progress.idle => {
            *line = Line::Idle;
            String::new()
        }
        Line::Idle => {
            *line = Line::Waiting(now);
            String::new()
        }
        Line::Waiting(since) if now.duration_since(*since) < PATIENCE => String::new(),
        Line::Waiting(_) | Line::Shown => {
            *line = Line::Shown;
            let mebibytes = progress.bytes as f64 / f64::from(1 << 20);
            let plural = if progress.modules == 1 { "" } else { "s" };
            format!(
                "{GONE}gosandbox: fetching: {} module{plural}, {mebibytes:.1} MiB",
                progress.modules
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_after_a_second_and_goes_at_the_end() {
        let mut line = Line::Idle;
        let start = Instant::now();
        let fetching = Progress {
            modules: 3,
            bytes: 3 << 19,
            idle: false,
        };
        let idle = Progress {
            idle: true,
            ..fetching
        };
        assert_eq!(next(&mut line, fetching, start), "");
        assert_eq!(next(&mut line, fetching, start + PATIENCE / 2), "");
        assert_eq!(
            next(&mut line, fetching, start + PATIENCE),
            "\r\x1b[Kgosandbox: fetching: 3 modules, 1.5 MiB"
        );
        assert_eq!(next(&mut line, idle, start + PATIENCE), "\r\x1b[K");
        assert_eq!(next(&mut line, idle, start + PATIENCE), "");
        assert_eq!(next(&mut line, fetching, start), "");
        assert_eq!(next(&mut line, idle, start), "");
    }
}
