//! `-race` without a C compiler in reach of the source: what it gives is what plain go gives.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

use std::fs;

use support::{Ended, Env, Site, age, in_environments, needs_program};

const MODULE: &str = "module example.com/m\n\ngo 1.21\n";
/// A package that uses the packages of Go's own with C code.
const PACKAGE: &str = "package m

import (
\t\"net\"
\t\"os/user\"
)

func Listen() error {
\tif _, err := user.LookupId(\"0\"); err != nil {
\t\treturn err
\t}
\tif _, err := net.LookupHost(\"localhost\"); err != nil {
\t\treturn err
\t}
\tl, err := net.Listen(\"tcp\", \"127.0.0.1:0\")
\tif err != nil {
\t\treturn err
\t}
\treturn l.Close()
}

func Race() int {
\tx, done := 0, make(chan bool)
\tgo func() { x = 1; done <- true }()
\tx = 2
\t<-done
\treturn x
}
";
const TESTS: &str = "package m

import \"testing\"

func TestListen(t *testing.T) {
\tif err := Listen(); err != nil {
\t\tt.Fatal(err)
\t}
}

func TestRace(t *testing.T) { Race() }
";

/// Programs use the race detector in profile ci.
const CI: &[&str] = &["--profile", "ci"];

fn site(env: Env) -> Option<Site> {
    if !needs_program("gcc", "gcc") {
        return None;
    }
    let site = Site::new(env);
    site.file("go.mod", MODULE);
    site.file("m.go", PACKAGE);
    site.file("m_test.go", TESTS);
    site.file("cmd/main.go", "package main\n\nimport \"example.com/m\"\n\nfunc main() { println(m.Race() > 0, m.Listen() == nil) }\n");
    age(&site.work);
    site.settle();
    Some(site)
}

/// Plain go, with cgo.
fn bare(site: &Site, words: &[&str]) -> Ended {
    let mut command = site.bare(words);
    command
        .env("CGO_ENABLED", "1")
        .env("GOFLAGS", "-buildvcs=false");
    Ended::of(&mut command)
}

fn tests_find_races_and_are_cached(env: Env) {
    let Some(site) = site(env) else { return };
    let words = ["go", "test", "-race", "."];
    bare(&site, &words).expect(1).says("WARNING: DATA RACE");
    let found = site.run(CI, &words).expect(1);
    found
        .says("WARNING: DATA RACE")
        .says("race detected during execution of test");
    let good = ["go", "test", "-race", "-run=Listen", "."];
    site.run(CI, &good).expect(0);
    site.run(CI, &good).expect(0).says("(cached)");
    let run = site.run(CI, &["go", "run", "-race", "./cmd"]).expect(1);
    run.says("true true").says("exit status 66");
}
in_environments!(tests_find_races_and_are_cached);

fn the_bytes_are_those_of_plain_go(env: Env) {
    let Some(site) = site(env) else { return };
    let built = [
        &["go", "test", "-race", "-c", "-o", "OUT", "."][..],
        &["go", "test", "-race", "-cover", "-c", "-o", "OUT", "."],
        &["go", "build", "-race", "-o", "OUT", "./cmd"],
        &[
            "go",
            "build",
            "-race",
            "-ldflags=-s -w",
            "-o",
            "OUT",
            "./cmd",
        ],
    ];
    // All of Go's own packages anew: once is enough.
    let trimmed = ["go", "build", "-race", "-trimpath", "-o", "OUT", "./cmd"];
    let trimmed = (env == Env::User).then_some(&trimmed[..]);
    for words in built.into_iter().chain(trimmed) {
        let named = |out: &'static str| -> Vec<&str> {
            let name = |word: &&'static str| if *word == "OUT" { out } else { *word };
            words.iter().map(name).collect()
        };
        bare(&site, &named("plain")).expect(0);
        site.run(CI, &named("inside")).expect(0);
        let read = |name| fs::read(site.work.join(name)).unwrap();
        assert!(read("plain") == read("inside"), "{env:?} {words:?}");
        for name in ["plain", "inside"] {
            fs::remove_file(site.work.join(name)).unwrap();
        }
    }
}
in_environments!(the_bytes_are_those_of_plain_go);

