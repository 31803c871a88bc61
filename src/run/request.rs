//! What a run is asked for.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;

use crate::files::look;
use crate::go::workspace::Workspace;
use crate::profile::{self, Caller, Overrides, Selection};
use crate::refusal::{Code, OrRefuse, Refused, shell_word};

/// A command and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program: never empty.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Command {
    /// The words as a shell reads them.
    pub(super) fn in_words(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        let words = words.map(|word| shell_word(&word.to_string_lossy()));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Where something is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Standard,
    /// A file.
    File(PathBuf),
}

/// What the options say, for a run or for what is generated for runs.
#[derive(Clone, Debug)]
pub struct Request {
    /// The profile.
    pub profile: Selection,
    /// The folder to run in, where it is not the caller's own.
    pub directory: Option<PathBuf>,
    /// What options change in the policy. Paths are as they were written: [`whole_paths`].
    pub overrides: Overrides,
    /// The folder of all caches.
    pub cache_dir: Option<PathBuf>,
    /// The toolchain.
    pub goroot: Option<PathBuf>,
    /// Whether nothing is started and nothing made.
    pub dry_run: bool,
    /// Where the report goes.
    pub report: Option<Output>,
    /// The audit log.
    pub audit_log: Option<PathBuf>,
}

/// What options change in the policy, paths made absolute from the caller's folder.
///
/// # Errors
/// A path cannot be made absolute.
pub fn whole_paths(overrides: &Overrides) -> anyhow::Result<Overrides> {
    let mut overrides = overrides.clone();
    let mut wrong = Vec::new();
    for (flag, paths) in [
        ("--ro", &mut overrides.read),
        ("--rw", &mut overrides.write),
    ] {
        for path in paths {
            match absolute(path) {
                Ok(whole) => *path = whole,
                Err((code, error)) => {
                    wrong.push((code, format!("{flag} {}: {error:#}", path.display())));
                }
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(overrides),
        false => {
            wrong.extend(missing(&overrides));
            Err(ungrantable(wrong).into())
        }
    }
}

/// Makes sure that every path which options grant is there.
///
/// # Errors
/// One cannot be looked at.
pub(super) fn are_there(overrides: &Overrides) -> anyhow::Result<()> {
    let wrong: Vec<_> = missing(overrides).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(ungrantable(wrong).into()),
    }
}

/// What options grant and cannot be looked at; relative paths are those that are wrong in another way.
fn missing(overrides: &Overrides) -> impl Iterator<Item = (Code, String)> {
    let paths = overrides.read.iter().chain(&overrides.write);
    let failed = paths
        .filter(|path| path.is_absolute())
        .filter_map(|path| Some((path, look::metadata(path).err()?)));
    failed.map(|(path, error)| (Code::GrantMissing, format!("{}: {error}", path.display())))
}

/// All at once. The code is that of the first.
fn ungrantable(wrong: Vec<(Code, String)>) -> Refused {
    let code = wrong.first().map_or(Code::GrantMissing, |(code, _)| *code);
    let wrong: Vec<_> = wrong.into_iter().map(|(_, text)| text).collect();
    Refused::new(code, format!("cannot grant {}", wrong.join("; ")))
}

fn absolute(path: &Path) -> Result<PathBuf, (Code, anyhow::Error)> {
    let climbs = path.components().any(|part| part == Component::ParentDir);
    // Where `..` leads is the kernel's to say: a symbolic link may come before it.
    let whole = if climbs {
        look::canonicalize(path)
    } else {
        std::path::absolute(path)
    };
    let whole = whole.map_err(|error| (Code::GrantMissing, error.into()))?;
    profile::path(&whole).map_err(|error| (Code::GrantRefused, error.into()))
}

/// The folder that a command runs in: the one named, else the caller's own.
///
/// # Errors
/// It cannot be entered.
pub fn start_folder(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let Some(folder) = named else {
        // The kernel's own word, without links.
        return std::env::current_dir().context("cannot find the current folder");
    };
    let entered = look::canonicalize_folder(folder);
    let failed = || format!("cannot enter {}", folder.display());
    let entered = entered.or_refuse(Code::FolderUnusable, failed);
    Ok(entered.map_err(|refused| refused.without("-C"))?)
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
