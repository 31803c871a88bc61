//! Resolving as a whole: the built-in profiles, merging, messages, tightening, trust.

use crate::refusal::{Code, Refused};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::policy::{Guarantee, Layer, Loose, Reach, Requirement, Runs, Staging, TreeAccess};

mod built_in;
mod merging;
mod random;
mod staging;
mod trust;

fn caller() -> Caller {
    Caller {
        uid: rustix::process::geteuid().as_raw(),
        config_home: None,
        source: None,
    }
}

fn name(name: &str) -> Selection {
    Selection::Name(name.to_owned())
}

fn built_in(profile: &str) -> Resolved {
    resolve(&Request {
        profile: &name(profile),
        work_tree: None,
        overrides: &Overrides::default(),
        caller: &caller(),
    })
    .expect("a built-in profile resolves")
}

/// A folder with a profile `p.toml`, a work tree file, or both.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(profile: &str, tree: Option<&str>) -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder.path().join("p.toml"), profile);
        if let Some(tree) = tree {
            write(&folder.path().join(TREE_FILE), tree);
        }
        Folder(folder)
    }

    fn resolve(&self) -> Result<Resolved, String> {
        self.resolve_with(&Overrides::default())
    }

    fn resolve_with(&self, overrides: &Overrides) -> Result<Resolved, String> {
        let folder = self.0.path();
        resolve(&Request {
            profile: &Selection::File(folder.join("p.toml")),
            work_tree: Some(folder),
            overrides,
            caller: &caller(),
        })
        .map_err(|error| {
            let text = error
                .to_string()
                .replace(&format!("{}/", folder.display()), "");
            // What could not be done stands before the place.
            let starts = [
                "cannot use the profile at ",
                "cannot read the profile at ",
                "cannot use ",
            ];
            let rest = starts.iter().find_map(|start| text.strip_prefix(start));
            rest.unwrap_or(&text).to_owned()
        })
    }

    /// Why it is refused, and what helps.
    fn refused(&self) -> Refused {
        let error = resolve(&Request {
            profile: &Selection::File(self.0.path().join("p.toml")),
            work_tree: Some(self.0.path()),
            overrides: &Overrides::default(),
            caller: &caller(),
        });
        Refused::of(&error.expect_err("refused"))
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("mode set");
}

fn profile(text: &str) -> Result<Resolved, String> {
    Folder::new(text, None).resolve()
}

fn tightened(base: &str, tree: &str) -> Result<Resolved, String> {
    Folder::new(base, Some(tree)).resolve()
}
