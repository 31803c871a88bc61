//! The staged work tree of a run: what programs have changed in it, which of that may land, and its
//! landing.
//!
//! A run's programs see the work tree as an overlay. What they write lies in the *upper* folder of
//! the run's *stage* until every process has ended. Then the changes are listed, judged, and the
//! allowed ones moved to the work tree. This room owns the stage on disk. It prints nothing.

mod record;

pub use record::{Keep, Record, Rules};
