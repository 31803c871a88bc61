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
    #[error("`{flag}` does not go with `{place}`")]
    Misplaced { flag: String, place: &'static str },
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
