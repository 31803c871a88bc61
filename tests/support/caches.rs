//! Caches that stay from one run of the tests to the next, one a user who writes them.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::{Env, ORDINARY, Site, base, confined, gosandbox, is_root};

/// What most projects of the tests need. Tests that begin at the same time with an empty cache would each compile it.
const NEEDED: &str = "package warm\n\nimport (\n\t_ \"bufio\"\n\t_ \"bytes\"\n\t_ \"encoding/json\"\n\t_ \"fmt\"\n\t\
    _ \"net\"\n\t_ \"os/exec\"\n\t_ \"os/signal\"\n\t_ \"path/filepath\"\n\t_ \"testing\"\n)\n";

impl Site {
    /// The value of `--cache-dir`.
    pub fn cache(&self) -> PathBuf {
        let (name, owner, _) = self.inside();
        made(name, owner)
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
        site.file("warm_test.go", NEEDED);
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
    let folder = base().join(name);
    if !folder.exists() {
        fs::create_dir_all(&folder).unwrap();
        if is_root() {
            chown(&folder, Some(owner), Some(owner)).unwrap();
        }
    }
    folder
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
