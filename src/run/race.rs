//! `-race` without a C compiler in reach of the source.
//!
//! The race detector needs cgo, and of Go's own packages a few have C code. They are compiled once for a toolchain, a
//! compiler and a set of flags, in a run of their own that shows GOROOT and the system, and nothing of the user's. They go
//! into the build cache. In the run itself the launcher stands in for the compiler: go asks who it is, for the keys of what
//! was compiled, and the linker asks where its library lies. Nothing else is answered, so that a package of the user's with
//! cgo files fails.

mod compiler;
mod errand;
mod known;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::{readlinkat, renameat, symlinkat};

use self::compiler::Compiler;
use self::known::Known;
use super::plan::Prepared;
use super::plan::compiler::steers;
use super::{Command, Project, caches, cgo, token};
use crate::go::flags::Parsed;
use crate::go::toolchain::Toolchain;
use crate::go::{command, flags, race};
use crate::host::Host;
use crate::launch::Outcome;
use crate::plan::compiler::{Part, StandIn};
use crate::policy::places::NO_CACHE;
use crate::refusal::{Code, Refused, shell_word};

/// A run with the race detector.
pub(super) struct Race {
    known: Option<known::Place>,
}

impl Race {
    /// After the run. Where it failed, Go's own packages are looked at again by the next one: what of them the build cache
    /// no longer has, go says by failing.
    pub fn ended(&self, outcome: &Outcome) {
        if let (Some(known), true) = (&self.known, outcome.status != 0) {
            known.forget();
        }
    }
}

/// Before a command that builds with `-race`: has Go's own packages compiled, where they are not, and has the launcher
/// stand in for the compiler.
///
/// # Errors
/// There is no compiler, it fails, or packages of the build have cgo files.
pub(super) fn prepare(
    project: &Project<'_>,
    host: &mut Host,
    prepared: &mut Prepared<'_>,
    toolchain: &Toolchain,
    command: &Command,
) -> anyhow::Result<Option<Race>> {
    let session = project.session;
    let Some(flags) = asked(project, prepared, command) else {
        return Ok(None);
    };
    // Go says itself that -race needs cgo.
    if session
        .go_variable("CGO_ENABLED")
        .is_some_and(|value| value == "0")
    {
        return Ok(None);
    }
    refuse_other_platform(project)?;
    let executes = prepared.go().is_some_and(|go| !go.executes.is_empty());
    refuse_flags(&flags, executes)?;
    let compiler = Compiler::find(session, toolchain)?;
    tell_left_aside(project);
    let packages = cgo::left_out(project, host, prepared, toolchain, command);
    if !packages.is_empty() {
        let text = format!(
            "cannot build with -race: no C compiler runs inside, and these packages of the build have cgo files: {}",
            cgo::named(&packages)
        );
        return Err(Refused::new(Code::CompilerRefused, text)
            .words(format!(
                "leave out -race: gosandbox -- {}",
                without_race(command)
            ))
            .into());
    }
    let words = race::words(&flags);
    let place = known::Place::open(project, prepared, toolchain, &compiler, &words);
    let known = place
        .as_ref()
        .and_then(|place| place.read(session.host.uid, &compiler, toolchain));
    let known = match known {
        Some(known) => known,
        None => {
            let known = errand::compile(project, host, toolchain, &compiler, &words)?;
            if let Some(place) = &place {
                place.write(&known);
            }
            known
        }
    };
    prepared.set_compiler(stands_in(project, prepared.launcher(), &compiler, known));
    Ok(Some(Race { known: place }))
}

/// The build flags of a command that builds with `-race`.
fn asked(project: &Project<'_>, prepared: &Prepared<'_>, command: &Command) -> Option<Parsed> {
    let go = prepared.go()?;
    // Without a build cache go builds nothing, and says so.
    if !project.policy.programs.race || prepared.build_cache() == Path::new(NO_CACHE) {
        return None;
    }
    let goflags = project.session.variable("GOFLAGS");
    let goflags = goflags
        .map(|text| text.to_string_lossy())
        .unwrap_or_default();
    let words = command::after_name(&command.arguments);
    let flags = flags::parse_with(&go.subcommand, words, &goflags);
    race::is_asked_for(&go.subcommand, &flags).then_some(flags)
}

