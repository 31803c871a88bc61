//! The filters in a real kernel: each attack works bare and is refused inside, and ordinary
//! programs give the same result under the filter as without.

#![allow(unsafe_code)]

use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Output};

use gosandbox::enforce::seccomp::{compile, install};
use gosandbox::policy::Cage;
use gosandbox::policy::syscalls::{Arch, Network, Options, Signals, table};

mod attacks;

use attacks::attack;

#[path = "../support/again.rs"]
mod again;
mod ordinary;
mod refusals;
#[path = "../support/skip.rs"]
mod skip;

use again::again;
use skip::{Lacks, skip};

const OPTIONS: Options = Options {
    nesting: true,
    network: Network::Namespace,
    udp: true,
    signals: Signals::Group,
    pid_namespace: true,
    ipc_namespace: true,
    debug: false,
};

/// What stands in force in the helper process.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Under {
    Nothing,
    Cage(Cage),
    /// The program cage with the host's namespaces and no supervisor.
    Host,
}

const TOOL: Under = Under::Cage(Cage::Tool);
const PROGRAM: Under = Under::Cage(Cage::Program);

impl Under {
    fn word(self) -> &'static str {
        match self {
            Under::Nothing => "nothing",
            TOOL => "tool",
            PROGRAM => "program",
            Under::Host => "host",
        }
    }

    fn put_in_force(word: &str) {
        let (cage, options) = match word {
            "nothing" => return,
            "tool" => (Cage::Tool, OPTIONS),
            "program" => (Cage::Program, OPTIONS),
            _ => (
                Cage::Program,
                Options {
                    network: Network::None,
                    pid_namespace: false,
                    ipc_namespace: false,
                    ..OPTIONS
                },
            ),
        };
        rustix::thread::set_no_new_privs(true).expect("no_new_privs");
        let arch = Arch::HOST.expect("a table for this machine");
        install(&compile(&table(cage, &options), arch)).expect("a filter");
    }
}

/// The helper's body: started again by the other tests, never on its own.
#[test]
#[ignore = "the other tests start it"]
fn helper() {
    let under = std::env::var("SECCOMP_TEST_UNDER").expect("a filter");
    Under::put_in_force(&under);
    if let Ok(name) = std::env::var("SECCOMP_TEST_ATTACK") {
        let result = attack(&name);
        let _ = writeln!(std::io::stdout(), "RESULT {result}");
        std::process::exit(0);
    }
    let script = std::env::var("SECCOMP_TEST_SCRIPT").expect("a script");
    let error = Command::new("/bin/sh")
        .args(["-c", &script])
        .env_remove("SECCOMP_TEST_UNDER")
        .exec();
    panic!("cannot execute /bin/sh: {error}");
}

fn helper_command(under: Under) -> Command {
    let mut command = again(&std::env::current_exe().expect("this test"), "helper");
    command.env("SECCOMP_TEST_UNDER", under.word());
    command
}

fn run_attack(under: Under, name: &str) -> Output {
    helper_command(under)
        .env("SECCOMP_TEST_ATTACK", name)
        // A group of its own: some attacks signal the group.
        .process_group(0)
        .output()
        .expect("the helper")
}

/// The attack's result: what the call returned, or minus its error number.
fn result(under: Under, name: &str) -> i64 {
    let output = run_attack(under, name);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.split("RESULT ").nth(1));
    let Some(value) = line.and_then(|line| line.trim().parse().ok()) else {
        panic!(
            "attack {name} under {under:?} ended with {}: {text}",
            output.status
        );
    };
    value
}

/// The attack gives something else bare, and exactly this error number inside.
fn refused_under(under: &[Under], name: &str, errno: i32) {
    let expected = -i64::from(errno);
    let bare = result(Under::Nothing, name);
    if bare == expected {
        let absent = [libc::ENOSYS, libc::EAFNOSUPPORT, libc::EPROTONOSUPPORT];
        let lacks = match absent.contains(&errno) {
            true => Lacks::Target,
            // Root may make the call.
            false => Lacks::Root,
        };
        let reason = format!("{name} is refused here without a filter too ({bare})");
        skip(lacks, &reason);
    }
    for under in under {
        assert_eq!(
            result(*under, name),
            expected,
            "attack {name} under {under:?}, bare {bare}"
        );
    }
}

fn refused(name: &str, errno: i32) {
    refused_under(&[TOOL, PROGRAM], name, errno);
}

/// The attack really succeeds bare, and is refused inside.
fn refused_and_works_bare(name: &str, errno: i32) {
    let bare = result(Under::Nothing, name);
    assert!(bare >= 0, "attack {name} bare: {bare}");
    refused(name, errno);
}

fn allowed(under: Under, name: &str) {
    let value = result(under, name);
    assert!(value >= 0, "{name} under {under:?}: {value}");
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}
