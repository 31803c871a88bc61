//! What most projects of the tests need of Go's own packages, compiled once: a cold cache costs half a minute of
//! processor time, and the tests have many caches.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{folder, goroot};

const NEEDED: &str = "package warm\n\nimport (\n\t_ \"bufio\"\n\t_ \"bytes\"\n\t_ \"encoding/json\"\n\t_ \"fmt\"\n\t\
    _ \"net/http/httptest\"\n\t_ \"os/exec\"\n\t_ \"os/signal\"\n\t_ \"path/filepath\"\n\t_ \"testing\"\n)\n";

/// Puts a copy of what is compiled into a build cache that is not there yet, and gives it to a user. A cache has files
/// of its own: what a test does to them stays there.
pub fn seed(cache: &Path, owner: Option<u32>) {
    if cache.exists() {
        return;
    }
    fs::create_dir_all(cache.parent().unwrap()).unwrap();
    // Tests beside this one may want the same cache: it is there whole, and its user's, or not at all.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = cache.file_name().unwrap().to_string_lossy();
    let new = cache.with_file_name(format!("{name}.{}-{number}", std::process::id()));
    let mut copy = Command::new("cp");
    copy.args(["-r", "--reflink=auto"])
        .arg(compiled())
        .arg(&new);
    assert!(copy.status().unwrap().success(), "{}", new.display());
    if let Some(owner) = owner {
        give(&new, owner);
    }
    if fs::rename(&new, cache).is_err() {
        assert!(cache.exists(), "{}", cache.display());
        fs::remove_dir_all(&new).unwrap();
    }
}

fn give(path: &Path, owner: u32) {
    lchown(path, Some(owner), Some(owner)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), owner);
        }
    }
}

/// A build cache that no test uses itself. It stays from one run of the tests to the next.
fn compiled() -> &'static Path {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let version = fs::read_to_string(goroot().join("VERSION")).unwrap();
        let version = version.lines().next().unwrap().to_owned();
        let place = folder().join(format!("seed-{version}"));
        if !place.exists() {
            // Another process may do the same.
            let new = folder().join(format!("seed-{}", std::process::id()));
            compile(&new);
            let _another_was_faster = fs::rename(new.join("go-build"), &place);
            fs::remove_dir_all(&new).unwrap();
        }
        place
    })
}

fn compile(folder: &Path) {
    let source = folder.join("source");
    fs::create_dir_all(&source).unwrap();
    let main = "package main\n\nimport (\n\t_ \"net/http\"\n\t_ \"os/exec\"\n)\n\nfunc main() {}\n";
    for (name, text) in [
        ("go.mod", "module example.com/warm\n\ngo 1.21\n"),
        ("warm_test.go", NEEDED),
        ("main/main.go", main),
    ] {
        let path = source.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    for words in [
        &["vet", "./..."][..],
        &["test", "./..."],
        &["build", "-o", "/dev/null", "./main"],
    ] {
        let mut command = Command::new(goroot().join("bin/go"));
        command
            .args(words)
            .current_dir(&source)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder)
            .env("GOCACHE", folder.join("go-build"))
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-buildvcs=false")
            .env("GOPROXY", "off")
            .env("GOTOOLCHAIN", "local");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