/// # Errors
/// The build is for another platform: its C code takes another compiler.
fn refuse_other_platform(project: &Project<'_>) -> anyhow::Result<()> {
    for (name, here) in [("GOOS", "linux"), ("GOARCH", crate::go::host_arch())] {
        let given = project.session.variable(name);
        if let Some(given) = given.filter(|given| *given != here) {
            let text = format!(
                "cannot build with -race for {name}={}: Go's own C code is compiled for this platform only",
                given.to_string_lossy()
            );
            return Err(Refused::new(Code::RaceUnavailable, text)
                .words(format!("unset {name}"))
                .into());
        }
    }
    Ok(())
}

/// # Errors
/// A flag that has Go's own packages compiled in the run itself, or another linker than Go's own.
fn refuse_flags(flags: &Parsed, executes: bool) -> anyhow::Result<()> {
    const LINKED_BY_C: [&str; 5] = ["c-archive", "c-shared", "pie", "plugin", "shared"];
    let is_mode = |mode: &str| flags.value("buildmode").is_some_and(|value| value == mode);
    let flag;
    let refused = if flags.is_set("a") {
        Some(("-a", "has Go's own C code compiled in the run itself"))
    } else if let Some(mode) = LINKED_BY_C.iter().find(|mode| is_mode(mode)) {
        flag = format!("-buildmode={mode}");
        Some((flag.as_str(), "takes a C compiler's linker with -race"))
    } else if flags.is_set("linkshared") {
        Some(("-linkshared", "takes a C compiler's linker"))
    } else if executes {
        Some((
            "a flag that names a program",
            "runs where nothing stands in for a C compiler",
        ))
    } else {
        None
    };
    let Some((flag, why)) = refused else {
        return Ok(());
    };
    let text =
        format!("cannot build with -race and {flag}: it {why}, and no C compiler runs inside");
    Err(Refused::new(Code::CompilerRefused, text)
        .words(format!("leave out {flag}"))
        .into())
}

/// Says which of the caller's variables for C compilers do not count.
fn tell_left_aside(project: &Project<'_>) {
    let counts = |name: &OsString| name == "CC" || name == "CGO_ENABLED";
    let variables = project.session.environment.iter();
    let left: Vec<_> = variables
        .filter(|(name, value)| steers(name) && !counts(name) && !value.is_empty())
        .map(|(name, _)| name.to_string_lossy())
        .collect();
    if !left.is_empty() {
        project.session.console.warn(&format!(
            "{} left aside: with -race Go's own C code is compiled with its own flags",
            left.join(", ")
        ));
    }
}

fn without_race(command: &Command) -> String {
    let is_race = |word: &&OsString| {
        let word = word.to_string_lossy();
        !matches!(word.trim_start_matches('-').split('=').next(), Some("race"))
            || !word.starts_with('-')
    };
    let words = command.arguments.iter().filter(is_race);
    let words = words.map(|word| shell_word(&word.to_string_lossy()));
    let name = shell_word(&command.program.to_string_lossy());
    std::iter::once(name)
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The launcher in the compiler's place.
fn stands_in(project: &Project<'_>, launcher: &Path, compiler: &Compiler, known: Known) -> Part {
    Part::StandsIn {
        stand_in: StandIn {
            name: compiler.name.clone(),
            answers: known.answers,
        },
        library: known.library,
        folder: link(project, launcher, &compiler.name),
    }
}

/// A folder with a link of the compiler's name to the launcher, for hosts without a mount view. It is the same in each
/// run: go hashes the PATH of tests that look programs up. `None` where none can be made.
fn link(project: &Project<'_>, launcher: &Path, name: &str) -> Option<PathBuf> {
    let session = project.session;
    // A folder that root names may be another user's.
    let system = session.host.is_root().then(|| caches::SYSTEM.into());
    let mut places = caches::launchers(session).into_iter().chain(system);
    places.find_map(|place| link_in(project, &place.join("compiler"), launcher, name))
}

fn link_in(project: &Project<'_>, path: &Path, launcher: &Path, name: &str) -> Option<PathBuf> {
    let folder = token::open_with(path, 0o755)?;
    let real = folder.real().to_owned();
    let is_in_tree = project.tree().is_some_and(|tree| real.starts_with(tree));
    if is_in_tree || real.as_os_str().as_encoded_bytes().contains(&b':') {
        return None;
    }
    let opened = folder.open_folder().ok()?;
    let there = readlinkat(&opened, name, Vec::new());
    if there.is_ok_and(|to| to.to_bytes() == launcher.as_os_str().as_encoded_bytes()) {
        return Some(real);
    }
    let new = format!("{name}.{}", std::process::id());
    symlinkat(launcher, &opened, &new).ok()?;
    renameat(&opened, &new, &opened, name).ok()?;
    Some(real)
}
