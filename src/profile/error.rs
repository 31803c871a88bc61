//! Why a profile cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use super::{Key, Origin};
use crate::refusal::{Code, Help, Refuse, shell_path};

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the message says what each field is
pub enum Error {
    #[error("cannot read profile {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot use profile {}: {why}", path.display())]
    Unfit { path: PathBuf, why: &'static str },
    #[error("cannot use profile {}: {why}, so that someone else could loosen it", path.display())]
    Untrusted {
        path: PathBuf,
        why: String,
        /// A command that mends it.
        remedy: String,
    },
    #[error("cannot find the profile `{name}`{}: looked for it among the built-in ones{}", did_you_mean(*nearest), places(looked))]
    Unknown {
        name: String,
        nearest: Option<&'static str>,
        looked: Vec<PathBuf>,
    },
    #[error("cannot choose the profile `{name}`: one is built in, and {} has the same name", path.display())]
    Shadowed { name: String, path: PathBuf },
    #[error("cannot use the profile `{name}` by its name: it is {}, which comes with the source", path.display())]
    OfSource { name: String, path: PathBuf },
    #[error("cannot extend profile `{name}` at {at}: it extends itself ({})", chain.join(" → "))]
    Loop {
        name: String,
        at: Origin,
        chain: Vec<String>,
    },
    #[error(
        "cannot extend profile `{name}` at {at}: more than {most} profiles stand on each other"
    )]
    Deep {
        name: String,
        at: Origin,
        most: usize,
    },
    #[error("cannot read the profile at {at}: {message}")]
    Syntax { at: Origin, message: String },
    #[error("cannot use the profile at {at}: unknown {what} `{name}`{hint}")]
    UnknownKey {
        at: Origin,
        what: &'static str,
        name: String,
        hint: String,
    },
    #[error("cannot use the profile at {at}: `{key}`: {problem}")]
    Value {
        at: Origin,
        key: String,
        problem: String,
    },
    #[error(
        "cannot use {at}: `{key}` {what}, which the profile does not: a file in the work tree can only tighten"
    )]
    Loosens {
        at: Origin,
        key: String,
        what: String,
        /// The option that says the same.
        flag: Option<&'static str>,
    },
}

impl Refuse for Error {
    fn code(&self) -> Code {
        match self {
            Error::Read { .. } | Error::Unfit { .. } => Code::ProfileUnreadable,
            Error::Untrusted { .. } | Error::Shadowed { .. } | Error::OfSource { .. } => {
                Code::ProfileUntrusted
            }
            Error::Unknown { .. } => Code::ProfileUnknown,
            Error::Loop { .. } | Error::Deep { .. } => Code::ProfileLoop,
            Error::Syntax { .. } | Error::UnknownKey { .. } | Error::Value { .. } => {
                Code::ProfileInvalid
            }
            Error::Loosens { .. } => Code::ProfileLoosens,
        }
    }

    fn help(&self) -> Vec<Help> {
        let profile = |path: &Path| Help::Option(format!("--profile {}", shell_path(path)));
        match self {
            Error::Read { path, .. } | Error::Unfit { path, .. } => {
                vec![Help::Words(format!("ls -l {}", shell_path(path)))]
            }
            Error::Untrusted { remedy, .. } => vec![Help::Words(remedy.clone())],
            Error::Shadowed { path, .. } | Error::OfSource { path, .. } => vec![profile(path)],
            Error::Unknown { nearest, .. } => {
                let near = nearest.map(|name| Help::Option(format!("--profile {name}")));
                let list = Help::Words("gosandbox policy list".to_owned());
                near.into_iter().chain([list]).collect()
            }
            // The source has written it: no command to paste makes it the caller's own profile.
            Error::Loosens { flag, key, .. } => {
                let or = flag.unwrap_or("a profile of your own");
                vec![Help::Words(format!(
                    "take `{key}` out of {}, and say it with {or}",
                    super::TREE_FILE
                ))]
            }
            _ => Vec::new(),
        }
    }
}

impl Error {
    pub(super) fn value(at: Origin, key: Key, problem: impl ToString) -> Error {
        Error::Value {
            at,
            key: key.to_string(),
            problem: problem.to_string(),
        }
    }
}

pub(super) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |word| format!(" (did you mean `{word}`?)"))
}

fn places(looked: &[PathBuf]) -> String {
    looked
        .iter()
        .map(|path| format!(", {}", path.display()))
        .collect()
}
