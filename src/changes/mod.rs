//! The staged work tree of a run: what programs have changed in it, which of that may land, and its
//! landing.
//!
//! A run's programs see the work tree as an overlay. What they write lies in the *upper* folder of
//! the run's *stage* until every process has ended. Then the changes are listed, judged, and the
//! allowed ones moved to the work tree. This room owns the stage on disk. It prints nothing.
//!
//! Where programs write the work tree itself, [`look`] finds what they have made at protected paths.

mod change;
mod delete;
mod diff;
mod error;
mod folders;
mod found;
mod guarded;
mod journal;
mod judge;
mod land;
mod links;
pub mod look;
mod open;
mod origin;
mod owner;
mod places;
mod put;
mod record;
mod repository;
mod scan;
mod side;
mod stage;
mod steps;
mod targets;
mod work;

pub use change::{Change, Changes, Dropped, Failure, Kind, Landed, Verdict, What};
pub use diff::Diff;
pub use error::Error;
pub use found::{Found, discard, list, sweep, unreadable};
pub use record::{Keep, Record, Rules};
pub use stage::{Stage, State};

#[cfg(test)]
mod tests;
