//! A run that another one needs first: the go command of a toolchain that is at hand, in the tool cage, fetches something.

use anyhow::Context as _;

use super::identity::Who;
use super::plan::Prepared;
use super::{Command, Project, scratch, start};
use crate::go::toolchain::Toolchain;
use crate::host::Host;

/// What is run, where and as whom.
pub(super) struct Errand<'a> {
    pub project: Project<'a>,
    pub who: Who,
    pub toolchain: &'a Toolchain,
    /// The words after `go`.
    pub words: &'a [&'a str],
    /// Whether it is to see packages as with cgo. It builds nothing.
    pub cgo: bool,
}

impl Errand<'_> {
    /// Runs it to its end. Its exit status.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(self, host: &mut Host) -> anyhow::Result<i32> {
        let Project {
            session,
            workspace,
            policy,
            ..
        } = self.project;
        let command = Command {
            program: "go".into(),
            arguments: self.words.iter().map(Into::into).collect(),
        };
        let mut prepared = Prepared::new(
            session,
            workspace,
            policy,
            self.who,
            self.toolchain,
            &command,
            // Its folders are its own: those of the run that needs it come later.
            &scratch::name()?,
        )?;
        prepared.show_cgo(self.cgo);
        let (_, ended) = start(&self.project, host, &mut prepared, None)?;
        Ok(ended.context("cannot start the sandbox")?.outcome.status)
    }
}
