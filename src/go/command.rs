//! The command table: what a go command line fetches, runs, writes, and in which cage it belongs.
//!
//! A line that cannot work in the sandbox (`go env -w`, a user's own `-exec`) is refused here,
//! before anything runs. A subcommand that is not known goes to go as it is: go says so itself.

mod head;
mod modcache;
mod named;
mod table;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::head::{Head, strip};
pub use self::modcache::CleanModules;
use self::table::TABLE;
pub use self::table::{COMMANDS, OWN_TOOLS};
use super::flag_error::FlagError;
use super::flags::{self, Judge, Parsed};
use super::toolchain::Toolchain;
use super::{outputs, quoted};
use crate::paths::clean;
use crate::policy::Cage;
use crate::refusal::shell_word;

/// Which programs built from source a command runs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programs {
    /// None, or none that `-exec` applies to.
    None,
    /// Test binaries, through `-exec`.
    Test,
    /// The program of `go run`, through `-exec`.
    Run,
}

/// What an output path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One file, made or replaced.
    File,
    /// What is built, with the folders above it.
    Program,
    /// A folder in which files are made.
    Folder,
    /// The folder of `-artifacts`, which tests make.
    Artifacts,
    /// The caller's GOCOVERDIR, which code of the source gets as it is.
    Coverage,
}

/// A place outside the work tree that the command line asks to be written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Output {
    /// Absolute, clean, links not followed.
    pub path: PathBuf,
    /// File or folder.
    pub kind: Kind,
    /// The flag or variable that names it.
    pub flag: &'static str,
}

/// A go command line, understood.
#[derive(Clone, Debug)]
pub struct GoCommand {
    /// `build`, `mod tidy`, `help`; what was written where it is none of go's.
    pub subcommand: String,
    /// Where the go command itself runs.
    pub cage: Cage,
    /// Whether modules may be fetched.
    pub fetches: bool,
    /// Whether it may ask which versions there are, rather than for those that are written down.
    pub resolves: bool,
    /// The programs for which `-exec` is injected.
    pub programs: Programs,
    /// Whether it is there to write the source.
    pub writes_tree: bool,
    /// Whether it stamps version control information by itself, for which it runs git.
    pub stamps: bool,
    /// Whether it executes a tool that it has built into GOCACHE (Go 1.25 ships few tools built).
    pub runs_cached_tool: bool,
    /// What it is asked to write, sorted.
    pub outputs: Vec<Output>,
    /// Where `go install` puts programs.
    pub installs_to: Option<PathBuf>,
    /// What it is asked to read by path (`-pgo`, files given as arguments), sorted.
    pub inputs: Vec<PathBuf>,
    /// The folder that `-C` changes to.
    pub changed_dir: Option<PathBuf>,
    /// Where in the words after `go` a further flag belongs.
    pub exec_position: usize,
    /// Programs that its flags have it execute (`-toolexec`), as written. They run with it in the program cage, where
    /// neither writes the trusted build cache.
    pub executes: Vec<OsString>,
    /// Whether it lists packages or modules and compiles nothing.
    pub only_lists: bool,
    /// Whether it says which installed programs are stale, for which it reads them.
    pub reads_installed: bool,
    /// Whether it names a package with its version (`go run pkg@v1.2.3`), for which go leaves
    /// the module around it aside.
    pub versioned: bool,
    /// Whether it fuzzes, for which the test binary writes `testdata/fuzz`.
    pub fuzzes: bool,
    /// What `-buildvcs` on the command line asks for, unless that is `auto`.
    pub buildvcs: Option<bool>,
    /// What is left for go where the launcher removes the module cache.
    pub cleans_modules: Option<CleanModules>,
}

impl GoCommand {
    /// Whether the go command itself may fetch modules.
    pub fn fetches_itself(&self) -> bool {
        self.fetches && self.cage == Cage::Tool
    }
}

/// A go command line and what it depends on.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The words after `go`.
    pub words: &'a [OsString],
    /// The current folder.
    pub cwd: &'a Path,
    /// The project.
    pub root: Option<&'a Path>,
    /// Flags that the profile lets through.
    pub allow_flags: &'a [String],
    /// Whether it lets `-race` build.
    pub race: bool,
    /// Whether it puts a `-mod` in force.
    pub pins_mod: bool,
    /// Where `go install` puts programs: GOBIN, or `GOPATH/bin`.
    pub gobin: Option<&'a Path>,
    /// The caller's GOCOVERDIR.
    pub gocoverdir: Option<&'a OsStr>,
    /// The caller's GOFLAGS.
    pub goflags: Option<&'a OsStr>,
    /// The Go that will run.
    pub toolchain: Option<&'a Toolchain>,
}

