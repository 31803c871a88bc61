//! Whether AppArmor and SELinux are in force here, and as what this process runs.
//!
//! Asked only by doctor, and where a policy names a profile or a domain.

use std::fs;

/// Trailing NUL bytes and newlines are the kernel's.
fn read(path: &str) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(text.trim_end_matches(['\n', '\0']).to_owned())
}

/// The profile of this process, with its mode.
///
/// # Errors
/// Why AppArmor is not in force, in words.
pub fn apparmor() -> Result<String, String> {
    match read("/sys/module/apparmor/parameters/enabled").as_deref() {
        Ok("Y") => {}
        Ok(_) => return Err("AppArmor was switched off at boot".into()),
        Err(_) => return Err("the kernel has no AppArmor".into()),
    }
    read("/proc/self/attr/apparmor/current")
        .or_else(|_| read("/proc/self/attr/current"))
        .map_err(|error| format!("AppArmor does not answer: {error}"))
}

/// The context of this process.
///
/// # Errors
/// Why SELinux is not enforcing, in words.
pub fn selinux() -> Result<String, String> {
    match read("/sys/fs/selinux/enforce").as_deref() {
        Ok("1") => {}
        Ok(_) => return Err("SELinux is permissive: it refuses nothing".into()),
        Err(_) => return Err("SELinux is not in force, or /sys/fs/selinux is not mounted".into()),
    }
    read("/proc/self/attr/current").map_err(|error| format!("SELinux does not answer: {error}"))
}
