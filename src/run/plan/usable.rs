//! Caches of another user's: those that CI services restore belong to whoever saved them.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::Prepared;
use crate::files::look;
use crate::refusal::shell_path;

impl Prepared<'_> {
    /// The caches that hold folders which the command could not write, each with what helps. For a go command that has
    /// failed: a cache that holds all that is needed is used whoever it belongs to.
    pub fn foreign_caches(&self) -> Vec<String> {
        if self.what.go().is_none() {
            return Vec::new();
        }
        let identity = &self.who.identity;
        let caches = [
            ("GOCACHE", &self.caches.gocache),
            ("GOMODCACHE", &self.caches.gomodcache),
        ];
        let named = caches.into_iter().filter_map(|(name, cache)| {
            let is_roots = self.caches.of_root.contains(cache);
            let (folder, owner) = another_owner(cache, |uid| {
                uid == identity.uid || is_roots && uid == 0
            })?;
            let as_whom = match identity.switch && is_roots {
                true => 0,
                false => identity.uid,
            };
            Some(format!(
                "{name} holds {}, which belongs to user {owner}; the command ran as user {} and cannot write there; \
                 to use that cache: chown -R {as_whom} {}",
                folder.display(),
                identity.uid,
                shell_path(cache)
            ))
        });
        named.collect()
    }
}

/// The first folder of a cache, itself or just in it, that belongs to somebody else and is not open to all.
fn another_owner(cache: &Path, is_own: impl Fn(u32) -> bool) -> Option<(PathBuf, u32)> {
    let inside = look::read_dir(cache).into_iter().flatten();
    let all = std::iter::once(cache.to_owned()).chain(inside.map(|entry| entry.path()));
    let mut all = all.filter_map(|path| {
        let found = look::symlink_metadata(&path).ok()?;
        let is_folder = FileType::from_raw_mode(found.mode()) == FileType::Directory;
        let is_closed = is_folder && found.mode() & 0o002 == 0;
        (is_closed && !is_own(found.uid())).then_some((path, found.uid()))
    });
    all.next()
}
