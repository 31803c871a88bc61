//! The AppArmor profile or the SELinux domain that the command is executed in.
//!
//! Set for the next execve(2), which the kernel then refuses where the switch is not allowed: nothing
//! goes on in the old one. What the kernel has noted is read back before anything is executed.

use std::fs;
use std::io;
use std::path::Path;

use super::{Context, Error};
use crate::policy::Layer;

/// AppArmor's own file, beside another module's (Linux 5.8).
const APPARMOR: &str = "/proc/self/attr/apparmor";
/// That of the module which is called the major one.
const MAJOR: &str = "/proc/self/attr";

/// Notes the labels for the next execve, and verifies that the kernel has.
pub fn switch(labels: &[(Layer, String)]) -> Result<Vec<Layer>, Error> {
    for (layer, label) in labels {
        match layer {
            Layer::Apparmor => apparmor(label).during(*layer, || {
                format!(
                    "switch to the AppArmor profile {label} (gosandbox profile apparmor makes it, \
                     apparmor_parser -r loads it)"
                )
            })?,
            _ => selinux(label).during(*layer, || {
                format!(
                    "switch to the SELinux domain {label} (gosandbox profile selinux makes its module)"
                )
            })?,
        }
    }
    Ok(labels.iter().map(|(layer, _)| *layer).collect())
}

/// Every profile of the family is asked for its mode, the one to switch to last: one of them alone can be in
/// complain mode, and what it lets pass is not refused by the other.
fn apparmor(profile: &str) -> io::Result<()> {
    let folder = match Path::new(APPARMOR).exists() {
        true => APPARMOR,
        false => MAJOR,
    };
    let file = format!("{folder}/exec");
    for cage in ["//program", "//test", ""] {
        match note(&file, &format!("{profile}{cage}")) {
            // A profile of another maker's has no others below it.
            Err(error) if !cage.is_empty() && error.kind() == io::ErrorKind::NotFound => {}
            noted => noted?,
        }
    }
    Ok(())
}

/// Notes a profile for the next execve.
fn note(file: &str, profile: &str) -> io::Result<()> {
    fs::write(file, format!("exec {profile}"))?;
    let noted = fs::read_to_string(file)?;
    match noted.trim_end_matches(['\n', '\0']).strip_prefix(profile) {
        Some(" (enforce)") => Ok(()),
        Some(mode) => Err(io::Error::other(format!(
            "the profile {profile} is in{mode} mode, which refuses nothing"
        ))),
        None => Err(io::Error::other("the kernel has noted another profile")),
    }
}

/// The context is the caller's own, with the domain as its type.
fn selinux(domain: &str) -> io::Result<()> {
    let text = |file: &str| {
        let text = fs::read_to_string(format!("{MAJOR}/{file}"))?;
        io::Result::Ok(text.trim_end_matches(['\n', '\0']).to_owned())
    };
    let current = text("current")?;
    let mut parts: Vec<&str> = current.splitn(4, ':').collect();
    match parts.get_mut(2) {
        Some(kind) => *kind = domain,
        None => return Err(io::Error::other("SELinux is not in force here")),
    }
    let context = parts.join(":");
    fs::write(format!("{MAJOR}/exec"), &context)?;
    if text("exec")? != context {
        return Err(io::Error::other("the kernel has noted another context"));
    }
    Ok(())
}
