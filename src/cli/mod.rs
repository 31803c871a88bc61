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
mod policy;
mod profiles;
mod run;
mod run_folders;
mod usage;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use self::args::{Request, RunArgs, UsageError, Verbosity};
use crate::files::look;
use crate::go::workspace::Workspace;
use crate::launch;
use crate::profile::{self, Caller, Overrides};
use crate::text::visible;

use run_folders::run_folders;

/// gosandbox refused or failed.
pub const REFUSED: u8 = 125;
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
            match error.downcast_ref::<UsageError>() {
                Some(usage) => usage.status(),
                None if error.is::<run::NotFound>() => NOT_FOUND,
                None => REFUSED,
            }
        }
    }
}

fn dispatch(request: &Request) -> anyhow::Result<u8> {
    match request {
        Request::Run(args, command) => run::run(args, command),
        Request::Doctor(args) => {
            let diagnosis = doctor::examine(*args);
            print(clean_lines(&diagnosis.text).as_bytes())?;
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

/// An error with a command or a profile line that helps, which is printed on a line of its own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Helped {
    message: String,
    help: String,
}

/// Prints an error of several lines, which ends with what the user can do.
pub fn print_lines(text: &str) {
    let text = clean_lines(&format!("gosandbox: {text}"));
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

/// [`visible`], line by line.
fn clean_lines(text: &str) -> String {
    text.lines()
        .map(|line| visible(line).into_owned() + "\n")
        .collect()
}

/// On whose behalf profiles are read, from the environment; for a project, where there is one.
pub fn caller(workspace: Option<&Workspace>) -> Caller {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    Caller {
        uid: rustix::process::geteuid().as_raw(),
        config_home: absolute("XDG_CONFIG_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".config"))),
        source: workspace.and_then(Workspace::source).map(Path::to_owned),
    }
}

/// The folder that the command runs in: `-C`, else the caller's own.
pub fn start_folder(args: &RunArgs) -> anyhow::Result<PathBuf> {
    folder_of(args.directory.as_deref())
}

fn folder_of(directory: Option<&Path>) -> anyhow::Result<PathBuf> {
    let Some(folder) = directory else {
        // The kernel's own word, without links.
        return std::env::current_dir().context("cannot find the current folder");
    };
    look::canonicalize_folder(folder).with_context(|| format!("cannot enter {}", folder.display()))
}

/// What the command line says of the policy, its paths made absolute from the caller's folder.
pub fn overrides(args: &RunArgs) -> anyhow::Result<Overrides> {
    with_whole_paths(&args.overrides)
}

fn with_whole_paths(overrides: &Overrides) -> anyhow::Result<Overrides> {
    let mut overrides = overrides.clone();
    for (flag, paths) in [
        ("--ro", &mut overrides.read),
        ("--rw", &mut overrides.write),
    ] {
        for path in paths {
            *path =
                absolute(path).with_context(|| format!("cannot use {flag} {}", path.display()))?;
        }
    }
    Ok(overrides)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    let climbs = path
        .components()
        .any(|part| part == std::path::Component::ParentDir);
    // Where `..` leads is the kernel's to say: a symbolic link may come before it.
    let whole = if climbs {
        look::canonicalize(path)?
    } else {
        std::path::absolute(path)?
    };
    Ok(profile::path(&whole)?)
}
