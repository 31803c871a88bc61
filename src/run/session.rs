//! What the caller's environment and account say.

use std::cell::{OnceCell, RefCell};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::request::start_folder;
use super::{Console, Request};
use crate::go::goenv;
use crate::go::trust::Trust;
use crate::host::Host;

/// What the caller's environment and account say, read once.
pub struct Session<'a> {
    pub(super) request: &'a Request,
    pub(super) console: &'a dyn Console,
    /// The run's name: of its folders and in logs.
    pub(super) run: String,
    pub(super) host: Host,
    pub(super) environment: Vec<(OsString, OsString)>,
    /// What `go env -w` has written, read when it is first asked for.
    pub(super) written: OnceCell<Vec<(String, String)>>,
    pub(super) home: Option<PathBuf>,
    pub(super) folder: PathBuf,
    /// The C compiler, for a run of the launcher's own that compiles Go's own packages.
    pub(super) compiler: Option<&'a Path>,
    /// Marks caches as in use for as long as the run lasts.
    pub(super) held: RefCell<Vec<OwnedFd>>,
}

impl<'a> Session<'a> {
    pub(super) fn open(
        request: &'a Request,
        console: &'a dyn Console,
        run: String,
    ) -> anyhow::Result<Session<'a>> {
        let host = Host::probe();
        let environment = first_mentions(std::env::vars_os());
        let home = std::env::var_os("HOME")
            .map(PathBuf::from)
            .filter(|home| home.is_absolute());
        let home = home.or_else(|| Some(crate::host::accounts::by_uid(host.uid)?.home));
        Ok(Session {
            request,
            console,
            run,
            host,
            environment,
            written: OnceCell::new(),
            home,
            folder: start_folder(request.directory.as_deref())?,
            compiler: None,
            held: RefCell::default(),
        })
    }

    /// A variable of the caller's that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&OsString> {
        let found = self.environment.iter().find(|(n, _)| n == name);
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    }

    /// A variable of the caller's, else what `go env -w` has written to the caller's own file. Only
    /// for where caches lie: nothing else of that file is put in force.
    pub(super) fn go_variable(&self, name: &str) -> Option<OsString> {
        if let Some(value) = self.variable(name) {
            return Some(value.clone());
        }
        self.written
            .get_or_init(|| goenv::written(&self.environment))
            .iter()
            .find(|(n, v)| n == name && !v.is_empty())
            .map(|(_, value)| value.into())
    }

    pub(super) fn trust(&self) -> Trust<'static> {
        Trust::new(self.host.uid, self.host.gid)
    }
}

/// An environment without what is in it twice: go and libc take the first, and a shell would take the last. What
/// is judged here is what go gets.
fn first_mentions(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<_> = variables.collect();
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    variables.dedup_by(|a, b| a.0 == b.0);
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_variable_that_is_there_twice_the_first_counts() {
        let pairs = [
            ("GOWORK", "off"),
            ("A", "b"),
            ("GOWORK", "/x.work"),
            ("A", ""),
        ];
        let pairs = pairs.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let kept = first_mentions(pairs.clone().into_iter());
        assert_eq!(kept, [pairs[1].clone(), pairs[0].clone()]);
    }
}
