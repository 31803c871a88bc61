//! Why a command line makes no sense, and what to write instead.

use crate::profile::Problem;

/// Why a command line makes no sense.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the message says what each field is
pub enum UsageError {
    #[error("cannot read the command line")]
    Syntax(#[source] lexopt::Error),
    #[error("unknown option `{name}`{hint}; an option of the command goes after `--`")]
    UnknownOption { name: String, hint: String },
    #[error("`{flag}` needs a value: {flag} {value}")]
    NoValue { flag: String, value: &'static str },
    #[error("`{flag}` takes no value, and was given `{value}`")]
    ExtraValue { flag: String, value: String },
    #[error("`{flag}` is empty: {flag} {value}")]
    EmptyValue { flag: String, value: &'static str },
    #[error("`{flag}` is given twice")]
    Twice { flag: String },
    #[error("`{flag}`: {problem}")]
    Value { flag: String, problem: Problem },
    #[error("{flags} not go with `{place}`")]
    Misplaced {
        /// With the verb: `` `--a`, `--b` do``.
        flags: String,
        place: &'static str,
        help: String,
        status: u8,
    },
    #[error(
        "no command: write `gosandbox -- COMMAND`, as in `gosandbox -- go build ./...`; `gosandbox --help` shows the options"
    )]
    NoCommand,
    #[error(
        "`{word}` is neither go nor a subcommand{hint}: to run it in the cage, write `gosandbox -- {word}`"
    )]
    NeedsDashes { word: String, hint: String },
    #[error(
        "this version of gosandbox does not have `{name}`; to run a program of that name, write `gosandbox -- {name}`"
    )]
    Later { name: &'static str },
    #[error("`{sub}` takes {arguments}, and was given `{word}`")]
    Argument {
        sub: &'static str,
        arguments: &'static str,
        word: String,
    },
    #[error(
        "`{sub}` needs an argument: gosandbox {sub} {arguments}; `gosandbox help {sub}` says what there is"
    )]
    NoArgument {
        sub: &'static str,
        arguments: &'static str,
    },
}

impl UsageError {
    /// The options that do not go with a form of the command line.
    pub fn misplaced(
        flags: &[String],
        place: &'static str,
        help: String,
        status: u8,
    ) -> UsageError {
        let quoted: Vec<_> = flags.iter().map(|flag| format!("`{flag}`")).collect();
        let verb = if flags.len() == 1 { "does" } else { "do" };
        UsageError::Misplaced {
            flags: format!("{} {verb}", quoted.join(", ")),
            place,
            help,
            status,
        }
    }

    /// What to write instead, where the message does not say it.
    pub fn help(&self) -> Option<&str> {
        match self {
            UsageError::Misplaced { help, .. } => Some(help),
            _ => None,
        }
    }

    /// The exit status.
    pub fn status(&self) -> u8 {
        match self {
            UsageError::Misplaced { status, .. } => *status,
            _ => super::REFUSED,
        }
    }
}
