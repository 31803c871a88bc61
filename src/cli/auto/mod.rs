//! `gosandbox profile auto`: what this host has to load the policy into, and loading it.
//!
//! Installing is whole or not at all: what was checked is put in place and loaded, and where a step fails
//! what was there before is put back and loaded again.

mod apparmor;
mod installed;
mod selinux;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use super::args::Auto;
use crate::refusal::{Code, OrRefuse, Refused};
use crate::text::visible;

/// Which guard of the kernel's is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    Selinux,
    Apparmor,
    Landlock,
}

impl Guard {
    /// Reads what the kernel says, below `sys`, which is `/sys` but for tests.
    fn look(sys: &Path) -> Guard {
        let is = |file: &str, value: &str| {
            fs::read_to_string(sys.join(file)).is_ok_and(|text| text.trim() == value)
        };
        if is("fs/selinux/enforce", "1") {
            Guard::Selinux
        } else if is("module/apparmor/parameters/enabled", "Y") {
            Guard::Apparmor
        } else {
            Guard::Landlock
        }
    }
}

/// What this host has and what to run, or the loading itself.
pub(super) fn auto(what: &Auto) -> anyhow::Result<Vec<u8>> {
    let guard = Guard::look(Path::new("/sys"));
    if let Auto::Advise(directory) = what {
        return Ok(advice(guard, directory.as_deref()).into_bytes());
    }
    if guard == Guard::Landlock {
        let text = "cannot load a profile: this host has neither SELinux in enforcing mode nor AppArmor; Landlock \
                    stands alone, and needs no loading";
        return Err(Refused::new(Code::GuardMissing, text).into());
    }
    if !rustix::process::geteuid().is_root() {
        let text = "cannot load a profile: only root can";
        let same = match what {
            Auto::Uninstall(_) => "sudo gosandbox profile auto --uninstall",
            _ => "sudo gosandbox profile auto --install",
        };
        return Err(Refused::new(Code::RootNeeded, text).words(same).into());
    }
    let said = match (guard, what) {
        (_, Auto::Advise(_)) => String::new(),
        (Guard::Selinux, Auto::Install(args)) => selinux::load(args)?,
        (Guard::Selinux, Auto::Uninstall(args)) => selinux::remove(args)?,
        (_, Auto::Install(args)) => apparmor::load(args)?,
        (_, Auto::Uninstall(_)) => apparmor::remove()?,
    };
    Ok(said.into_bytes())
}

fn advice(guard: Guard, directory: Option<&Path>) -> String {
    let project = directory.map_or_else(String::new, |folder| format!(" -C {}", quoted(folder)));
    match guard {
        Guard::Selinux => format!(
            "SELinux is in enforcing mode here. To load the module and label the files, as root:\n\
             \x20 gosandbox profile selinux{project} -o gosandbox-selinux/ && gosandbox-selinux/install\n\
             or in one step, taken back with --uninstall:\n\
             \x20 gosandbox profile auto{project} --install\n\
             Then `selinux = \"gosandbox_t\"` in a profile's [layers] has gosandbox switch into it.\n"
        ),
        Guard::Apparmor => format!(
            "AppArmor is on here. To load the profiles, as root:\n\
             \x20 gosandbox profile apparmor{project} -o /etc/apparmor.d/gosandbox && apparmor_parser -r /etc/apparmor.d/gosandbox\n\
             or in one step, with the launcher's own profile, taken back with --uninstall:\n\
             \x20 gosandbox profile auto{project} --install\n\
             Then `apparmor = \"gosandbox\"` in a profile's [layers] has gosandbox switch into it.\n"
        ),
        Guard::Landlock => "Neither SELinux in enforcing mode nor AppArmor is here: Landlock stands alone, and needs no loading.\n\
             `gosandbox doctor` shows what it holds.\n"
            .to_owned(),
    }
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

/// Runs one of the system's own tools; what it says is part of the error. What it prints.
fn run(command: &mut Command, package: &str) -> anyhow::Result<String> {
    // As root: from the system's own folders, and with nothing of the caller's.
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C");
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command
        .stdin(Stdio::null())
        .output()
        .or_refuse(Code::GuardFailed, || {
            format!("cannot run {program} (package {package})")
        })?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let lines: Vec<_> = said.lines().map(|line| visible(line.trim())).collect();
        let text = format!("cannot go on: {program} failed: {}", lines.join("; "));
        return Err(Refused::new(Code::GuardFailed, text).into());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// A folder of root's own for what is checked before it is put in place; in /tmp, since SELinux lets
/// semodule read what a user has made there, and not in /run.
struct Staged(PathBuf);

impl Staged {
    fn new() -> anyhow::Result<Staged> {
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .context("cannot get random numbers")?;
        let path = PathBuf::from(format!(
            "/tmp/gosandbox-install-{:016x}",
            u64::from_ne_bytes(random)
        ));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Staged(path))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _stays_in_tmp = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selinux_counts_when_it_enforces_and_apparmor_when_it_is_on() {
        let sys = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = sys.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(Guard::look(sys.path()), Guard::Landlock);
        write("module/apparmor/parameters/enabled", "N\n");
        assert_eq!(Guard::look(sys.path()), Guard::Landlock);
        write("module/apparmor/parameters/enabled", "Y\n");
        assert_eq!(Guard::look(sys.path()), Guard::Apparmor);
        write("fs/selinux/enforce", "0");
        assert_eq!(Guard::look(sys.path()), Guard::Apparmor);
        write("fs/selinux/enforce", "1");
        assert_eq!(Guard::look(sys.path()), Guard::Selinux);
    }
}
