//! Loading the SELinux module: by the script that comes with it.

use std::fs;
use std::process::Command;

use anyhow::Context;

use super::super::args::{SiteArgs, UninstallArgs};
use super::super::profiles;
use super::Staged;

/// Loads the module and labels the files.
pub(super) fn load(args: &SiteArgs) -> anyhow::Result<String> {
    run(args, &[])?;
    Ok("loaded the SELinux module gosandbox and labelled its files\n".to_owned())
}

/// Takes both back.
pub(super) fn remove(args: &UninstallArgs) -> anyhow::Result<String> {
    let site = SiteArgs {
        directory: args.directory.clone(),
        verbosity: args.verbosity,
        ..SiteArgs::default()
    };
    run(&site, &["undo"])?;
    Ok("removed the SELinux module gosandbox and its labels\n".to_owned())
}

/// The module's own script, which takes back what it did where a step fails.
fn run(args: &SiteArgs, words: &[&str]) -> anyhow::Result<()> {
    let staged = Staged::new()?;
    for file in profiles::files(args, "selinux")? {
        let path = staged.0.join(&file.name);
        fs::write(&path, &file.content)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut command = Command::new("/bin/sh");
    command.arg(staged.0.join("install")).args(words);
    super::run(&mut command, "policycoreutils")?;
    Ok(())
}
