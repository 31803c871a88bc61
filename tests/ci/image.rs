//! The entry point of the image that `gosandbox profile container` makes: `docker run IMAGE go test ./...` runs go in
//! gosandbox. Here it is started as an engine starts it, with its filter and capabilities; `tests/containers` has
//! engines do it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::reachable::seed;
use crate::support::{Ended, Env, ORDINARY, confined, goroot, gosandbox, needs_root};
use crate::{RUNNERS, Runner};

/// What the image starts, and with which words if it is given none.
struct Image {
    entry: Vec<String>,
    usual: Vec<String>,
}

impl Image {
    fn of(runner: &Runner) -> Image {
        let site = &runner.site;
        let folder = site.home.join("deploy");
        fs::create_dir(&folder).unwrap();
        site.settle();
        let to = folder.to_str().unwrap();
        let words = ["-q", "profile", "container", "-C", ".", "-o", to];
        Ended::of(&mut site.subcommand(&words)).expect(0);
        let text = fs::read_to_string(folder.join("Containerfile")).unwrap();
        let words = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            serde_json::from_str(line.unwrap()).unwrap()
        };
        Image {
            entry: words("ENTRYPOINT "),
            usual: words("CMD "),
        }
    }

    /// `docker run --user USER IMAGE WORDS`, with the volumes of the page.
    fn run(&self, runner: &Runner, env: Env, user: u32, cache: &Path, words: &[&str]) -> Ended {
        let words: Vec<String> = match words {
            [] => self.usual.clone(),
            words => words.iter().map(|word| (*word).to_owned()).collect(),
        };
        let mut command = Command::new(gosandbox());
        for word in &self.entry[1..] {
            match word.as_str() {
                "/cache" => command.arg(cache),
                word => command.arg(word),
            };
        }
        command
            .args(&words)
            .env_clear()
            // An engine takes it from the image's /etc/passwd.
            .env("HOME", "/nonexistent")
            .env("HOSTNAME", "0123456789ab")
            .env("PATH", path())
            .current_dir(&runner.site.work);
        confined::enter(&mut command, env, user);
        Ended::of(&mut command)
    }
}

fn path() -> String {
    format!("{}:/usr/bin:/bin", goroot().join("bin").display())
}

#[test]
fn the_entry_point_of_the_image_runs_go_as_plain_go_does() {
    if !needs_root("an engine's root, and another user") {
        return;
    }
    let users = [(Env::Container, ORDINARY), (Env::Container, 0)];
    for (env, user) in users.into_iter().chain(RUNNERS.map(|env| (env, ORDINARY))) {
        let runner = Runner::new(env);
        let main = "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.test/hello\"\n)\n\n\
                    func main() { fmt.Println(hello.Word()) }\n";
        runner.site.file("cmd/hello/main.go", main);
        runner.site.settle();
        let image = Image::of(&runner);
        assert_eq!(image.entry.first().unwrap(), "gosandbox");
        let cache = runner.site.root.join("volume");
        seed::seed(&cache.join("go-build"), Some(ORDINARY));
        crate::support::give_tree(&cache, ORDINARY);
        let run = |words: &[&str]| image.run(&runner, env, user, &cache, words);
        run(&[]).expect(0);
        let ended = run(&["go", "test", "-count=1", "-v", "./..."]).expect(0);
        let ended = ended.says("--- PASS: TestRunner");
        assert!(
            !ended.stdout.contains("REACHED"),
            "{env:?} {user}: {ended:?}"
        );
        let build = ["build", "-buildvcs=false", "-o"];
        let inside = [&["go"], &build[..], &["inside", "./cmd/hello"]].concat();
        run(&inside).expect(0);
        let plain = format!("CGO_ENABLED=0 go {} plain ./cmd/hello", build.join(" "));
        runner.bash(&plain).expect(0);
        let read = |name| fs::read(runner.site.work.join(name)).unwrap();
        assert!(
            read("inside") == read("plain"),
            "{env:?} {user}: other bytes"
        );
        for failing in [
            "go build ./missing",
            "go vet -nonsense ./...",
            "go test -run",
        ] {
            let plain = runner.bash(failing).status;
            assert_ne!(plain, 0);
            let words: Vec<&str> = failing.split(' ').collect();
            run(&words).expect(plain);
        }
    }
}
