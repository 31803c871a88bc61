//! Has programs see what changes in the real work tree while they run.
//!
//! An overlay caches what it has looked up in its lower layer: after a file was replaced outside by
//! renaming, as editors save, programs would go on to read the old one. Reconfiguring the overlay
//! drops cached entries that nothing uses (`reconfigure_super` calls `shrink_dcache_sb`, Linux 5.1).

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::mount::fsconfig_reconfigure;

/// How often, while a command runs. A change outside is seen inside within this time.
const EVERY: Duration = Duration::from_millis(500);

/// The overlay of a run, as the launcher has it.
///
/// The launcher may reconfigure it: as root, or as the owner of the user namespace in which it was
/// mounted (user_namespaces(7)).
#[derive(Debug, Default)]
pub(super) struct Refresh {
    context: Option<OwnedFd>,
    next: Option<Instant>,
}

impl Refresh {
    /// Begins, with the context that init has handed out.
    pub(super) fn begin(&mut self, context: OwnedFd) {
        self.context = Some(context);
        self.next = Some(Instant::now() + EVERY);
    }

    /// How long until the next time; `None` where there is nothing to refresh.
    pub(super) fn left(&self) -> Option<Duration> {
        let next = self.next?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Refreshes, if it is time. A host that refuses is asked no more.
    pub(super) fn tick(&mut self) {
        if self.left() != Some(Duration::ZERO) {
            return;
        }
        let refreshed = self
            .context
            .as_ref()
            .map(|context| fsconfig_reconfigure(context.as_fd()));
        self.next = match refreshed {
            Some(Ok(())) => Some(Instant::now() + EVERY),
            _ => None,
        };
    }
}
