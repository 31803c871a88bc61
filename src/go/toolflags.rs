//! What `-ldflags`, `-gcflags` and `-asmflags` may carry into Go's own tools.
//!
//! An allowlist a tool, read from `cmd/link`, `cmd/compile` and `cmd/asm` of Go 1.26: flags that
//! name a program, write a file or hand the link to a C toolchain are not on it.

use thiserror::Error;

use super::quoted::{self, QuoteError};
use super::visible;

/// A tool that the go command passes flags to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `-ldflags`
    Link,
    /// `-gcflags`
    Compile,
    /// `-asmflags`
    Asm,
}

/// Why a value is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ToolFlagError {
    /// The quoting does not hold.
    #[error("{0}")]
    Quote(#[from] QuoteError),
    /// A flag that runs a program, writes a file or needs a C toolchain.
    #[error("{} {why}", visible(flag))]
    Refused {
        /// The flag inside the value.
        flag: String,
        /// What it would do.
        why: &'static str,
    },
}

/// Flags without a value, or with one only after `=`.
const LINK_PLAIN: &[&str] = &[
    "a",
    "aslr",
    "bindnow",
    "c",
    "checklinkname",
    "compressdwarf",
    "d",
    "debugnosplit",
    "dumpdep",
    "e",
    "f",
    "g",
    "h",
    "n",
    "pruneweakmap",
    "s",
    "v",
    "w",
];
const LINK_VALUE: &[&str] = &[
    "B",
    "D",
    "E",
    "H",
    "I",
    "R",
    "T",
    "X",
    "buildid",
    "debugtextsize",
    "debugtramp",
    // Read by the external linker alone, which does not run without cgo.
    "extldflags",
    "funcalign",
    "k",
    "linkmode",
    "memprofilerate",
    "r",
    "randlayout",
    "strictdups",
];
const COMPILE_PLAIN: &[&str] = &[
    "%",
    "B",
    "C",
    "E",
    "K",
    "L",
    "N",
    "S",
    "W",
    "clobberdead",
    "clobberdeadreg",
    "dwarf",
    "dwarfbasentries",
    "dwarflocationlists",
    "e",
    "errorurl",
    "h",
    "j",
    "l",
    "live",
    "m",
    "nolocalimports",
    "r",
    "smallframes",
    "t",
    "v",
    "w",
    "wb",
];
const COMPILE_VALUE: &[&str] = &[
    "I",
    "c",
    "d",
    "gendwarfinl",
    "lang",
    "memprofilerate",
    "spectre",
    "trimpath",
];
const ASM_PLAIN: &[&str] = &["S", "debug", "e", "v"];
const ASM_VALUE: &[&str] = &["D", "I", "d", "spectre", "trimpath"];

/// Judges `value`, the value of the go command's flag for `tool`: `[PATTERN=]FLAG…`.
pub fn check(tool: Tool, value: &str) -> Result<(), ToolFlagError> {
    let value = value.trim();
    // As PerPackageFlag.Set: a value that does not begin with a dash has a pattern in front.
    let list = match value.split_once('=') {
        Some((_, list)) if !value.starts_with('-') => list,
        _ => value,
    };
    let words = quoted::split(list)?;
    // The tools read more flags from a file wherever a word begins with @.
    if let Some(word) = words.iter().find(|w| w.starts_with('@')) {
        return Err(refused(word, "reads flags from a file"));
    }
    let (plain, valued) = match tool {
        Tool::Link => (LINK_PLAIN, LINK_VALUE),
        Tool::Compile => (COMPILE_PLAIN, COMPILE_VALUE),
        Tool::Asm => (ASM_PLAIN, ASM_VALUE),
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(flag) = word
            .strip_prefix("--")
            .or_else(|| word.strip_prefix('-'))
            .filter(|f| !f.is_empty())
        else {
            return Err(refused(word, "is not a flag"));
        };
        let (name, inline) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        let value = if plain.contains(&name) {
            inline
        } else if valued.contains(&name) {
            inline.or_else(|| words.next().map(String::as_str))
        } else {
            return Err(refused(&format!("-{name}"), why(tool, name)));
        };
        check_value(tool, name, value.unwrap_or_default())?;
    }
    Ok(())
}