/// Why a command line is not run.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CommandError {
    /// A flag that is not let through.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A command that cannot do its work in the sandbox.
    #[error("cannot run go {command}: it {why}")]
    Pointless {
        /// The command, with the flag in question.
        command: String,
        /// What it does.
        why: &'static str,
        /// What to do instead.
        instead: String,
    },
}

/// The folder that `-C` changes to from `cwd`, as written, before anything else is looked at.
pub fn changed_dir(words: &[OsString], cwd: &Path) -> Option<PathBuf> {
    Some(clean(&cwd.join(Head::of(words).chdir?)))
}

/// What `-C` names, as written.
pub fn given_dir(words: &[OsString]) -> Option<OsString> {
    Head::of(words).chdir
}

/// The words after the name of the command, among those after `go`.
pub fn after_name(words: &[OsString]) -> &[OsString] {
    words.get(Head::of(words).end..).unwrap_or_default()
}

/// Whether the words after `go` are a question for the place of go.mod or go.work alone, which go answers whatever
/// version these ask for.
pub fn only_names_project(words: &[OsString]) -> bool {
    matches!(words, [env, name] if env == "env" && (name == "GOMOD" || name == "GOWORK"))
}

/// Whether the words after `go` have it write the go.work that applies.
pub fn writes_work(words: &[OsString]) -> bool {
    let head = Head::of(words);
    let parsed = flags::parse(&head.subcommand, &words[head.end..]);
    match head.subcommand.as_str() {
        "work init" | "work use" | "work sync" => true,
        "work edit" => {
            let shows = parsed.is_set("print") || parsed.is_set("json");
            !shows && parsed.arguments.is_empty()
        }
        _ => false,
    }
}

/// Has `-C`, which is there, name another folder.
pub fn set_changed_dir(words: &mut [OsString], folder: &Path) {
    let end = Head::of(words).end;
    let is_flag = |word: &OsString| word == "-C" || word == "--C";
    let has_value = |word: &OsString| strip(word, "-C=").or(strip(word, "--C=")).is_some();
    if let Some(flag) = words[..end].iter().position(is_flag) {
        words[flag + 1] = folder.into();
    } else if let Some(flag) = words[..end].iter().position(has_value) {
        words[flag] = "-C=".into();
        words[flag].push(folder);
    }
}

/// Understands `call`, or says why it is not run.
pub fn classify(call: &Call<'_>) -> Result<GoCommand, CommandError> {
    let head = Head::of(call.words);
    let cwd = match &head.chdir {
        Some(folder) => clean(&call.cwd.join(folder)),
        None => call.cwd.to_owned(),
    };
    let name = head.subcommand.as_str();
    let rest = &call.words[head.end..];
    let parsed = flags::parse(name, rest);
    // These commands have flag sets of their own, in which no flag of the build commands exists.
    if !matches!(
        name,
        "help" | "doc" | "env" | "telemetry" | "bug" | "version" | ""
    ) {
        let judge = Judge {
            command: name,
            place: "the command line",
            allow: call.allow_flags,
            cwd: &cwd,
            root: call.root,
            race: call.race,
            keeps_requirements: call.pins_mod,
        };
        judge.check(&parsed.flags)?;
    }
    refuse_pointless(name, &parsed)?;
    let row = TABLE.iter().find(|row| row.names.contains(&name));
    let tool = (name == "tool").then(|| parsed.arguments.first()).flatten();
    let own_tool = tool.is_none_or(|tool| {
        is_own_tool(tool, call.toolchain) && !starts_a_program(tool, &parsed.arguments)
    });
    let place = outputs::Place {
        call,
        name,
        parsed: &parsed,
        cwd: &cwd,
        own_tool: tool.is_some() && own_tool,
    };
    let goflags = call.goflags.unwrap_or_default().to_string_lossy();
    let all = flags::parse_with(name, &call.words[head.end..], &goflags);
    let executes = named::programs(name, &all);
    let versioned = matches!(name, "install" | "run")
        && parsed.arguments.first().is_some_and(|a| is_versioned(a));
    Ok(GoCommand {
        cage: if name == "generate" || !own_tool || !executes.is_empty() {
            Cage::Program
        } else {
            Cage::Tool
        },
        fetches: row.is_some_and(|r| r.fetches),
        programs: programs(name, &parsed),
        writes_tree: row.is_some_and(|r| r.writes_tree) || (name == "vet" && parsed.is_set("fix")),
        stamps: row.is_some_and(|r| r.stamps),
        runs_cached_tool: tool
            .is_some_and(|tool| own_tool && !call.toolchain.is_some_and(|it| it.has_built(tool))),
        outputs: outputs::outputs(&place),
        installs_to: call.gobin.filter(|_| name == "install").map(Path::to_owned),
        inputs: outputs::inputs(&place, &executes),
        only_lists: name == "list"
            && executes.is_empty()
            && !["compiled", "export"].iter().any(|f| all.is_set(f)),
        reads_installed: name == "list" && executes.is_empty() && shows_stale(&parsed),
        executes,
        changed_dir: head.chdir.is_some().then_some(cwd.clone()),
        exec_position: head.end,
        resolves: versioned || matches!(name, "get" | "list" | "mod tidy" | "mod download"),
        versioned,
        fuzzes: name == "test"
            && ["fuzz", "test.fuzz"]
                .iter()
                .any(|f| parsed.value(f).is_some_and(|v| !v.is_empty())),
        buildvcs: buildvcs(&parsed),
        cleans_modules: (name == "clean")
            .then(|| modcache::of(call.words, head.end, &all))
            .flatten(),
        subcommand: head.subcommand,
    })
}

