//! `gosandbox shim`: a `go` for editors and scripts, which is gosandbox.
//!
//! A shim names gosandbox and GOROOT by their whole paths and looks nothing up, so that it can neither find itself nor
//! be led to another program. It lies where nobody but its user and root can change it. Only what `install` has
//! written is ever replaced or removed.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::low::{ShimAction, ShimArgs};
use super::print;
use crate::files::{Follow, Keeper, Place, Step, Stop, look, make_folders};
use crate::profile::{Overrides, Selection};
use crate::refusal::{Code, Refused, shell_path, shell_word};
use crate::{profile, run};

/// The name of the shim in its folder.
const NAME: &str = "go";

/// How every shim begins.
const HEAD: &str =
    "#!/bin/sh\n# Written by `gosandbox shim install`; `gosandbox shim remove` takes it away.\n";

/// No shim is longer.
const LONGEST: u64 = 64 * 1024;

/// Writes a shim, or takes it away.
pub(super) fn work(args: &ShimArgs) -> anyhow::Result<u8> {
    let folder = std::path::absolute(&args.folder)?;
    match args.action {
        ShimAction::Install => install(args, &folder),
        ShimAction::Remove => remove(&folder),
    }
}

fn install(args: &ShimArgs, folder: &Path) -> anyhow::Result<u8> {
    refuse_project(folder)?;
    // A profile that is not there would be found out by the editor.
    profile::policy(&profile::Request {
        profile: &args.profile,
        work_tree: None,
        overrides: &Overrides::default(),
        caller: &run::caller(None),
    })?;
    make_folders(folder, Keeper::caller()).map_err(|error| cannot(folder, &error.to_string()))?;
    refuse_open(folder, "the shim", || {
        format!("chmod go-w {}", shell_path(folder))
    })?;
    let launcher = env::current_exe()?;
    refuse_open(&launcher, "gosandbox itself", || {
        format!(
            "sudo install -m 755 {} /usr/local/bin/gosandbox",
            shell_path(&launcher)
        )
    })?;
    let goroot = match &args.goroot {
        Some(goroot) => std::path::absolute(goroot)?,
        None => run::find_goroot(path_without(folder).as_deref())?,
    };
    refuse_link(folder, "install")?;
    let place = Place::find(&folder.join(NAME), Keeper::caller(), None)?;
    if place.look()?.is_some() && !is_shim(&place)? {
        return Err(not_a_shim(folder, "install").into());
    }
    place
        .replace_with(script(&launcher, &args.profile, &goroot)?.as_bytes(), 0o755)
        .map_err(|error| cannot(folder, &error.to_string()))?;
    let shown = shell_path(folder);
    print(
        format!(
            "{shown}/{NAME} runs go in {} in gosandbox\nexport PATH={shown}:\"$PATH\"\n",
            shell_path(&goroot)
        )
        .as_bytes(),
    )
}

fn remove(folder: &Path) -> anyhow::Result<u8> {
    refuse_link(folder, "remove")?;
    let place = Place::find(&folder.join(NAME), Keeper::caller(), None)
        .map_err(|error| cannot(folder, &error.to_string()))?;
    if place.look()?.is_none() {
        let text = format!("there is no shim in {}", folder.display());
        return Err(Refused::new(Code::ShimRefused, text)
            .words("gosandbox shim remove DIR, with the folder that shim install was given")
            .into());
    }
    if !is_shim(&place)? {
        return Err(not_a_shim(folder, "remove").into());
    }
    place.remove()?;
    Ok(0)
}

/// A link under the shim's name was made by somebody else, and what it leads to is not the shim's.
fn refuse_link(folder: &Path, action: &str) -> Result<(), Refused> {
    let found = look::symlink_metadata(folder.join(NAME));
    let kind = found.map(|found| FileType::from_raw_mode(found.mode()));
    match kind.is_ok_and(|kind| kind == FileType::Symlink) {
        true => Err(not_a_shim(folder, action)),
        false => Ok(()),
    }
}

