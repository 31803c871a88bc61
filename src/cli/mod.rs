//! The command line: a file a subcommand. The only code that prints, and one place that prints
//! errors.

mod again;
pub mod args;
mod audit;
mod auto;
pub mod bug;
mod cache;
mod changes;
mod completions;
mod doctor;
mod findings;
pub mod flags;
mod help;
mod init;
mod looks;
mod low;
mod man;
mod plan;
mod policy;
mod profiles;
mod progress;
mod review;
mod shim;
mod terminal;
mod usage;

use std::ffi::OsString;
use std::io::{self, Write};

use anyhow::Context;

use self::args::{Request, Verbosity};
use crate::launch;
use crate::plan::compiler::StandIn;
use crate::refusal::Refused;
use crate::run;
use crate::text::{visible, visible_lines};

/// gosandbox refused or failed.
pub const REFUSED: u8 = 125;

/// Does what the command line says, and returns the exit status.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> u8 {
    let mut argv = argv.into_iter().peekable();
    if argv
        .peek()
        .is_some_and(|word| word == crate::plan::WRAPPER_WORD)
    {
        let words: Vec<OsString> = argv.skip(1).collect();
        let failed = anyhow::Error::from(launch::wrapper::run(&words));
        terminal::refused(&run::refused(&failed), &[]);
        return REFUSED;
    }
    if let Some(stand_in) = launch::compiler::called() {
        return compiler(&stand_in, &argv.collect::<Vec<_>>());
    }
    if argv
        .peek()
        .is_some_and(|word| word == crate::plan::way::SSH_WORD)
    {
        let words: Vec<OsString> = argv.skip(1).collect();
        return match launch::ssh::stand_in(&words, io::stdin(), &mut io::stdout()) {
            Ok(()) => 0,
            Err(error) => {
                print_lines(&format!("ssh: {error}"));
                REFUSED
            }
        };
    }
    if let Err(error) = launch::sanitise_descriptors() {
        let failed = anyhow::Error::from(error).context("cannot make sure of the descriptors");
        terminal::refused(&run::refused(&failed), &[]);
        return REFUSED;
    }
    let words: Vec<OsString> = argv.collect();
    if words.first().is_some_and(|word| word == run::direct::WORD) {
        return terminal::fetch_directly();
    }
    match args::parse(words.iter().cloned()) {
        Err(error) => {
            let refused = Refused::of(&error).within("cannot read the command line");
            terminal::refused(&refused, &words);
            error.status()
        }
        Ok(request) => dispatch(&request).unwrap_or_else(|error| {
            let refused = run::refused(&error);
            terminal::refused(&refused, &words);
            run::status(refused.code())
        }),
    }
}

/// In the place of the C compiler.
fn compiler(stand_in: &StandIn, arguments: &[OsString]) -> u8 {
    let said = launch::compiler::answer(stand_in, arguments);
    let failed = match said.map(|answer| print(answer.as_bytes())) {
        Ok(Ok(status)) => return status,
        Ok(Err(error)) => run::refused(&error),
        Err(refused) => refused,
    };
    terminal::refused(&failed, &[]);
    REFUSED
}

fn dispatch(request: &Request) -> anyhow::Result<u8> {
    match request {
        Request::Run(args, command) => terminal::run(args, command),
        Request::Doctor(args) => {
            let diagnosis = doctor::examine(*args);
            print(visible_lines(&diagnosis.text).as_bytes())?;
            Ok(diagnosis.status)
        }
        Request::Audit(args) => audit::work(args),
        Request::PolicyShow(args) => print(policy::show(args)?.as_bytes()),
        Request::PolicyList(args) => print(policy::list(*args)?.as_bytes()),
        Request::Changes(args) => changes::work(args),
        Request::Cache(args) => cache::work(args),
        Request::Profile(args) => print(&profiles::generate(args)?),
        Request::Auto(what) => print(&auto::auto(what)?),
        Request::Init(args) => init::work(args),
        Request::Shim(args) => shim::work(args),
        Request::Completions(shell) => print(&completions::render(*shell)),
        Request::Man => print(&man::render().context("cannot write the manual page")?),
        Request::Help(topic) => print(help::render(*topic).as_bytes()),
        Request::Version => {
            print(concat!("gosandbox ", env!("CARGO_PKG_VERSION"), "\n").as_bytes())
        }
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
