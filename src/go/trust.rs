//! Who could swap a file: the ownership and mode of everything on the way to it.
//!
//! A path is resolved one component at a time and each folder and link on the way is judged, so
//! that nobody but root and the caller can decide what the result is. It reads metadata only.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use super::shown;
use crate::files::look;

/// Why a path is not to be relied on.
#[derive(Debug, Error)]
pub enum Untrusted {
    /// It cannot be looked at.
    #[error("cannot look at {}: {source}", shown(path))]
    Unreadable {
        /// The component in question.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Any user can change it.
    #[error("{} is writable by every user (mode {mode:o})", shown(path))]
    WorldWritable {
        /// The component in question.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A group can change it.
    #[error("{} is writable by group {gid} (mode {mode:o})", shown(path))]
    GroupWritable {
        /// The component in question.
        path: PathBuf,
        /// The group.
        gid: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// Another user can change it.
    #[error("{} belongs to user {owner}, who is neither root nor you", shown(path))]
    Owner {
        /// The component in question.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Symbolic links that lead in a circle.
    #[error("too many symbolic links on the way to {}", shown(.0))]
    Loop(PathBuf),
}

impl Untrusted {
    /// The component in question.
    pub fn path(&self) -> &Path {
        match self {
            Untrusted::Unreadable { path, .. }
            | Untrusted::WorldWritable { path, .. }
            | Untrusted::GroupWritable { path, .. }
            | Untrusted::Owner { path, .. }
            | Untrusted::Loop(path) => path,
        }
    }
}

/// For whom paths are judged.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// The user who, beside root, may own things.
    pub uid: u32,
    /// The primary group of that user, which may have write permission.
    pub gid: u32,
    /// Folders above this one are not judged; `/` but in tests.
    pub(super) below: &'a Path,
    /// Where what others could change is noted, instead of being refused.
    pub(super) noted: Option<&'a RefCell<Vec<Untrusted>>>,
}

impl Trust<'static> {
    /// Judges for user `uid` with primary group `gid`.
    pub fn new(uid: u32, gid: u32) -> Trust<'static> {
        Trust {
            uid,
            gid,
            below: Path::new("/"),
            noted: None,
        }
    }
}

impl<'a> Trust<'a> {
    /// The same, which notes what others could change and refuses nothing for it.
    pub fn noting(self, noted: &'a RefCell<Vec<Untrusted>>) -> Trust<'a> {
        Trust {
            noted: Some(noted),
            ..self
        }
    }
}

impl Trust<'_> {
    /// The real path of `path` (absolute), every step of the way judged.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, Untrusted> {
        self.judge(Path::new("/"), &look_at(Path::new("/"))?)?;
        self.resolve_below(Path::new("/"), path)
    }

    /// The same for `path` below `known`, a real path that was judged before.
    pub fn resolve_below(&self, known: &Path, path: &Path) -> Result<PathBuf, Untrusted> {
        let mut todo: VecDeque<OsString> = VecDeque::new();
        prepend(&mut todo, path.strip_prefix(known).unwrap_or(path));
        let mut at = known.to_owned();
        let mut links = 0;
        while let Some(next) = todo.pop_front() {
            if next == ".." {
                at.pop();
                continue;
            }
            at.push(&next);
            let meta = look_at(&at)?;
            if meta.is_symlink() {
                links += 1;
                if links > 40 {
                    return Err(Untrusted::Loop(path.to_owned()));
                }
                let target = look::read_link(&at).map_err(|source| Untrusted::Unreadable {
                    path: at.clone(),
                    source,
                })?;
                at.pop();
                self.judge_link(&at, &next, &meta)?;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                prepend(&mut todo, &target);
            } else {
                self.judge(&at, &meta)?;
            }
        }
        Ok(at)
    }

    /// A link in a folder where everybody may make one is worth no more than who made it.
    fn judge_link(&self, folder: &Path, name: &OsStr, link: &Metadata) -> Result<(), Untrusted> {
        if look_at(folder)?.mode() & 0o022 == 0 {
            return Ok(());
        }
        self.judge_owner(&folder.join(name), link)
    }

    fn judge_owner(&self, path: &Path, meta: &Metadata) -> Result<(), Untrusted> {
        let owner = meta.uid();
        match owner == 0 || owner == self.uid {
            true => Ok(()),
            false => self.note(Untrusted::Owner {
                path: path.to_owned(),
                owner,
            }),
        }
    }

    fn judge(&self, path: &Path, meta: &Metadata) -> Result<(), Untrusted> {
        if self.below != path && self.below.starts_with(path) {
            return Ok(());
        }
        self.judge_owner(path, meta)?;
        let (gid, mode) = (meta.gid(), meta.mode() & 0o7777);
        // In a sticky folder others can add names, and not replace those of root and the caller, whose owners are
        // judged (/tmp, /nix/store).
        if meta.is_dir() && mode & 0o1000 != 0 {
            return Ok(());
        }
        let path = || path.to_owned();
        if mode & 0o002 != 0 {
            return self.note(Untrusted::WorldWritable { path: path(), mode });
        }
        if mode & 0o020 != 0 && gid != 0 && gid != self.gid && !empty_staff(gid) {
            return self.note(Untrusted::GroupWritable {
                path: path(),
                gid,
                mode,
            });
        }
        Ok(())
    }

