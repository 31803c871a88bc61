//! As the first process of a container.

use std::process::{Command, Stdio};

use super::launch::{Place, Setting, child_of, kill};
use crate::support::wait::ends;

/// As root in a container without CAP_SYS_ADMIN, which cannot make namespaces.
const CONTAINER: &str = "setpriv --bounding-set=-sys_admin";

fn as_pid_1(place: &Place, before: &str, words: &str) -> Command {
    as_pid_1_after(place, before, "", words)
}

fn as_pid_1_after(place: &Place, before: &str, prefix: &str, words: &str) -> Command {
    let mut command = Command::new("unshare");
    place.settle(&mut command);
    let gosandbox = crate::reachable::gosandbox().display();
    let script = format!("{before} exec {prefix} {gosandbox} -q --rw out -- {words}");
    command
        .args([
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "sh",
            "-c",
            &script,
        ])
        .stdin(Stdio::null());
    command
}

const ROOT: Setting = Setting {
    root: true,
    namespaces: true,
};

#[test]
fn pid_1_reaps_orphans_that_are_not_its_own() {
    if !crate::reachable::needs_root("an entry point runs as root") {
        return;
    }
    for prefix in ["", CONTAINER] {
        let place = Place::new(ROOT);
        // Processes beside the run, as `docker exec` makes them, that leave orphans to pid 1. One that
        // is reaped is gone from /proc.
        let before = "(: > out/orphans; until [ -e out/ready ]; do sleep 0.02; done; \
                      for i in 1 2 3 4 5; do (sh -c 'sleep 0.1 & echo $! >> out/orphans' &); done; \
                      until [ $(wc -l < out/orphans) = 5 ]; do sleep 0.02; done; \
                      for i in $(cat out/orphans); do while [ -e /proc/$i ]; do sleep 0.02; done; done; \
                      touch out/reaped) &";
        let words = "sh -c 'touch out/ready; until [ -e out/reaped ]; do sleep 0.02; done; exit 8'";
        let mut command = as_pid_1_after(&place, before, prefix, words);
        let mut child = command.spawn().unwrap();
        ends(&mut child);
        assert_eq!(child.wait().unwrap().code(), Some(8), "{prefix}");
    }
}

#[test]
fn pid_1_passes_signals_on() {
    if !crate::reachable::needs_root("an entry point runs as root") {
        return;
    }
    for prefix in ["", CONTAINER] {
        let place = Place::new(ROOT);
        let words = "sh -c 'trap \"exit 9\" TERM; touch out/ready; while :; do sleep 0.1; done'";
        let mut command = as_pid_1_after(&place, "", prefix, words);
        let mut child = command.spawn().unwrap();
        place.wait_until_ready();
        kill(child_of(child.id() as i32), libc::SIGTERM);
        ends(&mut child);
        assert_eq!(child.wait().unwrap().code(), Some(9), "{prefix}");
    }
}

#[test]
fn root_s_work_tree_is_written_and_stays_root_s() {
    if !crate::reachable::needs_root("an entry point runs as root") {
        return;
    }
    let place = Place::new(ROOT);
    std::fs::write(
        place.tree().join("main.go"),
        "package main\n\nfunc main() {}\n",
    )
    .unwrap();
    let named = ["", "go.mod", "out"].map(|name| place.tree().join(name));
    for path in named {
        std::os::unix::fs::chown(path, Some(0), Some(0)).unwrap();
    }
    let cache = place.tree().join("../cache/deep");
    let mut command = as_pid_1(&place, "", "go build -o app .");
    assert!(command.status().unwrap().success());
    let mut command = as_pid_1(&place, "", "go list .");
    command.env("GOCACHE", &cache);
    assert!(command.status().unwrap().success());
    use std::os::unix::fs::MetadataExt;
    assert_eq!(place.tree().join("app").metadata().unwrap().uid(), 0);
    assert!(cache.is_dir());
}

#[test]
fn another_s_work_tree_is_worked_on_as_its_owner() {
    if !crate::reachable::needs_root("an entry point runs as root") {
        return;
    }
    let place = Place::new(ROOT);
    for path in ["", "go.mod", "out"].map(|name| place.tree().join(name)) {
        std::os::unix::fs::chown(path, Some(4712), Some(4712)).unwrap();
    }
    let mut command = as_pid_1(&place, "", "sh -c 'id -u > out/uid'");
    assert!(command.status().unwrap().success());
    let uid = std::fs::read_to_string(place.tree().join("out/uid")).unwrap();
    assert_eq!(uid.trim(), "4712");
}
