//! `--pids` and `--memory`.

use std::fs;

use crate::reachable::{Lacks, needs_root, skip};

use super::launch::{Place, Setting, is_root, kill, settings};
use crate::support::wait::eventually;

const BOMB: &str = r#"package life

import ("os/exec"; "testing")

func TestBomb(t *testing.T) {
	started := 0
	for range 200 {
		if exec.Command("sleep", "600").Start() != nil {
			break
		}
		started++
	}
	if started > 60 {
		t.Fatal("nothing bounds it")
	}
}
"#;

fn cgroup_is_writable(controller: &str) -> bool {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    is_root()
        && own
            .lines()
            .any(|line| line.split(':').nth(1) == Some(controller))
}

#[test]
fn a_fork_bomb_in_a_test_is_bounded_by_pids() {
    for setting in settings() {
        let place = Place::new(setting);
        fs::write(place.tree().join("life_test.go"), BOMB).unwrap();
        let output = place.output(&["--pids", "60", "--", "go", "test", "./..."]);
        let errors = String::from_utf8_lossy(&output.stderr);
        match (setting.root, setting.namespaces) {
            (true, _) if !cgroup_is_writable("pids") => {
                assert_eq!(output.status.code(), Some(125), "{errors}");
            }
            (false, false) => {
                assert_eq!(output.status.code(), Some(125), "{errors}");
                assert!(errors.contains("cannot limit processes to 60"), "{errors}");
                assert!(place.is_clean());
            }
            (true, _) => {
                assert!(errors.contains("the limit of 60 processes"), "{errors}");
                assert!(output.status.success(), "{output:?}");
            }
            (false, true) => assert!(output.status.success(), "{setting:?} {output:?}"),
        }
    }
}

const ALLOCATE: &str = r#"package main

import "os"

func main() {
	var kept [][]byte
	for range 1200 {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
	os.Stdout.WriteString("allocated all\n")
	_ = kept
}
"#;

#[test]
fn an_allocator_is_bounded_by_memory() {
    for setting in settings() {
        let place = Place::new(setting);
        fs::write(place.tree().join("main.go"), ALLOCATE).unwrap();
        let output = place.output(&["--memory", "1GiB", "--", "go", "run", "."]);
        let errors = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!text.contains("allocated all"), "{setting:?} {output:?}");
        assert!(!output.status.success(), "{setting:?}");
        if setting.root && cgroup_is_writable("memory") {
            assert!(
                errors.contains("the memory limit of 1024 MiB was reached"),
                "{errors}"
            );
        } else {
            assert!(errors.contains("RLIMIT_DATA"), "{errors}");
            assert!(
                errors.contains("out of memory") || errors.contains("cannot allocate"),
                "{errors}"
            );
        }
    }
}

#[test]
fn a_limit_that_nothing_can_hold_is_refused_before_anything_starts() {
    let setting = Setting {
        root: false,
        namespaces: true,
    };
    let place = Place::new(setting);
    let output = place.output(&["--memory", "64MiB", "--", "touch", "out/started"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{errors}");
    assert!(errors.contains("(limit-unheld)\nhelp: "), "{errors}");
    assert!(!place.tree().join("out/started").exists());
}

#[test]
fn the_cgroup_of_a_crashed_run_goes_with_the_next() {
    if !needs_root("a cgroup is root's") {
        return;
    }
    if !cgroup_is_writable("pids") {
        return skip(
            Lacks::Target,
            "no hierarchy of version 1 limits processes here",
        );
    }
    let setting = Setting {
        root: true,
        namespaces: true,
    };
    let place = Place::new(setting);
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.split_once(":pids:"));
    let parent = format!("/sys/fs/cgroup/pids{}", own.unwrap().1);
    let mut child = place.start(&[
        "--pids",
        "50",
        "--",
        "sh",
        "-c",
        "touch out/ready; sleep 600",
    ]);
    place.wait_until_ready();
    let group = std::path::PathBuf::from(format!("{parent}/gosandbox-{}-0", child.id()));
    let inside = || fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    assert!(
        inside().lines().count() >= 2,
        "init and the command are in it"
    );
    kill(child.id() as i32, libc::SIGKILL);
    child.wait().unwrap();
    eventually("everything in it ends", || inside().is_empty());
    assert!(
        place
            .output(&["--pids", "50", "--", "true"])
            .status
            .success()
    );
    assert!(!group.exists());
}
