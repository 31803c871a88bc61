//! Caches that stay from one run of the tests to the next, one a user who writes them.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use sha2::{Digest as _, Sha256};

use super::reachable::seed::seed;
use super::{Env, ORDINARY, Site, base, confined, gosandbox, is_root};

impl Site {
    /// The value of `--cache-dir`.
    pub fn cache(&self) -> PathBuf {
        let (name, owner, _) = self.inside();
        made(name, owner)
    }

    /// The cache that commands which run code of the source have for a project alone, of those below `programs`. It is
    /// cold where a test does not ask for this.
    pub fn warm_own_cache(&self) {
        let (_, owner, _) = self.inside();
        let programs = self.cache().join("programs");
        own(&programs, owner);
        own(&programs.join(key(&self.work)), owner);
        let cache = programs.join(key(&self.work)).join("go-build");
        seed(&cache, is_root().then_some(owner));
    }

    /// A value of `--cache-dir` for this project alone, where Go's own packages are compiled and nothing else.
    pub fn cache_apart(&self) -> PathBuf {
        let (_, owner, _) = self.inside();
        let folder = self.root.join("cache");
        own(&folder, owner);
        seed(&folder.join("go-build"), is_root().then_some(owner));
        folder
    }

    /// As [`Site::warm_own_cache`], where a run names no folder for caches and its user has a home.
    pub fn warm_cache_of_home(&self) {
        let cache = self.home.join(".cache/gosandbox/programs");
        let cache = cache.join(key(&self.work)).join("go-build");
        seed(&cache, None);
        if is_root() {
            super::give_tree(&self.home.join(".cache"), self.caller());
        }
    }

    /// Removes what commands have kept for this project.
    pub(super) fn remove_own_caches(&self) {
        for name in ["caches-nobody", "caches-user"] {
            let folder = base().join(name).join("programs").join(key(&self.work));
            let _there_may_be_none = fs::remove_dir_all(folder);
        }
    }

    fn inside(&self) -> (&'static str, u32, Env) {
        match self.env {
            Env::Root if is_root() => ("caches-nobody", 65534, Env::Root),
            _ => ("caches-user", ORDINARY, Env::User),
        }
    }

    /// Fills [`Site::cache`] for a go command.
    pub(super) fn warm_for(&self, words: &[&str]) {
        static LOCK: Mutex<()> = Mutex::new(());
        let (name, owner, env) = self.inside();
        warm(&LOCK, name, words, || {
            let site = Site::warming(env);
            let mut command = Command::new(gosandbox());
            command.arg("--cache-dir").arg(made(name, owner));
            command.args(["--", "go", "test", "./..."]);
            site.prepare(&mut command);
            confined::enter(&mut command, site.env, site.caller());
            command.output()
        });
    }

    /// The caches of runs without gosandbox, filled for a go command.
    pub(super) fn set_plain_caches(&self, command: &mut Command, words: &[&str]) {
        static LOCK: Mutex<()> = Mutex::new(());
        let name = format!("bare-{}", self.caller());
        let folder = made(&name, self.caller());
        warm(&LOCK, &name, words, || {
            let site = Site::warming(plain(self.env));
            let mut command = Command::new("go");
            command.args(["test", "./..."]);
            site.prepare(&mut command);
            set(&mut command, &folder);
            confined::enter(&mut command, site.env, site.caller());
            command.output()
        });
        set(command, &folder);
    }

    fn warming(env: Env) -> Site {
        let site = Site::new(env);
        site.file("go.mod", "module example.com/warm\n\ngo 1.21\n");
        site.file("warm_test.go", "package warm\n\nimport _ \"net\"\n");
        site.settle();
        site
    }
}

/// The environment of the same user, without what a container or a hardened host refuses.
pub(super) fn plain(env: Env) -> Env {
    if env.is_root() { Env::Root } else { Env::User }
}

fn set(command: &mut Command, folder: &Path) {
    command
        .env("GOCACHE", folder.join("go-build"))
        .env("GOMODCACHE", folder.join("mod"))
        .env("GOFLAGS", "-buildvcs=false")
        .env("GOTOOLCHAIN", "local")
        .env("GOPROXY", "off");
}

fn made(name: &str, owner: u32) -> PathBuf {
    static LOCK: Mutex<()> = Mutex::new(());
    let folder = base().join(name);
    let _held = LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    own(&folder, owner);
    seed(&folder.join("go-build"), is_root().then_some(owner));
    folder
}

/// Makes a folder of a user's, unless it is there.
fn own(folder: &Path, owner: u32) {
    if fs::create_dir_all(folder).is_ok() && is_root() {
        chown(folder, Some(owner), Some(owner)).unwrap();
    }
}

/// How a project's own cache is named.
fn key(tree: &Path) -> String {
    let hash = Sha256::digest(tree.as_os_str().as_encoded_bytes());
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Once a cache, and only for tests that build.
fn warm<T>(lock: &Mutex<()>, name: &str, words: &[&str], fill: impl FnOnce() -> T) {
    let is_filled = base().join(format!("{name}.filled"));
    if words.first() != Some(&"go") || is_filled.exists() {
        return;
    }
    // A test that failed while it held the lock has only left a colder cache.
    let _held = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if !is_filled.exists() {
        // Where it fails, tests fail that say why.
        let _output = fill();
        fs::write(is_filled, "").unwrap();
    }
}
