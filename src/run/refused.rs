//! What an error refuses: its code, and what helps.

use crate::gateway;
use crate::generate;
use crate::go::command::CommandError;
use crate::go::environment::EnvironmentError;
use crate::go::select::SelectError;
use crate::go::toolchain::ToolchainError;
use crate::go::workspace::WorkspaceError;
use crate::launch;
use crate::refusal::{Code, Refuse, Refused};
use crate::{changes, plan, profile};

/// The refusal that an error is, with its whole message. One that no room has given a code is the
/// system's.
pub fn refused(error: &anyhow::Error) -> Refused {
    let found = error.downcast_ref::<Refused>().cloned();
    let found = found.or_else(|| known(error));
    let found = found.unwrap_or_else(|| Refused::new(Code::SystemError, ""));
    found.saying(in_words(error))
}

/// The message of an error and its causes, except one that the message before ends with.
fn in_words(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// That of a typed error, in any context.
fn known(error: &anyhow::Error) -> Option<Refused> {
    fn of<E: Refuse + Send + Sync + 'static>(error: &anyhow::Error) -> Option<Refused> {
        error.downcast_ref::<E>().map(Refused::of)
    }
    let kinds: [fn(&anyhow::Error) -> Option<Refused>; 15] = [
        of::<CommandError>,
        of::<EnvironmentError>,
        of::<SelectError>,
        of::<ToolchainError>,
        of::<WorkspaceError>,
        of::<profile::Error>,
        of::<plan::inputs::Error>,
        of::<generate::Error>,
        of::<changes::Error>,
        of::<gateway::Error>,
        of::<launch::Error>,
        of::<launch::gate::NoGate>,
        of::<launch::wrapper::Error>,
        of::<launch::streams::Error>,
        of::<super::NotFound>,
    ];
    kinds.iter().find_map(|of| of(error))
}

/// The exit status of what was refused (as of env(1): 125 to 127).
pub fn status(code: Code) -> u8 {
    match code {
        Code::NotFound => 127,
        Code::NotExecutable => 126,
        _ => 125,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_refusal_is_found_in_every_context_and_keeps_the_whole_message() {
        let inner = Refused::new(Code::CacheRefused, "it holds ~/x").option("--cache-dir /c");
        let outer = Err::<(), _>(inner).context("cannot use the cache /x");
        let found = refused(&outer.unwrap_err());
        assert_eq!(found.code(), Code::CacheRefused);
        assert_eq!(found.message(), "cannot use the cache /x: it holds ~/x");
        assert_eq!(found.remedies(), ["--cache-dir /c"]);

        let typed = launch::Error::Execute {
            path: "/x".into(),
            errno: libc::EACCES,
        };
        let found = refused(&anyhow::Error::from(typed).context("cannot go on"));
        assert_eq!(found.code(), Code::NotExecutable);

        let plain = std::io::Error::from_raw_os_error(libc::EIO);
        let found = refused(&anyhow::Error::from(plain).context("cannot read"));
        assert_eq!(found.code(), Code::SystemError);
        assert!(!found.help().is_empty());
    }
}
