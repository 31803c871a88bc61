//! Files and folders that are made, empty, before the run, so that each can be a mount of its own: an
//! output, granted without its folder; a protected path, refused within a folder that is granted.
//!
//! What was made is written down beside the run's folder, where nothing inside can reach it: after a
//! launcher that was killed, a later run removes it.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown, lchown};
use std::path::{Path, PathBuf};

use super::Error;
use crate::plan::{Isolation, Placeholder, Plan};

/// A file or folder that was made, with its identity on disk.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    path: PathBuf,
    dev: u64,
    ino: u64,
}

/// What was made, until it is removed.
#[derive(Debug, Default)]
pub struct Guard {
    made: Vec<Made>,
    record: Option<PathBuf>,
}

/// Where the placeholders of the run with this folder are written down.
pub(super) fn record(folder: &Path) -> PathBuf {
    folder.with_extension("made")
}

/// Removes what a run that ended without it has made, and what says so.
pub(super) fn sweep(folder: &Path) {
    let record = record(folder);
    if let Ok(content) = fs::read(&record) {
        read(&content).iter().for_each(remove);
        let _tried_again_by_a_later_run = fs::remove_file(record);
    }
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
                Ok(found) => guard.made.push(Made {
                    path: path.clone(),
                    dev: found.dev(),
                    ino: found.ino(),
                }),
                Err(source) => {
                    return Err(Error::launcher(
                        format!("make the output file {}", path.display()),
                        source,
                    ));
                }
            }
        }
        if let (Some(scratch), false) = (&plan.scratch, guard.made.is_empty()) {
            let record = record(&scratch.folder);
            write(&record, &guard.made).map_err(|source| {
                Error::launcher(format!("write the file {}", record.display()), source)
            })?;
            guard.record = Some(record);
        }
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.made.iter().for_each(remove);
        if let Some(record) = &self.record {
            let _a_later_run_finds_nothing_to_remove = fs::remove_file(record);
        }
    }
}

/// Removes what is still the same, and as empty as it was made.
fn remove(made: &Made) {
    let Ok(found) = fs::symlink_metadata(&made.path) else {
        return;
    };
    if (found.dev(), found.ino()) != (made.dev, made.ino) {
        return;
    }
    // A folder that is not empty stays (ENOTEMPTY), and so does a file that was written.
    let _or_it_is_used = match found.is_dir() {
        true => fs::remove_dir(&made.path),
        false if found.len() == 0 => fs::remove_file(&made.path),
        false => Ok(()),
    };
}

/// A line each, ended by a NUL since a path may hold anything else.
fn write(record: &Path, made: &[Made]) -> io::Result<()> {
    use io::Write;
    let mut content = Vec::new();
    for Made { path, dev, ino } in made {
        content.extend(format!("{dev} {ino} ").bytes());
        content.extend(path.as_os_str().as_bytes());
        content.push(0);
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(record)?;
    file.write_all(&content)
}

fn read(content: &[u8]) -> Vec<Made> {
    let line = |line: &[u8]| {
        let mut fields = line.splitn(3, |byte| *byte == b' ');
        let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse().ok();
        let (dev, ino) = (number()?, number()?);
        let path = PathBuf::from(OsStr::from_bytes(fields.next()?));
        path.is_absolute().then_some(Made { path, dev, ino })
    };
    content.split(|byte| *byte == 0).filter_map(line).collect()
}

/// Makes one; it must be new, and its folder is not reached through a link that was put there since.
fn make(placeholder: &Placeholder, owner: Option<(u32, u32)>) -> io::Result<Metadata> {
    let Placeholder { path, mode, folder } = placeholder;
    if *folder {
        let make = || DirBuilder::new().mode(*mode).create(path);
        match (make(), path.parent()) {
            (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(parent)?;
                make()?;
            }
            (made, _) => made?,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_again_whatever_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let record = record(&folder.path().join("00000000000000aa"));
        let made = ["/a b/\n1 2 /x", "/plain"].map(|path| Made {
            path: path.into(),
            dev: 7,
            ino: u64::MAX,
        });
        write(&record, &made).unwrap();
        assert_eq!(read(&fs::read(&record).unwrap()), made);
        assert_eq!(read(b"nonsense\0001 2\0001 2 relative\0"), []);
    }

    #[test]
    fn what_a_killed_launcher_left_is_swept_unless_it_was_used() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("00000000000000bb");
        let at = |name: &str| folder.path().join(name);
        let made = ["empty", "used", "other"].map(|name| {
            fs::write(at(name), "").unwrap();
            let found = fs::symlink_metadata(at(name)).unwrap();
            Made {
                path: at(name),
                dev: found.dev(),
                ino: found.ino(),
            }
        });
        write(&record(&run), &made).unwrap();
        fs::write(at("used"), "content").unwrap();
        fs::write(at("new"), "").unwrap();
        fs::rename(at("new"), at("other")).unwrap();
        sweep(&run);
        assert!(!at("empty").exists() && !record(&run).exists());
        assert!(at("used").exists() && at("other").exists());
    }
}
