//! Why a profile cannot be used.

use std::io;
use std::path::PathBuf;

use super::{Key, Origin};

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
    #[error("cannot use profile {}: {why}, so that someone else could loosen it; {remedy}", path.display())]
    Untrusted {
        path: PathBuf,
        why: String,
        remedy: String,
    },
    #[error("there is no profile `{name}`{}; looked for it among the built-in ones{}", did_you_mean(*nearest), places(looked))]
    Unknown {
        name: String,
        nearest: Option<&'static str>,
        looked: Vec<PathBuf>,
    },
    #[error("profile `{name}` is built in, and {} has the same name: rename that file, or use it with `--profile {}`", path.display(), path.display())]
    Shadowed { name: String, path: PathBuf },
    #[error("profile `{name}` is {}, which comes with the source: if you trust it, use it with `--profile {}`", path.display(), path.display())]
    OfSource { name: String, path: PathBuf },
    #[error("cannot extend profile `{name}` at {at}: it extends itself ({})", chain.join(" → "))]
    Loop {
        name: String,
        at: Origin,
        chain: Vec<String>,
    },
    #[error(
        "cannot extend profile `{name}` at {at}: more than {most} profiles stand on each other; put some of them together"
    )]
    Deep {
        name: String,
        at: Origin,
        most: usize,
    },
    #[error("{at}: {message}")]
    Syntax { at: Origin, message: String },
    #[error("{at}: unknown {what} `{name}`{hint}")]
    UnknownKey {
        at: Origin,
        what: &'static str,
        name: String,
        hint: String,
    },
    #[error("{at}: `{key}`: {problem}")]
    Value {
        at: Origin,
        key: String,
        problem: String,
    },
    #[error(
        "{at}: `{key}` {what}, which the profile does not: a file in the work tree can only tighten; {remedy}"
    )]
    Loosens {
        at: Origin,
        key: String,
        what: String,
        remedy: String,
    },
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
