//! Where go.work, go.mod and a repository are found, and which folders are no work tree.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::visible;
use super::{Start, WorkspaceError};
use crate::files::look;

/// A go.work that applies.
pub(super) struct Work {
    /// Where it is. The one that `go work init` is to make is not there yet.
    pub path: PathBuf,
    /// Whether it is the project's. Else the user has granted it, and its folder is no work tree.
    pub is_own: bool,
}

/// Whether go looks for a go.work and finds one, whosever it is.
pub(super) fn has_work(start: &Start<'_>) -> bool {
    match start.gowork.filter(|v| !v.is_empty() && *v != "auto") {
        Some(value) => value != "off",
        None => find_up(start.cwd, "go.work").is_some(),
    }
}

/// The go.work that applies, if any.
pub(super) fn find_work(
    start: &Start<'_>,
    near: &Path,
    repository: Option<&Path>,
    home: Option<&Path>,
) -> Result<Option<Work>, WorkspaceError> {
    let path = match start.gowork.filter(|v| !v.is_empty() && *v != "auto") {
        Some(value) if value == "off" => return Ok(None),
        Some(value) => match named(start, Path::new(value))? {
            Some(path) => path,
            None => return Ok(None),
        },
        None => match find_up(start.cwd, "go.work") {
            Some(folder) => folder.join("go.work"),
            None => return Ok(None),
        },
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let is_own = match repository {
        Some(repository) => folder.starts_with(repository),
        // Without version control: a folder around the module that is not shared with others, or one within it.
        None => {
            near.starts_with(folder) && too_wide(folder, home).is_none()
                || folder.starts_with(near) && too_wide(near, home).is_none()
        }
    };
    // Go itself says nothing of a go.work that it cannot write.
    let granted = match start.writes_work {
        true => start.written,
        false => start.granted,
    };
    let granted = granted.iter().any(|g| path.starts_with(g));
    if is_own || granted {
        return Ok(Some(Work { path, is_own }));
    }
    // With its folder go.work.sum is shown, and the modules below. A file that is not there cannot be granted.
    let grant = match too_wide(folder, home) {
        None => Some(folder.to_owned()),
        Some(_) => look::exists(&path).then(|| path.clone()),
    };
    Err(WorkspaceError::ForeignWork {
        path,
        grant,
        writes: start.writes_work,
    })
}

/// The file that GOWORK names. `None` where it is not there: go says so, if the command needs it.
fn named(start: &Start<'_>, path: &Path) -> Result<Option<PathBuf>, WorkspaceError> {
    let wrong = |why| WorkspaceError::GoWork {
        value: visible(&path.to_string_lossy()),
        why,
    };
    if !path.is_absolute() {
        return Err(wrong("is not an absolute path"));
    }
    if let Ok(real) = look::canonicalize(path) {
        return Ok(Some(real));
    }
    // Go would make what a link of the repository's says.
    if look::symlink_metadata(path).is_ok() {
        return Err(wrong("is a symbolic link to nothing"));
    }
    let (true, Some(folder), Some(name)) = (start.writes_work, path.parent(), path.file_name())
    else {
        return Ok(None);
    };
    Ok(look::canonicalize(folder).ok().map(|it| it.join(name)))
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
