//! The proof, in the confined process itself, that what must be refused is refused.
//!
//! A layer that reports success and does not hold is worse than one that is missing: each check is
//! one system call that must fail, made after every layer is in force and before the command starts.

use std::io;
use std::path::Path;

use rustix::fs::{self, Access, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Context, Error};
use crate::plan::Check;
use crate::policy::Layer;

/// The file that must not be made.
const PROBE: &str = ".gosandbox-self-check";

/// Runs the checks; the first that succeeds where it must fail ends the run.
pub fn run(checks: &[Check]) -> Result<(), Error> {
    for check in checks {
        let (layer, refused) = match check {
            Check::Unwritable(path) => (Layer::Landlock, is_unwritable(path)),
            Check::Closed(path) => (
                Layer::Landlock,
                // Not that it is not there.
                open(path, OFlags::RDONLY) == Err(Errno::ACCESS),
            ),
            Check::Staged(path) => (Layer::MountView, is_overlay(path)),
            Check::Filtered => (Layer::Seccomp, super::seccomp::is_in_force()),
            Check::Granted { path, writes } => {
                reach(path, *writes)?;
                continue;
            }
        };
        if !refused {
            return Err(Errno::PERM)
                .during(layer, || format!("show that {} is refused", object(check)));
        }
    }
    Ok(())
}

/// Opens what is granted by name. Where that fails, the grant is refused and not passed over.
///
/// # Errors
/// The first that cannot be opened: its source is [`Unreachable`].
pub fn reach_all(checks: &[Check]) -> Result<(), Error> {
    checks.iter().try_for_each(|check| match check {
        Check::Granted { path, writes } => reach(path, *writes),
        _ => Ok(()),
    })
}

fn reach(path: &Path, writes: bool) -> Result<(), Error> {
    can_use(path, writes)
        .map_err(|errno| io::Error::other(Unreachable(errno)))
        .during(Layer::MountView, || path.display().to_string())
}

/// What is granted by name, and cannot be used inside.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unreachable(Errno);

impl Unreachable {
    /// The error number, if an error is of this kind.
    pub fn errno(error: &io::Error) -> Option<i32> {
        let found = error.get_ref()?.downcast_ref::<Unreachable>()?;
        Some(found.0.raw_os_error())
    }
}

/// Only files and folders are opened: opening a device or a FIFO does something.
fn can_use(path: &Path, writes: bool) -> Result<(), Errno> {
    let kind = FileType::from_raw_mode(fs::stat(path)?.st_mode);
    // access(2) knows modes and read-only mounts, and not Landlock. Opening shows the rest.
    match (kind, writes) {
        (FileType::Directory, true) => {
            fs::access(path, Access::WRITE_OK | Access::EXEC_OK)?;
            open(path, OFlags::DIRECTORY)
        }
        (FileType::Directory, false) => match fs::access(path, Access::READ_OK) {
            Ok(()) => open(path, OFlags::DIRECTORY),
            // What lies in it may be read by its name.
            Err(_) => fs::access(path, Access::EXEC_OK),
        },
        (FileType::RegularFile, true) => open(path, OFlags::WRONLY),
        (FileType::RegularFile, false) => open(path, OFlags::RDONLY),
        (_, true) => fs::access(path, Access::WRITE_OK),
        (_, false) => fs::access(path, Access::READ_OK),
    }
}

fn open(path: &std::path::Path, access: OFlags) -> Result<(), Errno> {
    let flags = access | OFlags::CLOEXEC | OFlags::NONBLOCK;
    fs::open(path, flags, Mode::empty()).map(drop)
}

/// Whether no file can be made in a folder. Only an error that says so is a proof: a folder that is missing
/// shows nothing.
fn is_unwritable(folder: &std::path::Path) -> bool {
    const REFUSED: [Errno; 3] = [Errno::ACCESS, Errno::PERM, Errno::ROFS];
    let file = folder.join(PROBE);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match fs::open(&file, flags, Mode::RUSR | Mode::WUSR) {
        Ok(_) => {
            let _the_run_ends_anyway = fs::unlink(&file);
            false
        }
        // Somebody has put one there.
        Err(Errno::EXIST) => open(&file, OFlags::WRONLY | OFlags::NOFOLLOW)
            .is_err_and(|errno| REFUSED.contains(&errno)),
        Err(errno) => REFUSED.contains(&errno),
    }
}

fn is_overlay(path: &std::path::Path) -> bool {
    // OVERLAYFS_SUPER_MAGIC (linux/magic.h)
    const OVERLAY: i64 = 0x794c_7630;
    fs::statfs(path).is_ok_and(|found| found.f_type == OVERLAY)
}

fn object(check: &Check) -> String {
    match check {
        Check::Unwritable(path) => format!("writing {}", path.display()),
        Check::Closed(path) => format!("opening {}", path.display()),
        Check::Staged(path) => format!("writing {} past the overlay", path.display()),
        Check::Granted { path, .. } => path.display().to_string(),
        Check::Filtered => "a filtered system call".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_missing_or_writable_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_unwritable(&folder.path().join("missing")));
        assert!(!is_unwritable(folder.path()));
        assert!(!folder.path().join(PROBE).exists());
        // A file system that takes no files.
        assert!(is_unwritable("/sys".as_ref()));
        std::fs::write(folder.path().join(PROBE), "").unwrap();
        assert!(!is_unwritable(folder.path()));
    }
}
