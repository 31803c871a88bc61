//! Why a stage cannot be worked on.

use std::io;
use std::path::PathBuf;

use crate::refusal::{Code, Help, Refuse};

/// Why a stage cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("cannot {action}: {cause}")]
    System {
        /// What was to be done.
        action: String,
        /// Why it was not.
        #[source]
        cause: io::Error,
    },
    /// Another process works on the stage.
    #[error("cannot use the changes of run {run}: the run has not ended")]
    Running {
        /// The run.
        run: String,
    },
    /// The record is not one.
    #[error("cannot read {}: {cause}", path.display())]
    Record {
        /// The record's file.
        path: PathBuf,
        /// Why it is none.
        cause: String,
    },
    /// The work tree has been exchanged.
    #[error(
        "cannot use the changes for {}: the folder is not the one that the run began with",
        tree.display()
    )]
    OtherTree {
        /// The work tree.
        tree: PathBuf,
    },
    /// Root may not do it.
    #[error("cannot use the changes of run {run} as root: they are to be applied as user {uid}")]
    Identity {
        /// The run.
        run: String,
        /// The user that applies them.
        uid: u32,
    },
    /// The program has written more names than are worked on.
    #[error("cannot list the changes: there are more than {limit}")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The process that works as the work tree's owner has failed.
    #[error("cannot work in the work tree as user {uid}: {cause}")]
    Owner {
        /// The user.
        uid: u32,
        /// Why.
        cause: String,
    },
}

impl Refuse for Error {
    fn code(&self) -> Code {
        match self {
            Error::System { .. } | Error::Owner { .. } => Code::SystemError,
            Error::Running { .. } => Code::ChangesInUse,
            Error::Record { .. } => Code::ChangesUnreadable,
            Error::OtherTree { .. } => Code::ChangesOfOtherTree,
            Error::Identity { .. } => Code::ChangesOfOtherUser,
            Error::TooMany { .. } => Code::ChangesTooMany,
        }
    }

    fn help(&self) -> Vec<Help> {
        let words = |text: String| vec![Help::Words(text)];
        match self {
            Error::Identity { run, uid } => words(format!(
                "setpriv --reuid {uid} --clear-groups gosandbox changes apply {run}"
            )),
            _ => Vec::new(),
        }
    }
}

/// Says what was to be done where a system call fails.
pub(super) trait Doing<T> {
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|cause| Error::System {
            action: action(),
            cause: cause.into(),
        })
    }
}