    fn note(&self, found: Untrusted) -> Result<(), Untrusted> {
        match self.noted {
            Some(noted) => {
                noted.borrow_mut().push(found);
                Ok(())
            }
            None => Err(found),
        }
    }
}

fn look_at(path: &Path) -> Result<Metadata, Untrusted> {
    look::symlink_metadata(path).map_err(|source| Untrusted::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn prepend(todo: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => todo.push_front(name.to_owned()),
            Component::ParentDir => todo.push_front("..".into()),
            _ => {}
        }
    }
}

/// Debian makes /usr/local writable by its group `staff` (50), which has no members unless the
/// administrator adds some.
fn empty_staff(gid: u32) -> bool {
    gid == 50
        && look::read_to_string("/etc/group").is_ok_and(|groups| {
            groups
                .lines()
                .any(|l| l.starts_with("staff:") && l.ends_with(":50:"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    }

    fn scene() -> (tempfile::TempDir, PathBuf, u32) {
        let dir = tempfile::tempdir().expect("tempdir");
        let base = dir.path().canonicalize().expect("real path");
        chmod(&base, 0o755);
        fs::create_dir_all(base.join("a/b")).expect("folders");
        fs::write(base.join("a/b/file"), "x").expect("file");
        let uid = fs::metadata(&base).expect("metadata").uid();
        (dir, base, uid)
    }

    /// Of a user without a group.
    fn trust(uid: u32, below: &Path) -> Trust<'_> {
        Trust {
            uid,
            gid: u32::MAX,
            below,
            noted: None,
        }
    }

    #[test]
    fn links_are_followed_to_the_real_path() {
        let (_dir, base, uid) = scene();
        symlink("a", base.join("link")).expect("link");
        symlink(base.join("link/b/../b"), base.join("a/far")).expect("link");
        let trust = trust(uid, &base);
        assert_eq!(
            trust.resolve(&base.join("a/far/file")).expect("resolved"),
            base.join("a/b/file")
        );
    }

    #[test]
    fn a_folder_on_the_way_that_others_can_write_is_refused() {
        let (_dir, base, uid) = scene();
        let trust = trust(uid, &base);
        chmod(&base.join("a"), 0o777);
        assert!(matches!(
            trust.resolve(&base.join("a/b/file")),
            Err(Untrusted::WorldWritable { .. })
        ));
        let noted = RefCell::default();
        assert!(trust.noting(&noted).resolve(&base.join("a/b/file")).is_ok());
        assert!(matches!(
            noted.take().as_slice(),
            [Untrusted::WorldWritable { path, .. }] if *path == base.join("a")
        ));
        symlink("a/b/file", base.join("link")).expect("link");
        assert!(matches!(
            trust.resolve(&base.join("link")),
            Err(Untrusted::WorldWritable { .. })
        ));
    }

    #[test]
    fn in_a_sticky_folder_what_others_have_made_is_refused() {
        let (_dir, base, uid) = scene();
        let trust = trust(uid, &base);
        chmod(&base.join("a"), 0o1777);
        symlink("b/file", base.join("a/link")).expect("link");
        assert!(trust.resolve(&base.join("a/b/file")).is_ok());
        assert!(trust.resolve(&base.join("a/link")).is_ok());
        let stranger = Trust {
            uid: uid + 1,
            ..trust
        };
        if uid == 0 {
            // What root has made anybody may use.
            std::os::unix::fs::lchown(base.join("a/link"), Some(4242), None).expect("chown");
            let error = trust.resolve(&base.join("a/link"));
            assert!(matches!(error, Err(Untrusted::Owner { owner: 4242, .. })));
            std::os::unix::fs::chown(base.join("a/b"), Some(4242), None).expect("chown");
            let error = trust.resolve(&base.join("a/b/file"));
            assert!(matches!(error, Err(Untrusted::Owner { owner: 4242, .. })));
        } else {
            assert!(stranger.resolve(&base.join("a/link")).is_err());
        }
    }

    #[test]
    fn a_stranger_or_a_strange_group_is_refused() {
        let (_dir, base, uid) = scene();
        let file = base.join("a/b/file");
        if uid != 0 {
            let trust = Trust {
                uid: uid + 1,
                gid: u32::MAX,
                below: &base,
                noted: None,
            };
            assert!(matches!(trust.resolve(&file), Err(Untrusted::Owner { .. })));
            return;
        }
        std::os::unix::fs::chown(&file, Some(4242), Some(4343)).expect("chown");
        let trust = |uid, gid| Trust {
            uid,
            gid,
            below: &base,
            noted: None,
        };
        assert!(matches!(
            trust(0, 0).resolve(&file),
            Err(Untrusted::Owner { owner: 4242, .. })
        ));
        assert!(trust(4242, 0).resolve(&file).is_ok());
        chmod(&file, 0o775);
        assert!(matches!(
            trust(4242, 0).resolve(&file),
            Err(Untrusted::GroupWritable { gid: 4343, .. })
        ));
        assert!(trust(4242, 4343).resolve(&file).is_ok());
    }

    #[test]
    fn a_circle_of_links_ends() {
        let (_dir, base, uid) = scene();
        symlink("two", base.join("one")).expect("link");
        symlink("one", base.join("two")).expect("link");
        let trust = Trust {
            uid,
            gid: 0,
            below: &base,
            noted: None,
        };
        assert!(matches!(
            trust.resolve(&base.join("one")),
            Err(Untrusted::Loop(_))
        ));
    }
}