/// Whether what is there was written by [`install`], by this user, and is unchanged.
fn is_shim(place: &Place) -> anyhow::Result<bool> {
    let found = place.read_own(LONGEST)?;
    let text = found.and_then(|content| String::from_utf8(content).ok());
    let Some(rest) = text.as_deref().and_then(|text| text.strip_prefix(HEAD)) else {
        return Ok(false);
    };
    let is_one_line = rest.lines().count() == 1 && rest.ends_with('\n');
    Ok(is_one_line && rest.starts_with("exec ") && rest.ends_with(" -- go \"$@\"\n"))
}

fn script(launcher: &Path, profile: &Selection, goroot: &Path) -> anyhow::Result<String> {
    let profile = match profile {
        Selection::File(file) => Some(word(&std::path::absolute(file)?)?),
        Selection::Name(name) if name == profile::DEFAULT => None,
        Selection::Name(name) => Some(shell_word(name)),
    };
    let profile = profile.map_or_else(String::new, |word| format!(" --profile {word}"));
    Ok(format!(
        "{HEAD}exec {}{profile} --goroot {} -- go \"$@\"\n",
        word(launcher)?,
        word(goroot)?
    ))
}

/// A path as the shell reads it. One that cannot be written as text is refused.
fn word(path: &Path) -> anyhow::Result<String> {
    match path.to_str().filter(|text| !text.contains('\n')) {
        Some(text) => Ok(shell_word(text)),
        None => {
            let text = format!("cannot write {} into a shim", path.display());
            Err(Refused::new(Code::ShimRefused, text)
                .words("use a folder whose name is text")
                .into())
        }
    }
}

/// A shim in a project could be changed by what the project's source does.
fn refuse_project(folder: &Path) -> Result<(), Refused> {
    let real = look::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let home = env::var_os("HOME").map(PathBuf::from);
    let home = home.and_then(|home| look::canonicalize(&home).ok());
    let mut above = real
        .ancestors()
        .take_while(|at| home.as_deref() != Some(*at));
    let is_project = |at: &&Path| {
        [".git", "go.mod", "go.work"]
            .iter()
            .any(|name| look::exists(at.join(name)))
    };
    match above.find(is_project) {
        None => Ok(()),
        Some(project) => {
            let text = format!(
                "cannot write a shim into {}: it lies in the project {}, whose source could change it",
                folder.display(),
                project.display()
            );
            Err(Refused::new(Code::ShimRefused, text)
                .words("gosandbox shim install ~/.local/share/gosandbox/bin"))
        }
    }
}

/// Refuses a path that others than the caller and root could lead elsewhere.
fn refuse_open(path: &Path, what: &str, closes: impl FnOnce() -> String) -> anyhow::Result<()> {
    let keeper = Keeper::caller();
    let mut step = Step::start(path)?;
    let stop = step.walk(Follow::Kept(keeper), None)?;
    let is_folder = look::is_dir(path);
    if stop == Stop::There && (!is_folder || keeper.closes(step.found())) {
        return Ok(());
    }
    let text = format!(
        "cannot use {}: somebody else could change {what} there",
        path.display()
    );
    Err(Refused::new(Code::ShimRefused, text).words(closes()).into())
}

/// The caller's PATH without the shim's own folder, and without others that hold a shim.
fn path_without(folder: &Path) -> Option<OsString> {
    let path = env::var_os("PATH")?;
    let own = look::canonicalize(folder).ok();
    let holds_shim = |entry: &Path| {
        let place = Place::find(&entry.join(NAME), Keeper::caller(), None);
        place.is_ok_and(|place| is_shim(&place).unwrap_or(false))
    };
    let left = env::split_paths(&path).filter(|entry| {
        let real = look::canonicalize(entry).ok();
        entry.is_absolute() && (real.is_none() || real != own) && !holds_shim(entry)
    });
    env::join_paths(left.map(|entry| entry.into_os_string())).ok()
}

fn not_a_shim(folder: &Path, action: &str) -> Refused {
    let path = folder.join(NAME);
    let text = format!(
        "cannot {action} the shim {}: what is there is not one that you had written",
        path.display()
    );
    Refused::new(Code::ShimRefused, text).words(format!("ls -l {}", shell_path(&path)))
}

fn cannot(folder: &Path, why: &str) -> Refused {
    let text = format!(
        "cannot use the folder {} for a shim: {why}",
        folder.display()
    );
    Refused::new(Code::ShimRefused, text)
        .words("gosandbox shim install ~/.local/share/gosandbox/bin")
}
