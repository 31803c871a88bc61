//! The command line as types that cannot be wrong: what [`super::args::parse`] makes of argv.

use std::path::PathBuf;

use crate::policy::Staging;
use crate::profile::{self, Selection};
pub use crate::run::{Command, Output};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Run a command in the cage.
    Run(Command),
    /// Show what the host can enforce.
    Doctor,
    /// Show the resolved policy.
    PolicyShow,
    /// List the profiles.
    PolicyList,
    /// Work on what runs have left staged.
    Changes(Changes),
    /// Print what a deployment loads, in this format.
    Profile(String),
    /// Print a completion script.
    Completions(Shell),
    /// Print the manual page.
    Man,
    /// Print help, of a subcommand or of all.
    Help(Option<&'static str>),
    /// Print the version.
    Version,
}

/// What `changes` does, and with which run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// What is done.
    pub action: ChangesAction,
    /// The run, or the beginning of its name.
    pub run: Option<String>,
    /// `--all`: every run.
    pub all: bool,
}

/// What `changes` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangesAction {
    /// Lists the runs that have left changes staged.
    List,
    /// Shows the changes of a run.
    Show,
    /// Applies them to the work tree.
    Apply,
    /// Removes them.
    Drop,
}

/// A shell that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What `profile auto` does with what it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// Loads it.
    Load,
    /// Takes it back.
    Remove,
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Errors and warnings.
    #[default]
    Normal,
    /// What is done, too.
    Verbose,
}

/// The command line, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowArgs {
    /// What is to be done.
    pub mode: Mode,
    /// `--profile`.
    pub profile: Selection,
    /// `-C`.
    pub directory: Option<PathBuf>,
    /// `--ro`, `--rw`, `--env` and the like. Their paths are still as they were written:
    /// [`crate::run::Request::overrides`] makes them absolute.
    pub overrides: profile::Overrides,
    /// `--cache-dir`.
    pub cache_dir: Option<PathBuf>,
    /// `--goroot`.
    pub goroot: Option<PathBuf>,
    /// `--stage`.
    pub stage: Option<Staging>,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--report`.
    pub report: Option<Output>,
    /// `--audit-log`.
    pub audit_log: Option<PathBuf>,
    /// `--json`.
    pub json: bool,
    /// `--output`.
    pub output: Option<PathBuf>,
    /// Whether `profile auto` loads what it makes, or takes it back.
    pub install: Option<Install>,
    /// Whether `--mode` is `complain`.
    pub complain: bool,
    /// `--format`.
    pub form: Option<String>,
    /// `-v` and `-q`.
    pub verbosity: Verbosity,
}
