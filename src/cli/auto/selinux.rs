//! Loading the SELinux module: by the script that comes with it.

use std::fs;
use std::process::Command;

use anyhow::Context;

use super::super::args::{Install, LowArgs};
use super::super::profiles;
use super::Staged;

/// The module's own script, which takes back what it did where a step fails.
pub(super) fn run(args: &LowArgs, install: Install) -> anyhow::Result<String> {
    let staged = Staged::new()?;
    for file in profiles::files(args, "selinux")? {
        let path = staged.0.join(&file.name);
        fs::write(&path, &file.content)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut command = Command::new("/bin/sh");
    command.arg(staged.0.join("install"));
    if install == Install::Remove {
        command.arg("undo");
    }
    super::run(&mut command, "policycoreutils")?;
    Ok(match install {
        Install::Load => "loaded the SELinux module gosandbox and labelled its files\n",
        Install::Remove => "removed the SELinux module gosandbox and its labels\n",
    }
    .to_owned())
}