/// Whether `go tool` runs Go's own tool for a name, rather than one that go.mod names (`tool example.com/x/doc`).
fn is_own_tool(name: &OsStr, toolchain: Option<&Toolchain>) -> bool {
    let is_known = OWN_TOOLS.iter().any(|own| name == *own);
    is_known && toolchain.is_none_or(|it| it.has_built(name) || it.builds(name))
}

/// Whether one of Go's own tools executes a program of the caller's (`go tool test2json ./x.test`).
fn starts_a_program(tool: &OsStr, arguments: &[OsString]) -> bool {
    tool == "test2json" && arguments.len() > 1
}

/// What `-buildvcs` in GOFLAGS asks for, as [`GoCommand::buildvcs`]. Nothing, where they cannot be taken apart:
/// no command runs with such.
pub fn buildvcs_in_goflags(text: &str) -> Option<bool> {
    let words = quoted::split(text).ok()?;
    let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    buildvcs(&flags::parse("build", &words))
}

fn buildvcs(parsed: &Parsed) -> Option<bool> {
    let auto = parsed.value("buildvcs").is_some_and(|v| v == "auto");
    let given = parsed.flags.iter().any(|f| f.name == "buildvcs");
    (given && !auto).then(|| parsed.is_set("buildvcs"))
}

fn is_versioned(argument: &OsStr) -> bool {
    let text = argument.to_string_lossy();
    text.contains('@') && !text.starts_with(['.', '/', '-']) && !text.ends_with(".go")
}

/// Whether `go list` is asked for `Stale`, of packages.
fn shows_stale(parsed: &Parsed) -> bool {
    let is_named = |flag: &str| {
        let value = parsed.value(flag);
        value.is_some_and(|value| value.to_string_lossy().contains("Stale"))
    };
    let as_json = parsed.is_set("json") && (parsed.value("json").is_none() || is_named("json"));
    !parsed.is_set("m") && (is_named("f") || as_json)
}

fn programs(name: &str, parsed: &Parsed) -> Programs {
    match name {
        "run" => Programs::Run,
        "test" if !parsed.is_set("c") => Programs::Test,
        _ => Programs::None,
    }
}

fn refuse_pointless(name: &str, parsed: &Parsed) -> Result<(), CommandError> {
    const CONFIGURATION: &str =
        "changes the user's configuration, which the sandbox neither reads nor writes";
    // The words that were refused, without gosandbox in front.
    let refuse = |rest: &str, why, instead: Option<&str>| {
        let given = parsed.arguments.iter().map(|word| word.to_string_lossy());
        let given: Vec<String> = given.map(|word| shell_word(&word)).collect();
        let same = match given.is_empty() || rest == given[0] {
            true => format!("go {name} {rest}"),
            false => format!("go {name} {rest} {}", given.join(" ")),
        };
        Err(CommandError::Pointless {
            command: format!("{name} {rest}"),
            why,
            instead: instead.map_or(same, str::to_owned),
        })
    };
    // Go refuses these itself, and changes nothing.
    let is_fixed = |word: &OsString| {
        let word = word.to_string_lossy();
        table::FIXED.contains(&word.split('=').next().unwrap_or_default())
    };
    match name {
        "env" if parsed.is_set("w") && parsed.arguments.iter().any(is_fixed) => Ok(()),
        "env" if parsed.is_set("w") => refuse("-w", CONFIGURATION, None),
        "env" if parsed.is_set("u") => refuse("-u", CONFIGURATION, None),
        "telemetry" if !parsed.arguments.is_empty() => {
            let mode = super::visible(&parsed.arguments[0].to_string_lossy());
            refuse(&mode, CONFIGURATION, None)
        }
        "doc" if parsed.is_set("http") => refuse(
            "-http",
            "fetches and runs a server, and opens a browser",
            Some("go doc, without -http"),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
