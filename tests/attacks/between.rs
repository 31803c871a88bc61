//! Between the cages: a test changes neither the go command that started it nor what started that.

use std::collections::BTreeSet;

use crate::support::{Ended, Env, Site};

const TEST: &str = include_str!("../fixtures/cages_test.go");

/// sched_setattr has no name in Go's frozen syscall package.
const NUMBERS: [(&str, &str); 2] = [("amd64", "314"), ("arm64", "274")];

/// What a test may do: change itself, and look.
const OWN: [&str; 4] = [
    "own ioprio_set",
    "own prlimit64",
    "own sched_setparam",
    "own setpriority",
];

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/cages\n\ngo 1.21\n");
    site.file("cages_test.go", TEST);
    for (machine, number) in NUMBERS {
        let text = format!("package cages\n\nconst schedSetattr = {number}\n");
        site.file(&format!("number_{machine}_test.go"), &text);
    }
    site.settle();
    site
}

fn done(ended: &Ended) -> BTreeSet<&str> {
    assert!(ended.stdout.contains("DONE"), "{ended:?}");
    let lines = ended.stdout.lines();
    lines.filter_map(|line| line.strip_prefix("DID ")).collect()
}

#[test]
fn a_test_changes_no_process_above_it() {
    let environments = Env::ALL.into_iter().chain([Env::NoLandlock]);
    for env in environments.filter(|env| env.is_here()) {
        let site = site(env);
        let options: &[&str] = match env {
            Env::NoLandlock => &["--best-effort"],
            _ => &[],
        };
        let ended = site
            .run(options, &["go", "test", "-count=1", "-v", "."])
            .expect(0);
        let mut done = done(&ended);
        for own in OWN {
            assert!(done.remove(own), "{env:?}: {own} is refused: {ended:?}");
        }
        done.retain(|name| !name.starts_with("read "));
        assert!(done.is_empty(), "{env:?}: {done:?}");
    }
}

#[test]
fn a_test_changes_the_go_command_without_gosandbox() {
    let site = site(Env::User);
    let mut bare = site.bare(&["go", "test", "-count=1", "-v", "."]);
    let ended = Ended::of(bare.env("ONLY_PARENT", "1"));
    let done = done(&ended);
    for name in [
        "prlimit64",
        "sched_setaffinity",
        "sched_setparam",
        "sched_setscheduler",
        "sched_setattr",
        "setpriority",
        "ioprio_set",
        "write oom_score_adj",
        "write coredump_filter",
        "write clear_refs",
    ] {
        assert!(done.contains(name), "{name}: {ended:?}");
    }
}
