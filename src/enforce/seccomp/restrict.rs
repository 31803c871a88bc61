//! The filter of a plan: compiled, loaded, and shown to hold.

use std::io;
use std::os::fd::OwnedFd;

use super::{Program, compile, install};
use crate::enforce::{Context, Error};
use crate::plan::Filter;
use crate::policy::Layer;
use crate::policy::syscalls::{Arch, table};
use crate::sys;

/// Puts the filter in force. Yields the listener for the supervisor, where the filter notifies one.
pub fn restrict(filter: &Filter) -> Result<Option<OwnedFd>, Error> {
    load(&program(filter)?)
}

/// Puts the filter in force where the command's is already: its supervisor goes on deciding.
pub fn restrict_further(filter: &Filter) -> Result<(), Error> {
    load(&program(filter)?.under_supervision()).map(drop)
}

fn program(filter: &Filter) -> Result<Program, Error> {
    let arch = Arch::HOST
        .ok_or(io::ErrorKind::Unsupported)
        .during(Layer::Seccomp, || {
            "find the system call table of this architecture".into()
        })?;
    Ok(compile(&table(filter.cage, &filter.options), arch))
}

fn load(program: &Program) -> Result<Option<OwnedFd>, Error> {
    install(program)
        .map_err(io::Error::other)
        .during(Layer::Seccomp, || "load the seccomp filter".into())
}

/// Whether a system call that every filter refuses is refused: keyctl(2), with EPERM. Bare it
/// succeeds, or fails with another error.
pub fn is_in_force() -> bool {
    sys::join_new_session_keyring().is_err_and(|e| e.raw_os_error() == Some(libc::EPERM))
}
