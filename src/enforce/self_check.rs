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
            Check::Unwritable(path) => (Layer::Landlock, is_refused(path, OFlags::WRONLY)),
            Check::Unreadable(path) => (Layer::Landlock, is_refused(path, OFlags::RDONLY)),
            Check::Filtered => (Layer::Seccomp, super::seccomp::is_in_force()),
        };
        if !refused {
            return Err(Errno::PERM)
                .during(layer, || format!("show that {} is refused", object(check)));
        }
    }
    Ok(())
}

fn is_refused(path: &std::path::Path, access: OFlags) -> bool {
    fs::open(
        path,
        access | OFlags::CLOEXEC | OFlags::NONBLOCK,
        Mode::empty(),
    )
    .is_err()
}

fn object(check: &Check) -> String {
    match check {
        Check::Unwritable(path) => format!("writing {}", path.display()),
        Check::Unreadable(path) => format!("reading {}", path.display()),
        Check::Filtered => "a filtered system call".into(),
    }
}
