//! Where go.work, go.mod and a repository are found, and which folders are no work tree.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::visible;
use super::{Start, WorkspaceError};
use crate::files::look;

/// The go.work that applies, if any.
pub(super) fn find_work(
    start: &Start<'_>,
    cwd: &Path,
    near: &Path,
    repository: Option<&Path>,
    home: Option<&Path>,
) -> Result<Option<PathBuf>, WorkspaceError> {
    let wrong = |why| WorkspaceError::GoWork {
        value: visible(&start.gowork.unwrap_or_default().to_string_lossy()),
        why,
    };
    let (path, named) = match start.gowork.filter(|v| !v.is_empty() && *v != "auto") {
        Some(value) if value == "off" => return Ok(None),
        Some(value) => {
            let path = Path::new(value);
            if !path.is_absolute() {
                return Err(wrong("is not an absolute path"));
            }
            if path.extension().is_none_or(|e| e != "work") {
                return Err(wrong("does not name a .work file"));
            }
            (
                look::canonicalize(path).map_err(|_| wrong("does not exist"))?,
                true,
            )
        }
        None => match find_up(cwd, "go.work") {
            Some(folder) => (folder.join("go.work"), false),
            None => return Ok(None),
        },
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let inside = match repository {
        Some(repository) => folder.starts_with(repository),
        // Without version control: a folder around the module that is not shared with others.
        None => near.starts_with(folder) && too_wide(folder, home).is_none(),
    };
    let granted = named && start.granted.iter().any(|g| path.starts_with(g));
    if inside || granted {
        Ok(Some(path))
    } else {
        Err(WorkspaceError::ForeignWork { path })
    }
}

/// The nearest folder at or above `from` that holds a file called `name`. As the go command, a
/// go.mod in the root of the temporary folder is passed over.
pub(super) fn find_up(from: &Path, name: &str) -> Option<PathBuf> {
    from.ancestors()
        .filter(|folder| *folder != Path::new("/tmp"))
        .find(|folder| look::is_file(folder.join(name)))
        .map(Path::to_owned)
}

pub(super) fn repository(from: &Path, home: Option<&Path>) -> Option<PathBuf> {
    from.ancestors()
        .take_while(|folder| too_wide(folder, home).is_none())
        .find(|folder| {
            [".git", ".hg", ".svn", ".jj"]
                .iter()
                .any(|v| look::symlink_metadata(folder.join(v)).is_ok())
        })
        .map(Path::to_owned)
}

/// Why `folder` holds too much to be a work tree or a repository.
pub fn too_wide(folder: &Path, home: Option<&Path>) -> Option<&'static str> {
    const SYSTEM: [&str; 16] = [
        "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/proc", "/root", "/run",
        "/sbin", "/sys", "/tmp", "/usr", "/var", "/var/tmp",
    ];
    if folder == Path::new("/") {
        return Some("the root folder");
    }
    if home.is_some_and(|h| h.starts_with(folder)) {
        return Some("your home folder or one above it");
    }
    if SYSTEM.iter().any(|s| folder == Path::new(s)) {
        return Some("a folder of the system");
    }
    // Another user could put a go.work or a .git there.
    let shared = look::metadata(folder).is_ok_and(|m| m.mode() & 0o1002 == 0o1002);
    shared.then_some("shared with other users")
}

pub(super) fn real(path: &Path) -> Result<PathBuf, WorkspaceError> {
    look::canonicalize(path).map_err(|source| WorkspaceError::Read {
        path: path.to_owned(),
        source,
    })
}
