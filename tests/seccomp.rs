//! The filters in a real kernel: each attack works bare and is refused inside, and ordinary
//! programs give the same result under the filter as without.

#![allow(unsafe_code)]

use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, Output};

use gosandbox::enforce::seccomp::{compile, install};
use gosandbox::policy::Cage;
use gosandbox::policy::syscalls::{Arch, Network, Options, Signals, table};

mod seccomp_attacks;

use seccomp_attacks::attack;

const OPTIONS: Options = Options {
    nesting: true,
    network: Network::Namespace,
    udp: true,
    signals: Signals::Group,
    pid_namespace: true,
    ipc_namespace: true,
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
fn helper() {
    let Ok(under) = std::env::var("SECCOMP_TEST_UNDER") else {
        return;
    };
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
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args(["--exact", "helper", "--nocapture", "--test-threads=1"])
        .env("SECCOMP_TEST_UNDER", under.word());
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

fn skip(reason: &str) {
    println!("SKIPPED: {reason}");
    let required = std::env::var("GOSANDBOX_REQUIRE_KERNEL").is_ok_and(|value| value == "1");
    // For want of root's rights is no want of the kernel's: the run as root does not skip.
    assert!(
        !required || !root(),
        "skipped although GOSANDBOX_REQUIRE_KERNEL=1: {reason}"
    );
}

/// The attack gives something else bare, and exactly this error number inside.
fn refused_under(under: &[Under], name: &str, errno: i32) {
    let expected = -i64::from(errno);
    let bare = result(Under::Nothing, name);
    if bare == expected {
        let absent = [libc::ENOSYS, libc::EAFNOSUPPORT, libc::EPROTONOSUPPORT];
        let reason = format!("{name} is refused here without a filter too ({bare})");
        if absent.contains(&errno) {
            // A kernel built without the feature offers nothing to attack: no lack of the tests'.
            println!("SKIPPED: {reason}");
        } else {
            skip(&reason);
        }
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

#[test]
fn set_id_bits_are_refused_in_every_call_that_takes_a_mode() {
    for call in [
        "chmod",
        "fchmod",
        "fchmodat",
        "fchmodat2",
        "open",
        "openat",
        "creat",
        "mknod",
        "mknodat",
        "tmpfile",
    ] {
        for bits in ["setuid", "setgid"] {
            refused_and_works_bare(&format!("{call} {bits}"), libc::EPERM);
        }
    }
    refused_and_works_bare("mkdir setgid", libc::EPERM);
    refused_and_works_bare("mkdirat setgid", libc::EPERM);
    refused_and_works_bare("openat2", libc::ENOSYS);
}

#[test]
fn a_mode_that_open_does_not_read_is_not_looked_at() {
    allowed(PROGRAM, "open garbage mode");
}

#[test]
fn only_files_fifos_and_sockets_can_be_made_by_mknod() {
    allowed(PROGRAM, "mknod fifo");
    if root() {
        refused_and_works_bare("mknod device", libc::EPERM);
    } else {
        skip("making a device needs root");
    }
}

#[test]
fn terminal_injection_is_refused_whatever_the_high_half_says() {
    for name in ["TIOCSTI", "TIOCSTI high"] {
        refused(name, libc::EPERM);
    }
    refused_and_works_bare("TIOCSETD", libc::EPERM);
    refused("TIOCLINUX", libc::EPERM);
    allowed(PROGRAM, "TIOCGWINSZ");
}

#[test]
fn signals_cannot_be_directed_at_other_processes_through_descriptors() {
    for name in [
        "F_SETOWN",
        "F_SETOWN_EX",
        "F_SETSIG",
        "FIOSETOWN",
        "SIOCSPGRP",
    ] {
        refused_and_works_bare(name, libc::EPERM);
    }
}

#[test]
fn the_callers_process_group_is_out_of_reach() {
    refused_and_works_bare("kill group", libc::EPERM);
    allowed(PROGRAM, "kill self");
    refused_and_works_bare("setpriority group", libc::EPERM);
    refused_and_works_bare("ioprio_set group", libc::EPERM);
}

#[test]
fn namespaces_are_refused_but_for_the_wrappers_own() {
    refused_under(&[PROGRAM], "unshare user+mount+net", libc::EPERM);
    allowed(TOOL, "unshare user+mount+net");
    refused("unshare user", libc::EPERM);
    refused("unshare user+mount+net+pid", libc::EPERM);
    refused("clone user", libc::EPERM);
    refused("clone3", libc::ENOSYS);
    refused_under(&[PROGRAM], "mount_setattr", libc::EPERM);
    assert_eq!(
        result(TOOL, "mount_setattr"),
        result(Under::Nothing, "mount_setattr")
    );
}

#[test]
fn sockets_beyond_tcp_udp_unix_and_route_are_refused() {
    refused("socket vsock", libc::EAFNOSUPPORT);
    refused("socket alg", libc::EAFNOSUPPORT);
    refused_and_works_bare("socket netlink generic", libc::EPROTONOSUPPORT);
    refused("socket mptcp", libc::EPROTONOSUPPORT);
    refused("socket udplite", libc::EPROTONOSUPPORT);
    if root() {
        refused_and_works_bare("socket raw", libc::EPERM);
        refused_and_works_bare("socket packet", libc::EAFNOSUPPORT);
        refused("socket xdp", libc::EAFNOSUPPORT);
    } else {
        skip("raw and packet sockets need root");
    }
    for name in [
        "socket tcp",
        "socket udp",
        "socket unix",
        "socket route",
        "socketpair",
    ] {
        allowed(PROGRAM, name);
    }
}

#[test]
fn internet_sockets_are_refused_in_the_hosts_network() {
    for name in ["socket tcp", "socket udp", "socket mptcp"] {
        refused_under(&[Under::Host], name, libc::EACCES);
    }
    // The host's unix sockets are in reach there: only pairs are left.
    refused_under(&[Under::Host], "socket unix", libc::EACCES);
    allowed(Under::Host, "socket route");
}

#[test]
fn fast_open_is_refused_in_every_sending_call() {
    for name in ["sendto fastopen", "sendmsg fastopen", "sendmmsg fastopen"] {
        refused(name, libc::EOPNOTSUPP);
    }
}

#[test]
fn socket_options_that_load_code_into_the_kernel_are_refused() {
    refused("SO_ATTACH_FILTER", libc::EPERM);
    refused("TCP_ULP", libc::ENOPROTOOPT);
}

#[test]
fn calls_into_other_processes_and_the_machine_are_refused() {
    for name in [
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "pidfd_getfd",
        "kcmp",
        "bpf",
        "userfaultfd",
        "perf_event_open",
        "keyctl",
        "add_key",
        "request_key",
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
    ] {
        refused(name, libc::EPERM);
    }
    if !root() {
        return skip("these calls are refused without a filter too, unless by root");
    }
    for name in [
        "open_by_handle_at",
        "mount",
        "umount2",
        "move_mount",
        "open_tree",
        "fsopen",
        "fsmount",
        "fsconfig",
        "fspick",
        "pivot_root",
        "chroot",
        "setns",
        "kexec_load",
        "init_module",
        "finit_module",
        "delete_module",
        "swapon",
        "swapoff",
        "reboot",
        "quotactl",
        "acct",
        "settimeofday",
        "clock_settime",
        "sethostname",
        "syslog",
        "fanotify_init",
    ] {
        refused(name, libc::EPERM);
    }
}

#[test]
fn files_in_memory_and_execution_by_descriptor_are_absent() {
    refused_and_works_bare("memfd_create", libc::ENOSYS);
    refused("execveat", libc::ENOSYS);
}

#[test]
fn dangerous_process_attributes_are_refused() {
    refused("PR_SET_MM", libc::EPERM);
    refused("PR_SET_SYSCALL_USER_DISPATCH", libc::EINVAL);
    if root() {
        refused_under(&[PROGRAM], "PR_SET_SECUREBITS", libc::EPERM);
    }
    refused("PR_SET_PTRACER", libc::EPERM);
    refused_and_works_bare("personality", libc::EPERM);
    allowed(PROGRAM, "PR_SET_DUMPABLE");
    allowed(PROGRAM, "PR_SET_VMA");
    allowed(PROGRAM, "personality query");
}

#[test]
fn extended_attributes_cannot_be_set() {
    refused("setxattr", libc::EOPNOTSUPP);
}

#[test]
fn a_further_filter_can_be_stacked_but_never_a_listener() {
    for under in [TOOL, PROGRAM] {
        allowed(under, "seccomp filter");
    }
    refused_and_works_bare("seccomp listener", libc::EPERM);
}

#[test]
fn other_processes_limits_are_out_of_reach_without_a_pid_namespace() {
    for name in [
        "prlimit64 parent",
        "sched_setaffinity parent",
        "setpriority parent",
    ] {
        refused_under(&[Under::Host], name, libc::EPERM);
    }
    allowed(Under::Host, "prlimit64 self");
    refused_under(&[Under::Host], "shmget", libc::ENOSYS);
    allowed(PROGRAM, "shmget");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn x32_numbers_are_no_way_round() {
    refused("x32 ptrace", libc::ENOSYS);
    refused("x32 getpid", libc::ENOSYS);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_i386_entry_ends_the_process() {
    let bare = run_attack(Under::Nothing, "i386 getpid");
    if bare.status.signal().is_some() {
        return skip("this kernel has no i386 entry");
    }
    assert!(result(Under::Nothing, "i386 getpid") > 0);
    for under in [TOOL, PROGRAM] {
        let output = run_attack(under, "i386 getpid");
        assert_eq!(
            output.status.signal(),
            Some(libc::SIGSYS),
            "under {under:?}"
        );
    }
}

/// Runs a shell script bare and under both filters, and demands the same result.
fn same_as_bare(folder: &Path, script: &str) {
    let run = |under: Under| {
        let output = helper_command(under)
            .env("SECCOMP_TEST_SCRIPT", script)
            .env("GOFLAGS", "-count=1")
            .current_dir(folder)
            .output()
            .expect("the helper");
        // The test harness announces itself before the script runs.
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let text = text
            .trim_start()
            .trim_start_matches("running 1 test\n")
            .to_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text, errors)
    };
    let bare = run(Under::Nothing);
    assert_eq!(bare.0, Some(0), "bare: {bare:?}");
    for under in [TOOL, PROGRAM] {
        assert_eq!(run(under), bare, "{script} under {under:?}");
    }
}

fn go_is_there() -> bool {
    let there = Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|o| o.status.success());
    if !there {
        skip("go is not in PATH");
    }
    there
}

const MODULE: &[(&str, &str)] = &[
    ("go.mod", "module example.test/hello\n\ngo 1.21\n"),
    (
        "main.go",
        "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n",
    ),
    (
        "main_test.go",
        r#"package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

func TestHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "ok")
	}))
	defer s.Close()
	r, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
}

func TestUDP(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, _, err := c.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
}

func TestUnix(t *testing.T) {
	p := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", p)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", p)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestExec(t *testing.T) {
	out, err := exec.Command("sh", "-c", "echo $((1+1)); kill -0 $$").Output()
	if err != nil || string(out) != "2\n" {
		t.Fatal(string(out), err)
	}
	if _, err := net.Interfaces(); err != nil {
		t.Fatal(err)
	}
}

func TestFiles(t *testing.T) {
	d := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(d, "f"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d, "g"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(d, "g"), 0o755); err != nil {
		t.Fatal(err)
	}
}
"#,
    ),
];

