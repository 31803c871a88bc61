//! The proof, in the confined process itself, that what must be refused is refused.
//!
//! A layer that reports success and does not hold is worse than one that is missing: each check is
//! one system call that must fail, made after every layer is in force and before the command starts.

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

use super::{Context, Error};
use crate::plan::Check;
use crate::policy::Layer;

/// Runs the checks; the first that succeeds where it must fail ends the run.
pub fn run(checks: &[Check]) -> Result<(), Error> {
    for check in checks {
        let (layer, refused) = match check {
            Check::Unwritable(path) => (Layer::Landlock, open(path, OFlags::WRONLY).is_err()),
            Check::Closed(path) => (
                Layer::Landlock,
                // Not that it is not there.
                open(path, OFlags::DIRECTORY) == Err(Errno::ACCESS),
            ),
            Check::Staged(path) => (Layer::MountView, is_overlay(path)),
            Check::Filtered => (Layer::Seccomp, super::seccomp::is_in_force()),
        };
        if !refused {
            return Err(Errno::PERM)
                .during(layer, || format!("show that {} is refused", object(check)));
        }
    }
    Ok(())
}

fn open(path: &std::path::Path, access: OFlags) -> Result<(), Errno> {
    let flags = access | OFlags::CLOEXEC | OFlags::NONBLOCK;
    fs::open(path, flags, Mode::empty()).map(drop)
}

fn is_overlay(path: &std::path::Path) -> bool {
    // OVERLAYFS_SUPER_MAGIC (linux/magic.h)
    const OVERLAY: i64 = 0x794c_7630;
    fs::statfs(path).is_ok_and(|found| found.f_type == OVERLAY)
}

fn object(check: &Check) -> String {
    match check {
        Check::Unwritable(path) => format!("writing {}", path.display()),
        Check::Closed(path) => format!("listing {}", path.display()),
        Check::Staged(path) => format!("writing {} past the overlay", path.display()),
        Check::Filtered => "a filtered system call".into(),
    }
}
