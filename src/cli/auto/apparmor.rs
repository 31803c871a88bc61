//! Loading the AppArmor profiles, and taking them back.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::super::args::SiteArgs;
use super::super::profiles;
use super::Staged;
use crate::files::{Keeper, Place};
use crate::refusal::{Code, Refused, shell_path};

/// Where profiles are loaded from at boot.
const FOLDER: &str = "/etc/apparmor.d";
/// What the kernel has loaded, a line a profile, and where it is told to drop one.
const KERNEL: &str = "/sys/kernel/security/apparmor";
/// The files that are put there.
const FILES: [&str; 2] = ["gosandbox", "gosandbox-launcher"];

/// Checks, puts in place and loads.
pub(super) fn load(args: &SiteArgs) -> anyhow::Result<String> {
    let folder = Path::new(FOLDER);
    let has = |abi: &str| folder.join("abi").join(abi).exists();
    let newer = has("4.0");
    let chosen = match (has("5.0"), newer) {
        (true, _) => "gosandbox.abi-5.0",
        (false, true) => "gosandbox.abi-4.0",
        (false, false) => "gosandbox",
    };
    let files: Vec<(PathBuf, String)> = profiles::files(args, "apparmor")?
        .into_iter()
        .filter_map(|file| {
            // The launcher's own profile grants user namespaces, which an older parser does not know.
            let place = match file.name.as_str() {
                name if name == chosen => "gosandbox",
                "gosandbox-launcher" if newer => "gosandbox-launcher",
                _ => return None,
            };
            Some((folder.join(place), file.content))
        })
        .collect();
    let staged = Staged::new()?;
    for (target, content) in &files {
        ours(target)?;
        let path = staged.0.join(target.file_name().unwrap_or_default());
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        parser(&["-Q", "-K"], &path)?;
    }
    install(&files)?;
    let places = files.iter().map(|(path, _)| path.display().to_string());
    Ok(format!(
        "loaded {}\n",
        places.collect::<Vec<_>>().join(" and ")
    ))
}

/// Puts the files in place and loads them; where that fails, what was there is put back.
fn install(files: &[(PathBuf, String)]) -> anyhow::Result<()> {
    let mut before = Vec::new();
    for (path, _) in files {
        before.push((fs::read(path).ok(), names(path)?));
    }
    let put = |(path, content): &(PathBuf, String)| -> anyhow::Result<()> {
        replace(path, content.as_bytes())?;
        parser(&["-r"], path).map(drop)
    };
    let failed = files.iter().find_map(|file| put(file).err());
    for ((path, _), (content, had)) in files.iter().zip(before) {
        let now = names(path).unwrap_or_default();
        match (&failed, content) {
            // What the older file had, and this one has not.
            (None, _) => unload(&had - &now)?,
            (Some(failed), content) => restore(path, content.as_deref(), &now - &had)
                .with_context(|| format!("{failed:#}; and then"))?,
        }
    }
    match failed {
        Some(failed) => Err(failed.context("nothing was changed")),
        None => Ok(()),
    }
}

fn restore(path: &Path, content: Option<&[u8]>, new: BTreeSet<String>) -> anyhow::Result<()> {
    match content {
        Some(content) if fs::read(path).is_ok_and(|there| there == content) => Ok(()),
        Some(content) => {
            replace(path, content)?;
            parser(&["-r"], path)?;
            unload(new)
        }
        None => {
            unload(new)?;
            delete(path)
        }
    }
}

/// Takes all of it back; where that fails half-way, what is still there is loaded again.
pub(super) fn remove() -> anyhow::Result<String> {
    let mut said = String::new();
    for path in FILES.map(|name| Path::new(FOLDER).join(name)) {
        if !path.exists() {
            continue;
        }
        ours(&path)?;
        unload(names(&path)?)?;
        if let Err(error) = delete(&path) {
            parser(&["-r"], &path).with_context(|| format!("{error:#}; and then"))?;
            return Err(error.context("nothing was changed"));
        }
        said += &format!("removed {}\n", path.display());
    }
    if said.is_empty() {
        said = "nothing was installed\n".to_owned();
    }
    Ok(said)
}

/// Refuses a file of somebody else's that has the name of one of ours.
fn ours(path: &Path) -> anyhow::Result<()> {
    let Ok(text) = fs::read(path) else {
        return Ok(());
    };
    if !text.starts_with(b"# made by gosandbox ") {
        let text = format!(
            "cannot replace {}: gosandbox has not made it",
            path.display()
        );
        let name = shell_path(path);
        return Err(Refused::new(Code::GuardFailed, text)
            .words(format!("mv {name} {name}.old"))
            .into());
    }
    Ok(())
}

/// The names of the profiles in a file, those that lie in another too; none where there is no file.
fn names(path: &Path) -> anyhow::Result<BTreeSet<String>> {
    if !path.exists() {
        return Ok(BTreeSet::new());
    }
    let said = parser(&["-N"], path)?;
    Ok(said.lines().map(str::to_owned).collect())
}

/// Has the kernel drop profiles, those that it has.
fn unload(names: BTreeSet<String>) -> anyhow::Result<()> {
    let kernel = Path::new(KERNEL);
    let loaded = fs::read_to_string(kernel.join("profiles"))
        .context("cannot read which AppArmor profiles are loaded")?;
    // The outer one takes those in it along.
    for name in names.iter().filter(|name| !name.contains("//")) {
        let is_this = |line: &str| line.rsplit_once(" (").is_some_and(|(had, _)| had == name);
        if loaded.lines().any(is_this) {
            fs::write(kernel.join(".remove"), name)
                .with_context(|| format!("cannot unload the AppArmor profile {name}"))?;
        }
    }
    Ok(())
}

fn delete(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Whole or not at all, also for a process that loads the folder at this moment: names with a dot in front are
/// passed over.
fn replace(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let place = Place::find(path, Keeper::caller(), None);
    let written = place.and_then(|place| place.replace_with(content, 0o644));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn parser(options: &[&str], path: &Path) -> anyhow::Result<String> {
    super::run(
        Command::new("apparmor_parser").args(options).arg(path),
        "apparmor",
    )
}
