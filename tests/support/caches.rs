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
        let (name, owner, env) = match self.env {
            Env::Root if is_root() => ("caches-nobody", 65534, Env::Root),
            _ => ("caches-user", ORDINARY, Env::User),
        };
        made(name, owner, |folder| {
            let site = Site::warming(env);
            let mut command = Command::new(gosandbox());
            command.arg("--cache-dir").arg(folder);
            command.args(["--", "go", "test", "./..."]);
            site.prepare(&mut command);
            confined::enter(&mut command, site.env, site.caller());
            command.output()
        })
    }

    /// The caches of runs without gosandbox.
    pub(super) fn set_plain_caches(&self, command: &mut Command) {
        let name = format!("bare-{}", self.caller());
        let folder = made(&name, self.caller(), |folder| {
            let site = Site::warming(plain(self.env));
            let mut command = Command::new("go");
            command.args(["test", "./..."]);
            site.prepare(&mut command);
            set(&mut command, folder);
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

/// A folder of a user's, which `warm` fills when it is new.
fn made<T>(name: &str, owner: u32, warm: impl FnOnce(&Path) -> T) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let folder = base().join(name);
    // A test that failed while it held the lock has only left a colder cache.
    let _held = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if !folder.exists() {
        fs::create_dir_all(&folder).unwrap();
        if is_root() {
            chown(&folder, Some(owner), Some(owner)).unwrap();
        }
        // Where it fails, tests fail that say why.
        let _warmed = warm(&folder);
    }
    folder
}
