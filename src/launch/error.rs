//! Why a run did not start, or could not be looked after; and how that is told to the launcher.

use std::io;
use std::path::PathBuf;

use super::message::Message;
use crate::enforce;
use crate::enforce::self_check::Unreachable;
use crate::enforce::staged::CannotStage;
use crate::plan::Plan;
use crate::policy::Layer;

/// A run that did not start, or could not be looked after.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A layer could not be put in force; nothing was executed.
    #[error("cannot {action}: {}", io::Error::from_raw_os_error(*errno))]
    Layer {
        /// Which.
        layer: Layer,
        /// What was being done.
        action: String,
        /// The error number.
        errno: i32,
    },
    /// The host cannot stage the work tree; nothing was executed.
    #[error("cannot {action}: {}", io::Error::from_raw_os_error(*errno))]
    NotStaged {
        /// What was being done.
        action: String,
        /// The error number.
        errno: i32,
    },
    /// What is granted by name cannot be used inside; nothing was executed.
    #[error("cannot grant {}: inside it gives: {}", path.display(), io::Error::from_raw_os_error(*errno))]
    NotGranted {
        /// The path.
        path: PathBuf,
        /// The error number.
        errno: i32,
    },
    /// The command could not be executed.
    #[error("cannot execute {}: {}", path.display(), io::Error::from_raw_os_error(*errno))]
    Execute {
        /// The file.
        path: PathBuf,
        /// The error number.
        errno: i32,
    },
    /// The launcher itself failed.
    #[error("cannot {action}")]
    Launcher {
        /// What was being done.
        action: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A file or folder that the command is to write cannot be made.
    #[error("cannot make {} for the command: {source}", path.display())]
    Output {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Init ended before the command started, and said nothing.
    #[error(
        "cannot start the sandbox: its init ended before the command started, with status {status}"
    )]
    InitLost {
        /// Its exit status.
        status: i32,
    },
}

impl Error {
    /// Whether the host refuses namespaces or the mount view, so that another plan may do.
    pub fn is_about_namespaces(&self) -> bool {
        let refusals = [
            libc::EPERM,
            libc::EACCES,
            libc::ENOSYS,
            libc::EINVAL,
            libc::ENOSPC,
            libc::EUSERS,
        ];
        matches!(
            self,
            Error::Layer { layer: Layer::Namespaces, errno, .. }
                if refusals.contains(errno)
        )
    }

    /// Whether the host refuses the supervisor that the plan has, so that a plan without may do.
    pub fn is_about_supervision(&self, plan: &Plan) -> bool {
        let seccomp = Layer::Seccomp;
        plan.supervision.is_some()
            && matches!(self, Error::Layer { layer, .. } if *layer == seccomp)
    }

    pub(super) fn layer(error: enforce::Error) -> Error {
        let (action, errno) = in_words(&error);
        Error::Layer {
            layer: error.layer,
            action,
            errno,
        }
    }

    pub(super) fn launcher(action: impl Into<String>, source: impl Into<io::Error>) -> Error {
        Error::Launcher {
            action: action.into(),
            source: source.into(),
        }
    }
}

/// Puts a failed layer into words for the launcher.
pub(super) fn failed(error: &enforce::Error) -> Message {
    if let Some(errno) = CannotStage::errno(&error.source) {
        let action = error.action.clone();
        return Message::NotStaged { action, errno };
    }
    if let Some(errno) = Unreachable::errno(&error.source) {
        let path = error.action.clone();
        return Message::NotGranted { path, errno };
    }
    let (action, errno) = in_words(error);
    Message::Failed {
        layer: error.layer,
        action,
        errno,
    }
}

/// What was being done, and the error number.
fn in_words(error: &enforce::Error) -> (String, i32) {
    let cause = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source()).last();
    let errno = error.source.raw_os_error();
    let action = match (errno, cause) {
        (None, Some(cause)) => format!("{}: {cause}", error.action),
        _ => error.action.clone(),
    };
    (action, errno.unwrap_or(libc::EPERM))
}
