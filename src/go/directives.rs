//! The packages with versions that `//go:generate go run PACKAGE@VERSION` directives name.
//!
//! They are in no go.mod, and the directives run without a network.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::FileType;

use super::read_plain;
use crate::files::look;

/// Folders that are looked into, and packages that are named at most.
const MOST: (usize, usize) = (20_000, 32);
/// Larger files are not written by hand.
const LARGEST: u64 = 1 << 20;

/// Those below a folder, sorted, each once. Folders that go leaves aside are not looked into.
pub fn versioned(root: &Path) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        seen += 1;
        if seen > MOST.0 || found.len() >= MOST.1 {
            break;
        }
        for entry in look::read_dir(&folder).into_iter().flatten() {
            let path = entry.path();
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            let Ok(status) = look::symlink_metadata(&path) else {
                continue;
            };
            match FileType::from_raw_mode(status.mode()) {
                FileType::Directory if !is_left_aside(name) => folders.push(path),
                FileType::RegularFile if name.ends_with(b".go") => {
                    if let Ok(text) = read_plain(&path, LARGEST) {
                        let text = String::from_utf8_lossy(&text);
                        found.extend(text.lines().filter_map(package).map(str::to_owned));
                    }
                }
                _ => {}
            }
        }
    }
    found.into_iter().take(MOST.1).collect()
}

fn is_left_aside(name: &[u8]) -> bool {
    name.starts_with(b".")
        || name.starts_with(b"_")
        || [&b"testdata"[..], b"vendor"].contains(&name)
}

/// What one line names.
fn package(line: &str) -> Option<&str> {
    let mut words = line
        .strip_prefix("//go:generate ")?
        .split_ascii_whitespace();
    if (words.next()?, words.next()?) != ("go", "run") {
        return None;
    }
    let mut words = words.skip_while(|word| word.starts_with('-'));
    words.next().filter(|word| is_package(word))
}

/// As `example.com/cmd/x@v1.2.3` or `@latest`: nothing that could be a flag or a path.
fn is_package(word: &str) -> bool {
    let Some((path, version)) = word.split_once('@') else {
        return false;
    };
    let fits = |text: &str, more: &[u8]| {
        let is_one = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
        text.as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric)
            && text.bytes().all(is_one)
    };
    path.contains('.') && fits(path, b"-._~/") && fits(version, b"-._+/")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn packages_are_named_by_directives_alone() {
        let of = |line| package(line);
        assert_eq!(
            of("//go:generate go run example.com/cmd/x@v1.2.3 -type=Kind"),
            Some("example.com/cmd/x@v1.2.3")
        );
        assert_eq!(
            of("//go:generate go run -mod=mod example.com/x@latest"),
            Some("example.com/x@latest")
        );
        for other in [
            "// go:generate go run example.com/x@latest",
            "//go:generate go run ./internal/gen",
            "//go:generate go run example.com/x",
            "//go:generate go run -example.com/x@v1",
            "//go:generate go run ../x.y@v1",
            "//go:generate go run example.com/x@",
            "//go:generate go run example.com/x@-exec=sh",
            "//go:generate go run example.com/$X@v1",
            "//go:generate echo go run example.com/x@v1",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn folders_that_go_leaves_aside_count_for_nothing() {
        let base = tempfile::tempdir().unwrap();
        for (name, version) in [
            ("a", 1),
            ("b/c", 2),
            (".d", 3),
            ("vendor/e", 4),
            ("b/testdata", 5),
        ] {
            let folder = base.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            let line = format!("package x\n\n//go:generate go run example.com/x@v{version}\n");
            fs::write(folder.join("x.go"), line).unwrap();
        }
        let root = base.path().canonicalize().unwrap();
        assert_eq!(versioned(&root), ["example.com/x@v1", "example.com/x@v2"]);
    }
}
