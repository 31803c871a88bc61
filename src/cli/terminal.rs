//! The caller's terminal, as a run sees it.

use std::ffi::OsString;
use std::io::{self, Write};

use super::args::{RunArgs, Verbosity};
use super::{REFUSED, again, note, plan, print, print_lines, progress, review, warn};
use crate::changes::Stage;
use crate::gateway::Progress;
use crate::plan::Plan;
use crate::policy::{Policy, Staging};
use crate::refusal::Refused;
use crate::run::{Command, Console, Ended, Request};
use crate::text::visible;

/// What a run is asked for by these options.
pub(super) fn request(args: &RunArgs) -> Request {
    Request {
        profile: args.profile.clone(),
        directory: args.directory.clone(),
        overrides: args.overrides.clone(),
        cache_dir: args.cache_dir.clone(),
        goroot: args.goroot.clone(),
        dry_run: args.dry_run,
        report: args.report.clone(),
        audit_log: args.audit_log.clone(),
    }
}

/// Runs the command; its exit status.
pub(super) fn run(args: &RunArgs, command: &Command) -> anyhow::Result<u8> {
    let ended = crate::run::run(&request(args), command, &Terminal(args.verbosity))?;
    Ok(match ended {
        Ended::Planned => 0,
        Ended::Status(status) => status,
        Ended::TimedOut => 128 + libc::SIGKILL as u8,
        Ended::HeldBack => REFUSED,
    })
}

/// Fetches a module for another launcher, which reads what is printed.
pub(super) fn fetch_directly() -> u8 {
    crate::run::direct::run(&Terminal(Verbosity::Quiet)).unwrap_or_else(|error| {
        refused(&crate::run::refused(&error), &[]);
        REFUSED
    })
}

/// Prints a refusal: its message with its code at the end, and a line for each thing that helps. The
/// only place that does. `words`: the command line. A standard error that is closed changes nothing.
pub(super) fn refused(refused: &Refused, words: &[OsString]) {
    let code = refused.code();
    let mut lines = format!(
        "gosandbox: {} ({})\n",
        visible(refused.message()),
        code.word()
    );
    let help = refused.help();
    let mut said: Vec<_> = help
        .iter()
        .filter_map(|one| again::line(one, words))
        .collect();
    if said.is_empty() {
        said.push(code.remedy().to_owned());
    }
    for help in said {
        lines.push_str(&format!("help: {}\n", visible(&help)));
    }
    drop(io::stderr().write_all(lines.as_bytes()));
}

/// Standard output and error, and as much as `-v` and `-q` want said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal(pub Verbosity);

impl Console for Terminal {
    fn print(&self, text: &str) -> anyhow::Result<()> {
        print(text.as_bytes()).map(drop)
    }

    fn plan(&self, policy: &Policy, plan: &Plan) -> anyhow::Result<()> {
        self.print(&plan::readable(policy, plan))
    }

    fn warn(&self, message: &str) {
        warn(self.0, message);
    }

    fn note(&self, message: &str) {
        if self.0 == Verbosity::Verbose {
            note(message);
        }
    }

    fn error(&self, lines: &str) {
        print_lines(lines);
    }

    fn progress(&self) -> Option<fn(Progress)> {
        progress::wanted(self.0)
    }

    fn end_progress(&self) {
        progress::end();
    }

    fn can_ask(&self) -> bool {
        review::can_ask()
    }

    fn ask(&self, stage: &Stage) -> anyhow::Result<Staging> {
        review::ask(stage)
    }
}
