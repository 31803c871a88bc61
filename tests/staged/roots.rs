//! The two roots: the go command does not see what programs have staged, and programs have no way to the
//! real work tree.

use std::fs;

use crate::{site, staging};

/// The go command's root and the programs' one, as a program sees them.
const LOOK: &str = r#"package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLook(t *testing.T) {
	tree, _ := os.Getwd()
	if err := os.WriteFile("staged.txt", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// The go command is in the other root: nothing of it may be reached.
	processes, _ := filepath.Glob("/proc/[0-9]*")
	others := 0
	for _, process := range processes {
		line, _ := os.ReadFile(process + "/cmdline")
		if !strings.Contains(string(line), "go\x00test") {
			continue
		}
		others++
		for _, way := range []string{"root" + tree, "cwd"} {
			if _, err := os.ReadDir(filepath.Join(process, way)); err == nil {
				fmt.Println("REACHED", process, way)
			}
		}
	}
	if others == 0 {
		t.Error("the go command is not there")
	}
	for _, path := range []string{"/run/gosandbox/programs/root", "/run/gosandbox/programs", "/.."} {
		entries, err := os.ReadDir(path)
		fmt.Println("LOOK", path, len(entries), err)
	}
	if _, err := os.ReadDir(filepath.Join("/run/gosandbox/programs/root", tree)); err == nil {
		fmt.Println("REACHED the root of programs")
	}
}
"#;

#[test]
fn programs_reach_neither_the_other_root_nor_the_real_tree() {
    for env in staging() {
        let site = site(env, "true");
        fs::write(site.work.join("main_test.go"), LOOK).unwrap();
        site.settle();
        let ended = site.run(&[], &["go", "test", "-v", "-count=1", "."]);
        let ended = ended.expect(0);
        assert!(!ended.stdout.contains("REACHED"), "{env:?}: {ended:?}");
        assert!(!site.work.join("staged.txt").exists(), "{env:?}");
    }
}

/// A module that is replaced by the staged tree would have go compile what a program of the same run writes.
#[test]
fn the_go_command_reaches_nothing_that_programs_have_staged() {
    for env in staging() {
        let site = site(env, "true");
        let root = format!("/run/gosandbox/programs/root{}", site.work.display());
        site.file(
            "go.mod",
            &format!(
                "module example.com/m\n\ngo 1.21\n\nrequire example.com/x v0.0.0\n\nreplace example.com/x => {root}/x\n"
            ),
        );
        site.file("x/go.mod", "module example.com/x\n\ngo 1.21\n");
        site.file("x/x.go", "package x\n");
        site.file("use/use.go", "package use\n\nimport _ \"example.com/x\"\n");
        site.settle();
        let ended = site.run(&[], &["go", "test", "./..."]);
        assert_ne!(ended.status, 0, "{env:?}: {ended:?}");
        assert!(
            ended.stderr.contains("permission denied") || ended.stderr.contains("does not exist"),
            "{env:?}: {ended:?}"
        );
    }
}
