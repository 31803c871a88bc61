//! argv to [`LowArgs`]: syntax only. Each value is parsed once, into a type that cannot be wrong;
//! no file is looked at.
//!
//! clap's builder takes five times as long in a fresh process (90 µs against 18), before every
//! build, so that it only serves help, the manual page and completions (`help.rs`).

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

pub use super::low::{
    Changes, ChangesAction, Command, Install, LowArgs, Mode, Output, Shell, Verbosity,
};
pub use super::usage::UsageError;

use super::flags::{ALL, FLAGS, Flag, Id, LATER, RUN, SUBS, Sub};
use crate::policy::{Layer, Staging};
use crate::profile::{self, Problem, Selection, nearest};

/// Parses the command line, without the program's own name.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<LowArgs, UsageError> {
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
    profile: Selection,
    directory: Option<PathBuf>,
    overrides: profile::Overrides,
    cache_dir: Option<PathBuf>,
    goroot: Option<PathBuf>,
    stage: Option<Staging>,
    dry_run: bool,
    report: Option<Output>,
    audit_log: Option<PathBuf>,
    all: bool,
    json: bool,
    output: Option<PathBuf>,
    complain: bool,
    install: Option<Install>,
    form: Option<String>,
    verbosity: Verbosity,
    help: bool,
    version: bool,
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
        Err(UsageError::NeedsDashes {
            hint: near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)")),
            word: text.into_owned(),
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
            self.switch(flag.id);
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
                .value(flag.id, text)
                .map_err(|problem| UsageError::Value {
                    flag: flag.shown(),
                    problem,
                }),
        }
    }

    fn switch(&mut self, id: Id) {
        match id {
            Id::BestEffort => self.overrides.best_effort = true,
            Id::DryRun => self.dry_run = true,
            Id::Install => self.install = Some(Install::Load),
            Id::Uninstall => self.install = Some(Install::Remove),
            Id::All => self.all = true,
            Id::Json => self.json = true,
            Id::Verbose => self.verbosity = Verbosity::Verbose,
            Id::Quiet => self.verbosity = Verbosity::Quiet,
            Id::Help => self.help = true,
            Id::Version => self.version = true,
            _ => {}
        }
    }

    fn value(&mut self, id: Id, text: OsString) -> Result<(), Problem> {
        let rules = &mut self.overrides;
        match id {
            Id::Profile => self.profile = Selection::parse(text.as_ref()),
            Id::Directory => self.directory = Some(text.into()),
            Id::ReadOnly => rules.read.push(text.into()),
            Id::ReadWrite => rules.write.push(text.into()),
            Id::AllowHost => rules.allow_host.push(profile::host(&utf8(text)?)?),
            Id::Env => {
                let text = utf8(text)?;
                match text.split_once('=') {
                    Some((name, value)) => {
                        rules.set.push((profile::variable(name)?, value.to_owned()));
                    }
                    None => rules.pass.push(profile::variable(&text)?),
                }
            }
            Id::User => rules.user = Some(profile::user(&utf8(text)?)?),
            Id::CacheDir => self.cache_dir = Some(text.into()),
            Id::Goroot => self.goroot = Some(text.into()),
            Id::Stage => self.stage = Some(staging(&utf8(text)?)?),
            Id::Timeout => rules.timeout = Some(profile::duration(&utf8(text)?)?),
            Id::Memory => rules.memory = Some(profile::size(&utf8(text)?)?),
            Id::Pids => rules.pids = Some(profile::count(&utf8(text)?)?),
            Id::Require => rules.require.push(layer(&utf8(text)?)?),
            Id::Output => self.output = Some(text.into()),
            Id::Mode => self.complain = mode(&utf8(text)?)?,
            Id::Form => self.form = Some(utf8(text)?),
            Id::Report if text == "-" => self.report = Some(Output::Standard),
            Id::Report => self.report = Some(Output::File(text.into())),
            Id::AuditLog => self.audit_log = Some(text.into()),
            _ => {}
        }
        Ok(())
    }

    fn finish(self, command: Option<Vec<OsString>>) -> Result<LowArgs, UsageError> {
        let mode = self.mode(command)?;
        Ok(LowArgs {
            mode,
            profile: self.profile,
            directory: self.directory,
            overrides: self.overrides,
            cache_dir: self.cache_dir,
            goroot: self.goroot,
            stage: self.stage,
            dry_run: self.dry_run,
            report: self.report,
            audit_log: self.audit_log,
            json: self.json,
            output: self.output,
            complain: self.complain,
            install: self.install,
            form: self.form,
            verbosity: self.verbosity,
        })
    }

    fn mode(&self, command: Option<Vec<OsString>>) -> Result<Mode, UsageError> {
        if self.version {
            return Ok(Mode::Version);
        }
        if self.help {
            return Ok(Mode::Help(self.sub.map(|sub| sub.name)));
        }
        let (place, name) = self
            .sub
            .map_or((RUN, "a command"), |sub| (sub.place, sub.name));
        if let Some(flag) = self
            .flags
            .iter()
            .find(|flag| flag.place != ALL && flag.place & place == 0)
        {
            return Err(UsageError::Misplaced {
                flag: flag.shown(),
                place: name,
            });
        }
        match (self.sub, command) {
            (None, command) => {
                let mut words = command.unwrap_or_default().into_iter();
                match words.next().filter(|program| !program.is_empty()) {
                    Some(program) => Ok(Mode::Run(Command {
                        program,
                        arguments: words.collect(),
                    })),
                    None => Err(UsageError::NoCommand),
                }
            }
            (Some(sub), Some(command)) => Err(UsageError::Argument {
                sub: sub.name,
                arguments: "no command",
                word: ["--".into()]
                    .into_iter()
                    .chain(command)
                    .map(|word: OsString| word.to_string_lossy().into_owned())
                    .collect::<Vec<_>>()
                    .join(" "),
            }),
            (Some(sub), None) => self.subcommand(sub),
        }
    }

    fn subcommand(&self, sub: Sub) -> Result<Mode, UsageError> {
        match (sub.name, self.arguments.first().map(String::as_str)) {
            ("changes", action) => self.changes(sub, action),
            ("doctor", _) => Ok(Mode::Doctor),
            ("man", _) => Ok(Mode::Man),
            ("profile", Some(format)) => Ok(Mode::Profile(format.to_owned())),
            ("policy", Some("show")) => Ok(Mode::PolicyShow),
            ("policy", Some("list")) => Ok(Mode::PolicyList),
            ("completions", Some("bash")) => Ok(Mode::Completions(Shell::Bash)),
            ("completions", Some("zsh")) => Ok(Mode::Completions(Shell::Zsh)),
            ("completions", Some("fish")) => Ok(Mode::Completions(Shell::Fish)),
            ("help", None) => Ok(Mode::Help(None)),
            ("help", Some(topic)) if SUBS.iter().any(|one| one.name == topic) => Ok(Mode::Help(
                SUBS.iter().map(|one| one.name).find(|name| *name == topic),
            )),
            (_, Some(word)) => Err(UsageError::Argument {
                sub: sub.name,
                arguments: if sub.name == "help" {
                    "a subcommand"
                } else {
                    sub.arguments
                },
                word: word.to_owned(),
            }),
            (_, None) => Err(UsageError::NoArgument {
                sub: sub.name,
                arguments: sub.arguments,
            }),
        }
    }

    fn changes(&self, sub: Sub, action: Option<&str>) -> Result<Mode, UsageError> {
        let action = match action {
            None | Some("list") => ChangesAction::List,
            Some("show") => ChangesAction::Show,
            Some("apply") => ChangesAction::Apply,
            Some("drop") => ChangesAction::Drop,
            Some(word) => {
                return Err(UsageError::Argument {
                    sub: sub.name,
                    arguments: "list, show, apply or drop",
                    word: word.to_owned(),
                });
            }
        };
        let run = self.arguments.get(1).cloned();
        if self.all && (action != ChangesAction::Drop || run.is_some()) {
            return Err(UsageError::Misplaced {
                flag: "--all".to_owned(),
                place: "changes list, changes show, changes apply or a run",
            });
        }
        let all = self.all;
        Ok(Mode::Changes(Changes { action, run, all }))
    }
}

fn utf8(text: OsString) -> Result<String, Problem> {
    text.string()
        .map_err(|_| Problem("the value is not UTF-8".to_owned()))
}

/// Whether refusals are only logged.
fn mode(text: &str) -> Result<bool, Problem> {
    match text {
        "enforce" => Ok(false),
        "complain" => Ok(true),
        _ => Err(Problem(format!("`{text}` is neither enforce nor complain"))),
    }
}

fn staging(text: &str) -> Result<Staging, Problem> {
    let found = Staging::ALL.into_iter().find(|stage| stage.word() == text);
    found.ok_or_else(|| {
        let words = Staging::ALL.map(Staging::word).join(", ");
        Problem(format!("`{text}` is not one of {words}"))
    })
}

fn layer(text: &str) -> Result<Layer, Problem> {
    Layer::by_need()
        .find(|layer| layer.word() == text)
        .ok_or_else(|| {
            let words: Vec<_> = Layer::by_need().map(|layer| layer.word()).collect();
            Problem(format!("`{text}` is not one of {}", words.join(", ")))
        })
}

#[cfg(test)]
mod tests;
