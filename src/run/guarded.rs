//! Where the launcher itself must not write: protected paths of the work tree, and where a link of the tree's own leads.

use std::io;
use std::path::Path;

use anyhow::bail;

use super::{Session, git, protected};
use crate::files::{Keeper, Place};
use crate::plan::inputs::Protected;
use crate::policy::Policy;
use crate::policy::protected::{Matcher, names};

/// The work tree and what is protected in it.
pub(super) struct Guarded<'a> {
    tree: Option<&'a Path>,
    protected: Protected,
}

impl<'a> Guarded<'a> {
    /// Those of a policy. `is_needed`: whether any file is to be written at all.
    ///
    /// # Errors
    /// Git's configuration cannot be understood, so that nobody knows what it executes.
    pub(super) fn of(
        session: &Session<'_>,
        policy: &Policy,
        tree: Option<&'a Path>,
        is_needed: bool,
    ) -> anyhow::Result<Guarded<'a>> {
        let led_to = match is_needed {
            true => protected::led_to(session, policy, tree),
            false => Ok(Vec::new()),
        };
        let led_to = led_to.map_err(|unclear| git::refuse(&unclear))?;
        Ok(Guarded {
            tree,
            protected: Protected::new(&policy.files.protected, &led_to),
        })
    }

    /// Where a file is that an option names.
    ///
    /// # Errors
    /// As for [`Place::find`].
    pub(super) fn find(&self, path: &Path) -> io::Result<Place> {
        find(path, Keeper::caller(), self.tree)
    }

    /// Refuses a place before anything is made there. A device is nobody's.
    ///
    /// # Errors
    /// A link of the work tree's own leads out of it; the place is protected.
    pub(super) fn judge(&self, place: &Place, is_device: bool) -> anyhow::Result<()> {
        if is_device {
            return Ok(());
        }
        if place.leaves_tree() {
            bail!("a symbolic link in the work tree leads out of it");
        }
        if self
            .tree
            .is_some_and(|tree| self.protected.holds(place.path(), tree))
        {
            bail!("it is protected");
        }
        Ok(())
    }
}

/// As [`Place::find`]; that a link of another user's is on the way is said in words.
///
/// # Errors
/// The same.
pub(super) fn find(path: &Path, keeper: Keeper, tree: Option<&Path>) -> io::Result<Place> {
    Place::find(path, keeper, tree).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => io::Error::other(
            "a symbolic link in the work tree, or one that another user can change, is on the way",
        ),
        _ => error,
    })
}

/// Whether a path has a name that is protected in a work tree, in any letter case.
pub(super) fn has_guarded_name(path: &Path) -> bool {
    let relative = path.strip_prefix("/").unwrap_or(path);
    Matcher::new(names()).protects(relative)
}
