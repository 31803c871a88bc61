//! Whether a folder that a variable names as a cache is one. Code of the source reads it as a whole, so that
//! `GOMODCACHE=$HOME` would show it all there is.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags, openat, statat};

use crate::refusal::{Code, Refused};

/// Makes sure that a folder which the variable `name` says is a cache holds no more than one does, or is the
/// work tree's. `opened`, `real`: what `folder` leads to. `caches`: where all of the run's are, which may lie within
/// each other.
///
/// # Errors
/// It holds something else.
pub(super) fn refuse(
    name: &str,
    folder: &Path,
    opened: &OwnedFd,
    real: &Path,
    caches: &[&PathBuf],
    tree: Option<&Path>,
) -> anyhow::Result<()> {
    if tree.is_some_and(|tree| real.starts_with(tree)) {
        return Ok(());
    }
    match held(name, folder, opened, caches)? {
        Some(held) => {
            let text = format!(
                "{name} names it, and {held}; code of the source would read all that is there"
            );
            Err(not_a_cache(name, text).into())
        }
        None => Ok(()),
    }
}

/// What such a folder holds that no cache does.
///
/// # Errors
/// It cannot be listed.
pub(super) fn held(
    name: &str,
    folder: &Path,
    opened: &OwnedFd,
    caches: &[&PathBuf],
) -> std::io::Result<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // What cannot be read is no use to anybody.
    let Ok(opened) = openat(opened, ".", flags, Mode::empty()) else {
        return Ok(None);
    };
    let is_expected = match name {
        "GOCACHE" => is_of_builds,
        _ => is_of_modules,
    };
    let place = |entry: &DirEntry| folder.join(file_name(entry));
    let mut has_modules = false;
    for entry in Dir::read_from(&opened)?.flatten() {
        if is_ours(&entry) || caches.iter().any(|cache| **cache == place(&entry)) {
            continue;
        }
        if !is_expected(&opened, &entry) {
            let path = place(&entry);
            let text = format!("it holds {}, which is nothing of go's", path.display());
            return Ok(Some(text));
        }
        has_modules |= name == "GOMODCACHE";
    }
    // Folders of sources that are sorted by their hosts (`src/github.com`) look the same but for that.
    let text = "it holds folders, none of which is go's (cache)";
    Ok((has_modules && !is_folder(&opened, "cache")).then(|| text.to_owned()))
}

pub(super) fn not_a_cache(name: &str, text: String) -> Refused {
    Refused::new(Code::CacheRefused, text)
        .words(format!("unset {name}"))
        .option("--cache-dir \"$HOME/.cache/gosandbox\"")
}

fn file_name(entry: &DirEntry) -> &std::ffi::OsStr {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(entry.file_name().to_bytes())
}

fn is_folder(within: &OwnedFd, name: &str) -> bool {
    statat(within, name, AtFlags::empty())
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}

/// What the launcher makes, and marks of others that say nothing.
fn is_ours(entry: &DirEntry) -> bool {
    let name = file_name(entry).to_string_lossy();
    let marks = [
        ".",
        "..",
        ".gitignore",
        ".gitkeep",
        "CACHEDIR.TAG",
        "lost+found",
    ];
    name.starts_with("gosandbox") || name.starts_with(".gosandbox-") || marks.contains(&&*name)
}

/// The build cache: folders named by two digits, and a few files.
fn is_of_builds(_: &OwnedFd, entry: &DirEntry) -> bool {
    const NAMES: [&str; 5] = ["README", "fuzz", "log.txt", "testexpire.txt", "trim.txt"];
    let name = file_name(entry);
    let bytes = name.as_encoded_bytes();
    bytes.len() == 2 && bytes.iter().all(u8::is_ascii_hexdigit)
        || NAMES.iter().any(|it| name == *it)
}

/// The module cache: folders named as a module's path begins, which has a dot and none in front.
fn is_of_modules(within: &OwnedFd, entry: &DirEntry) -> bool {
    let name = file_name(entry);
    let bytes = name.as_encoded_bytes();
    let is_module = bytes.contains(&b'.') && !bytes.starts_with(b".");
    // Some file systems do not say in the listing what an entry is.
    let kind = match entry.file_type() {
        FileType::Unknown => statat(within, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(FileType::RegularFile, |found| {
                FileType::from_raw_mode(found.st_mode)
            }),
        kind => kind,
    };
    (name == "cache" || is_module) && kind != FileType::RegularFile
}
