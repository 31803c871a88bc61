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
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy();
    if version(&release).is_none_or(|found| found < NEEDED) {
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

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernels_release_is_read() {
        assert_eq!(version("6.8.0-31-generic"), Some((6, 8)));
        assert_eq!(version("5.14-rc1"), Some((5, 14)));
        assert_eq!(version("unknown"), None);
        assert!(version("5.9.1") < Some(NEEDED));
    }
}
