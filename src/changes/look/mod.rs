//! The look after a run whose programs write the work tree itself: what has come at protected paths is moved
//! away.
//!
//! Owns what was at protected paths before the run ([`Before`]), the same on disk ([`LookRecord`]), and the
//! comparison after the run ([`Look::end`]). It works by descriptors, with bounded memory and without
//! recursion. An error means that something may be there: it is reported, and the look goes on. Where root
//! started the run, a process that has become the user of the run does the work.
//!
//! It prints nothing. `plan` calls [`before`], `cli` the rest.

mod after;
mod before;
mod launcher;
mod matching;
mod put_away;
mod record;
mod report;
mod run;
mod seen;
mod walk;

pub use before::{Before, Scope, before, folders_named};
pub use launcher::Launcher;
pub use record::{LookRecord, TreeId, Unchecked, forget, list, sweep};
pub use report::{Moved, Report, Stayed};
pub use run::Look;
pub use seen::{Reason, Seen};

#[cfg(test)]
mod tests;
