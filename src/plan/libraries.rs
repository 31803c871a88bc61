//! Shared libraries and dynamic loaders of the host.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of shared libraries. With Debian's multiarch layout only these, since compilers keep
/// their own programs beside them (`/usr/lib/gcc`, `/usr/lib/llvm-*`).
pub(super) fn libraries(resolver: &mut Resolver) -> Vec<PathBuf> {
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let old = format!("/lib/{}-linux-gnu", std::env::consts::ARCH);
    if Path::new(&multiarch).is_dir() {
        return [multiarch.as_str(), old.as_str(), "/usr/lib64", "/lib64"]
            .iter()
            .filter_map(|path| resolver.real(path))
            .collect();
    }
    let mut found: Vec<PathBuf> = ["/lib64", "/usr/lib64"]
        .iter()
        .filter_map(|path| resolver.real(path))
        .collect();
    for folder in ["/lib", "/usr/lib"] {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        let is_library = |name: &str| name.starts_with("lib") || name.starts_with("ld-");
        found.extend(
            entries
                .flatten()
                .filter(|entry| entry.file_name().to_str().is_some_and(is_library))
                .filter_map(|entry| fs::canonicalize(entry.path()).ok())
                .filter(|path| path.is_file()),
        );
    }
    found
}

/// Dynamic loaders: execve(2) opens them for execution beside the program.
pub(super) const LOADERS: [&str; 5] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-linux.so.2",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

/// Folders and files in which an interpreter has its own library, by the beginning of the interpreter's name. Each entry may end
/// with `*`, for a version that is part of the folder's name.
const INTERPRETERS: [(&str, &[&str]); 8] = [
    ("guile", &["/usr/share/guile", "/usr/lib/guile"]),
    ("lua", &["/usr/share/lua", "/usr/local/share/lua"]),
    (
        "node",
        &[
            "/usr/share/nodejs",
            "/usr/share/node_modules",
            "/usr/lib/node_modules",
            "/usr/local/lib/node_modules",
        ],
    ),
    ("openssl", &["/usr/lib/ssl", "/etc/ssl/openssl.cnf"]),
    (
        "perl",
        &[
            "/usr/share/perl*",
            "/usr/lib/perl*",
            "/usr/local/share/perl*",
            "/usr/local/lib/perl*",
            "/etc/perl",
        ],
    ),
    ("php", &["/usr/share/php", "/usr/lib/php*", "/etc/php*"]),
    (
        "python",
        &[
            "/usr/lib/python*",
            "/usr/lib64/python*",
            "/usr/local/lib/python*",
            "/etc/python*",
        ],
    ),
    (
        "ruby",
        &[
            "/usr/lib/ruby",
            "/usr/share/ruby",
            "/usr/share/rubygems*",
            "/var/lib/gems",
        ],
    ),
];

/// The library folders of the interpreters among these programs, where they are there.
pub(super) fn of_interpreters(programs: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // By bytes: each start asks this of some hundred programs.
    let programs = programs
        .iter()
        .map(|path| path.as_os_str().as_encoded_bytes());
    let names: Vec<&[u8]> = programs
        .filter_map(|path| path.rsplit(|byte| *byte == b'/').next())
        .collect();
    for (interpreter, folders) in INTERPRETERS {
        let is_named = |name: &&[u8]| {
            let rest = name.strip_prefix(interpreter.as_bytes());
            rest.is_some_and(|rest| {
                rest.iter()
                    .all(|byte| byte.is_ascii_digit() || b".-".contains(byte))
            })
        };
        if names.iter().any(is_named) {
            found.extend(folders.iter().flat_map(|folder| matching(folder)));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The folders that a pattern of [`INTERPRETERS`] stands for.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let Some(beginning) = pattern.strip_suffix('*').map(Path::new) else {
        return fs::canonicalize(pattern).into_iter().collect();
    };
    let (Some(folder), Some(name)) = (beginning.parent(), beginning.file_name()) else {
        return Vec::new();
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let entries = entries.filter(|entry| {
        let entry = entry.file_name();
        entry
            .as_encoded_bytes()
            .starts_with(name.as_encoded_bytes())
    });
    let real = entries.filter_map(|entry| fs::canonicalize(entry.path()).ok());
    real.collect()
}

/// Makes paths canonical that lie in few folders: the way to each of these is looked at once.
#[derive(Default)]
pub(super) struct Resolver(BTreeMap<PathBuf, Option<PathBuf>>);

impl Resolver {
    /// The canonical path, where there is anything.
    pub(super) fn real(&mut self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return fs::canonicalize(path).ok();
        };
        let way = self
            .0
            .entry(folder.to_owned())
            .or_insert_with(|| fs::canonicalize(folder).ok());
        let path = way.as_ref()?.join(name);
        match fs::symlink_metadata(&path).ok()?.is_symlink() {
            true => fs::canonicalize(path).ok(),
            false => Some(path),
        }
    }
}
