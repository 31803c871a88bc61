//! Where a command line asks to have something written, outside the work tree.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::inputs::{Error, Instead, Protected, leads_out};
use super::{Placeholder, PlaceholderKind};
use crate::files::{self, End, Keeper, look};
use crate::paths::clean;
use crate::policy::is_device;

/// What is written at a place that a flag or a variable names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One file, in a folder that is there.
    File,
    /// A program, for which the go command makes the folders above it too.
    Program,
    /// A folder, made with those above it, in which files are made.
    Folder,
    /// A folder that tests make themselves if they need it.
    Artifacts,
    /// A folder that a variable has named, which code of the source gets as it is.
    Coverage,
}

impl Kind {
    fn is_folder(self) -> bool {
        matches!(self, Kind::Folder | Kind::Artifacts | Kind::Coverage)
    }

    /// As the go command makes it, less the umask.
    fn mode(self) -> u32 {
        match self {
            Kind::File => 0o666,
            _ => 0o777,
        }
    }
}

/// Files and folders that flags name and that lie outside the work tree.
#[derive(Clone, Debug, Default)]
pub struct Outputs(Vec<(PathBuf, Option<Placeholder>)>);

impl Outputs {
    /// Adds one, resolved. What lies in the work tree is granted with it.
    ///
    /// # Errors
    /// Where its folder does not exist, or is one that is never granted.
    pub fn add(
        &mut self,
        path: &Path,
        kind: Kind,
        flag: &str,
        tree: Option<&Path>,
        protected: &Protected,
    ) -> Result<(), Error> {
        let fail = |(why, instead): (&'static str, Instead)| Error::Output {
            flag: flag.to_owned(),
            path: path.to_owned(),
            why,
            instead,
        };
        let end = resolve(path, tree).map_err(|error| fail(why(&error)))?;
        if !end.is_there && path.file_name().is_none() {
            return Err(fail(("it names no file", Instead::Elsewhere)));
        }
        // Only a file's folder must be there; go makes the others.
        let is_folder_there = || end.path.parent().is_some_and(Path::is_dir);
        if kind == Kind::File && !end.is_there && !is_folder_there() {
            return Err(fail(NO_FOLDER));
        }
        // Go cleans some paths by their words, and leaves others to the kernel, to which `link/..` is another folder.
        let cleaned = clean(path);
        if cleaned != path && resolve(&cleaned, tree).ok().as_ref() != Some(&end) {
            return Err(fail((
                "a symbolic link comes before `..` in it",
                Instead::Elsewhere,
            )));
        }
        let real = end.path;
        if let Some(tree) = tree {
            // The repository's own links do not choose: coverage.out could lead to ~/.profile.
            if (end.leaves || leads_out(path, &real, tree)) && !is_device(&real) {
                return Err(fail((
                    "a symbolic link in the work tree leads out of it",
                    Instead::RemoveLink,
                )));
            }
            if protected.holds(&real, tree) {
                return Err(fail(("it is protected", Instead::Elsewhere)));
            }
        }
        // In the tree a file is granted with it, and the wrapper makes what a program writes; but not the one
        // folder that a program makes itself.
        let in_tree = tree.is_some_and(|tree| real.starts_with(tree));
        let is_made = !kind.is_folder() || !end.is_there && kind != Kind::Artifacts;
        if in_tree && is_made || is_device(&real) {
            return Ok(());
        }
        if kind == Kind::Coverage && holds_more_than_coverage(&real) {
            return Err(fail((
                "it holds more than coverage data, which tests could read and write",
                Instead::Grant,
            )));
        }
        if kind.is_folder() && real.components().count() < 3 {
            return Err(fail((
                "the folder is too wide to be granted",
                Instead::Elsewhere,
            )));
        }
        let placeholder = (!end.is_there).then(|| Placeholder {
            path: real.clone(),
            mode: kind.mode(),
            kind: match kind.is_folder() {
                true => PlaceholderKind::Folder,
                false => PlaceholderKind::File,
            },
        });
        self.0.push((real, placeholder));
        Ok(())
    }

    /// All of them.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Files that do not exist yet.
    pub fn placeholders(&self) -> Vec<Placeholder> {
        self.0
            .iter()
            .filter_map(|(_, placeholder)| placeholder.clone())
            .collect()
    }
}

/// Whether a folder has anything in it but what `runtime/coverage` writes, and what keeps it in a repository. One
/// that cannot be listed has.
fn holds_more_than_coverage(folder: &Path) -> bool {
    const EXPECTED: [&[u8]; 4] = [b"covmeta.", b"covcounters.", b".gitignore", b".gitkeep"];
    let is_expected = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        EXPECTED.iter().any(|start| name.starts_with(start))
    };
    match look::read_dir(folder) {
        Ok(entries) => entries
            .into_iter()
            .any(|entry| !is_expected(&entry.file_name())),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// What a path leads to, there or not.
fn resolve(path: &Path, tree: Option<&Path>) -> io::Result<End> {
    files::end_of(path, Some(Keeper::caller()), tree)
}

const NO_FOLDER: (&str, Instead) = ("its folder does not exist", Instead::MakeFolder);

fn why(error: &io::Error) -> (&'static str, Instead) {
    match error.raw_os_error() {
        Some(libc::ELOOP) => (
            "symbolic links lead in a circle, or another user can change one of them",
            Instead::Elsewhere,
        ),
        Some(libc::EACCES) => (
            "a folder on the way to it is closed to you",
            Instead::Elsewhere,
        ),
        _ => NO_FOLDER,
    }
}
