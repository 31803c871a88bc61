//! What a build leaves out because cgo is off: told, or refused.
//!
//! With `CGO_ENABLED=0` go passes over files that import "C". A package of such files alone vanishes from `./...` without
//! a word. So where the project's own files import "C" at all, go is asked which packages of the build do. Other builds
//! cost a look at the beginnings of these files.

mod modules;

use std::path::{Path, PathBuf};

use super::captured::captured;
use super::errand::Errand;
use super::plan::Prepared;
use super::{Command, Project};
use crate::go::toolchain::Toolchain;
use crate::go::workspace::Workspace;
use crate::go::{cgo, command, flags, missing};
use crate::host::Host;
use crate::policy::Cgo;
use crate::refusal::{Code, Refused, shell_word};
use crate::text;

/// One line a package that has cgo files and is not Go's own.
const FORMAT: &str = "-f={{if not .Standard}}{{if .CgoFiles}}{{.ImportPath}}{{end}}{{end}}";
/// So many packages are named.
const SHOWN: usize = 5;

/// Before a build: refuses it where the profile has what it leaves out refused.
///
/// # Errors
/// It leaves out cgo files of these packages.
pub(super) fn refuse(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &Prepared<'_>,
    toolchain: &Toolchain,
    command: &Command,
) -> anyhow::Result<()> {
    if project.policy.programs.cgo != Cgo::Refuse {
        return Ok(());
    }
    let packages = left_out(project, host, prepared, toolchain, command);
    if packages.is_empty() {
        return Ok(());
    }
    let profile = &project.policy.name;
    let text = format!(
        "cannot build with cgo: profile {profile} refuses builds that leave cgo files out, as of {}",
        named(&packages)
    );
    Err(Refused::new(Code::CompilerRefused, text)
        .words(format!(
            "CGO_ENABLED=0 gosandbox --profile {} -- {}",
            shell_word(profile),
            command.in_words()
        ))
        .profile("programs.cgo = \"warn\"")
        .into())
}

/// After a build: says what it has left out, and that the caller's CGO_ENABLED is not what counts.
///
/// # Errors
/// As for [`refuse`], as of modules that were not there before.
pub(super) fn after(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &Prepared<'_>,
    toolchain: &Toolchain,
    command: &Command,
    was_complete: bool,
) -> anyhow::Result<()> {
    if project.policy.programs.cgo == Cgo::Refuse {
        return match was_complete {
            true => Ok(()),
            false => refuse(project, host, prepared, toolchain, command),
        };
    }
    let packages = left_out(project, host, prepared, toolchain, command);
    let is_asked = asks(project) == Some(true) && words(prepared, command).is_some();
    let console = project.session.console;
    match (packages.is_empty(), is_asked) {
        (true, false) => {}
        (true, true) => console
            .warn("CGO_ENABLED=1 is left aside: cgo is off, because no C compiler runs inside"),
        (false, _) => {
            let asked = if is_asked {
                " (CGO_ENABLED=1 is left aside)"
            } else {
                ""
            };
            console.warn(&format!(
                "cgo is off inside{asked}, and files that need it are left out of {}",
                named(&packages)
            ));
        }
    }
    Ok(())
}

/// Whether every module of the project is there, so that [`refuse`] has seen all of them.
pub(super) fn is_complete(project: &Project<'_>, prepared: &Prepared<'_>) -> bool {
    project.policy.programs.cgo == Cgo::Warn
        || missing::extracted(project.workspace, prepared.module_cache()).1
}

pub(super) fn named(packages: &[String]) -> String {
    let shown = packages
        .iter()
        .take(SHOWN)
        .map(|package| text::visible(package));
    let shown: Vec<_> = shown.collect();
    let rest = packages.len().saturating_sub(SHOWN);
    match rest {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}

/// What the caller's CGO_ENABLED says.
fn asks(project: &Project<'_>) -> Option<bool> {
    let value = project.session.variable("CGO_ENABLED")?;
    match value.to_str()? {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

/// The packages of a build that have cgo files.
pub(super) fn left_out(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &Prepared<'_>,
    toolchain: &Toolchain,
    command: &Command,
) -> Vec<String> {
    if asks(project) == Some(false) {
        return Vec::new();
    }
    let Some(words) = words(prepared, command) else {
        return Vec::new();
    };
    let has_own = || cgo::first(&folders(project.workspace)).is_some();
    if !has_own() && !modules::import_c(project, prepared.module_cache()) {
        return Vec::new();
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let errand = Errand {
        project: *project,
        who: prepared.who().clone(),
        toolchain,
        words: &words,
        cgo: true,
    };
    // What it says of errors the command says itself.
    let Ok(said) = captured(|| errand.run(host)) else {
        return Vec::new();
    };
    let lines = said
        .stdout
        .lines()
        .map(|line| line.split(' ').next().unwrap_or_default());
    let mut packages: Vec<String> = lines
        .filter(|line| !line.is_empty())
        .map(Into::into)
        .collect();
    packages.sort();
    packages.dedup();
    packages
}

/// The folders that the project's own packages lie in.
fn folders(workspace: &Workspace) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = workspace.local_modules.clone();
    folders.push(workspace.root.clone());
    folders.sort();
    folders.dedup_by(|one, before| one.starts_with(&*before));
    folders
}

/// The words after `go` that list the packages of a command which builds.
fn words(prepared: &Prepared<'_>, command: &Command) -> Option<Vec<String>> {
    let go = prepared.go()?;
    let builds = matches!(
        go.subcommand.as_str(),
        "build" | "install" | "run" | "test" | "vet"
    );
    if !builds || go.versioned {
        return None;
    }
    let parsed = flags::parse(&go.subcommand, command::after_name(&command.arguments));
    let mut words = vec!["list".to_owned()];
    if let Some(folder) = &go.changed_dir {
        words.push(format!("-C={}", folder.to_str()?));
    }
    words.extend(["-e", "-deps", "-buildvcs=false", FORMAT].map(str::to_owned));
    words.extend((go.subcommand == "test").then(|| "-test".to_owned()));
    words.extend(parsed.is_set("race").then(|| "-race".to_owned()));
    for name in ["tags", "mod", "modfile"] {
        if let Some(value) = parsed.value(name) {
            words.push(format!("-{name}={}", value.to_str()?));
        }
    }
    words.push("--".to_owned());
    let is_file =
        |word: &&std::ffi::OsString| Path::new(word).extension().is_some_and(|it| it == "go");
    let files = parsed.arguments.iter().take_while(is_file).count();
    let count = match go.subcommand.as_str() {
        // What comes after them is the program's.
        "run" => files.max(1),
        _ => parsed.arguments.len(),
    };
    for argument in parsed.arguments.iter().take(count) {
        words.push(argument.to_str()?.to_owned());
    }
    Some(words)
}
