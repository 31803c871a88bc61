//! What a test leaves running has no way out: not while the go command goes on, and not after it.

use std::fs;
use std::process::Command;

use crate::{Ended, Env, LISTENING, Scene, write};

/// A test that leaves a process in a session of its own, whose parent has ended.
const LEAVES: &str = include_str!("../fixtures/network/leaves_test.go");

/// A test of another package, which goes on until the process has tried, or is gone.
const WAITS: &str = include_str!("../fixtures/network/waits_test.go");

/// Processes whose command line names this.
fn living(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(name) {
            found.push(line);
        }
    }
    found
}

const TEST: [&str; 8] = [
    "go",
    "test",
    "-v",
    "-p=1",
    "-count=1",
    "-buildvcs=false",
    "./a",
    "./b",
];

/// A project whose test leaves a process.
fn leaves(env: Env) -> Scene {
    let scene = Scene::new(env);
    scene.site.file("a/leaves_test.go", LEAVES);
    let listening = LISTENING.replace("package main", "package a");
    scene.site.file("a/listening_test.go", &listening);
    scene.site.file("b/waits_test.go", WAITS);
    scene.site.file("a/testdata/.keep", "");
    scene.settle();
    scene
}

#[test]
fn what_a_test_leaves_running_reaches_a_host_and_lives_on_without_gosandbox() {
    let scene = leaves(Env::User);
    scene
        .site
        .file("go.mod", "module example.test/main\n\ngo 1.21\n");
    let named = format!("127.0.0.1:{}", crate::tunnels::service());
    let name = format!("straggler-{}-bare", std::process::id());
    let mut bare = scene.site.bare(&TEST);
    bare.env("STRAGGLER", &name)
        .env("NAMED", &named)
        .env("ONLY_NAMED", "1");
    Ended::of(&mut bare).expect(0);
    let tried = fs::read_to_string(scene.site.work.join("a/testdata/log")).unwrap();
    let pid = tried.lines().next().unwrap().strip_prefix("left ").unwrap();
    assert_eq!(living(&name).len(), 1);
    let killed = Command::new("kill").args(["-KILL", pid]).status().unwrap();
    assert!(killed.success());
    assert!(tried.contains(&format!("REACHED {named}")), "{tried}");
}

#[test]
fn what_a_test_leaves_running_reaches_nothing_and_ends_with_the_run() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let scene = leaves(env);
        let upstream = fs::read_to_string(&scene.profile).unwrap();
        let named = crate::tunnels::service();
        let named = format!("127.0.0.1:{named}");
        let name = format!("straggler-{}-{env:?}", std::process::id());
        scene.run(&[], &["go", "mod", "tidy"]).expect(0);
        // What the process could not know, but might guess.
        let token = fs::read_to_string(scene.site.home.join(".local/state/gosandbox/token"));
        let variables = [
            format!("--env=STRAGGLER={name}"),
            format!("--env=NAMED={named}"),
            format!("--env=TOKEN={}", token.unwrap_or("none".into())),
        ];
        for profile in ["strict", "dev"] {
            write(
                &scene.profile,
                &upstream.replace("\"strict\"", &format!("\"{profile}\"")),
            );
            scene.settle();
            let log = scene.site.work.join("a/testdata/log");
            let _none = fs::remove_file(&log);
            let mut options: Vec<&str> = variables.iter().map(String::as_str).collect();
            options.extend(["--allow-host", &named]);
            // Each test has a tunnel of its own, which ends with it.
            if env.has_namespaces() {
                options.push("--env=CLOSES=1");
            }
            let ended = scene.run(&options, &TEST).expect(0);
            assert_eq!(living(&name), Vec::<String>::new(), "{env:?} {profile}");
            let tried = fs::read_to_string(&log).unwrap();
            assert!(tried.contains("DONE"), "{env:?} {profile}: {tried}");
            let reached: Vec<&str> = tried.lines().filter(|l| l.contains("REACHED")).collect();
            // Without namespaces the tunnel is for everything inside, until the go command ends.
            let expected = |line: &&str| {
                profile == "dev" && !env.has_namespaces() && line.starts_with("REACHED tunnel")
            };
            let beyond: Vec<_> = reached.iter().filter(|line| !expected(line)).collect();
            assert!(
                beyond.is_empty(),
                "{env:?} {profile}: {beyond:#?} {ended:?}"
            );
        }
    }
}
