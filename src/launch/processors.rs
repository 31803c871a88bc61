//! Has init begin on another processor than the launcher's.
//!
//! Both have work to do at the same time. The scheduler likes to start a child beside its parent, where
//! it waits until the parent has nothing to do any more, while the next processor idles.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// The processors that the caller may use, where they are several.
#[derive(Clone, Copy, Debug)]
pub struct Processors(Option<CpuSet>);

impl Processors {
    /// Looks at them.
    pub fn of_caller() -> Processors {
        let all = sched_getaffinity(None).ok();
        Processors(all.filter(|all| all.count() > 1))
    }

    /// Sends a child that has begun to those which this process is not on. The child must
    /// [`restore`](Self::restore) them when it knows that this was done.
    pub fn send_away(&self, child: i32) {
        let (Some(mut others), Some(child)) = (self.0, Pid::from_raw(child)) else {
            return;
        };
        others.unset(sched_getcpu());
        let _or_it_is_where_it_is = sched_setaffinity(Some(child), &others);
    }

    /// In the child: all of them again.
    pub fn restore(&self) {
        if let Some(all) = &self.0 {
            let _nothing_was_changed = sched_setaffinity(None, all);
        }
    }
}
