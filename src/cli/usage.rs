//! Why a command line makes no sense, and what to write instead.

use crate::profile::Problem;
use crate::refusal::{Code, Help, Refuse};

/// What a newcomer tries first.
const EXAMPLES: [&str; 4] = [
    "gosandbox go test ./...       # tests that you did not write",
    "gosandbox go build -o app .   # the same bytes as without gosandbox",
    "gosandbox doctor              # what this machine can enforce",
    "gosandbox --help",
];

/// Why a command line makes no sense.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the message says what each field is
pub enum UsageError {
    #[error("{0}")]
    Syntax(lexopt::Error),
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
    #[error("there is no command")]
    NoCommand,
    #[error("`{word}` is neither go nor a subcommand{hint}")]
    NeedsDashes {
        word: String,
        hint: String,
        help: Help,
    },
    #[error("this version of gosandbox does not have `{name}`")]
    Later { name: &'static str },
    #[error("`{sub}` takes {arguments}, and was given `{word}`")]
    Argument {
        sub: &'static str,
        arguments: &'static str,
        word: String,
    },
    #[error("`{sub}` needs an argument: gosandbox {sub} {arguments}")]
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

    /// The exit status.
    pub fn status(&self) -> u8 {
        match self {
            UsageError::Misplaced { status, .. } => *status,
            _ => super::REFUSED,
        }
    }
}

impl Refuse for UsageError {
    fn code(&self) -> Code {
        match self {
            UsageError::UnknownOption { .. } => Code::OptionUnknown,
            UsageError::Syntax(_)
            | UsageError::NoValue { .. }
            | UsageError::ExtraValue { .. }
            | UsageError::EmptyValue { .. }
            | UsageError::Twice { .. }
            | UsageError::Value { .. } => Code::OptionValue,
            UsageError::Misplaced { .. } => Code::OptionMisplaced,
            UsageError::NoCommand
            | UsageError::NeedsDashes { .. }
            | UsageError::Later { .. }
            | UsageError::Argument { .. }
            | UsageError::NoArgument { .. } => Code::CommandUnclear,
        }
    }

    fn help(&self) -> Vec<Help> {
        let words = match self {
            UsageError::Misplaced { help, .. } => help.clone(),
            UsageError::NeedsDashes { help, .. } => return vec![help.clone()],
            UsageError::NoCommand => {
                return EXAMPLES.map(|line| Help::Words(line.to_owned())).into();
            }
            UsageError::Later { name } => format!("gosandbox -- {name}"),
            UsageError::Argument { sub: "help", .. } => "gosandbox --help".to_owned(),
            UsageError::Argument { sub, .. } | UsageError::NoArgument { sub, .. } => {
                format!("gosandbox help {sub}")
            }
            _ => return Vec::new(),
        };
        vec![Help::Words(words)]
    }
}
