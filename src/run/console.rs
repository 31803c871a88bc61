//! What a run says and asks while it lasts.

use crate::changes::Stage;
use crate::gateway::Progress;
use crate::plan::Plan;
use crate::policy::{Policy, Staging};

/// The other end of a run: whoever has asked for it. A run prints nothing itself.
pub trait Console {
    /// What was asked for, such as a report.
    ///
    /// # Errors
    /// It cannot be written.
    fn print(&self, text: &str) -> anyhow::Result<()>;

    /// The plan of a dry run.
    ///
    /// # Errors
    /// It cannot be written.
    fn plan(&self, policy: &Policy, plan: &Plan) -> anyhow::Result<()>;

    /// What the user should know, in one sentence.
    fn warn(&self, message: &str);

    /// What is done, for those who want to know.
    fn note(&self, message: &str);

    /// What went wrong and does not end the run, in lines; the last one may say what helps.
    fn error(&self, lines: &str);

    /// Who is told of downloads, if anybody wants to know.
    fn progress(&self) -> Option<fn(Progress)>;

    /// Nothing is fetched any more.
    fn end_progress(&self);

    /// Whether somebody can be asked what becomes of changes.
    fn can_ask(&self) -> bool;

    /// Shows the changes of a run and asks what becomes of them. Without an answer they stay staged.
    ///
    /// # Errors
    /// The changes cannot be listed.
    fn ask(&self, stage: &Stage) -> anyhow::Result<Staging>;
}
