//! Whether AppArmor and SELinux are in force here, and as what this process runs.
//!
//! Asked only by doctor, and where a policy names a profile or a domain.

use std::fs;
use std::io::{Read, Write};

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

/// What the loaded policy does with what a domain must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// It refuses.
    Enforced,
    /// It allows everything, and logs it: `semanage permissive`, `(typepermissive X)`.
    Permissive,
    /// The policy has no such domain, or this user and role may not be in it.
    Unknown,
}

/// How the loaded policy treats a domain, entered by this process. Enforcing mode says nothing of a single one.
///
/// # Errors
/// Why the kernel does not tell, in words.
pub fn domain(name: &str) -> Result<Domain, String> {
    let told = |error: std::io::Error| format!("the kernel does not tell of {name}: {error}");
    let context = selinux()?;
    let context = in_domain(&context, name).ok_or("SELinux is not in force here")?;
    let class = read("/sys/fs/selinux/class/process/index")?;
    let mut access = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/sys/fs/selinux/access")
        .map_err(told)?;
    match access.write_all(format!("{context} {context} {class}").as_bytes()) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(Domain::Unknown),
        written => written.map_err(told)?,
    }
    let mut answer = String::new();
    access.read_to_string(&mut answer).map_err(told)?;
    mode(&answer).ok_or_else(|| format!("the kernel answers for {name} in a way that is not known"))
}

/// A context with another type; its user, role and level stay.
fn in_domain(context: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = context.splitn(4, ':').collect();
    *parts.get_mut(2)? = name;
    Some(parts.join(":"))
}

/// From `allowed decided auditallow auditdeny sequence flags`, all but the sequence in hexadecimal.
fn mode(answer: &str) -> Option<Domain> {
    const PERMISSIVE: u32 = 1;
    let flags = answer.trim_end_matches(['\n', '\0']).split(' ').nth(5)?;
    let flags = u32::from_str_radix(flags, 16).ok()?;
    Some(match flags & PERMISSIVE {
        0 => Domain::Enforced,
        _ => Domain::Permissive,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_answer_tells_of_a_permissive_domain() {
        assert_eq!(
            mode("ffffffff ffffffff 0 ffffffff 7 0"),
            Some(Domain::Enforced)
        );
        assert_eq!(
            mode("ffffffff ffffffff 0 ffffffff 7 1"),
            Some(Domain::Permissive)
        );
        assert_eq!(
            mode("ffffffff ffffffff 0 ffffffff 7 3\n"),
            Some(Domain::Permissive)
        );
        assert_eq!(mode("ffffffff ffffffff 0 ffffffff 7"), None);
        assert_eq!(mode(""), None);
    }

    #[test]
    fn a_context_keeps_its_user_role_and_categories() {
        let context = "staff_u:staff_r:staff_t:s0-s0:c0.c1023";
        assert_eq!(
            in_domain(context, "x_t").as_deref(),
            Some("staff_u:staff_r:x_t:s0-s0:c0.c1023")
        );
        assert_eq!(in_domain("unconfined", "x_t"), None);
    }
}