fn check_value(tool: Tool, name: &str, value: &str) -> Result<(), ToolFlagError> {
    match (tool, name) {
        (Tool::Link, "linkmode") if value != "internal" && value != "auto" => Err(refused(
            &format!("-linkmode={value}"),
            "runs a C linker, which the sandbox does not have",
        )),
        (Tool::Compile, "d") if value.contains("dump") => {
            Err(refused(&format!("-d={value}"), "writes files"))
        }
        _ => Ok(()),
    }
}

fn refused(flag: &str, why: &'static str) -> ToolFlagError {
    ToolFlagError::Refused {
        flag: flag.to_owned(),
        why,
    }
}

fn why(tool: Tool, name: &str) -> &'static str {
    match (tool, name) {
        (Tool::Link, "extld" | "extar") => "runs a program",
        (Tool::Link, "libgcc") => "is for a C linker, which the sandbox does not have",
        (_, "race" | "msan" | "asan") => "needs cgo, which is off in the sandbox",
        (
            _,
            "o" | "cpuprofile" | "memprofile" | "blockprofile" | "mutexprofile" | "traceprofile"
            | "bench" | "json" | "asmhdr" | "linkobj" | "benchmarkprofile" | "benchmark"
            | "capturehostobjs" | "tmpdir" | "fipso",
        ) => "writes a file of its choice",
        _ => "is not a flag that gosandbox knows to be harmless",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyday_values_pass() {
        for (tool, value) in [
            (Tool::Link, ""),
            (Tool::Link, "-s -w"),
            (Tool::Link, "-X main.version=1.2 -X 'main.date=a b'"),
            (Tool::Link, "all=-s -w -buildid="),
            (Tool::Link, "-X=main.v=-extld=cc"),
            (Tool::Link, "-X -extld=cc"),
            (Tool::Link, "-linkmode=internal"),
            (Tool::Link, "-s -w -extldflags '-static -fpic'"),
            (Tool::Link, "all=-extldflags=-static"),
            (Tool::Compile, "all=-N -l"),
            (Tool::Compile, "-m=2 -d=ssa/check/on"),
            (Tool::Compile, "-trimpath=/home/x"),
            (Tool::Asm, "all=-trimpath=/home/x -D FOO=1"),
        ] {
            assert_eq!(check(tool, value), Ok(()), "{value}");
        }
    }

    #[test]
    fn values_that_run_or_write_are_refused_by_name() {
        for (tool, value, name) in [
            (Tool::Link, "-extld=/tmp/x", "-extld"),
            (Tool::Link, "-s --extld /tmp/x", "-extld"),
            (
                Tool::Link,
                "-linkmode=external -extldflags=-static",
                "-linkmode=external",
            ),
            (Tool::Link, "-extldflags=-static -extld=cc", "-extld"),
            (Tool::Link, "-linkmode=external", "-linkmode=external"),
            (Tool::Link, "-linkmode external", "-linkmode=external"),
            (Tool::Link, "@/tmp/flags", "@/tmp/flags"),
            (Tool::Link, "-X @/tmp/flags", "@/tmp/flags"),
            (Tool::Link, "-cpuprofile=/tmp/x", "-cpuprofile"),
            (Tool::Link, "stray", "stray"),
            (Tool::Compile, "-json=0,file:///tmp/x", "-json"),
            (
                Tool::Compile,
                "-d=dumpinlfuncprops=/tmp/x",
                "-d=dumpinlfuncprops=/tmp/x",
            ),
            (Tool::Asm, "-o=/tmp/x", "-o"),
        ] {
            match check(tool, value) {
                Err(ToolFlagError::Refused { flag, .. }) => assert_eq!(flag, name),
                other => panic!("{value}: {other:?}"),
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_value_panics(value in "[-=@'\" a-zA-Z%]{0,24}") {
            for tool in [Tool::Link, Tool::Compile, Tool::Asm] {
                let _ = check(tool, &value);
            }
        }

        #[test]
        fn plain_flags_in_front_hide_nothing(front in proptest::collection::vec(proptest::sample::select(vec!["-s", "-w", "-X a=b", "-B gobuildid", "-v"]), 0..5)) {
            let value = format!("{} -extld=/x", front.join(" "));
            proptest::prop_assert!(check(Tool::Link, &value).is_err());
        }
    }
}
