//! The command line: a file a subcommand. The only code that prints, and one place that prints
//! errors.

pub mod args;
mod auto;
pub mod bug;
mod changes;
mod completions;
mod doctor;
pub mod flags;
mod help;
mod looks;
mod low;
mod man;
mod plan;
mod policy;
mod profiles;
mod progress;
mod review;
mod terminal;
mod usage;

use std::ffi::OsString;
use std::io::{self, Write};

use anyhow::Context;

use self::args::{Request, UsageError, Verbosity};
use crate::launch;
use crate::run::{self, Helped};
use crate::text::{visible, visible_lines};

/// gosandbox refused or failed.
pub const REFUSED: u8 = 125;
/// The command could not be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// The command was not found.
pub const NOT_FOUND: u8 = 127;

/// Does what the command line says, and returns the exit status.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> u8 {
    let mut argv = argv.into_iter().peekable();
    if argv
        .peek()
        .is_some_and(|word| word == crate::plan::WRAPPER_WORD)
    {
        let words: Vec<OsString> = argv.skip(1).collect();
        print_error(&launch::wrapper::run(&words).into());
        return REFUSED;
    }
    if let Err(error) = launch::sanitise_descriptors() {
        print_error(&anyhow::Error::from(error).context("cannot make sure of the descriptors"));
        return REFUSED;
    }
    let done = args::parse(argv)
        .map_err(anyhow::Error::from)
        .and_then(|request| dispatch(&request));
    match done {
        Ok(status) => status,
        Err(error) => {
            print_error(&error);
            status_of(&error)
        }
    }
}

fn dispatch(request: &Request) -> anyhow::Result<u8> {
    match request {
        Request::Run(args, command) => terminal::run(args, command),
        Request::Doctor(args) => {
            let diagnosis = doctor::examine(*args);
            print(visible_lines(&diagnosis.text).as_bytes())?;
            Ok(diagnosis.status)
        }
        Request::PolicyShow(args) => print(policy::show(args)?.as_bytes()),
        Request::PolicyList(args) => print(policy::list(*args)?.as_bytes()),
        Request::Changes(args) => changes::work(args),
        Request::Profile(args) => print(&profiles::generate(args)?),
        Request::Auto(what) => print(&auto::auto(what)?),
        Request::Completions(shell) => print(&completions::render(*shell)),
        Request::Man => print(&man::render().context("cannot write the manual page")?),
        Request::Help(topic) => print(help::render(*topic).as_bytes()),
        Request::Version => {
            print(concat!("gosandbox ", env!("CARGO_PKG_VERSION"), "\n").as_bytes())
        }
    }
}

/// The exit status for what has failed (as of env(1): 125 to 127).
fn status_of(error: &anyhow::Error) -> u8 {
    match error.downcast_ref() {
        Some(launch::Error::Execute { errno, .. }) if *errno == libc::ENOENT => NOT_FOUND,
        Some(launch::Error::Execute { .. }) => NOT_EXECUTABLE,
        _ if error.is::<run::NotFound>() => NOT_FOUND,
        _ if let Some(usage) = error.downcast_ref::<UsageError>() => usage.status(),
        _ => REFUSED,
    }
}

/// Prints what was asked for. A reader that has gone away (`| head`) is no error.
fn print(bytes: &[u8]) -> anyhow::Result<u8> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(0),
    }
}

/// Prints an error and its causes, but for one that its own message ends with; a standard error that is
/// closed changes nothing.
fn print_error(error: &anyhow::Error) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let mut lines = format!("gosandbox: {}\n", visible(&text));
    let helped = error.downcast_ref::<Helped>();
    let helped = helped.map(|helped| helped.help.as_str());
    let usage = || error.downcast_ref::<UsageError>()?.help();
    if let Some(help) = helped.or_else(usage) {
        lines.push_str(&format!("help: {}\n", visible(help)));
    }
    drop(io::stderr().write_all(lines.as_bytes()));
}

/// Prints an error of several lines, which ends with what the user can do.
pub fn print_lines(text: &str) {
    let text = visible_lines(&format!("gosandbox: {text}"));
    drop(io::stderr().write_all(text.as_bytes()));
}

/// Prints a warning, unless `-q` was given.
pub fn warn(verbosity: Verbosity, message: &str) {
    if verbosity > Verbosity::Quiet {
        let line = format!("gosandbox: warning: {}\n", visible(message));
        drop(io::stderr().write_all(line.as_bytes()));
    }
}

/// Says what -v asks for.
pub fn note(message: &str) {
    let line = format!("gosandbox: {}\n", visible(message));
    drop(io::stderr().write_all(line.as_bytes()));
}