#[test]
fn every_command_that_builds_takes_it() {
    for env in [Env::User, Env::Restricted] {
        let Some(site) = site(env) else { return };
        site.run(CI, &["go", "vet", "-race", "./..."]).expect(0);
        let listed = site.run(CI, &["go", "list", "-race", "-deps", "./cmd"]);
        listed.expect(0).says("runtime/race");
        let install = ["go", "install", "-race", "./cmd"];
        let mut command = site.gosandbox(CI, &install);
        command.env("GOBIN", site.work.join("bin"));
        Ended::of(&mut command).expect(0);
        let plain = ["go", "build", "-race", "-o", "plain", "./cmd"];
        bare(&site, &plain).expect(0);
        let read = |name| fs::read(site.work.join(name)).unwrap();
        assert!(read("plain") == read("bin/cmd"), "{env:?}");
        let json = ["go", "test", "-race", "-cover", "-json", "-run=Listen", "."];
        site.run(CI, &json)
            .expect(0)
            .says("\"Action\":\"pass\"")
            .says("coverage: ");
        let mut command = site.gosandbox(CI, &["go", "test", "."]);
        command.env("GOFLAGS", "-race");
        Ended::of(&mut command).expect(1).says("WARNING: DATA RACE");
        // Where nothing is built, it means nothing.
        let mut command = site.gosandbox(CI, &["go", "mod", "verify"]);
        command.env("GOFLAGS", "-race");
        Ended::of(&mut command).expect(0);
        let mut command = site.gosandbox(CI, &["go", "test", "-race", "."]);
        command.env("CGO_ENABLED", "0");
        Ended::of(&mut command).expect(2).says("-race requires cgo");
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let Some(site) = site(Env::User) else { return };
    let race = ["go", "test", "-race", "."];
    let refused = site.run(&[], &race).expect(125).refused("flag-refused");
    refused.says("--profile ci").says("programs.race = true");
    for (words, name) in [
        (&["go", "build", "-race", "-a", "."][..], "-a"),
        (
            &["go", "build", "-race", "-buildmode=pie", "./cmd"],
            "-buildmode=pie",
        ),
    ] {
        site.run(CI, words).refused("compiler-refused").says(name);
    }
    for (name, value) in [
        ("CC", "./gcc"),
        ("CC", "gcc -B."),
        ("CC", "sh"),
        ("CC", "clang-99"),
        ("GOARCH", "arm64"),
        ("GOOS", "freebsd"),
    ] {
        let mut command = site.gosandbox(CI, &race);
        let ended = Ended::of(command.env(name, value));
        ended.expect(125).refused("race-unavailable").says(value);
    }
    // A profile of the work tree's own grants nothing.
    let race_on = "[programs]\nrace = true\n";
    site.give(&site.file(".gosandbox.toml", race_on));
    assert_eq!(site.run(&[], &race).status, 125);
    site.give(&site.file(".gosandbox.toml", "[programs]\nrace = false\n"));
    site.run(CI, &race).refused("flag-refused");
}

/// What compiles or is asked for anything else fails with a message that names it, whoever has it compiled.
fn nothing_of_the_users_is_compiled(env: Env) {
    let Some(site) = site(env) else { return };
    let c = "package native\n\n// int one(void) { return 1; }\nimport \"C\"\n\nfunc One() int { return int(C.one()) }\n";
    site.file("native/native.go", c);
    site.settle();
    bare(&site, &["go", "build", "-race", "./native"]).expect(0);
    let refused = site.run(CI, &["go", "build", "-race", "./native"]);
    refused
        .refused("compiler-refused")
        .says("example.com/m/native");
    // One that is not looked at beforehand: the stand-in refuses it.
    let covered = [
        "go",
        "test",
        "-race",
        "-coverpkg=os/user",
        "-run=Listen",
        ".",
    ];
    bare(&site, &covered).expect(0);
    let ended = site.run(CI, &covered);
    ended.says("(compiler-refused)").says("cannot run gcc");
}
in_environments!(nothing_of_the_users_is_compiled);

#[test]
fn a_compiler_of_the_callers_path_or_the_tree_never_runs() {
    for env in [Env::User, Env::Restricted] {
        let Some(site) = site(env) else { return };
        let marker = site.work.join("ran");
        let script = format!(
            "#!/bin/sh\necho ran >>{}\nexec /usr/bin/gcc \"$@\"\n",
            marker.display()
        );
        site.program("bin/gcc", &script);
        site.settle();
        let words = ["go", "build", "-race", "-o", "out", "./cmd"];
        let path = |command: &mut std::process::Command| {
            let usual = "/usr/local/bin:/usr/bin:/bin";
            let go = support::goroot().join("bin");
            let path = format!(
                "{}:{}:{usual}",
                site.work.join("bin").display(),
                go.display()
            );
            command
                .env("PATH", path)
                .env("COMPILER_PATH", site.work.join("bin"));
        };
        let mut command = site.bare(&words);
        path(&mut command);
        Ended::of(command.env("CGO_ENABLED", "1")).expect(0);
        assert!(marker.exists(), "plain go calls it");
        fs::remove_file(&marker).unwrap();
        let mut command = site.gosandbox(CI, &words);
        path(&mut command);
        Ended::of(&mut command).expect(0);
        assert!(!marker.exists(), "{env:?}");
    }
}

/// What the go command has for its questions is not in reach of programs.
fn programs_have_no_compiler(env: Env) {
    let Some(site) = site(env) else { return };
    let test = "package m

import (
\t\"os\"
\t\"os/exec\"
\t\"strings\"
\t\"testing\"
)

func TestCompiler(t *testing.T) {
\tfor _, name := range []string{\"CC\", \"GOSANDBOX_COMPILER\"} {
\t\tif value, has := os.LookupEnv(name); has {
\t\t\tt.Errorf(\"%s=%s\", name, value)
\t\t}
\t}
\tif os.Getenv(\"CGO_ENABLED\") != \"0\" || strings.Contains(os.Getenv(\"PATH\"), \"compiler\") {
\t\tt.Error(os.Environ())
\t}
\tfor _, name := range []string{\"gcc\", \"/usr/bin/gcc\", \"/run/gosandbox/compiler/gcc\", \"/usr/bin/as\"} {
\t\tif out, err := exec.Command(name, \"--version\").CombinedOutput(); err == nil {
\t\t\tt.Errorf(\"%s ran: %s\", name, out)
\t\t}
\t}
\tout, err := exec.Command(\"go\", \"list\", \"-f\", \"{{.CgoFiles}}\", \"net\").CombinedOutput()
\tif err != nil || strings.TrimSpace(string(out)) != \"[]\" {
\t\tt.Errorf(\"%v: %s\", err, out)
\t}
}
";
    site.file("compiler_test.go", test);
    site.settle();
    let mut command = site.gosandbox(CI, &["go", "test", "-run=Compiler", "."]);
    Ended::of(command.env("GOFLAGS", "-race")).expect(0);
    let bare = bare(&site, &["go", "test", "-run=Compiler", "."]);
    bare.expect(1).says("/usr/bin/gcc ran");
}
in_environments!(programs_have_no_compiler);
