//! The project around a folder: module, go.work, repository, and the folders they point to.
//!
//! The go command looks for go.mod and go.work up to `/`, and follows `replace` and `use`
//! anywhere. Here only what lies in the project's own repository is taken on the repository's
//! word; anything else must be granted by the user, and the error says with which flag.

mod find;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use self::find::too_wide;
use self::find::{find_up, find_work, has_work, real, repository};
use super::modfile::{ModFile, ModFileError, Word};
use super::{LARGEST, read_plain, shown};
use crate::files::look;

/// Where a project begins and what belongs to it. All paths are real paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workspace {
    /// The work tree: the folder of go.work where it applies, else of go.mod, else the current one.
    pub root: PathBuf,
    /// The folder of the go.mod that holds the current folder.
    pub module_root: Option<PathBuf>,
    /// The nearest folder at or above the root that is under version control.
    pub repository: Option<PathBuf>,
    /// The main module's go.mod.
    pub go_mod: Option<PathBuf>,
    /// The go.work that applies.
    pub go_work: Option<PathBuf>,
    /// Modules of the same repository outside the root, to be granted for reading.
    pub local_modules: Vec<PathBuf>,
    /// The go and toolchain lines that count.
    pub lines: Lines,
    /// Whether the root has a vendor folder.
    pub vendor: bool,
    /// Whether there is no module and the current folder is too wide to be granted.
    pub none: bool,
}

impl Workspace {
    /// Whether a real path is the project's own: in its work tree, or elsewhere in its repository.
    pub fn holds(&self, real: &Path) -> bool {
        let around = [Some(&self.root), self.repository.as_ref()];
        around.into_iter().flatten().any(|it| real.starts_with(it))
    }

    /// The folder with all that comes with the source: the repository, else the work tree.
    pub fn source(&self) -> Option<&Path> {
        let around = self.repository.as_ref().unwrap_or(&self.root);
        (!self.none).then_some(around)
    }
}

/// The lines that say which Go a project wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// `go 1.26.1`
    pub go: Option<Line>,
    /// `toolchain go1.26.1`
    pub toolchain: Option<Line>,
}

/// A line of go.mod or go.work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file.
    pub file: PathBuf,
    /// Line number, from 1.
    pub line: usize,
    /// What follows the verb.
    pub text: String,
}

impl Line {
    /// The line as it is named in messages.
    pub fn place(&self, verb: &str) -> String {
        format!("{}:{} ({verb} line)", shown(&self.file), self.line)
    }

    fn of(file: &Path, word: Option<&Word>) -> Option<Line> {
        word.map(|w| Line {
            file: file.to_owned(),
            line: w.line,
            text: w.text.clone(),
        })
    }
}

/// Why a project cannot be made out, or not be granted.
#[derive(Debug, Error)]
pub enum WorkspaceError {
    /// A file or folder cannot be looked at.
    #[error("cannot read {}: {source}", shown(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A go.mod or go.work of the repository's that is a link out of it: what it leads to is the user's, and
    /// what is wrong with a line of it would be shown.
    #[error(
        "cannot read {}: it is a symbolic link to {}, outside the repository",
        shown(path),
        shown(real)
    )]
    Linked {
        /// The link.
        path: PathBuf,
        /// The real path it leads to.
        real: PathBuf,
    },
    /// A go.mod or go.work that makes no sense.
    #[error("cannot read {}: {source}", shown(path))]
    ModFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ModFileError,
    },
    /// A `replace` or `use` that leads out of the repository.
    #[error(
        "cannot read {}: {}:{line}: {verb} {target} leads out of the repository",
        shown(path),
        shown(file)
    )]
    Outside {
        /// The file.
        file: PathBuf,
        /// Line number.
        line: usize,
        /// `replace` or `use`.
        verb: &'static str,
        /// What is written there.
        target: Word,
        /// The real path it leads to.
        path: PathBuf,
    },
    /// A go.work that is not the project's.
    #[error(
        "cannot use {}: it lies outside the project, and go would use it",
        shown(path)
    )]
    ForeignWork {
        /// The file.
        path: PathBuf,
        /// What the user can grant, unless that holds too much.
        grant: Option<PathBuf>,
        /// Whether the command writes it.
        writes: bool,
    },
    /// GOWORK names something that cannot be used.
    #[error("cannot use GOWORK={value}: it {why}")]
    GoWork {
        /// The value.
        value: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The module is the home folder or something as wide.
    #[error(
        "cannot grant {} as a work tree: it has a go.mod, but it is {why}",
        shown(path)
    )]
    TooWide {
        /// The folder.
        path: PathBuf,
        /// What it is.
        why: &'static str,
    },
}

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The current folder, as a real path: it is not resolved again.
    pub cwd: &'a Path,
    /// The caller's GOWORK.
    pub gowork: Option<&'a OsStr>,
    /// Whether the command is there to write go.work (`go work init`).
    pub writes_work: bool,
    /// The caller's home.
    pub home: Option<&'a Path>,
    /// The caller's folder for temporary files. Go ignores a go.mod that lies right in it.
    pub temp: Option<&'a Path>,
    /// Folders that the user granted (`--ro`, `--rw`), as real paths.
    pub granted: &'a [PathBuf],
    /// Those of them that may be written.
    pub written: &'a [PathBuf],
}

