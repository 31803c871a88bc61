//! GOFLAGS: what of the caller's flags goes on.
//!
//! The go command applies these to every command that has such a flag, so only flags that are
//! harmless everywhere pass. Any other is refused by name, with the place it came from.

use std::path::Path;

use thiserror::Error;

use super::flag_error::{FlagError, Instead, RefusedFlag};
use super::flags::{Given, Judge, may_change_requirements, takes_value};
use super::quoted::{self, QuoteError};
use super::race;
use super::visible;

/// Why GOFLAGS cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GoFlagsError {
    /// Its quoting does not hold.
    #[error("cannot read GOFLAGS: {0}")]
    Quote(#[from] QuoteError),
    /// A word that is no flag.
    #[error("cannot read GOFLAGS: non-flag {:?}", visible(.0))]
    NonFlag(String),
    /// A flag without the value it needs.
    #[error("cannot read GOFLAGS: {} needs a value in the same word", visible(.0))]
    NoValue(String),
    /// A flag that is not let through.
    #[error(transparent)]
    Refused(#[from] FlagError),
}

const HARMLESS: &[&str] = &[
    "a",
    "asmflags",
    "bench",
    "benchmem",
    "benchtime",
    "buildmode",
    "buildvcs",
    "compiler",
    "count",
    "cover",
    "covermode",
    "coverpkg",
    "cpu",
    "e",
    "failfast",
    "fullpath",
    "fuzzminimizetime",
    "fuzztime",
    "gcflags",
    "installsuffix",
    "json",
    "ldflags",
    "mod",
    "modcacherw",
    "n",
    "p",
    "parallel",
    "pgo",
    "run",
    "short",
    "shuffle",
    "skip",
    "tags",
    "timeout",
    "trimpath",
    "v",
    "vet",
    "x",
];

/// Judged by [`Judge`], whose message says more than that it is not on the list.
const EXPLAINED: &[&str] = &[
    "asan",
    "exec",
    "fixtool",
    "gccgoflags",
    "insecure",
    "linkshared",
    "modfile",
    "msan",
    "overlay",
    "pkgdir",
    "race",
    "toolexec",
    "vettool",
];

/// The flags of `text` that go on for `command`.
///
/// `vendor`: whether the project has a vendor folder, which `-mod=mod` has go pass over. `race`: whether `-race` builds.
pub fn filter(
    text: &str,
    command: &str,
    allow: &[String],
    vendor: bool,
    race: bool,
) -> Result<Vec<String>, GoFlagsError> {
    let judge = Judge {
        command,
        place: "GOFLAGS",
        allow,
        cwd: Path::new("/"),
        root: None,
        race,
        keeps_requirements: true,
    };
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for word in quoted::split(text)? {
        let flag = word
            .strip_prefix("--")
            .or_else(|| word.strip_prefix('-'))
            .unwrap_or_default();
        if flag.is_empty() || flag.starts_with(['-', '=']) {
            return Err(GoFlagsError::NonFlag(word));
        }
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        let allowed = allow.iter().any(|a| a.trim_start_matches('-') == name);
        if !allowed && !HARMLESS.contains(&name) && !EXPLAINED.contains(&name) {
            refused.push(RefusedFlag {
                flag: format!("-{name}"),
                why: "is not a flag that gosandbox knows to be harmless for every command"
                    .to_owned(),
                instead: Instead::AllowOr(
                    "give it on the command line, where it is meant for one command only",
                ),
            });
            continue;
        }
        if value.is_none() && (takes_value("test", name) || takes_value("list", name)) {
            return Err(GoFlagsError::NoValue(word));
        }
        // Commands that change go.mod take no -mod; the flag is not theirs to be refused for.
        if name == "mod" && may_change_requirements(command) && value == Some("mod") {
            kept.push(word);
            continue;
        }
        if name == "race" && builds_nothing(command) {
            continue;
        }
        // What the command does is the same without it, or it ends with an error that says what go.mod lacks.
        let is_mod = name == "mod" && value == Some("mod") && !judge.allows("mod", "mod");
        if is_mod && !(vendor && reads_vendor(command)) {
            continue;
        }
        let given = Given {
            name: name.to_owned(),
            value: value.map(Into::into),
        };
        if let Err(error) = judge.check(&[given]) {
            refused.extend(error.refused);
        }
        kept.push(word);
    }
    if refused.is_empty() {
        return Ok(kept);
    }
    Err(FlagError {
        place: judge.place.to_owned(),
        refused,
    }
    .into())
}

/// Whether GOFLAGS holds a `-mod=mod` that is left aside though the command loads packages.
pub fn leaves_mod_aside(text: &str, command: &str, allow: &[String], vendor: bool) -> bool {
    let is_mod = |word: &String| word.trim_start_matches('-') == "mod=mod";
    let has = |words: Vec<String>| words.iter().any(is_mod);
    let kept = filter(text, command, allow, vendor, true).map(has);
    reads_vendor(command) && quoted::split(text).is_ok_and(has) && kept == Ok(false)
}

/// Whether go itself builds nothing for a command, nor anything that the command runs.
fn builds_nothing(command: &str) -> bool {
    const LEFT: [&str; 3] = ["", "generate", "tool"];
    !LEFT.contains(&command) && !race::builds(command)
}

/// Whether a command loads packages, from a vendor folder where there is one.
fn reads_vendor(command: &str) -> bool {
    const LOADS: [&str; 11] = [
        "build", "doc", "fix", "generate", "install", "list", "run", "test", "tool", "vet",
        "mod why",
    ];
    LOADS.contains(&command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_flags_go_on_as_they_are() {
        let text = "-mod=vendor -tags=a,b --trimpath -count=1 -v -buildvcs=false '-ldflags=-s -w -X main.v=1'";
        let kept = filter(text, "build", &[], false, false).expect("kept");
        assert_eq!(
            kept.last().map(String::as_str),
            Some("-ldflags=-s -w -X main.v=1")
        );
        assert_eq!(kept.len(), 7);
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for (text, flag) in [
            ("-toolexec=/tmp/x", "-toolexec"),
            ("-v --exec=/tmp/x", "-exec"),
            ("-vettool=x", "-vettool"),
            ("-overlay=x", "-overlay"),
            ("-modfile=x", "-modfile"),
            ("'-ldflags=-s -extld=/tmp/x'", "-ldflags"),
            ("-race", "-race"),
            ("-o=/tmp/x", "-o"),
            ("-coverprofile=x", "-coverprofile"),
            ("-unheard-of", "-unheard-of"),
        ] {
            match filter(text, "build", &[], true, false) {
                Err(GoFlagsError::Refused(e)) => {
                    let named = e.refused[0].flag.as_str();
                    assert_eq!((named, e.place.as_str()), (flag, "GOFLAGS"))
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_race_detector_goes_on_to_what_builds_with_it() {
        let kept = |command, race| {
            let kept = filter("-v -race", command, &[], false, race);
            kept.map(|words| words.len() == 2)
        };
        for command in ["build", "install", "list", "run", "test", "vet"] {
            assert_eq!(kept(command, true), Ok(true), "{command}");
            assert!(kept(command, false).is_err(), "{command}");
        }
        for command in ["env", "get", "mod tidy", "version", "fmt"] {
            assert_eq!(kept(command, true), Ok(false), "{command}");
            assert_eq!(kept(command, false), Ok(false), "{command}");
        }
        // What they run builds in the program cage.
        for command in ["", "generate", "tool"] {
            assert!(kept(command, true).is_err(), "{command}");
        }
    }

    #[test]
    fn what_is_no_flag_is_an_error() {
        for text in ["x", "-", "--", "---x", "-=x", "-tags a", "'-tags=a"] {
            assert!(filter(text, "build", &[], false, false).is_err(), "{text}");
        }
    }

    #[test]
    fn mod_mod_is_left_to_commands_that_change_go_mod_and_to_profiles() {
        let kept = |command, allow: &[&str], vendor| {
            let allow: Vec<_> = allow.iter().map(|flag| (*flag).to_owned()).collect();
            filter("-v -mod=mod", command, &allow, vendor, false).map(|words| words.len() == 2)
        };
        for command in ["mod tidy", "get"] {
            assert_eq!(kept(command, &[], true), Ok(true), "{command}");
        }
        for allow in ["-mod", "-mod=mod", "mod=mod", "--mod=mod"] {
            assert_eq!(kept("test", &[allow], true), Ok(true), "{allow}");
        }
        // Left aside, and refused where go would take other files without it.
        for allow in [&[][..], &["-mod=vendor"]] {
            assert_eq!(kept("test", allow, false), Ok(false));
            assert!(kept("test", allow, true).is_err());
        }
        for command in ["version", "env", "help", ""] {
            assert_eq!(kept(command, &[], true), Ok(false), "{command}");
        }
    }

    #[test]
    fn what_is_left_aside_is_told_where_packages_are_loaded() {
        let aside = |text, command, allow: &[String]| leaves_mod_aside(text, command, allow, false);
        assert!(aside("-mod=mod", "build", &[]) && aside("-v --mod=mod", "test", &[]));
        assert!(!aside("-mod=mod", "version", &[]) && !aside("-v", "build", &[]));
        assert!(!aside("-mod=mod", "get", &[]));
        assert!(!aside("-mod=mod", "build", &["-mod=mod".to_owned()]));
    }
}
