//! Whether calls can be decided by a supervisor: seccomp user notification.
//!
//! Cheap signs only. Whether a listener can really be had, and memory be read, is seen by the attempt:
//! a run shows it before the command starts, and then goes on without.

use std::fs;

/// Settings of Yama's that let a process look into its descendants.
const DESCENDANTS: [&str; 2] = ["0", "1"];
/// What answers a call with a descriptor in one step: SECCOMP_ADDFD_FLAG_SEND.
const NEEDED: (u32, u32) = (5, 14);

/// Whether there is no sign against it.
///
/// # Errors
/// The sign.
pub fn available() -> Result<(), String> {
    let release = super::kernel::release();
    if super::kernel::version().is_none_or(|found| found < NEEDED) {
        return Err(format!(
            "Linux {release} cannot answer a notified call with a descriptor (5.14 can)"
        ));
    }
    match yama_scope() {
        Some(scope) if !DESCENDANTS.contains(&scope.as_str()) => Err(format!(
            "kernel.yama.ptrace_scope is {scope}, so that no memory of a process inside can be read"
        )),
        _ => Ok(()),
    }
}

/// Yama's setting, where the kernel has Yama.
pub fn yama_scope() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?;
    Some(text.trim().to_owned())
}
