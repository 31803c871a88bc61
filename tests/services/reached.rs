//! A named service is reached by every kind of program, and nothing beside it.

use std::fs;
use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::support::{Env, in_environments, write};
use crate::{Echo, looks};

const TEST: [&str; 6] = ["go", "test", "-v", "-count=1", "-buildvcs=false", "."];
const RUN: [&str; 4] = ["go", "run", "-buildvcs=false", "."];
/// A program that is the command itself, and what it starts.
const SHELL: [&str; 3] = [
    "sh",
    "-c",
    "go build -buildvcs=false -o $TMPDIR/look . && $TMPDIR/look",
];

/// Each kind of program, and how it calls itself.
const KINDS: [(&[&str], &str); 3] = [(&TEST, "test"), (&RUN, "program"), (&SHELL, "program")];

fn programs_reach_named_services_and_no_other(env: Env) {
    let (one, two, other) = (Echo::new(), Echo::new(), Echo::new());
    let localhost = format!("localhost:{}", two.port);
    let site = looks(env, &[&one.address(), &localhost, &other.address()]);
    // A command that is a program runs go commands of its own.
    site.warm_own_cache();
    let report = site.home.join("report.json");
    let options = [
        "--profile=ci",
        "--service",
        &one.name(),
        "--service",
        &format!("localhost:{}", two.port),
        "--report",
        report.to_str().unwrap(),
    ];
    for (words, who) in KINDS {
        let ended = site.run(&options, words).expect(0);
        for (to, answer) in [
            (one.address(), "answers echo hello"),
            (localhost.clone(), "answers echo hello"),
            (other.address(), "NOT REACHED"),
        ] {
            let line = format!("{who} {to} {answer}");
            assert!(ended.stdout.contains(&line), "{env:?}: {line}: {ended:?}");
        }
        let text = fs::read_to_string(&report).unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        let ports = report["ports"].as_array().unwrap();
        let mut named: Vec<_> = ports
            .iter()
            .map(|it| it["service"].as_str().unwrap())
            .collect();
        named.sort_unstable();
        let mut expected = [one.name(), two.name()];
        expected.sort_unstable();
        assert_eq!(named, expected, "{env:?} {words:?}");
        assert!(ports.iter().all(|it| it["connections"] == 1), "{report:#}");
    }
    assert_eq!(other.lines.load(Ordering::Relaxed), 0);
}
in_environments!(programs_reach_named_services_and_no_other);

fn a_profile_names_services_and_strict_has_none(env: Env) {
    let echo = Echo::new();
    let site = looks(env, &[&echo.address()]);
    let profile = |base: &str| {
        let text = format!(
            "extends = {base:?}\n\n[network]\nservices = [{}]\n",
            echo.port
        );
        site.profile(&text)
    };
    let path = profile("ci");
    let options = ["--profile", path.to_str().unwrap()];
    let reached = format!("test {} answers echo hello", echo.address());
    site.run(&options, &TEST).expect(0).says(&reached);
    let not_reached = format!("test {} NOT REACHED", echo.address());
    site.run(&[], &TEST).expect(0).says(&not_reached);
    let path = profile("strict");
    let options = ["--profile", path.to_str().unwrap()];
    site.run(&options, &TEST).expect(0).says(&not_reached);
}
in_environments!(a_profile_names_services_and_strict_has_none);

/// Code that runs beside the compiler has no business with a database.
fn the_go_command_itself_is_not_led_there(env: Env) {
    let echo = Echo::new();
    let site = looks(env, &[&echo.address()]);
    let options = ["--profile=ci", "--service", &echo.name()];
    site.run(&options, &["go", "vet", "./..."]).expect(0);
    assert_eq!(echo.lines.load(Ordering::Relaxed), 0);
}
in_environments!(the_go_command_itself_is_not_led_there: user User, restricted Restricted);

#[test]
fn the_list_of_services_is_part_of_what_a_result_is_cached_by() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let echo = Echo::new();
        let site = looks(env, &[&echo.address()]);
        let cached = ["go", "test", "-buildvcs=false", "."];
        let options = ["--profile=ci", "--service", &echo.name()];
        site.run(&options, &cached).expect(0);
        let again = site.run(&options, &cached).expect(0);
        assert!(again.stdout.contains("(cached)"), "{env:?}: {again:?}");
        let without = site.run(&["--profile=ci"], &cached).expect(0);
        assert!(!without.stdout.contains("(cached)"), "{env:?}: {without:?}");
    }
}

#[test]
fn a_repositorys_own_file_opens_nothing() {
    let echo = Echo::new();
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = looks(env, &[&echo.address()]);
        for line in [
            format!("network.services = [{}]", echo.port),
            "network.programs = \"hosts\"".to_owned(),
            "network.publish = [8080]".to_owned(),
        ] {
            write(&site.work.join(".gosandbox.toml"), &line);
            site.settle();
            site.run(&["--profile=ci"], &TEST)
                .expect(125)
                .refused("profile-loosens");
        }
        // It can take a service away.
        write(
            &site.work.join(".gosandbox.toml"),
            "network.programs = \"loopback\"",
        );
        site.settle();
        let options = ["--profile=ci", "--service", &echo.name()];
        site.run(&options, &TEST)
            .expect(125)
            .refused("service-refused");
    }
}
