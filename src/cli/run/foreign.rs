//! Whether a folder that a variable names as a cache is one. Code of the source reads it as a whole, so that
//! `GOMODCACHE=$HOME` would show it all there is.

use std::fs::DirEntry;
use std::path::Path;

use anyhow::bail;

/// Makes sure that `folder`, which the variable `name` says is a cache, holds no more than one does, or is the
/// work tree's. `caches`: where all of the run's are, which may lie within each other.
///
/// # Errors
/// It holds something else.
pub(super) fn refuse(
    name: &str,
    folder: &Path,
    caches: &[&Path],
    tree: Option<&Path>,
) -> anyhow::Result<()> {
    let real = folder.canonicalize();
    if tree.is_some_and(|tree| real.is_ok_and(|real| real.starts_with(tree))) {
        return Ok(());
    }
    // What is missing will be made; what cannot be read is no use to anybody.
    let Ok(entries) = folder.read_dir() else {
        return Ok(());
    };
    let is_expected = match name {
        "GOCACHE" => is_of_builds,
        _ => is_of_modules,
    };
    let entries = entries
        .flatten()
        .filter(|it| !is_ours(it) && !caches.contains(&it.path().as_path()));
    let mut has_modules = false;
    for entry in entries {
        if !is_expected(&entry) {
            bail!(
                "cannot use {name}={}: it holds {}, which is nothing of go's, and code of the source would read all that \
                 is there; name a folder that holds nothing else",
                folder.display(),
                entry.path().display(),
            );
        }
        has_modules |= name == "GOMODCACHE";
    }
    // Folders of sources that are sorted by their hosts (`src/github.com`) look the same but for that.
    if has_modules && !folder.join("cache").is_dir() {
        bail!(
            "cannot use {name}={}: it holds folders, none of which is go's (cache), and code of the source would read all \
             that is there; name a folder that holds nothing else",
            folder.display(),
        );
    }
    Ok(())
}

/// What the launcher makes, and marks of others that say nothing.
fn is_ours(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let marks = [".gitignore", ".gitkeep", "CACHEDIR.TAG", "lost+found"];
    name.starts_with("gosandbox") || name.starts_with(".gosandbox-") || marks.contains(&&*name)
}

/// The build cache: folders named by two digits, and a few files.
fn is_of_builds(entry: &DirEntry) -> bool {
    const NAMES: [&str; 5] = ["README", "fuzz", "log.txt", "testexpire.txt", "trim.txt"];
    let name = entry.file_name();
    let bytes = name.as_encoded_bytes();
    bytes.len() == 2 && bytes.iter().all(u8::is_ascii_hexdigit)
        || NAMES.iter().any(|it| name == *it)
}

/// The module cache: folders named as a module's path begins, which has a dot and none in front.
fn is_of_modules(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let bytes = name.as_encoded_bytes();
    let is_module = bytes.contains(&b'.') && !bytes.starts_with(b".");
    (name == "cache" || is_module) && entry.file_type().is_ok_and(|kind| !kind.is_file())
}
