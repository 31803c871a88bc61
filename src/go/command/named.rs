//! Programs that flags of the go command name, for it to execute: the profile has let these flags through.

use std::ffi::OsString;

use crate::go::flags::Parsed;
use crate::go::quoted;

/// A flag that names a program.
struct Flag {
    name: &'static str,
    /// Whether arguments may follow the program, in Go's quotes.
    has_arguments: bool,
    /// The commands that have it. In GOFLAGS it means nothing for others.
    commands: &'static [&'static str],
}

const FLAGS: [Flag; 4] = [
    Flag {
        name: "toolexec",
        has_arguments: true,
        commands: &[
            "build", "fix", "install", "list", "run", "test", "tool", "vet",
        ],
    },
    Flag {
        name: "exec",
        has_arguments: true,
        commands: &["run", "test"],
    },
    Flag {
        name: "vettool",
        has_arguments: false,
        commands: &["vet"],
    },
    Flag {
        name: "fixtool",
        has_arguments: false,
        commands: &["fix"],
    },
];

/// The programs that a command line names, as written. `flags`: those of GOFLAGS as well.
pub(super) fn programs(command: &str, flags: &Parsed) -> Vec<OsString> {
    let known = FLAGS.iter().filter(|flag| flag.commands.contains(&command));
    known
        .filter_map(|flag| {
            let given = flags.value(flag.name)?;
            let program = match flag.has_arguments {
                true => quoted::split(given.to_str()?)
                    .ok()?
                    .into_iter()
                    .next()?
                    .into(),
                false => given.to_owned(),
            };
            Some(program).filter(|program| !program.is_empty())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::flags;

    fn named(command: &str, words: &[&str], goflags: &str) -> Vec<OsString> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        programs(command, &flags::parse_with(command, &words, goflags))
    }

    #[test]
    fn each_flag_names_its_program_for_the_commands_that_have_it() {
        for (command, words, goflags, programs) in [
            ("build", &["-toolexec", "/x/a -v"][..], "", &["/x/a"][..]),
            ("build", &["-toolexec='/x/a b' -v", "."], "", &["/x/a b"]),
            (
                "test",
                &["-exec=qemu -L /", "-toolexec=time"],
                "",
                &["time", "qemu"],
            ),
            ("test", &["-c", "-exec=qemu"], "-toolexec=x", &["x", "qemu"]),
            ("vet", &["-vettool=/a b"], "", &["/a b"]),
            ("fix", &["-fixtool", "x"], "", &["x"]),
            ("build", &["-toolexec="], "-toolexec=x", &[]),
            ("build", &["."], "-v '-toolexec=x y'", &["x"]),
            ("mod tidy", &[], "-toolexec=x", &[]),
            ("env", &[], "-toolexec=x", &[]),
            ("build", &[], "-exec=x -vettool=x", &[]),
            ("build", &["-toolexec='x"], "", &[]),
            // What follows the package is the program's own.
            ("run", &[".", "-exec=x"], "", &[]),
            ("test", &[".", "-args", "-exec=x"], "", &[]),
        ] {
            let expected: Vec<OsString> = programs.iter().map(OsString::from).collect();
            assert_eq!(
                named(command, words, goflags),
                expected,
                "{command} {words:?}"
            );
        }
    }
}
