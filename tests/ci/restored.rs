//! Caches that a CI service has restored, which belong to whoever saved them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::RUNNERS;
use crate::runner::Runner;
use crate::support::modules::Modules;
use crate::support::reachable::seed;
use crate::support::{age, give_tree, needs_root, write};

/// Who has saved them.
const OTHER: u32 = 4711;
const BUILD: &str = "go build -buildvcs=false -o ";
const MAIN: &str =
    "package main\n\nimport \"example.test/dep\"\n\nfunc main() { println(dep.Word()) }\n";

/// A runner whose caches a job of another user has filled.
struct Restored {
    runner: Runner,
    folder: TempDir,
    profile: PathBuf,
}

impl Restored {
    fn new(env: crate::Env) -> Restored {
        let mut runner = Runner::new(env);
        let modules = Modules::new(runner.site.root.join("modules"));
        let files = [
            ("go.mod", "module example.test/dep\n\ngo 1.21\n"),
            (
                "dep.go",
                "package dep\n\nfunc Word() string { return \"dep\" }\n",
            ),
        ];
        modules.add("example.test/dep", "v1.0.0", &files);
        let site = &runner.site;
        site.file(
            "go.mod",
            "module example.test/hello\n\ngo 1.21\n\nrequire example.test/dep v1.0.0\n",
        );
        site.file("cmd/hello/main.go", MAIN);
        let profile = runner.temp().join("profile.toml");
        let text = format!(
            "extends = \"ci\"\n\n[modules]\nupstreams = \"{}\"\nprivate = [\"example.test/*\"]\n",
            modules.upstream()
        );
        write(&profile, &text);
        // Not the project's: that is handed to its owner before each step.
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        for (name, below) in [("GOCACHE", "go-build"), ("GOMODCACHE", "mod")] {
            let below = folder.path().join(below);
            let value = below.to_str().unwrap().to_owned();
            runner.variables.insert(name.to_owned(), value);
        }
        let plain = [
            ("GOPROXY", modules.upstream()),
            ("GONOSUMDB", "*".to_owned()),
        ];
        let plain = plain.map(|(name, value)| (name.to_owned(), value));
        runner.variables.extend(plain);
        runner.site.settle();
        seed::seed(&folder.path().join("go-build"), None);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        give_tree(folder.path(), runner.site.caller());
        let fill = format!("go mod tidy && {BUILD}/dev/null ./cmd/hello");
        runner.bash(&fill).expect(0);
        let restored = Restored {
            runner,
            folder,
            profile,
        };
        restored.changes("!");
        restored
    }

    /// What the next job compiles is something new. Go notes nothing of files that are two seconds old or less.
    fn changes(&self, word: &str) {
        let main = MAIN.replace(".Word()", &format!(".Word() + {word:?}"));
        self.runner.site.file("cmd/hello/main.go", &main);
        age(&self.runner.site.work);
    }

    /// Puts the caches back as they were saved, for the next job.
    fn restore(&self, modes: &str) {
        give_tree(self.folder.path(), OTHER);
        let chmod = Command::new("chmod")
            .args(["-R", modes])
            .arg(self.folder.path())
            .status();
        assert!(chmod.unwrap().success());
    }

    fn same_bytes(&self) {
        let read = |name| fs::read(self.runner.site.work.join(name)).unwrap();
        let env = self.runner.site.env;
        assert!(read("inside") == read("plain"), "{env:?}: other bytes");
        fs::remove_file(self.runner.site.work.join("inside")).unwrap();
    }
}

#[test]
fn restored_caches_of_another_user_are_used_as_by_plain_go_or_named() {
    if !needs_root("caches of several users") {
        return;
    }
    for env in RUNNERS {
        let mut restored = Restored::new(env);
        let profile = restored.profile.to_str().unwrap().to_owned();
        let build = format!("{BUILD}inside ./cmd/hello");
        let plain = format!("CGO_ENABLED=0 {BUILD}plain ./cmd/hello");
        let inputs = [("run", build.as_str()), ("profile", &profile)];
        // As everybody may write them.
        restored.restore("a=rwX");
        restored.runner.bash(&plain).expect(0);
        restored.restore("a=rwX");
        restored.runner.action(&inputs).expect(0);
        restored.same_bytes();
        // As nobody else may: what go notes of sources it must be able to keep.
        restored.changes("?");
        restored.restore("u=rwX,go=rX");
        let status = restored.runner.bash(&plain).status;
        assert_ne!(status, 0, "the control");
        let named = restored.runner.action(&inputs).expect(status);
        let user = restored.runner.site.caller();
        for cache in ["go-build", "mod"] {
            let cache = restored.folder.path().join(cache);
            let help = format!("chown -R {user} {}", cache.display());
            assert!(named.stderr.contains(&help), "{env:?}: {}", named.stderr);
        }
        give_tree(restored.folder.path(), user);
        restored.runner.action(&inputs).expect(0);
        restored.runner.bash(&plain).expect(0);
        restored.same_bytes();
    }
}
