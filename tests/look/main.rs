//! The look after a run whose programs write the work tree itself: with `--stage direct`, and where there
//! are no namespaces.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod exchanges;
mod faults;
mod kills;
mod together;

use std::process::Command;

use support::{Ended, Env, Site};

/// Programs write the work tree itself.
const DIRECT: [&str; 2] = ["--stage", "direct"];

fn environments() -> impl Iterator<Item = Env> {
    Env::ALL.into_iter().filter(|env| env.is_here())
}

/// A module whose test runs `script.sh` in `testdata`; other ways run it in `own`.
fn site(env: Env, script: &str) -> Site {
    const TEST: &str = r#"package main

import (
	"os/exec"
	"testing"
)

func TestScript(t *testing.T) {
	if out, err := exec.Command("sh", "script.sh", "testdata").CombinedOutput(); err != nil {
		t.Log(string(out), err)
	}
}
"#;
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("main_test.go", TEST);
    site.file("script.sh", &format!("cd \"$1\" || exit 9\n{script}\n"));
    for folder in ["own", "testdata"] {
        site.file(&format!("{folder}/README"), "");
    }
    site
}

/// How the script is run, and the folder that it writes.
const WAYS: [(&[&str], &str); 2] = [
    (&["sh", "script.sh", "own"], "own"),
    (&["go", "test", "-count=1", "."], "testdata"),
];

/// What is at protected names, however deep: each `.git`, and each `HEAD` that says so.
fn planted(site: &Site) -> Vec<String> {
    let mut find = Command::new("find");
    find.current_dir(&site.work).args([
        ".", "-name", ".git", "-print", "-o", "-name", "HEAD", "-execdir", "grep", "-q", "planted",
        "{}", ";", "-print",
    ]);
    let found = Ended::of(&mut find);
    let mut found: Vec<String> = found.stdout.lines().map(str::to_owned).collect();
    // It cannot be listed, and can be entered.
    for folder in ["own", "testdata"] {
        let hidden = format!("{folder}/shut/in/.git");
        if site.work.join(&hidden).symlink_metadata().is_ok() {
            found.push(hidden);
        }
    }
    found
}

/// `gosandbox changes WORDS` in the work tree.
fn changes(site: &Site, words: &[&str]) -> Ended {
    Ended::of(&mut site.subcommand(&[&["changes"], words].concat()))
}

/// The line about the site's work tree in the list of runs.
fn listed(site: &Site) -> Option<String> {
    let list = changes(site, &["list"]).expect(0).stdout;
    let tree = site.work.to_str().unwrap();
    let mut lines = list.lines().filter(|line| line.contains(tree));
    lines.next().map(str::to_owned)
}
