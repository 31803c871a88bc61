//! The command line as types that cannot be wrong: what [`super::args::parse`] makes of argv.

use std::path::PathBuf;

use crate::finding::Severity;
use crate::profile::{self, Selection};
use crate::run::cache::Wanted;
pub use crate::run::{Command, Output};

/// What is to be done, each with the options that mean something for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Run a command in the cage.
    Run(RunArgs, Command),
    /// Show what the host can enforce.
    Doctor(DoctorArgs),
    /// Find what weakens builds on this machine.
    Audit(AuditArgs),
    /// Show the resolved policy.
    PolicyShow(PolicyShowArgs),
    /// List the profiles.
    PolicyList(PolicyListArgs),
    /// Work on what runs have left staged.
    Changes(ChangesArgs),
    /// List or remove what runs keep.
    Cache(CacheArgs),
    /// Print what a deployment loads.
    Profile(ProfileArgs),
    /// Load, take back or describe what this host's guard takes.
    Auto(Auto),
    /// Write the files of a project.
    Init(InitArgs),
    /// Write a `go` that is gosandbox, or take it away.
    Shim(ShimArgs),
    /// Print a completion script.
    Completions(Shell),
    /// Print the manual page.
    Man,
    /// Print help, of a subcommand or of all.
    Help(Option<&'static str>),
    /// Print the version.
    Version,
}

/// Options of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunArgs {
    /// `--profile`.
    pub profile: Selection,
    /// `-C`.
    pub directory: Option<PathBuf>,
    /// `--ro`, `--rw`, `--env` and the like. Their paths are still as they were written:
    /// [`crate::run::whole_paths`] makes them absolute.
    pub overrides: profile::Overrides,
    /// `--cache-dir`.
    pub cache_dir: Option<PathBuf>,
    /// `--goroot`.
    pub goroot: Option<PathBuf>,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--report`.
    pub report: Option<Output>,
    /// `--audit-log`.
    pub audit_log: Option<PathBuf>,
    /// `-v` and `-q`.
    pub verbosity: Verbosity,
}

/// Options of `doctor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoctorArgs {
    /// `--format`, `--json`.
    pub form: FindingsForm,
}

/// Options of `audit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditArgs {
    /// `-C`: the checkout that is looked at too.
    pub directory: Option<PathBuf>,
    /// What is shown, and what counts.
    pub findings: FindingsArgs,
    /// `--fix`, `--undo`.
    pub mend: Option<Mending>,
}

/// What `audit` does besides looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mending {
    /// `--fix`.
    Fix,
    /// `--undo`.
    Undo,
}

/// Options of every subcommand that finds things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingsArgs {
    /// `--format`.
    pub form: FindingsForm,
    /// `--fail-on`.
    pub fail_on: FailOn,
    /// `--baseline`.
    pub baseline: Option<PathBuf>,
    /// `--write-baseline`.
    pub write_baseline: Option<PathBuf>,
}

/// How findings are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FindingsForm {
    /// For a person.
    #[default]
    Human,
    /// In the shape of docs/findings.md.
    Json,
    /// SARIF 2.1.0.
    Sarif,
}

/// From which severity on findings end with status 1; `None`: from none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailOn(pub Option<Severity>);

impl Default for FailOn {
    fn default() -> FailOn {
        FailOn(Some(Severity::High))
    }
}

/// Options of `policy show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyShowArgs {
    /// `--profile`.
    pub profile: Selection,
    /// `-C`.
    pub directory: Option<PathBuf>,
    /// As [`RunArgs::overrides`].
    pub overrides: profile::Overrides,
    /// `--json`.
    pub json: bool,
}

/// Options of `policy list`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyListArgs {
    /// `--json`.
    pub json: bool,
}

/// What `changes` does, and with which runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesArgs {
    /// What is done.
    pub action: ChangesAction,
    /// The run, or the beginning of its name.
    pub run: Option<String>,
    /// `-C`: where no run is named, the newest of this folder's work tree.
    pub directory: Option<PathBuf>,
    /// `--all`: every run.
    pub all: bool,
    /// `--json`.
    pub json: bool,
}

/// What `cache` does, and with which caches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheArgs {
    /// `clean`: what is to be removed; `None` for `list`.
    pub clean: Option<Wanted>,
    /// `--cache-dir`.
    pub cache_dir: Option<PathBuf>,
    /// `--json`, `--format json`.
    pub json: bool,
}

/// The project that `profile` makes something for: options that a run has too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteArgs {
    /// `--profile`.
    pub profile: Selection,
    /// `-C`.
    pub directory: Option<PathBuf>,
    /// As [`RunArgs::overrides`].
    pub overrides: profile::Overrides,
    /// `--cache-dir`.
    pub cache_dir: Option<PathBuf>,
    /// `--goroot`.
    pub goroot: Option<PathBuf>,
    /// `-q`.
    pub verbosity: Verbosity,
    /// Whether `--mode` is `complain`.
    pub complain: bool,
    /// `--format`.
    pub form: Option<String>,
}

impl SiteArgs {
    /// The run whose policy and places are taken.
    pub fn as_run(&self) -> RunArgs {
        RunArgs {
            profile: self.profile.clone(),
            directory: self.directory.clone(),
            overrides: self.overrides.clone(),
            cache_dir: self.cache_dir.clone(),
            goroot: self.goroot.clone(),
            verbosity: self.verbosity,
            ..RunArgs::default()
        }
    }
}

/// Options of `profile FORMAT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileArgs {
    /// The format.
    pub format: String,
    /// For what project.
    pub site: SiteArgs,
    /// `--output`.
    pub output: Option<PathBuf>,
}

/// What `profile auto` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auto {
    /// Says what to run, for the folder of `-C`.
    Advise(Option<PathBuf>),
    /// Loads what is made for this project.
    Install(Box<SiteArgs>),
    /// Takes back what was loaded.
    Uninstall(UninstallArgs),
}

/// Options of `profile auto --uninstall`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UninstallArgs {
    /// `-C`: the project, where nothing notes for which one something was loaded.
    pub directory: Option<PathBuf>,
    /// `-q`.
    pub verbosity: Verbosity,
}

/// Options of `init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitArgs {
    /// `-C`.
    pub directory: Option<PathBuf>,
    /// Whose CI; `None`: what the project shows.
    pub ci: Option<Ci>,
}

/// A CI service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Ci {
    Github,
    Gitlab,
}

/// Options of `shim`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShimArgs {
    /// What is done.
    pub action: ShimAction,
    /// The folder of the shim.
    pub folder: PathBuf,
    /// `--profile`.
    pub profile: Selection,
    /// `--goroot`.
    pub goroot: Option<PathBuf>,
}

/// What `shim` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShimAction {
    /// Writes it.
    Install,
    /// Takes it away.
    Remove,
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
