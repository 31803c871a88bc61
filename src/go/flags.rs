//! The go command's command lines: which words are flags, which are their values, and which of
//! the flags the sandbox cannot let through.
//!
//! Read from `cmd/go` of Go 1.26 (`internal/work/build.go`, `internal/test/testflag.go`,
//! `internal/cmdflag`). A flag refused here would run a program, swap a source file, or need cgo.

mod tables;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use self::tables::{BUILD_BOOLS, BUILD_VALUES, EDIT_VALUES, TEST_BOOLS, TEST_VALUES};
use super::flag_error::{FlagError, Instead, RefusedFlag};
use super::quoted;
use super::race;
use super::toolflags::{self, Tool};
use crate::files::look;
use crate::paths::clean;

/// A flag as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Its name without dashes.
    pub name: String,
    /// Its value, after `=` or in the next word.
    pub value: Option<OsString>,
}

/// A command line taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Flags that the go command takes.
    pub flags: Vec<Given>,
    /// Packages and files.
    pub arguments: Vec<OsString>,
    /// Words for the test binary that the go command does not know.
    pub program: Vec<OsString>,
}

impl Parsed {
    /// The value that counts for flag `name`: the last one.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.flags
            .iter()
            .rev()
            .find(|f| f.name == name)
            .and_then(|f| f.value.as_deref())
    }

    /// Whether the flag `name` is given and not switched off again.
    pub fn is_set(&self, name: &str) -> bool {
        self.flags
            .iter()
            .rev()
            .find(|f| f.name == name)
            .is_some_and(|f| {
                f.value.as_deref().is_none_or(|v| {
                    !["false", "0", "f", "F", "FALSE", "False"]
                        .iter()
                        .any(|no| v == *no)
                })
            })
    }
}

/// Whether flag `name` of `command` (`test`, `mod edit`) takes a value.
pub fn takes_value(command: &str, name: &str) -> bool {
    let own: &[&str] = match command {
        "build" => &["o"],
        "run" => &["exec"],
        "test" => TEST_VALUES,
        "vet" => &["vettool", "c"],
        "fix" => &["fixtool", "c", "fix"],
        "list" => &["f", "reuse"],
        "generate" => &["run", "skip"],
        "mod edit" | "work edit" => EDIT_VALUES,
        "mod vendor" | "work vendor" => &["o"],
        "mod tidy" => &["go", "compat"],
        "mod graph" => &["go"],
        "mod download" => &["reuse"],
        _ => &[],
    };
    let short = if command == "test" {
        name.strip_prefix("test.").unwrap_or(name)
    } else {
        name
    };
    own.contains(&short) || BUILD_VALUES.contains(&name)
}

/// A word taken for a flag: its name, and its value after `=`.
pub(super) fn as_flag(word: &OsStr) -> Option<(String, Option<OsString>)> {
    let bytes = word.as_bytes();
    let bytes = bytes.strip_prefix(b"-")?;
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    if matches!(bytes.first(), None | Some(b'-' | b'=')) {
        return None;
    }
    let (name, value) = match bytes.iter().position(|&b| b == b'=') {
        Some(i) => (
            &bytes[..i],
            Some(OsString::from_vec(bytes[i + 1..].to_vec())),
        ),
        None => (bytes, None),
    };
    Some((String::from_utf8_lossy(name).into_owned(), value))
}

/// The flags of a go command line: those of GOFLAGS, and then its own, which count more.
///
/// `words` are those after the command's name. GOFLAGS that cannot be taken apart have none: no command runs with such.
pub fn parse_with(command: &str, words: &[OsString], goflags: &str) -> Parsed {
    let own = parse(command, words);
    let written = quoted::split(goflags).unwrap_or_default();
    let written: Vec<OsString> = written.into_iter().map(OsString::from).collect();
    let mut all = parse("build", &written);
    all.flags.extend(own.flags);
    all.arguments = own.arguments;
    all
}

/// Takes the words after the subcommand apart, as the go command would.
pub fn parse(command: &str, words: &[OsString]) -> Parsed {
    let mut parsed = Parsed::default();
    let mut rest = words;
    if command == "test" {
        parse_test(rest, &mut parsed);
        return parsed;
    }
    while let Some((word, after)) = rest.split_first() {
        if word == "--" {
            rest = after;
            break;
        }
        let Some((name, value)) = as_flag(word) else {
            break;
        };
        rest = take(command, name, value, after, &mut parsed);
    }
    parsed.arguments.extend_from_slice(rest);
    parsed
}

fn take<'a>(
    command: &str,
    name: String,
    value: Option<OsString>,
    after: &'a [OsString],
    parsed: &mut Parsed,
) -> &'a [OsString] {
    let (value, rest) = match (value, after.split_first()) {
        (None, Some((next, rest))) if takes_value(command, &name) => (Some(next.clone()), rest),
        (value, _) => (value, after),
    };
    parsed.flags.push(Given { name, value });
    rest
}

/// `go test` takes flags on both sides of the packages and hands on what it does not know.
fn parse_test(words: &[OsString], parsed: &mut Parsed) {
    let mut rest = words;
    let (mut packages_done, mut in_packages, mut after_bare_flag) = (false, false, false);
    while let Some((word, after)) = rest.split_first() {
        let was_after_bare_flag = std::mem::take(&mut after_bare_flag);
        if word == "--" {
            parsed.program.extend_from_slice(rest);
            return;
        }
        let Some((name, value)) = as_flag(word) else {
            if !in_packages && packages_done {
                if was_after_bare_flag {
                    parsed.program.push(word.clone());
                    rest = after;
                    continue;
                }
                parsed.program.extend_from_slice(rest);
                return;
            }
            (in_packages, packages_done) = (true, true);
            parsed.arguments.push(word.clone());
            rest = after;
            continue;
        };
        in_packages = false;
        if name == "args" && value.is_none() {
            parsed.program.extend_from_slice(after);
            return;
        }
        if known_to_test(&name) {
            rest = take("test", name, value, after, parsed);
        } else {
            packages_done = true;
            after_bare_flag = value.is_none();
            parsed.program.push(word.clone());
            rest = after;
        }
    }
}

