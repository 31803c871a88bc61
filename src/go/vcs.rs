//! Whether git may be run in a repository to stamp a build.
//!
//! `go build` runs git there, and git runs what the repository's configuration says: fsmonitor,
//! hooks, filters. Hooks and fsmonitor are switched off from outside; a configuration with
//! anything else that is not known to be harmless means no stamping. The list names what is
//! harmless, not what is dangerous, for git gains settings with every release.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::gitconfig::{self, LARGEST, Setting};
use super::gitkeys::runs_nothing;
use super::shown;
use crate::files::look;

/// What becomes of version control stamping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamping {
    /// Bare go stamps nothing here either.
    None,
    /// git runs nothing of the repository's with this environment.
    Safe {
        /// Variables for git.
        environment: Vec<(OsString, OsString)>,
        /// Folders that git must read.
        read: Vec<PathBuf>,
    },
    /// Stamping is to be switched off with `-buildvcs=false`.
    Unsafe {
        /// Why, fit for a warning.
        reason: String,
    },
}

/// What makes a folder the top of a checkout for the go command (`cmd/go/internal/vcs`), and whether it is a
/// folder itself: the `.git` file of a submodule or of a linked work tree does not count.
const ROOTS: [(&str, bool); 6] = [
    (".git", true),
    (".hg", true),
    (".svn", true),
    (".bzr", true),
    (".fslckout", false),
    ("_FOSSIL_", false),
];

/// The top of the checkout that go stamps where it works in `folder`: the nearest at or above it.
pub fn checkout(folder: &Path) -> Option<&Path> {
    let is_root = |folder: &Path, (name, is_folder): (&str, bool)| {
        let found = look::metadata(folder.join(name));
        found.is_ok_and(|found| found.is_dir() == is_folder)
    };
    let mut above = folder.ancestors();
    above.find(|folder| ROOTS.into_iter().any(|root| is_root(folder, root)))
}

/// Judges the version control of `repository`, its top folder.
pub fn stamping(repository: &Path) -> Stamping {
    look::with_rights_of(repository, || judged(repository))
}

fn judged(repository: &Path) -> Stamping {
    let git = repository.join(".git");
    let Ok(meta) = look::symlink_metadata(&git) else {
        return other(repository);
    };
    if meta.is_file() {
        return Stamping::None;
    }
    if meta.is_symlink() {
        return Stamping::Unsafe {
            reason: format!("{} is a symbolic link", shown(&git)),
        };
    }
    if let Some(reason) = other_reason(repository) {
        // Bare go refuses nested version control systems too (CVE-2025-4674).
        return Stamping::Unsafe { reason };
    }
    match check_git(&git, 0) {
        Ok(()) => Stamping::Safe {
            environment: environment(repository),
            read: vec![git],
        },
        Err(reason) => Stamping::Unsafe { reason },
    }
}

fn other_reason(repository: &Path) -> Option<String> {
    [
        (".hg", "Mercurial"),
        (".svn", "Subversion"),
        (".bzr", "Bazaar"),
        (".fslckout", "Fossil"),
        ("_FOSSIL_", "Fossil"),
    ]
    .into_iter()
    .find(|(name, _)| look::symlink_metadata(repository.join(name)).is_ok())
    .map(|(_, system)| {
        format!("{system} runs what the repository configures, and is not run in the sandbox")
    })
}

fn other(repository: &Path) -> Stamping {
    other_reason(repository).map_or(Stamping::None, |reason| Stamping::Unsafe { reason })
}

fn environment(repository: &Path) -> Vec<(OsString, OsString)> {
    let settings: [(&str, OsString); 4] = [
        ("core.fsmonitor", "false".into()),
        ("core.hooksPath", "/dev/null".into()),
        ("log.showSignature", "false".into()),
        // The user inside may not be the owner of the repository.
        ("safe.directory", repository.as_os_str().to_owned()),
    ];
    let mut pairs: Vec<(OsString, OsString)> =
        vec![("GIT_CONFIG_COUNT".into(), settings.len().to_string().into())];
    for (i, (key, value)) in settings.into_iter().enumerate() {
        pairs.push((format!("GIT_CONFIG_KEY_{i}").into(), key.into()));
        pairs.push((format!("GIT_CONFIG_VALUE_{i}").into(), value));
    }
    pairs
}

/// Judges a git directory: its own configuration and those of its submodules, in which
/// `git status` runs too.
fn check_git(git: &Path, depth: usize) -> Result<(), String> {
    for (name, why) in [
        ("commondir", "shares another repository's"),
        (
            "objects/info/alternates",
            "borrows another repository's objects",
        ),
    ] {
        if look::symlink_metadata(git.join(name)).is_ok() {
            return Err(format!("{} {why}", shown(&git.join(name))));
        }
    }
    let mut worktree = false;
    for setting in read(&git.join("config"))?.unwrap_or_default() {
        worktree |= setting.section == "extensions" && setting.key == "worktreeconfig";
        judge(&setting, &git.join("config"), depth)?;
    }
    if worktree {
        let path = git.join("config.worktree");
        for setting in read(&path)?.unwrap_or_default() {
            judge(&setting, &path, depth)?;
        }
    }
    each_submodule(&git.join("modules"), depth, &mut check_git)
}

/// Has the git directories of a repository's submodules looked at, in `modules` of its own; ends at the first that
/// something is wrong with.
pub(super) fn each_submodule(
    modules: &Path,
    depth: usize,
    visit: &mut dyn FnMut(&Path, usize) -> Result<(), String>,
) -> Result<(), String> {
    let entries = match look::read_dir(modules) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(format!("{} cannot be read: {e}", shown(modules))),
    };
    if depth >= 8 {
        return Err(format!("{} is too deep", shown(modules)));
    }
    for entry in entries {
        let path = entry.path();
        // A submodule whose name has slashes lies in folders that are not repositories.
        if look::exists(path.join("HEAD")) {
            visit(&path, depth + 1)?;
        } else if look::is_dir(&path) {
            each_submodule(&path, depth + 1, visit)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Vec<Setting>>, String> {
    let name = || shown(path);
    match look::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(format!("{} cannot be read: {e}", name())),
        Ok(meta) if !meta.is_file() => return Err(format!("{} is no plain file", name())),
        Ok(meta) if meta.len() > LARGEST => return Err(format!("{} is too large", name())),
        Ok(_) => {}
    }
    let text = look::read(path).map_err(|e| format!("{} cannot be read: {e}", name()))?;
    gitconfig::parse(&text)
        .map(Some)
        .map_err(|line| format!("{} cannot be understood at line {line}", name()))
}

fn judge(setting: &Setting, path: &Path, depth: usize) -> Result<(), String> {
    // A submodule's core.worktree leads back to its folder; git itself writes it.
    let own_worktree = depth > 0 && setting.section == "core" && setting.key == "worktree";
    if own_worktree || runs_nothing(setting) {
        return Ok(());
    }
    Err(format!(
        "{} sets {}, which is not known to run nothing",
        shown(path),
        setting.name()
    ))
}

#[cfg(test)]
mod tests;
