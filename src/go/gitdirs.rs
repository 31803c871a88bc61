//! Where a repository has its folders: its own, that of the repository it shares, those of its
//! submodules and linked work trees (gitrepository-layout(5)).

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::gitconfig::{self, LARGEST, Setting};
use super::{read_plain, shown};
use crate::files::look;

/// Repositories of submodules lie in each other so deep at most.
const DEEPEST: usize = 8;

/// Something of git's that cannot be read or understood, so that nobody knows what git executes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {why}", shown(path))]
pub struct Unclear {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it, after its name.
    pub why: String,
}

impl Unclear {
    pub(super) fn new(path: &Path, why: impl Into<String>) -> Unclear {
        Unclear {
            path: path.to_owned(),
            why: why.into(),
        }
    }
}

/// A repository's folder, and the folders in which it has work trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What `.git` is or names.
    pub git: PathBuf,
    /// The folder that has the configuration: another one in a linked work tree.
    pub common: PathBuf,
    /// The folders from which relative paths may count.
    pub tops: Vec<PathBuf>,
}

impl Place {
    /// The files of its configuration.
    pub fn configurations(&self) -> [PathBuf; 2] {
        [self.common.join("config"), self.git.join("config.worktree")]
    }
}

/// The repository of a work tree, if it has one, with those of its submodules and of its other work trees.
pub(super) fn places(top: &Path) -> Result<Vec<Place>, Unclear> {
    let mut found = Vec::new();
    add(top, 0, &mut found)?;
    Ok(found)
}

/// The repository of a work tree with nothing that would have to be read.
pub(super) fn alone(top: &Path) -> Vec<Place> {
    let git = top.join(".git");
    vec![Place {
        common: git.clone(),
        git,
        tops: Vec::new(),
    }]
}

fn add(top: &Path, depth: usize, found: &mut Vec<Place>) -> Result<(), Unclear> {
    let Some(git) = git_folder(top)? else {
        return Ok(());
    };
    let common = match read(&git.join("commondir"))? {
        Some(path) => git.join(OsStr::from_bytes(line(&path))),
        None => git.clone(),
    };
    let place = Place {
        tops: vec![top.to_owned()],
        git,
        common,
    };
    let place = with_worktrees(place)?;
    if found.contains(&place) {
        return Ok(());
    }
    let common = place.common.clone();
    found.push(place);
    add_linked(&common, found)?;
    add_modules(&common.join("modules"), 0, found)?;
    add_named(top, depth, found)
}

/// Adds what `core.worktree` says to the folders of a repository.
fn with_worktrees(mut place: Place) -> Result<Place, Unclear> {
    for path in place.configurations() {
        for setting in settings(&path)? {
            let value = setting.value.as_deref().unwrap_or_default();
            if setting.is("core", "worktree") && !value.is_empty() {
                place.tops.push(place.git.join(OsStr::from_bytes(value)));
            }
        }
    }
    Ok(place)
}

/// Adds the other work trees of a repository.
fn add_linked(common: &Path, found: &mut Vec<Place>) -> Result<(), Unclear> {
    for git in entries(&common.join("worktrees"))? {
        let Some(path) = read(&git.join("gitdir"))? else {
            continue;
        };
        let file = git.join(OsStr::from_bytes(line(&path)));
        let tops = file.parent().map(Path::to_owned).into_iter().collect();
        let common = common.to_owned();
        found.push(with_worktrees(Place { git, common, tops })?);
    }
    Ok(())
}

/// Adds the repositories of submodules. One whose name has slashes lies in folders that are none.
fn add_modules(modules: &Path, depth: usize, found: &mut Vec<Place>) -> Result<(), Unclear> {
    for git in entries(modules)? {
        if depth >= DEEPEST {
            return Err(Unclear::new(modules, "is too deep"));
        }
        if look::exists(git.join("HEAD")) {
            let (common, tops) = (git.clone(), Vec::new());
            let modules = git.join("modules");
            found.push(with_worktrees(Place { git, common, tops })?);
            add_modules(&modules, depth + 1, found)?;
        } else if look::is_dir(&git) {
            add_modules(&git, depth + 1, found)?;
        }
    }
    Ok(())
}

/// Adds the submodules that `.gitmodules` names, where they are checked out.
fn add_named(top: &Path, depth: usize, found: &mut Vec<Place>) -> Result<(), Unclear> {
    let file = top.join(".gitmodules");
    for setting in settings(&file)? {
        let Some(path) = setting.value.filter(|_| setting.section == "submodule") else {
            continue;
        };
        let folder = top.join(OsStr::from_bytes(&path));
        if setting.key == "path" && look::symlink_metadata(folder.join(".git")).is_ok() {
            if depth >= DEEPEST {
                return Err(Unclear::new(&file, "has submodules too deep"));
            }
            add(&folder, depth + 1, found)?;
        }
    }
    Ok(())
}

/// `.git`, or where a file of that name says it is.
fn git_folder(top: &Path) -> Result<Option<PathBuf>, Unclear> {
    let git = top.join(".git");
    if look::is_dir(&git) {
        return Ok(Some(git));
    }
    let text = read(&git)?;
    // Git takes nothing else for a repository.
    let named = text
        .as_deref()
        .and_then(|text| text.strip_prefix(b"gitdir: "));
    Ok(named.map(|path| top.join(OsStr::from_bytes(line(path)))))
}

/// Without the ends of lines, which git takes off.
pub(super) fn line(text: &[u8]) -> &[u8] {
    let last = text.iter().rposition(|byte| !b"\r\n".contains(byte));
    &text[..last.map_or(0, |last| last + 1)]
}

/// The entries of a folder, sorted; none where there is no folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Unclear> {
    let unclear = |error: io::Error| Unclear::new(folder, format!("cannot be read: {error}"));
    let entries = match look::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(unclear(error)),
    };
    let mut paths: Vec<_> = entries.iter().map(look::Entry::path).collect();
    paths.sort();
    Ok(paths)
}

/// The settings of a file; none where there is no file.
pub(super) fn settings(path: &Path) -> Result<Vec<Setting>, Unclear> {
    let text = read(path)?.unwrap_or_default();
    gitconfig::parse(&text)
        .map_err(|line| Unclear::new(path, format!("cannot be understood at line {line}")))
}

/// What a file holds. What is no file holds nothing: git reads no folder, and no device is waited for.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Unclear> {
    let unclear = |error: io::Error| Unclear::new(path, format!("cannot be read: {error}"));
    match look::metadata(path) {
        Ok(found) if !found.is_file() => return Ok(None),
        Ok(_) => {}
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(unclear(error)),
    }
    read_plain(path, LARGEST).map(Some).map_err(unclear)
}

/// Whether nothing is there, for git as well: a circle of links leads nowhere.
fn is_missing(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    let is_circle = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    kinds.contains(&error.kind()) || is_circle
}
