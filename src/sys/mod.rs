//! The only unsafe code: system calls for which no safe wrapper exists.
//!
//! Each function is one system call or one C idiom, checks its result and returns `io::Result`. Its
//! callers cannot misuse it: what must hold is in its types, or checked at run time. Nothing here
//! decides anything. `tests/layout` says who may see this module.
#![allow(unsafe_code)]

use std::ffi::c_long;
use std::io;

mod capabilities;
pub mod descriptors;
pub mod handle;
pub mod identity;
mod mounts;
mod namespaces;
pub mod no_links;
pub mod notify;
pub mod offer;
mod process;
pub mod process_stat;
mod restrict;
pub mod signal;
pub mod threads;
mod wait;

pub use capabilities::{clear_capability_sets, drop_from_bounding_set, has_capability};
pub use mounts::{MountAttr, has_mount_setattr, mount_setattr};
pub use namespaces::{Namespaces, add_loopback_address, loopback_up, unshare};
pub use process::{
    Cloned, c_string, clone_process, clone_sharing_descriptors, execve, exit_now, wipe_environment,
};
pub use restrict::{join_new_session_keyring, landlock_abi, seccomp_load};
pub use wait::{ended_by, exit_code, peek_ended, stopped_by, wait_any, wait_for};

/// Turns a C return value into a result, reading errno where it is negative.
fn check(value: c_long) -> io::Result<c_long> {
    if value < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(value)
    }
}
