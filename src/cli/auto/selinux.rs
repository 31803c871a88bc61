//! Loading the SELinux module, and taking it back: by the script that comes with it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::super::args::{SiteArgs, UninstallArgs};
use super::super::profiles;
use super::Staged;
use super::installed::Installed;
use crate::generate::Artifact;

/// Where the script of each project that something was loaded for is kept.
const INSTALLED: &str = "/var/lib/gosandbox/selinux";
/// The script's name among the module's files.
const SCRIPT: &str = "install";
const REMOVED: &str = "removed the SELinux module gosandbox and its labels\n";

/// Loads the module and labels the files.
pub(super) fn load(args: &SiteArgs) -> anyhow::Result<String> {
    load_files(&profiles::files(args, "selinux")?, Path::new(INSTALLED))?;
    Ok("loaded the SELinux module gosandbox and labelled its files\n".to_owned())
}

/// The script is kept before it is run, so that a kill in between leaves nothing that cannot be
/// taken back.
fn load_files(files: &[Artifact], kept: &Path) -> anyhow::Result<()> {
    let script = files.iter().find(|file| file.name == SCRIPT);
    let script = script.context("cannot load the SELinux module: it has no script")?;
    let installed = Installed::make(kept)?;
    let (name, is_new) = installed.keep(&script.content)?;
    let failed = run(files, &[]).err();
    match failed {
        Some(error) if is_new => {
            installed
                .drop(&name)
                .with_context(|| format!("{error:#}; and then"))?;
            Err(error)
        }
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Takes back what was loaded, for every project that it was loaded for.
pub(super) fn remove(args: &UninstallArgs) -> anyhow::Result<String> {
    if remove_kept(Path::new(INSTALLED))? {
        return Ok(REMOVED.to_owned());
    }
    // Loaded by the script itself: only the project tells which folders are labelled.
    let Some(directory) = &args.directory else {
        return Ok("nothing was installed\n\
             help: gosandbox profile auto --uninstall -C PROJECT takes back what PROJECT's own script loaded\n"
            .to_owned());
    };
    let site = SiteArgs {
        directory: Some(directory.clone()),
        verbosity: args.verbosity,
        ..SiteArgs::default()
    };
    run(&profiles::files(&site, "selinux")?, &["undo"])?;
    Ok(REMOVED.to_owned())
}

/// Whether there was anything.
fn remove_kept(kept: &Path) -> anyhow::Result<bool> {
    let Some(installed) = Installed::open(kept)? else {
        return Ok(false);
    };
    let names = installed.names()?;
    for name in &names {
        let script = Artifact {
            name: SCRIPT.to_owned(),
            content: installed.read(name)?,
            executable: true,
        };
        run(&[script], &["undo"])?;
        installed.drop(name)?;
    }
    Ok(!names.is_empty())
}

/// The module's own script, which takes back what it did where a step fails.
fn run(files: &[Artifact], words: &[&str]) -> anyhow::Result<()> {
    let staged = Staged::new()?;
    for file in files {
        let path = staged.0.join(&file.name);
        fs::write(&path, &file.content)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut command = Command::new("/bin/sh");
    command.arg(staged.0.join(SCRIPT)).args(words);
    super::run(&mut command, "policycoreutils")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A script that notes for which project it was called, and how.
    fn script(log: &Path, project: &str, status: u8) -> Vec<Artifact> {
        let log = log.display();
        vec![Artifact {
            name: SCRIPT.to_owned(),
            content: format!("echo \"{project} $*\" >>'{log}'; exit {status}\n"),
            executable: true,
        }]
    }

    #[test]
    fn what_was_loaded_is_taken_back_whatever_folder_that_is_asked_from() {
        let folder = tempfile::tempdir().unwrap();
        let (log, kept) = (folder.path().join("log"), folder.path().join("lib/kept"));
        let said = || fs::read_to_string(&log).unwrap_or_default();
        assert!(!remove_kept(&kept).unwrap());

        load_files(&script(&log, "a", 0), &kept).unwrap();
        load_files(&script(&log, "a", 0), &kept).unwrap();
        load_files(&script(&log, "b", 0), &kept).unwrap();
        load_files(&script(&log, "broken", 1), &kept).unwrap_err();
        assert_eq!(said(), "a \na \nb \nbroken \n");

        fs::write(&log, "").unwrap();
        assert!(remove_kept(&kept).unwrap());
        let mut undone: Vec<_> = said().lines().map(str::to_owned).collect();
        undone.sort();
        assert_eq!(undone, ["a undo", "b undo"]);
        assert!(!remove_kept(&kept).unwrap());
    }

    #[test]
    fn a_folder_that_others_can_change_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        fs::create_dir(&kept).unwrap();
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o777)).unwrap();
        let error = remove_kept(&kept).unwrap_err();
        assert!(error.to_string().contains("another user"), "{error}");
    }
}
