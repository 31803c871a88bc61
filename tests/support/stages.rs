//! Where the runs of a site leave their changes.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use super::Site;

impl Site {
    /// Has stages made in a folder of the caller's alone, which goes with the site. Elsewhere they
    /// stay for a week.
    pub fn stage_apart(&self) {
        let temporary = self.temporary();
        fs::create_dir(&temporary).unwrap();
        if super::is_root() {
            chown(&temporary, Some(self.caller()), Some(self.caller())).unwrap();
        }
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.root.with_extension("tmp")
    }
}