fn known_to_test(name: &str) -> bool {
    let short = name.strip_prefix("test.").unwrap_or(name);
    BUILD_BOOLS.contains(&name)
        || BUILD_VALUES.contains(&name)
        || matches!(name, "c" | "o" | "json" | "exec" | "vet")
        || (!matches!(short, "c" | "o" | "json" | "exec" | "vet")
            && (TEST_VALUES.contains(&short) || TEST_BOOLS.contains(&short)))
}

/// What flags are judged against.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// The subcommand (`test`, `mod tidy`).
    pub command: &'a str,
    /// Where the flags were given, for messages.
    pub place: &'a str,
    /// Flags that the profile lets through (`-toolexec`).
    pub allow: &'a [String],
    /// The current folder.
    pub cwd: &'a Path,
    /// The project, in which `-modfile` may lie.
    pub root: Option<&'a Path>,
    /// Whether the profile lets `-race` build.
    pub race: bool,
    /// Whether go.mod stays as it is: the profile puts a `-mod` in force, or the flag is in GOFLAGS, where no command
    /// has asked for it.
    pub keeps_requirements: bool,
}

impl Judge<'_> {
    /// Refuses what cannot be let through, by name.
    pub fn check(&self, flags: &[Given]) -> Result<(), FlagError> {
        let refused: Vec<_> = flags
            .iter()
            .filter_map(|flag| self.check_one(flag).err())
            .collect();
        match refused.is_empty() {
            true => Ok(()),
            false => Err(FlagError {
                place: self.place.to_owned(),
                refused,
            }),
        }
    }

    fn check_one(&self, flag: &Given) -> Result<(), RefusedFlag> {
        let value = flag.value.as_deref().unwrap_or_default().to_string_lossy();
        let name = flag.name.as_str();
        if self.allows(name, &value) {
            return Ok(());
        }
        match name {
            "exec" => self.refuse(name, "runs a program around every test and program, where gosandbox puts its own wrapper"),
            "toolexec" => self.refuse(name, "runs a program around every tool of Go"),
            "vettool" | "fixtool" => self.refuse(name, "runs a program of its choice"),
            "overlay" => self.refuse(name, "puts other files in the place of source files"),
            "gccgoflags" => self.refuse(name, "is for gccgo, which the sandbox does not have"),
            "pkgdir" => self.refuse(name, "reads and writes compiled packages outside the build cache"),
            "insecure" => self.refuse(name, "switches the verification of modules off"),
            "compiler" if value != "gc" => self.refuse(name, "chooses a compiler other than Go's own"),
            "modfile" if !self.in_project(Path::new(&*value)) => self.refuse(name, "names a file outside the project"),
            "mod" if value == "mod" && self.keeps_requirements && !may_change_requirements(self.command) => {
                self.refuse_with("mod=mod", "lets this command change go.mod", Instead::AllowOr("use go get or go mod tidy"))
            }
            "race" if race::builds(self.command) && self.race => Ok(()),
            "race" if race::builds(self.command) && value != "false" => {
                self.refuse_with(name, "is off in this profile: it has Go's own C code compiled, apart from the source", Instead::Race)
            }
            "race" | "msan" | "asan" if value != "false" => {
                self.refuse_with(name, "needs cgo and a C compiler, which are off in the sandbox", Instead::Only("leave it out, or run that build without gosandbox"))
            }
            "ldflags" => self.check_tool(name, Tool::Link, &value),
            "gcflags" => self.check_tool(name, Tool::Compile, &value),
            "asmflags" => self.check_tool(name, Tool::Asm, &value),
            _ => Ok(()),
        }
    }

    /// Whether the profile lets a flag through: by its name (`-mod`), or with this value alone (`-mod=mod`).
    pub fn allows(&self, name: &str, value: &str) -> bool {
        self.allow.iter().any(|allowed| {
            let allowed = allowed.trim_start_matches('-');
            match allowed.split_once('=') {
                Some(pair) => pair == (name, value),
                None => allowed == name,
            }
        })
    }

    fn check_tool(&self, name: &str, tool: Tool, value: &str) -> Result<(), RefusedFlag> {
        toolflags::check(tool, value)
            .or_else(|error| self.refuse(name, &format!("carries {error}")))
    }

    fn in_project(&self, path: &Path) -> bool {
        let path = clean(&self.cwd.join(path));
        // The name may be a link, and may not exist yet: its folder decides where it is.
        let real = look::canonicalize(&path).or_else(|_| match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) => look::canonicalize(folder).map(|f| f.join(name)),
            _ => Ok(path.clone()),
        });
        real.is_ok_and(|real| self.root.is_some_and(|root| real.starts_with(root)))
    }

    fn refuse(&self, flag: &str, why: &str) -> Result<(), RefusedFlag> {
        self.refuse_with(flag, why, Instead::Allow)
    }

    fn refuse_with(&self, flag: &str, why: &str, instead: Instead) -> Result<(), RefusedFlag> {
        Err(RefusedFlag {
            flag: format!("-{flag}"),
            why: why.to_owned(),
            instead,
        })
    }
}

/// Whether `command` is there to change go.mod.
pub fn may_change_requirements(command: &str) -> bool {
    matches!(command.split(' ').next(), Some("get" | "mod" | "work"))
}

#[cfg(test)]
mod tests;
