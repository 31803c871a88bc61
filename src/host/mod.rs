//! What this kernel and account offer, probed once.
//!
//! The probes of an ordinary run are single system calls. Whether namespaces can be had is assumed
//! until the attempt fails: the launcher then asks for a plan without them. [`probe`] is what doctor
//! uses, which tries them in a child.

pub mod accounts;
pub mod cgroups;
pub mod kernel;
pub mod mandatory;
pub mod notification;

use std::io;

use rustix::process;

use crate::sys;

/// What is at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Effective user id of the caller.
    pub uid: u32,
    /// Effective group id of the caller.
    pub gid: u32,
    /// Landlock's ABI version, or why there is none.
    pub landlock: Result<i32, String>,
    /// Whether namespaces can be had, or why not.
    pub namespaces: Result<(), String>,
    /// Whether calls can be decided by a supervisor (seccomp user notification), or why not; asked
    /// only where there are no namespaces.
    pub notification: Result<(), String>,
    /// Whether the work tree can be staged, or why not: assumed until the attempt fails.
    pub staging: Result<(), String>,
    /// Whether root's user can be changed to another (CAP_SETUID and CAP_SETGID).
    pub can_switch: bool,
}

impl Host {
    /// Probes with a handful of system calls.
    pub fn probe() -> Host {
        const CAP_SETGID: u32 = 6;
        const CAP_SETUID: u32 = 7;
        const CAP_SYS_ADMIN: u32 = 21;
        let (uid, gid) = (process::geteuid().as_raw(), process::getegid().as_raw());
        let namespaces = if uid == 0 && !sys::has_capability(CAP_SYS_ADMIN) {
            Err("root lacks CAP_SYS_ADMIN here, as in a container".to_owned())
        } else if !sys::has_mount_setattr() {
            Err("the kernel has no mount_setattr, without which no mount view can be made (it came with Linux 5.12)".to_owned())
        } else {
            Ok(())
        };
        let notification = match &namespaces {
            Ok(()) => Err("not asked for: there are namespaces".to_owned()),
            Err(_) => notification::available(),
        };
        Host {
            uid,
            gid,
            landlock: sys::landlock_abi().map_err(|error| no_landlock(&error)),
            namespaces,
            notification,
            staging: Ok(()),
            can_switch: sys::has_capability(CAP_SETUID) && sys::has_capability(CAP_SETGID),
        }
    }

    /// Namespaces were tried and refused: what can stand in is asked for.
    pub fn without_namespaces(&mut self, reason: String) {
        self.namespaces = Err(reason);
        self.notification = notification::available();
    }

    /// Whether Landlock scopes signals and abstract unix sockets (ABI 6, Linux 6.12).
    pub fn has_scopes(&self) -> bool {
        self.landlock.as_ref().is_ok_and(|abi| *abi >= 6)
    }

    /// Whether the launcher is root and the run changes to another user.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }
}

fn no_landlock(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => "Landlock was switched off at boot (lsm=)".to_owned(),
        Some(libc::ENOSYS) => "the kernel has no Landlock (it came with Linux 5.13)".to_owned(),
        Some(libc::EPERM) => "a container's seccomp filter refuses Landlock".to_owned(),
        _ => format!("Landlock answers: {error}"),
    }
}
