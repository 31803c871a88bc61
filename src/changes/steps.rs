//! The points at which a process can be killed, for tests: one before each call that changes
//! something on disk.

/// Does nothing, except where a test has a limited number of steps.
#[cfg(not(test))]
pub(super) fn step() -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(super) use counted::{limited, step};

#[cfg(test)]
mod counted {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// Fails once the steps are used up, and ever after: as if the process had been killed.
    pub(in super::super) fn step() -> io::Result<()> {
        LEFT.with(|left| match left.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::other("no step is left")),
            Some(number) => {
                left.set(Some(number - 1));
                Ok(())
            }
        })
    }

    /// Does something in at most so many steps. The number of steps that were left.
    pub(in super::super) fn limited<T>(steps: u64, act: impl FnOnce() -> T) -> (T, u64) {
        LEFT.with(|left| left.set(Some(steps)));
        let done = act();
        let rest = LEFT.with(Cell::take);
        (done, rest.unwrap_or(0))
    }
}