fn module() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in MODULE {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

#[test]
fn go_builds_runs_vets_and_tests_as_bare() {
    if !go_is_there() {
        return;
    }
    let folder = module();
    same_as_bare(folder.path(), "go build -o out . && ./out && cksum < out");
    same_as_bare(folder.path(), "go vet ./... && go run . && go list ./...");
    same_as_bare(
        folder.path(),
        "go test -v ./... | grep -v '^ok' | sed 's/ (.*//'",
    );
}

#[test]
fn shell_git_make_and_base_tools_work_as_bare() {
    let folder = module();
    same_as_bare(
        folder.path(),
        "echo \"a b\" | sed s/a/c/ | grep -c c; (exit 3); echo $?; sleep 0.01 & wait; trap 'echo got' USR1; kill -USR1 $$",
    );
    same_as_bare(
        folder.path(),
        "rm -rf r && git init -q r && cd r && touch f && git add f && git -c user.name=a -c user.email=a@b.c commit -qm m \
         && git status --short && git log --format=%s && git gc -q && git fsck",
    );
    same_as_bare(
        folder.path(),
        "mkdir -p d/e && cp -a go.mod d/ && cp -a d d2 && mv d2 d3 && tar czf a.tgz d && tar tzf a.tgz && rm -r d d3 \
         && ls a.tgz && install -m 755 go.mod i && mktemp -u XXX | wc -c && touch -d 2001-01-01 t && find . -name t && ln -sf t l \
         && stat -c %s go.mod && date -d @0 +%s && sort < go.mod | uniq | tail -1 && df . > df.out && timeout 5 true && nproc > np && xargs echo < np > x",
    );
    same_as_bare(
        folder.path(),
        "printf 'all: a b\\na b:\\n\\t@echo $@\\n' > Makefile && make -j1 && make -s -j2 > out2 && sort out2",
    );
}