/// The project around `start.cwd`.
pub fn discover(start: &Start<'_>) -> Result<Workspace, WorkspaceError> {
    let real = |path: Option<&Path>| path.and_then(|path| look::canonicalize(path).ok());
    let (home, temp) = (real(start.home), real(start.temp));
    look::with_rights_of(start.cwd, || {
        around(start, home.as_deref(), temp.as_deref())
    })
}

fn around(
    start: &Start<'_>,
    home: Option<&Path>,
    temp: Option<&Path>,
) -> Result<Workspace, WorkspaceError> {
    let cwd = start.cwd;
    let found = find_up(cwd, "go.mod");
    let is_ignored = found.is_some() && found.as_deref() == temp && !has_work(start);
    let module_root = found.filter(|_| !is_ignored);
    let near = module_root.as_deref().unwrap_or(cwd);
    let repository = repository(near, home);
    let work = find_work(start, near, repository.as_deref(), home)?;
    let own = work.as_ref().filter(|work| work.is_own);
    let work_root = own.and_then(|work| work.path.parent());
    let root = match work_root {
        Some(folder) if near.starts_with(folder) => folder.to_owned(),
        _ => near.to_owned(),
    };
    let wide = too_wide(&root, home);
    if let (Some(why), true) = (wide, module_root.as_deref() == Some(&root)) {
        return Err(WorkspaceError::TooWide { path: root, why });
    }
    let mut workspace = Workspace {
        vendor: look::exists(root.join("vendor/modules.txt")),
        none: module_root.is_none()
            && (wide.is_some() || is_ignored && Some(root.as_path()) == temp),
        go_mod: module_root.as_ref().map(|m| m.join("go.mod")),
        root,
        module_root,
        repository,
        go_work: work.map(|work| work.path),
        ..Workspace::default()
    };
    read_files(&mut workspace, start.granted)?;
    Ok(workspace)
}

fn read_files(workspace: &mut Workspace, granted: &[PathBuf]) -> Result<(), WorkspaceError> {
    let mut targets = Targets {
        workspace,
        granted,
        found: Vec::new(),
    };
    let mut lines = Lines::default();
    let mut modules = Vec::new();
    let work = targets.workspace.go_work.clone();
    // The one that is to be made has no lines yet.
    if let Some(path) = work.filter(|path| look::symlink_metadata(path).is_ok()) {
        let file = targets.read(&path)?;
        lines = Lines {
            go: Line::of(&path, file.go.as_ref()),
            toolchain: Line::of(&path, file.toolchain.as_ref()),
        };
        for word in &file.uses {
            if let Some(folder) = targets.take(&path, "use", word)? {
                modules.push(folder.join("go.mod"));
            }
        }
        targets.take_replaces(&path, &file)?;
    }
    if let Some(path) = targets.workspace.go_mod.clone() {
        let file = targets.read(&path)?;
        if targets.workspace.go_work.is_none() {
            lines = Lines {
                go: Line::of(&path, file.go.as_ref()),
                toolchain: Line::of(&path, file.toolchain.as_ref()),
            };
        }
        targets.take_replaces(&path, &file)?;
        modules.retain(|m| *m != path);
    }
    for path in modules {
        if look::is_file(&path) {
            let file = targets.read(&path)?;
            targets.take_replaces(&path, &file)?;
        }
    }
    let mut found = targets.found;
    found.sort();
    found.dedup();
    workspace.local_modules = found;
    workspace.lines = lines;
    Ok(())
}

struct Targets<'a> {
    workspace: &'a Workspace,
    granted: &'a [PathBuf],
    found: Vec<PathBuf>,
}

impl Targets<'_> {
    fn is_granted(&self, real: &Path) -> bool {
        self.granted.iter().any(|granted| real.starts_with(granted))
    }

    /// A go.mod or go.work.
    fn read(&self, path: &Path) -> Result<ModFile, WorkspaceError> {
        let real = real(path)?;
        if !self.workspace.holds(&real) && !self.is_granted(&real) {
            let path = path.to_owned();
            return Err(WorkspaceError::Linked { path, real });
        }
        let content = read_plain(&real, LARGEST).map_err(|source| WorkspaceError::Read {
            path: path.to_owned(),
            source,
        })?;
        ModFile::parse(&content).map_err(|source| WorkspaceError::ModFile {
            path: path.to_owned(),
            source,
        })
    }

    fn take_replaces(&mut self, file: &Path, content: &ModFile) -> Result<(), WorkspaceError> {
        for replace in content.replaces.iter().filter(|r| r.local) {
            let word = Word {
                line: replace.line,
                text: replace.target.clone(),
            };
            self.take(file, "replace", &word)?;
        }
        Ok(())
    }

    /// The real folder that `word` names, judged; `None` where there is nothing (go says so).
    fn take(
        &mut self,
        file: &Path,
        verb: &'static str,
        word: &Word,
    ) -> Result<Option<PathBuf>, WorkspaceError> {
        let base = file.parent().unwrap_or(Path::new("/"));
        let Ok(path) = look::canonicalize(base.join(&word.text)) else {
            return Ok(None);
        };
        if path.starts_with(&self.workspace.root) || self.is_granted(&path) {
            return Ok(Some(path));
        }
        if self.workspace.holds(&path) && look::is_file(path.join("go.mod")) {
            self.found.push(path.clone());
            return Ok(Some(path));
        }
        Err(WorkspaceError::Outside {
            file: file.to_owned(),
            line: word.line,
            verb,
            target: word.clone(),
            path,
        })
    }
}

#[cfg(test)]
mod tests;
