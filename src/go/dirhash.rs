//! The hash that go.sum and the checksum database know a module by, computed over what was extracted.
//!
//! `h1:` is the base64 form of the SHA-256 over a line for each file, sorted by name: the file's own
//! SHA-256 in hexadecimal, two spaces, `module@version/path` (`golang.org/x/mod/sumdb/dirhash`).

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::text::hex;

/// Why a folder has no hash.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What no module zip holds.
    #[error("{} {what}", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
}

/// The files below a folder by their path in it, and the metadata of each.
type Files = BTreeMap<String, (PathBuf, Metadata)>;

/// The `h1:` hash of an extracted module.
///
/// A `go.mod` beside a `_go.mod` is the go command's own copy of it, made when it starts a toolchain from
/// the module cache; it must be the same.
///
/// # Errors
/// What cannot be read, and what a module cannot hold: links, devices, a `go.mod` that differs.
pub fn h1(folder: &Path, module: &str) -> Result<String, HashError> {
    let files = files(folder, &|_| true)?;
    let mut digests = BTreeMap::new();
    for (name, (path, _)) in &files {
        if let Some(original) = original(name, &files) {
            if digest(path)? != digest(original)? {
                let what = "is not the copy of the _go.mod beside it that the go command makes";
                return Err(foreign(path, what));
            }
            continue;
        }
        digests.insert(name.clone(), digest(path)?);
    }
    Ok(summary(&digests, module))
}

/// The `h1:` hash of a module whose files have these names and SHA-256 digests.
pub fn summary(digests: &BTreeMap<String, [u8; 32]>, module: &str) -> String {
    let mut summary = Sha256::new();
    for (name, digest) in digests {
        summary.update(format!("{}  {module}/{name}\n", hex(digest)));
    }
    format!("h1:{}", BASE64_STANDARD.encode(summary.finalize()))
}

/// A digest that changes when any file is written, exchanged, added or taken away: of each file its place
/// on disk, size, and the time of its last change, which only the kernel sets (`st_ctime`).
///
/// # Errors
/// As those of [`h1`].
pub fn fingerprint(folder: &Path) -> Result<String, HashError> {
    fingerprint_of(folder, &|_| true)
}

/// The same of the files and folders whose names in the folder are `wanted`.
///
/// # Errors
/// As those of [`h1`].
pub fn fingerprint_of(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<String, HashError> {
    let mut summary = Sha256::new();
    for (name, (_, found)) in files(folder, wanted)? {
        summary.update(name.as_bytes());
        summary.update([0]);
        let numbers = [found.dev(), found.ino(), found.size()];
        let times = [found.ctime(), found.ctime_nsec()];
        numbers.iter().for_each(|n| summary.update(n.to_le_bytes()));
        times.iter().for_each(|n| summary.update(n.to_le_bytes()));
    }
    Ok(hex(&summary.finalize()))
}

/// For a `go.mod` that the go command has copied: the `_go.mod` that it is a copy of.
fn original<'a>(name: &str, files: &'a Files) -> Option<&'a Path> {
    let folder = name.strip_suffix("go.mod")?;
    let is_whole = folder.is_empty() || folder.ends_with('/');
    let (path, _) = is_whole.then(|| files.get(&format!("{folder}_go.mod")))??;
    Some(path)
}

fn digest(path: &Path) -> Result<[u8; 32], HashError> {
    let mut summary = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut file = File::open(path).map_err(|source| unreadable(path, source))?;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(summary.finalize().into()),
            Ok(length) => summary.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(unreadable(path, source)),
        }
    }
}

fn files(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Files, HashError> {
    let mut files = Files::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|source| unreadable(&folder, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| unreadable(&folder, source))?;
            let path = entry.path();
            let name = entry.file_name();
            let Ok(name) = std::str::from_utf8(name.as_bytes()) else {
                return Err(foreign(&path, "has a name that no module holds"));
            };
            let name = format!("{prefix}{name}");
            if !wanted(&name) {
                continue;
            }
            let found = entry
                .metadata()
                .map_err(|source| unreadable(&path, source))?;
            if found.is_dir() {
                folders.push((path, name + "/"));
            } else if found.is_file() && !name.contains('\n') {
                files.insert(name, (path, found));
            } else {
                return Err(foreign(&path, "is no file that a module holds"));
            }
        }
    }
    Ok(files)
}

fn unreadable(path: &Path, source: io::Error) -> HashError {
    HashError::Read {
        path: path.to_owned(),
        source,
    }
}

fn foreign(path: &Path, what: &'static str) -> HashError {
    HashError::Foreign {
        path: path.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The module of golang.org/x/mod's own test: `Hash1` of two files.
    fn module(folder: &Path) {
        fs::create_dir(folder.join("sub")).unwrap();
        fs::write(folder.join("_go.mod"), "module example.com/m\n").unwrap();
        fs::write(folder.join("sub/x.go"), "package sub\n").unwrap();
    }

    #[test]
    fn the_hash_is_the_one_that_sha256sum_gives() {
        let folder = tempfile::tempdir().unwrap();
        module(folder.path());
        let hex = |text: &str| hex(&Sha256::digest(text));
        let lines = format!(
            "{}  m@v1/_go.mod\n{}  m@v1/sub/x.go\n",
            hex("module example.com/m\n"),
            hex("package sub\n"),
        );
        let expected = format!("h1:{}", BASE64_STANDARD.encode(Sha256::digest(lines)));
        assert_eq!(h1(folder.path(), "m@v1").unwrap(), expected);
        fs::write(folder.path().join("go.mod"), "module example.com/m\n").unwrap();
        assert_eq!(h1(folder.path(), "m@v1").unwrap(), expected, "go's copy");
    }

    #[test]
    fn what_no_module_holds_is_named() {
        let folder = tempfile::tempdir().unwrap();
        module(folder.path());
        fs::write(folder.path().join("go.mod"), "module example.com/other\n").unwrap();
        let error = h1(folder.path(), "m@v1").unwrap_err().to_string();
        assert!(error.contains("go.mod is not the copy"), "{error}");
        fs::remove_file(folder.path().join("go.mod")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("sub/y.go")).unwrap();
        let error = h1(folder.path(), "m@v1").unwrap_err().to_string();
        assert!(error.contains("sub/y.go is no file"), "{error}");
    }

    #[test]
    fn the_fingerprint_changes_with_a_write_that_keeps_size_and_times() {
        let folder = tempfile::tempdir().unwrap();
        module(folder.path());
        let before = fingerprint(folder.path()).unwrap();
        assert_eq!(fingerprint(folder.path()).unwrap(), before);
        let file = folder.path().join("sub/x.go");
        let times = fs::metadata(&file).unwrap();
        fs::write(&file, "package bus\n").unwrap();
        let opened = File::options().write(true).open(&file).unwrap();
        opened.set_modified(times.modified().unwrap()).unwrap();
        assert_ne!(fingerprint(folder.path()).unwrap(), before);
    }
}
