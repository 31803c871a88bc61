//! `programs.debug`: programs trace what they start, and nothing else; a traced program is no way past a filter.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

use std::process::{Child, Command, Stdio};

use support::{Ended, Env, ORDINARY, Site, confined, in_environments, is_root};

/// Traces a child of its own: what a debugger does.
const TRACER: &str = include_str!("tracer_test.go");
/// Has a traced child make other calls than its own. Registers are those of one kind of processor.
const EXCHANGER: &str = include_str!("exchange_amd64_test.go");

/// Debuggers work in profile dev.
const DEV: &[&str] = &["--profile", "dev"];

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("tracer_test.go", TRACER);
    site.file("exchange_amd64_test.go", EXCHANGER);
    site.settle();
    site
}

fn words(name: &str) -> [String; 6] {
    let run = format!("-run=^{name}$");
    ["go", "test", "-count=1", "-v", &run, "."].map(str::to_owned)
}

fn test(site: &Site, options: &[&str], name: &str) -> Ended {
    let words = words(name);
    site.run(options, &words.each_ref().map(String::as_str))
}

/// The same without gosandbox.
fn bare(site: &Site, name: &str) -> Ended {
    let words = words(name);
    Ended::of(&mut site.bare(&words.each_ref().map(String::as_str)))
}

fn a_debugger_works_where_a_profile_says_so(env: Env) {
    let site = site(env);
    bare(&site, "TestTraces").expect(0);
    test(&site, DEV, "TestTraces")
        .expect(0)
        .says("--- PASS: TestTraces");
    for profile in ["strict", "ci", "airgap"] {
        let ended = test(&site, &["--profile", profile], "TestTraces");
        ended.expect(1).says("operation not permitted");
    }
    // One of the work tree's own grants nothing.
    site.give(&site.file(".gosandbox.toml", "[programs]\ndebug = true\n"));
    assert_ne!(test(&site, &[], "TestTraces").status, 0);
}
// The filter of a container, as the tests have it, refuses ptrace to everybody in it.
in_environments!(
    a_debugger_works_where_a_profile_says_so: user User, restricted Restricted, root Root
);

/// A process of the sandbox user's, outside.
struct Victim(Child);

impl Victim {
    fn new(site: &Site) -> Victim {
        let uid = match site.env {
            Env::Root => 65534,
            _ if is_root() => ORDINARY,
            _ => site.caller(),
        };
        let mut command = Command::new("sleep");
        command.arg("600").stdin(Stdio::null());
        confined::enter(&mut command, Env::User, uid);
        let victim = Victim(command.spawn().unwrap());
        site.give(&site.file("victim", &victim.0.id().to_string()));
        victim
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn what_a_program_has_not_started_is_not_traced(env: Env) {
    let site = site(env);
    let _victim = Victim::new(&site);
    test(&site, DEV, "TestOthers")
        .expect(0)
        .says("--- PASS: TestOthers");
    test(&site, DEV, "TestVictim")
        .expect(0)
        .says("--- PASS: TestVictim");
    // Yama may keep it from everybody. Root's program is another user's without gosandbox.
    let yama = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    if yama.is_err() || yama.is_ok_and(|scope| scope.trim() == "0") {
        bare(&site, "TestVictim")
            .expect(1)
            .says("traces the victim");
    }
}
in_environments!(what_a_program_has_not_started_is_not_traced);

#[cfg(target_arch = "x86_64")]
/// A tracer can have its child make any call. Each filter looks at what it then is.
fn a_traced_program_has_its_filters(env: Env) {
    let site = site(env);
    bare(&site, "TestExchanges").expect(0).says("kcmp: 0");
    let ended = test(&site, DEV, "TestExchanges").expect(0);
    ended.says("kcmp: 1").says("seccomp: 1");
}
#[cfg(target_arch = "x86_64")]
in_environments!(
    a_traced_program_has_its_filters: user User, restricted Restricted, root Root
);

#[test]
fn a_debugger_that_fails_is_told_of_the_key() {
    let site = site(Env::User);
    site.program("bin/strace", "#!/bin/sh\nexit 1\n");
    site.settle();
    let words = ["./bin/strace"];
    let ended = site.run(&[], &words).expect(1);
    ended.says("programs.debug = true");
    let ended = site.run(DEV, &words).expect(1);
    assert!(!ended.stderr.contains("programs.debug"), "{ended:?}");
}
