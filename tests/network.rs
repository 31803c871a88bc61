//! The way out: go fetches through the gateway, and what it builds does not reach it.
#![allow(clippy::unwrap_used)]

mod support;

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;

use support::modules::Modules;
use support::{Ended, Env, Site, confined, gosandbox, is_root, write};

const GO_MOD: &str = "module example.test/main\n\ngo 1.21\n\nrequire example.test/dep v1.0.0\n";
const MAIN: &str = r#"package main

import "example.test/dep"

func main() { println(dep.Word()) }
"#;

/// A project that needs a module, and the folder that serves it.
struct Scene {
    site: Site,
    profile: PathBuf,
    cache: Cell<u32>,
}

impl Scene {
    fn new(env: Env) -> Scene {
        let site = Site::new(env);
        let modules = Modules::new(site.root.join("modules"));
        let files = [
            ("go.mod", "module example.test/dep\n\ngo 1.21\n"),
            (
                "dep.go",
                "package dep\n\nfunc Word() string { return \"fetched\" }\n",
            ),
        ];
        modules.add("example.test/dep", "v1.0.0", &files);
        let profile = site.root.join("profile.toml");
        let text = format!(
            "extends = \"strict\"\n\n[modules]\nupstreams = \"{}\"\nprivate = [\"example.test/*\"]\n",
            modules.upstream()
        );
        write(&profile, &text);
        site.file("go.mod", GO_MOD);
        site.file("main.go", MAIN);
        let scene = Scene {
            site,
            profile,
            cache: Cell::new(0),
        };
        scene.settle();
        scene
    }

    /// The project is its owner's, the profile the caller's.
    fn settle(&self) {
        self.site.settle();
        if is_root() {
            chown(&self.profile, Some(self.site.caller()), None).unwrap();
        }
    }

    /// From here on with a module cache that nothing is in.
    fn forget(&self) {
        self.cache.set(self.cache.get() + 1);
    }

    /// With the build cache of all tests.
    fn command(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new(gosandbox());
        let profile = ["--profile", self.profile.to_str().unwrap()];
        command.args(profile).args(options).arg("--").args(words);
        self.site.prepare(&mut command);
        command
            .env("GOCACHE", self.site.cache().join("go-build"))
            .env("GOMODCACHE", self.modules());
        confined::enter(&mut command, self.site.env, self.site.caller());
        command
    }

    fn run(&self, options: &[&str], words: &[&str]) -> Ended {
        Ended::of(&mut self.command(options, words))
    }

    fn modules(&self) -> PathBuf {
        self.site.home.join(format!("mod-{}", self.cache.get()))
    }

    fn has_fetched(&self) -> bool {
        let zip = "cache/download/example.test/dep/@v/v1.0.0.zip";
        self.modules().join(zip).exists()
    }
}

fn scenes() -> impl Iterator<Item = Scene> {
    let here = Env::ALL.into_iter().filter(|env| env.is_here());
    here.map(Scene::new)
}

#[test]
fn what_is_missing_is_fetched_and_programs_have_no_way_out() {
    for scene in scenes() {
        let test = include_str!("fixtures/network/network_test.go");
        scene.site.file("main_test.go", test);
        scene.settle();
        scene.run(&[], &["go", "mod", "tidy"]).expect(0);
        assert!(scene.site.work.join("go.sum").exists());
        scene.forget();
        let token = fs::read_to_string(scene.site.home.join(".local/state/gosandbox/token"));
        let token = format!("--env=TOKEN_IS={}", token.unwrap_or("none there".into()));
        let words = ["go", "test", "-count=1", "-v", "-buildvcs=false", "."];
        let ended = scene.run(&[&token], &words).expect(0);
        let ended = ended.says("\nDONE").says("detached DONE");
        assert!(scene.has_fetched());
        let reached: Vec<&str> = ended
            .stdout
            .lines()
            .filter(|line| line.contains("REACHED") && !line.contains("TOKEN_IS="))
            .collect();
        assert!(reached.is_empty(), "{:?}: {reached:#?}", scene.site.env);
    }
}
