//! A kernel whose Landlock has no scopes: signals are decided by the supervisor.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gosandbox::launch;
use gosandbox::plan::{
    self, Filter, Identity, Isolation, Limits, Plan, Rule, Ruleset, Supervision,
};
use gosandbox::policy::syscalls::Options;
use gosandbox::policy::{Access, Cage};

use crate::support::reachable::again;
use crate::support::{Ended, ORDINARY, is_root};

/// Body of the next test: started again, as an ordinary user, with one test thread.
#[test]
#[ignore = "the next test starts it"]
fn helper() {
    let script = std::env::var("SHARED_TEST_SCRIPT").expect("a script");
    // The test harness has threads, and a launcher has none. SAFETY: with one test thread no other holds a lock.
    let child = unsafe { libc::fork() };
    if child > 0 {
        let ended = rustix::process::waitpid(
            rustix::process::Pid::from_raw(child),
            rustix::process::WaitOptions::empty(),
        );
        let status = ended.unwrap().and_then(|(_, status)| status.exit_status());
        std::process::exit(status.unwrap_or(1));
    }
    assert_eq!(child, 0, "cannot fork");
    let caller = launch::caller::Caller::set_aside().unwrap();
    let outcome = launch::run(&plan(&script), None, None, caller).unwrap();
    caller.restore().unwrap();
    let _ = writeln!(std::io::stdout(), "STATUS {}", outcome.status);
    std::process::exit(0);
}

/// As on Ubuntu 24.04, whose Landlock has ABI 4 and no scopes.
fn plan(script: &str) -> Plan {
    let everything = |path: &str| Rule::new(path, Access::WriteExecute);
    Plan {
        command: plan::Command {
            path: "/bin/sh".into(),
            argv: ["sh", "-c", script].map(Into::into).into(),
            environment: std::env::vars_os().collect(),
            settings: Vec::new(),
            folder: "/".into(),
        },
        cage: Cage::Program,
        way: None,
        callers_proxy: None,
        ports: Default::default(),
        serves: false,
        identity: Identity {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            switch: false,
        },
        isolation: Isolation::Shared,
        limits: Limits::default(),
        labels: Vec::new(),
        landlock: Some(Ruleset {
            abi: 4,
            refuse_tcp: true,
            rules: vec![everything("/")],
        }),
        filter: Filter {
            cage: Cage::Program,
            options: Options::SUPERVISED,
        },
        supervision: Some(Supervision {
            socket_folders: vec![PathBuf::from("/tmp")],
            protected: Vec::new(),
            command_writes: vec![PathBuf::from("/tmp")],
            program_writes: Vec::new(),
            testdata_in: None,
        }),
        checks: Vec::new(),
        scratch: None,
        seed: None,
        program: None,
        names: Vec::new(),
        before: None,
        placeholders: Vec::new(),
        staged: None,
        guarantees: BTreeMap::new(),
        gaps: Vec::new(),
    }
}

#[test]
fn without_scopes_in_landlock_signals_stay_inside_and_init_lives() {
    let mut victim = Command::new("sleep");
    if is_root() {
        victim.uid(ORDINARY).gid(ORDINARY);
    }
    let mut victim = victim.arg("3600").spawn().unwrap();
    let script = "
        for pid in $VICTIM $PPID 1; do kill -KILL $pid && echo reached $pid; done
        sleep 600 & kill $!; wait $!; echo child $?
        trap 'echo group' USR1; kill -USR1 0; kill -USR1 -1; echo alive
        exit 5";
    let mut helper = again("unscoped::helper");
    helper
        .env("SHARED_TEST_SCRIPT", script)
        .env("VICTIM", victim.id().to_string())
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null());
    if is_root() {
        helper.uid(ORDINARY).gid(ORDINARY);
    }
    let ended = Ended::of(&mut helper).says("child 143\ngroup\nalive\nSTATUS 5");
    assert!(!ended.stdout.contains("reached"), "{ended:?}");
    assert!(victim.try_wait().unwrap().is_none());
    victim.kill().unwrap();
    victim.wait().unwrap();
}
