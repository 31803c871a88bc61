//! The way out: go fetches through the gateway, and what it builds does not reach it.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod apart;
mod callers;
mod commands;
#[allow(dead_code)]
#[path = "../gateway/database.rs"]
mod database;
mod dns;
mod graph;
mod https;
mod loading;
mod lookups;
mod loose;
#[allow(dead_code)]
#[path = "../gateway/modules.rs"]
mod modules;
mod names;
mod newer;
#[allow(dead_code)]
#[path = "../gateway/proxy.rs"]
mod proxy;
mod rebinding;
mod stragglers;
mod sums;
mod threads;
mod toolchain;
mod tunnels;
mod unsupervised;

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
    modules: Modules,
    profile: PathBuf,
    cache: Cell<u32>,
}

impl Scene {
    /// Has a program and a test of it in the place of the one that needs a module.
    fn program(&self, name: &str, program: &str, test: &str) {
        std::fs::remove_file(self.site.work.join("main.go")).unwrap();
        self.site
            .file("go.mod", "module example.test/main\n\ngo 1.21\n");
        self.site.file(&format!("{name}.go"), program);
        self.site.file(&format!("{name}_test.go"), test);
    }

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
            modules,
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
            .env("GOMODCACHE", self.module_cache());
        confined::enter(&mut command, self.site.env, self.site.caller());
        command
    }

    fn run(&self, options: &[&str], words: &[&str]) -> Ended {
        Ended::of(&mut self.command(options, words))
    }

    fn module_cache(&self) -> PathBuf {
        self.site.home.join(format!("mod-{}", self.cache.get()))
    }

    fn has_fetched(&self) -> bool {
        let zip = "cache/download/example.test/dep/@v/v1.0.0.zip";
        self.module_cache().join(zip).exists()
    }
}

fn scenes() -> impl Iterator<Item = Scene> {
    let here = Env::ALL.into_iter().filter(|env| env.is_here());
    here.map(Scene::new)
}

/// What looks for ports on which somebody listens.
const LISTENING: &str = include_str!("../fixtures/network/listening.go");

