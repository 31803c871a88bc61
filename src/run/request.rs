//! What a run is asked for.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;

use crate::files::look;
use crate::go::workspace::Workspace;
use crate::profile::{self, Caller, Overrides, Selection};

/// A command and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program: never empty.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
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
    let climbs = path.components().any(|part| part == Component::ParentDir);
    // Where `..` leads is the kernel's to say: a symbolic link may come before it.
    let whole = if climbs {
        look::canonicalize(path)?
    } else {
        std::path::absolute(path)?
    };
    Ok(profile::path(&whole)?)
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
    look::canonicalize_folder(folder).with_context(|| format!("cannot enter {}", folder.display()))
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
