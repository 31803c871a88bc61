//! What the caller's own go has installed: generators that `go generate` calls by their names, and programs that `go list`
//! compares with their source.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::{Session, caches};
use crate::files::look;
use crate::go::environment::Environment;
use crate::policy::secrets::is_secret;

/// More are not shown: each is a mount and a rule.
const MOST: usize = 256;

/// The programs in the caller's GOBIN and `GOPATH/bin`, by their paths. Each counts by itself: a variable that names
/// another folder shows none of its other files. What lies in the work tree is granted with it.
pub(super) fn find(session: &Session<'_>, tree: Option<&Path>) -> Vec<PathBuf> {
    let named = session.go_variable("GOBIN").map(PathBuf::from);
    let installed = caches::own_gopath(session).map(|gopath| gopath.join("bin"));
    let folders = [named, installed].into_iter().flatten();
    let folders = folders.filter_map(|folder| look::canonicalize(&folder).ok());
    let mut found: Vec<PathBuf> = folders
        .filter(|folder| !is_secret(folder) && tree.is_none_or(|tree| !folder.starts_with(tree)))
        .flat_map(|folder| look::read_dir(&folder).into_iter().flatten())
        .map(|entry| entry.path())
        .filter(|path| is_program(path))
        .collect();
    found.sort();
    found.dedup();
    found.truncate(MOST);
    found
}

fn is_program(path: &Path) -> bool {
    let found = look::symlink_metadata(path);
    found.is_ok_and(|found| {
        FileType::from_raw_mode(found.mode()) == FileType::RegularFile && found.mode() & 0o111 != 0
    })
}

/// Adds the folders of programs to PATH, where no view has them in another folder of it.
pub(super) fn add_to_path(environment: &mut Environment, programs: &[PathBuf]) {
    let folders = programs.iter().filter_map(|path| path.parent());
    // An empty entry would be the folder that a program is in.
    let mut folders: Vec<&Path> = folders.filter(|folder| folder.is_absolute()).collect();
    folders.dedup();
    let path = environment
        .pairs
        .iter_mut()
        .find(|(name, _)| name == "PATH");
    let Some((_, value)) = path else {
        return;
    };
    let all = std::env::split_paths(value.as_os_str()).collect::<Vec<_>>();
    let all = all.iter().map(PathBuf::as_path).chain(folders);
    // A folder whose name has a colon cannot be in PATH.
    if let Ok(joined) = std::env::join_paths(all.map(OsString::from)) {
        *value = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_programs_come_last_and_once() {
        let mut environment = Environment {
            pairs: vec![("PATH".into(), "/usr/bin:/bin".into())],
            ..Environment::default()
        };
        let programs = ["/home/u/go/bin/a", "/home/u/go/bin/b", "git"].map(PathBuf::from);
        add_to_path(&mut environment, &programs);
        let expected = ("PATH".into(), "/usr/bin:/bin:/home/u/go/bin".into());
        assert_eq!(environment.pairs, [expected]);
    }
}
