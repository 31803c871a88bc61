//! What git executes outside the sandbox later, out of the work tree: hooks, configuration, and the files of
//! command lines that a repository's own configuration leads to.
//!
//! `core.hooksPath = .githooks`, `include.path = ../.gitconfig` and `filter.x.clean = ./tools/clean` are
//! common. Whoever may write the work tree must not write these.
//!
//! Git reads an include only under a condition, and executes a program only for some files. Here every
//! condition holds, and every program is executed. What cannot be read or understood is an error.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::gitdirs::{self, Place};
use super::gitkeys::is_data;
use super::gitwords;
use crate::files::look;
use crate::paths::clean;

pub use super::gitdirs::Unclear;

/// Includes of includes are followed so deep, as git does (`MAX_INCLUDE_DEPTH`).
const DEEPEST: usize = 10;
/// So many files are read, and again only where they are nearer than before: git gives up where one includes
/// itself.
const MOST: usize = 1000;
/// Where git may be installed: what `%(prefix)` may stand for.
const PREFIXES: [&str; 2] = ["/usr", "/usr/local"];

/// The home folder of a user.
pub type HomeOf<'a> = &'a dyn Fn(&str) -> Option<PathBuf>;

/// What git's configuration is read for, besides the repository.
#[derive(Default)]
pub struct User<'a> {
    /// What `~` may stand for.
    pub homes: Vec<PathBuf>,
    /// What `~name` stands for.
    pub home_of: Option<HomeOf<'a>>,
    /// The configuration of the user and of the machine: each file that git may read.
    pub configurations: Vec<PathBuf>,
}

/// The files and folders that the configuration of `repository`, its top folder, leads to, and that of its
/// submodules and other work trees, and the user's own: there or not. One that is written with `..` is there twice:
/// as it is written, and without. The folders of these repositories are among them, whatever they are called.
///
/// # Errors
/// A file of the configuration cannot be read or understood.
pub fn led_to(repository: &Path, user: &User<'_>) -> Result<Vec<PathBuf>, Unclear> {
    let mut found = Vec::new();
    let places = look::with_rights_of(repository, || gitdirs::places(repository))?;
    let folders = places.iter().flat_map(|place| [&place.git, &place.common]);
    let folders: Vec<_> = folders.map(|folder| clean(folder)).collect();
    for place in &places {
        let mut search = Search {
            user,
            place,
            seen: HashMap::new(),
            found: &mut found,
        };
        look::with_rights_of(repository, || search.follow_all(&place.configurations()))?;
        search.follow_all(&user.configurations)?;
    }
    let is_within = |path: &Path| folders.iter().any(|folder| clean(path).starts_with(folder));
    found.retain(|path| !is_within(path));
    found.extend(folders);
    found.sort();
    found.dedup();
    Ok(found)
}

/// The files of the configuration of a repository, its submodules and its other work trees, as far as they can be
/// found.
pub fn configurations(repository: &Path) -> Vec<PathBuf> {
    let places = look::with_rights_of(repository, || gitdirs::places(repository));
    let places = places.unwrap_or_else(|_| gitdirs::alone(repository));
    let files = places.iter().flat_map(Place::configurations);
    files.collect()
}

/// A search in what one repository reads.
struct Search<'a> {
    user: &'a User<'a>,
    place: &'a Place,
    /// Files that were read, and how deep the nearest include was.
    seen: HashMap<PathBuf, usize>,
    found: &'a mut Vec<PathBuf>,
}

impl Search<'_> {
    fn follow_all(&mut self, files: &[PathBuf]) -> Result<(), Unclear> {
        files.iter().try_for_each(|file| self.follow(file, 0))
    }

    fn follow(&mut self, file: &Path, depth: usize) -> Result<(), Unclear> {
        // The same file by another spelling; links in the last name stay, since includes count from there.
        let folder = file
            .parent()
            .and_then(|folder| look::canonicalize(folder).ok());
        let Some((folder, name)) = folder.zip(file.file_name()) else {
            return Ok(());
        };
        let file = &folder.join(name);
        if self.seen.get(file).is_some_and(|nearest| *nearest <= depth) {
            return Ok(());
        }
        if self.seen.len() >= MOST {
            return Err(Unclear::new(
                file,
                "is one of too many files that are included",
            ));
        }
        self.seen.insert(file.to_owned(), depth);
        for setting in gitdirs::settings(file)? {
            let value = setting.value.as_deref().unwrap_or_default();
            if value.is_empty() || is_data(&setting) {
                continue;
            }
            match (setting.section.as_str(), setting.key.as_str()) {
                ("include" | "includeif", "path") => {
                    let folder = file.parent().unwrap_or(file);
                    for path in self.expanded(value, &[folder.to_owned()]) {
                        if depth < DEEPEST {
                            self.follow(&path, depth + 1)?;
                        }
                        self.add(path);
                    }
                }
                ("core", "hookspath" | "attributesfile" | "excludesfile")
                | ("init", "templatedir") => {
                    for path in self.expanded(value, &self.place.tops) {
                        self.add(path);
                    }
                }
                _ => self.command(value),
            }
        }
        Ok(())
    }

    /// A path, as git expands it (`interpolate_path`).
    fn expanded(&self, value: &[u8], bases: &[PathBuf]) -> Vec<PathBuf> {
        let value = value.strip_prefix(b":(optional)").unwrap_or(value);
        let join = |base: &PathBuf, rest: &[u8]| base.join(OsStr::from_bytes(rest));
        if let Some(rest) = value.strip_prefix(b"%(prefix)/") {
            let prefixes = PREFIXES.map(PathBuf::from);
            return prefixes.iter().map(|base| join(base, rest)).collect();
        }
        let Some(value_of_home) = value.strip_prefix(b"~") else {
            return bases.iter().map(|base| join(base, value)).collect();
        };
        let slash = value_of_home.iter().position(|byte| *byte == b'/');
        let (name, rest) = value_of_home.split_at(slash.unwrap_or(value_of_home.len()));
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        if name.is_empty() {
            let homes = self.user.homes.iter();
            return homes.map(|home| join(home, rest)).collect();
        }
        let home_of = self.user.home_of;
        let home = home_of.and_then(|home_of| home_of(std::str::from_utf8(name).ok()?));
        home.iter().map(|home| join(home, rest)).collect()
    }

    /// What a command line names, from the top of the work tree and from the repository's folder.
    fn command(&mut self, value: &[u8]) {
        let mut bases = self.place.tops.clone();
        bases.push(self.place.git.clone());
        let mut paths = gitwords::paths(value, &bases);
        for word in gitwords::from_home(value) {
            paths.extend(self.expanded(word, &[]));
        }
        paths.into_iter().for_each(|path| self.add(path));
    }

    /// `link/..` is not where the link stands, so that a path with `..` is kept as it is too.
    fn add(&mut self, path: PathBuf) {
        let short = clean(&path);
        if path.components().any(|part| part == Component::ParentDir) {
            self.found.push(path);
        }
        self.found.push(short);
    }
}

#[cfg(test)]
mod tests;
