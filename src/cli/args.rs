//! argv to a [`Request`]: syntax only. Each value is parsed once, into a type that cannot be wrong;
//! no file is looked at.
//!
//! clap's builder takes five times as long in a fresh process (90 µs against 18), before every
//! build, so that it only serves help, the manual page and completions (`help.rs`).

use std::ffi::{OsStr, OsString};

use lexopt::{Arg, Parser};

mod request;
mod values;

pub use super::low::{
    AuditArgs, Auto, CacheArgs, ChangesAction, ChangesArgs, Ci, Command, DoctorArgs, FailOn,
    FindingsArgs, FindingsForm, InitArgs, Mending, Output, PolicyListArgs, PolicyShowArgs,
    ProfileArgs, Request, RunArgs, Shell, ShimAction, ShimArgs, SiteArgs, UninstallArgs, Verbosity,
};
pub use super::usage::UsageError;

use self::values::Values;
use super::flags::{FLAGS, Flag, LATER, SUBS, Sub};
use crate::go::command::COMMANDS;
use crate::profile::nearest;
use crate::refusal::Help;

/// Parses the command line, without the program's own name.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Request, UsageError> {
    let mut parser = Parser::from_args(argv);
    let mut found = Found::default();
    let command = loop {
        if let Some(mut raw) = parser.try_raw_args()
            && raw.peek() == Some(OsStr::new("--"))
        {
            raw.next();
            break Some(raw.collect::<Vec<_>>());
        }
        let Some(arg) = parser.next().map_err(UsageError::Syntax)? else {
            break None;
        };
        let long = matches!(arg, Arg::Long(_));
        let flag = match arg {
            Arg::Short(short) => find(|flag| flag.short == Some(short))
                .ok_or_else(|| unknown(format!("-{short}"), "")),
            Arg::Long(long) => find(|flag| !long.is_empty() && flag.long == long)
                .ok_or_else(|| unknown(format!("--{long}"), long)),
            Arg::Value(word) => {
                if found.sub.is_none() && word == "go" {
                    let rest = parser.try_raw_args().into_iter().flatten();
                    break Some([word].into_iter().chain(rest).collect());
                }
                found.word(&word)?;
                continue;
            }
        }?;
        found.option(flag, long, &mut parser)?;
    };
    found.finish(command)
}

fn find(matches: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
    // A constant has no address of its own; this one place gives it one.
    static TABLE: &[Flag] = &FLAGS;
    TABLE.iter().find(|flag| matches(flag))
}

fn unknown(name: String, long: &str) -> UsageError {
    let words = FLAGS
        .iter()
        .map(|flag| flag.long)
        .filter(|long| !long.is_empty());
    let hint = nearest(long, words).filter(|_| !long.is_empty());
    UsageError::UnknownOption {
        name,
        hint: hint.map_or_else(String::new, |near| format!(" (did you mean `--{near}`?)")),
    }
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    sub: Option<Sub>,
    arguments: Vec<String>,
    flags: Vec<&'static Flag>,
    values: Values,
}

impl Found {
    /// Takes a word that is no option: a subcommand, or its argument.
    fn word(&mut self, word: &OsStr) -> Result<(), UsageError> {
        let text = word.to_string_lossy();
        if let Some(sub) = self.sub {
            let most = sub.arguments.split_whitespace().count();
            if self.arguments.len() >= most {
                return Err(UsageError::Argument {
                    sub: sub.name,
                    arguments: match most {
                        0 => "no argument",
                        1 => "one argument",
                        _ => "two arguments",
                    },
                    word: text.into_owned(),
                });
            }
            self.arguments.push(text.into_owned());
            return Ok(());
        }
        if let Some(name) = LATER.into_iter().find(|name| *name == text) {
            return Err(UsageError::Later { name });
        }
        self.sub = SUBS.into_iter().find(|sub| sub.name == text);
        if self.sub.is_some() {
            return Ok(());
        }
        // Short words are near to everything: `make` is not a misspelt `man`.
        let near = nearest(&text, SUBS.iter().map(|sub| sub.name)).filter(|_| text.len() > 4);
        let (meant, help) = match near {
            _ if COMMANDS.contains(&&*text) => {
                let meant = format!("gosandbox go {text}");
                (Some(meant), Help::Before("go".to_owned()))
            }
            Some(near) => {
                let help = Help::Words(format!("gosandbox {near}"));
                (Some(near.to_owned()), help)
            }
            None => (None, Help::Before("--".to_owned())),
        };
        Err(UsageError::NeedsDashes {
            hint: meant.map_or_else(String::new, |meant| format!(" (did you mean `{meant}`?)")),
            word: text.into_owned(),
            help,
        })
    }

    /// Takes an option, and its value if it has one.
    fn option(
        &mut self,
        flag: &'static Flag,
        long: bool,
        parser: &mut Parser,
    ) -> Result<(), UsageError> {
        if !flag.repeats && self.flags.iter().any(|one| one.id == flag.id) {
            return Err(UsageError::Twice { flag: flag.shown() });
        }
        self.flags.push(flag);
        let Some(value) = flag.value else {
            // After a short option, what follows are more of them: `-vq`.
            if long && let Some(value) = parser.optional_value() {
                return Err(UsageError::ExtraValue {
                    flag: flag.shown(),
                    value: value.to_string_lossy().into_owned(),
                });
            }
            self.values.switch(flag.id);
            return Ok(());
        };
        // `--profile -- go build` forgot the value: `--` is never one.
        let forgotten = parser
            .try_raw_args()
            .is_some_and(|raw| raw.peek() == Some(OsStr::new("--")));
        let text = if forgotten { None } else { parser.value().ok() };
        match text {
            None => Err(UsageError::NoValue {
                flag: flag.shown(),
                value,
            }),
            Some(text) if text.is_empty() => Err(UsageError::EmptyValue {
                flag: flag.shown(),
                value,
            }),
            Some(text) => self
                .values
                .value(flag.id, text)
                .map_err(|problem| UsageError::Value {
                    flag: flag.shown(),
                    problem,
                }),
        }
    }
}

#[cfg(test)]
mod tests;