#[test]
fn what_is_missing_is_fetched_and_programs_have_no_way_out() {
    for scene in scenes() {
        let test = include_str!("../fixtures/network/network_test.go");
        scene.site.file("main_test.go", test);
        scene.site.file("listening_test.go", LISTENING);
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

#[test]
fn what_a_command_without_network_needs_is_fetched_first() {
    for scene in scenes() {
        scene.run(&[], &["go", "mod", "tidy"]).expect(0);
        let look =
            "test -d $GOMODCACHE/example.test/dep@v1.0.0 && echo there; env | grep -c 127.0.0.1:";
        scene.forget();
        let ended = scene.run(&[], &["sh", "-c", look]);
        assert_eq!(
            ended.stdout, "there\n0\n",
            "{:?}: {ended:?}",
            scene.site.env
        );
        scene.forget();
        let directive = "package main\n\n//go:generate sh -c \"test -d $GOMODCACHE/example.test/dep@v1.0.0 && echo there\"\n";
        scene.site.file("generate.go", directive);
        scene.settle();
        if scene.site.env != Env::Container {
            scene.run(&[], &["go", "generate"]).expect(0).says("there");
        }
    }
}

#[test]
fn what_cannot_be_fetched_is_said_and_the_command_runs() {
    let scene = Scene::new(Env::User);
    scene.run(&[], &["go", "mod", "tidy"]).expect(0);
    scene.forget();
    fs::remove_dir_all(scene.site.root.join("modules")).unwrap();
    let ended = scene.run(&[], &["sh", "-c", "echo ran; exit 3"]).expect(3);
    assert_eq!(ended.stdout, "ran\n");
    ended.says("the command runs without modules such as example.test/dep@v1.0.0");
}

#[test]
fn a_cached_build_and_airgap_open_nothing() {
    let scene = Scene::new(Env::User);
    scene.run(&[], &["go", "mod", "tidy"]).expect(0);
    fs::remove_dir_all(scene.site.root.join("modules")).unwrap();
    scene
        .run(&[], &["go", "build", "-o", "/dev/null", "."])
        .expect(0);
    let report = scene.site.root.join("home/report.json");
    let report = report.to_str().unwrap();
    let options = ["--profile=airgap", "--report", report];
    let words = ["go", "list", "-f", "{{.ImportPath}}", "std"];
    let listed = scene.site.run(&options, &words).expect(0);
    assert!(listed.stdout.contains("net/http"));
    assert!(
        fs::read_to_string(report)
            .unwrap()
            .contains("\"way\": null")
    );
}

#[test]
fn the_token_is_in_no_report_and_in_no_plan() {
    for scene in scenes() {
        let report = scene.site.root.join("home/report.json");
        let options = ["--report", report.to_str().unwrap()];
        let words = ["go", "list", "-m", "-f", "{{.Path}}", "all"];
        scene.run(&[], &["go", "mod", "tidy"]).expect(0);
        scene.run(&options, &words).expect(0);
        let text = fs::read_to_string(&report).unwrap();
        let own = ["http://modules.gosandbox", "http://{gateway}/{token}"];
        let own = own[usize::from(!scene.site.env.has_namespaces())];
        assert!(text.contains(own), "{text}");
        let token = fs::read_to_string(scene.site.home.join(".local/state/gosandbox/token"));
        if let Ok(token) = token {
            assert!(!text.contains(&token));
        }
        let printed = scene.run(&["--dry-run"], &words).expect(0);
        assert!(printed.stdout.contains("{token}"), "{printed:?}");
    }
}

#[test]
fn the_token_is_in_nothing_that_go_prints_and_the_same_from_run_to_run() {
    for env in [Env::User, Env::Root]
        .into_iter()
        .filter(|env| env.is_here())
    {
        let scene = Scene::new(env);
        let ask = |words: &[&str]| {
            let ended = scene.run(&[], words);
            format!("{}{}", ended.stdout, ended.stderr)
        };
        let download = ["go", "mod", "download", "-x", "example.test/none@v1.0.0"];
        let said = ask(&download) + &ask(&["go", "env", "GOPROXY"]) + &ask(&["go", "env", "-json"]);
        assert!(
            said.contains("http://modules.gosandbox/example.test/none"),
            "{said}"
        );
        let place = scene.site.home.join(".local/state/gosandbox/token");
        let token = fs::read_to_string(&place).unwrap();
        assert_eq!(token.len(), 32);
        assert!(!said.contains(&token), "{env:?}: {said}");
        ask(&download);
        assert_eq!(fs::read_to_string(&place).unwrap(), token);
    }
}

#[test]
fn an_audit_log_that_the_run_could_write_is_refused_and_refusals_are_in_it() {
    let scene = Scene::new(Env::User);
    let inside = scene.site.work.join("audit.jsonl");
    let options = ["--audit-log", inside.to_str().unwrap()];
    let words = ["go", "version"];
    scene
        .run(&options, &["go", "list", "."])
        .expect(125)
        .refused("audit-log-refused");
    let log = scene.site.home.join("audit.jsonl");
    let options = ["--audit-log", log.to_str().unwrap()];
    scene.run(&options, &words).expect(0);
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
    let refused = ["go", "env", "-w", "GOFLAGS=-mod=mod"];
    scene.run(&options, &refused).expect(125);
    let text = fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("run-refused") && text.contains("go-command-refused"),
        "{text}"
    );
}

#[test]
fn the_callers_goproxy_is_not_used_and_that_is_said() {
    let scene = Scene::new(Env::User);
    let mut command = scene.command(&["-v"], &["go", "list", "."]);
    command.env("GOPROXY", "https://me:secret@mirror.example,direct");
    let ended = Ended::of(&mut command).says("GOPROXY (https://mirror.example) is not used");
    let ended = ended.says("upstreams under [modules]");
    let ended = ended.says("profile ").says("; as ").says("; Go 1.");
    let ended = ended
        .says("caches: ")
        .says("have another value inside or none: GOPROXY");
    assert!(!ended.stderr.contains("secret"));
}

#[test]
fn hosts_by_name_are_for_commands_where_the_profile_says_so_and_no_secret_is_for_tests() {
    const TEST: &str = "package main\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestProxy(t *testing.T) {\n\
        \tif p := os.Getenv(\"HTTPS_PROXY\"); p != \"http://127.0.0.1:9420\" {\n\t\tt.Fatal(p)\n\t}\n}\n";
    for scene in scenes() {
        let upstream = fs::read_to_string(&scene.profile).unwrap();
        let words = ["sh", "-c", "echo \"<$HTTPS_PROXY>\""];
        let host = ["--allow-host", "host.example"];
        // An option that would mean nothing is refused.
        let strict = scene.run(&host, &words).expect(125);
        strict.refused("service-refused").says("--profile dev");
        assert_eq!(scene.run(&[], &words).expect(0).stdout, "<>\n");
        write(&scene.profile, &upstream.replace("strict", "dev"));
        assert_eq!(scene.run(&[], &words).expect(0).stdout, "<>\n");
        let dev = scene.run(&host, &words).expect(0).stdout;
        assert!(dev.starts_with("<http://gosandbox:"), "{dev}");
        // Never the token that opens the way to modules.
        let token = fs::read_to_string(scene.site.home.join(".local/state/gosandbox/token"));
        assert!(token.is_err() || !dev.contains(&token.unwrap()));
        scene.site.file("proxy_test.go", TEST);
        scene.settle();
        scene.run(&[], &["go", "mod", "tidy"]).expect(0);
        let test = ["go", "test", "-count=1", "-buildvcs=false", "."];
        scene.run(&host, &test).expect(0);
    }
}
