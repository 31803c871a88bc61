//! Variables that say where the caller's own go command would work and install.

use std::ffi::OsString;

use super::super::led;
use super::Prepared;
use crate::go::environment::Environment;
use crate::plan::inputs::Project;

impl Prepared<'_> {
    /// Adds GOBIN, where go would install elsewhere without it, and PWD by the caller's own links.
    pub(super) fn add_callers_own(&self, made: &mut Environment, project: &Project) {
        let installs_to = self.what.go().and_then(|go| go.installs_to.as_ref());
        let elsewhere = installs_to.filter(|folder| **folder != self.caches.gopath.join("bin"));
        if let Some(folder) = elsewhere {
            set(made, "GOBIN", folder.into());
        }
        let named = led::named_folder(self.session, &self.folder(), project.tree.as_deref());
        if let Some(folder) = named {
            set(made, "PWD", folder.into());
        }
    }
}

fn set(made: &mut Environment, name: &str, value: OsString) {
    made.pairs.retain(|(known, _)| known != name);
    made.pairs.push((name.into(), value));
    made.pairs.sort();
}
