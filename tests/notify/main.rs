//! The supervisor in a real kernel: loopback work inside succeeds, the host's services and the
//! network stay out of reach.

#![allow(unsafe_code)]

#[path = "../reachable/mod.rs"]
mod reachable;

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use gosandbox::enforce::seccomp::{compile, install};
use gosandbox::notify::{Handover, Rules, Supervisor};
use gosandbox::policy::Cage;
use gosandbox::policy::syscalls::{Arch, Options, table};
use rustix::event::{PollFd, PollFlags, poll};

mod attacks;
mod refusals;

use attacks::attack;

const OPTIONS: Options = Options::SUPERVISED;

/// The helper's body: started again by the other tests, never on its own.
#[test]
#[ignore = "the other tests start it"]
fn helper() {
    if let Ok(name) = std::env::var("NOTIFY_TEST_ATTACK") {
        let result = attack(&name).map_or_else(|e| -e.raw_os_error().unwrap_or(1), |()| 0);
        let _ = writeln!(std::io::stdout(), "RESULT {result}");
        std::process::exit(0);
    }
    let script = std::env::var("NOTIFY_TEST_SCRIPT").expect("a script");
    rustix::thread::set_no_new_privs(true).expect("no_new_privs");
    let handover = Handover::new().expect("a way");
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("a subreaper");
    let error = match fork_sharing_descriptors() {
        child if child > 0 => {
            let child_id = rustix::process::Pid::from_raw(child).expect("a process");
            let pidfd = rustix::process::pidfd_open(child_id, rustix::process::PidfdFlags::empty())
                .expect("a descriptor");
            let rules = Rules {
                socket_folders: vec![std::env::temp_dir()],
                protected: vec![std::env::temp_dir().join("protected")],
                command_writes: vec![std::env::temp_dir()],
                ..Rules::default()
            };
            let supervisor = handover.take(child, pidfd.as_fd(), rules);
            serve(
                supervisor
                    .expect("the listener")
                    .expect("a process that lives"),
            );
            let mut status = 0;
            // SAFETY: `status` lives through the call.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            std::process::exit(libc::WEXITSTATUS(status));
        }
        _ => {
            let arch = Arch::HOST.expect("a table for this machine");
            let listener = install(&compile(&table(Cage::Program, &OPTIONS), arch));
            handover
                .offer(listener.expect("a filter").expect("a listener"))
                .expect("a supervisor");
            Command::new("/bin/sh")
                .args(["-c", &script])
                .env_remove("NOTIFY_TEST_SCRIPT")
                .exec()
        }
    };
    panic!("cannot execute /bin/sh: {error}");
}

/// Forks with one table of descriptors; 0 in the child.
fn fork_sharing_descriptors() -> i32 {
    let flags = i64::from(libc::CLONE_FILES | libc::SIGCHLD);
    // SAFETY: as fork; the test harness's other thread only waits.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    assert!(pid >= 0, "{}", std::io::Error::last_os_error());
    pid as i32
}

/// Answers calls until no process inside is left.
fn serve(mut supervisor: Supervisor) {
    let pause = rustix::event::Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    loop {
        let mut ready = [PollFd::new(&supervisor, PollFlags::IN)];
        let count = poll(&mut ready, Some(&pause)).expect("events");
        let found = ready[0].revents();
        if count == 0 {
            supervisor.tidy();
        } else if found.contains(PollFlags::IN) {
            supervisor.answer().expect("an answer");
        } else {
            return;
        }
    }
}

/// Runs a script as an ordinary user, with a supervisor or bare.
fn command(folder: &Path, supervised: bool, script: &str) -> Command {
    let mut command = if supervised {
        let mut command = reachable::again("helper");
        command.env("NOTIFY_TEST_SCRIPT", script);
        command
    } else {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    };
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    command
        .current_dir(folder)
        .env("TMPDIR", folder)
        .env("HOME", folder)
        .env("GOCACHE", folder.join("cache"))
        .env("GOFLAGS", "-count=1")
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0")
        // As a shell's pipeline: not the test's own group.
        .process_group(0);
    command
}

/// What the script printed, and how it ended.
fn run(folder: &Path, supervised: bool, script: &str, environment: &[(&str, &str)]) -> Output {
    command(folder, supervised, script)
        .envs(environment.iter().copied())
        .output()
        .expect("the helper")
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).expect("permissions");
    folder
}

/// The attack's result: 0, or minus the error number.
fn result(folder: &Path, supervised: bool, name: &str, argument: &str) -> i32 {
    let exe = reachable::this_test();
    let script = format!(
        "exec '{}' --exact --ignored helper --nocapture --test-threads=1",
        exe.display()
    );
    let environment = [
        ("NOTIFY_TEST_ATTACK", name),
        ("NOTIFY_TEST_ARGUMENT", argument),
    ];
    // The outer helper must start the supervisor, so only the inner one sees the attack.
    let script = format!("NOTIFY_TEST_ATTACK=\"$ATTACK\" {script}");
    let environment = [("ATTACK", environment[0].1), environment[1]];
    let output = run(folder, supervised, &script, &environment);
    let text = String::from_utf8_lossy(&output.stdout);
    let value = text
        .lines()
        .find_map(|line| line.split("RESULT ").nth(1)?.trim().parse().ok());
    value.unwrap_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("attack {name} ended with {}: {text}{errors}", output.status)
    })
}

const TESTS: &str = include_str!("../notify_go/loopback_test.go");

#[test]
fn go_tests_use_the_loopback_as_bare() {
    if !Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|o| o.status.success())
    {
        return reachable::skip(reachable::Lacks::Host, "go is not in PATH");
    }
    let folder = folder();
    let module = folder.path().join("module");
    std::fs::create_dir(&module).expect("a folder");
    std::fs::write(
        module.join("go.mod"),
        "module example.test/loopback\n\ngo 1.21\n",
    )
    .expect("a file");
    std::fs::write(module.join("loopback_test.go"), TESTS).expect("a file");
    let is_root = rustix::process::geteuid().is_root();
    reachable::seed::seed(&folder.path().join("cache"), is_root.then_some(65534));
    for supervised in [false, true] {
        let output = run(
            folder.path(),
            supervised,
            "cd module && go test ./... 2>&1",
            &[],
        );
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "supervised: {supervised}: {text}");
    }
}
