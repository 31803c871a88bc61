//! Files and folders that are made, empty, before the run, so that each can be a mount of its own: an
//! output, granted without its folder; a protected path, refused within a folder that is granted.

use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown, lchown};
use std::path::PathBuf;

use super::Error;
use crate::plan::{Isolation, Placeholder, Plan};

/// What was made, with their identity on disk.
#[derive(Debug, Default)]
pub struct Guard {
    made: Vec<(PathBuf, u64, u64)>,
}

impl Guard {
    /// Makes the files; each must be new.
    pub fn make(plan: &Plan) -> Result<Guard, Error> {
        let mut guard = Guard::default();
        // In a view root's files can appear as the sandbox user's; without one they must be its own.
        let Plan { identity, .. } = plan;
        let is_shared = matches!(plan.isolation, Isolation::Shared);
        let owner = (is_shared && identity.switch).then_some((identity.uid, identity.gid));
        for placeholder in &plan.placeholders {
            let path = &placeholder.path;
            match make(placeholder, owner) {
                Ok(found) => guard.made.push((path.clone(), found.dev(), found.ino())),
                Err(source) => {
                    return Err(Error::launcher(
                        format!("make the output file {}", path.display()),
                        source,
                    ));
                }
            }
        }
        Ok(guard)
    }
}

/// Removes what is still as empty as it was made.
impl Drop for Guard {
    fn drop(&mut self) {
        for (path, dev, ino) in &self.made {
            let Ok(found) = fs::symlink_metadata(path) else {
                continue;
            };
            if (found.dev(), found.ino()) != (*dev, *ino) {
                continue;
            }
            // A folder that is not empty stays (ENOTEMPTY), and so does a file that was written.
            let _or_it_is_used = match found.is_dir() {
                true => fs::remove_dir(path),
                false if found.len() == 0 => fs::remove_file(path),
                false => Ok(()),
            };
        }
    }
}

/// Makes one; it must be new, and its folder is not reached through a link that was put there since.
fn make(placeholder: &Placeholder, owner: Option<(u32, u32)>) -> io::Result<Metadata> {
    let Placeholder { path, mode, folder } = placeholder;
    if *folder {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        DirBuilder::new().mode(*mode).create(path)?;
        if let Some((uid, gid)) = owner {
            lchown(path, Some(uid), Some(gid))?;
        }
        return fs::symlink_metadata(path);
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(*mode)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    if let Some((uid, gid)) = owner {
        fchown(&file, Some(uid), Some(gid))?;
    }
    file.metadata()
}
