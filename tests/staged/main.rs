//! The staged work tree: what programs see, what lands when a run has ended, and what does not.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod choices;
mod edits;
mod plants;
mod roots;
mod scenes;
mod servers;
mod together;
mod unstaged;
mod windows;

use support::{Env, Site};

/// The environments in which a work tree is staged.
fn staging() -> impl Iterator<Item = Env> {
    [Env::User, Env::Root]
        .into_iter()
        .filter(|env| env.is_here())
}

/// A module whose test, program and generator run `script.sh`.
fn site(env: Env, script: &str) -> Site {
    const PROGRAM: &str = r#"package main

//go:generate sh script.sh

import (
	"os"
	"os/exec"
)

func script() {
	command := exec.Command("sh", "script.sh")
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		os.Exit(3)
	}
}

func main() { script() }
"#;
    const TEST: &str = r#"package main

import "testing"

func TestScript(t *testing.T) { script() }
"#;
    let site = Site::new(env);
    site.stage_apart();
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("main.go", PROGRAM);
    site.file("main_test.go", TEST);
    site.file("script.sh", script);
    site.file("testdata/README", "");
    site
}

/// What runs the script, with the options for it.
const ENTRIES: [(&[&str], &[&str]); 4] = [
    (&[], &["sh", "script.sh"]),
    (&[], &["go", "run", "."]),
    (&[], &["go", "generate", "./..."]),
    (&["--profile", "ci"], &["go", "test", "-count=1", "./..."]),
];
