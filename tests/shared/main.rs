//! Where there are no namespaces: tests have a loopback among themselves, and nothing else.

#![allow(unsafe_code, clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;
mod unscoped;

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use support::confined::{self, NoListener};
use support::{Ended, Env, ORDINARY, Site, is_root};

const SHARED: [Env; 2] = [Env::Restricted, Env::Container];

fn sites() -> impl Iterator<Item = Site> {
    let here = SHARED.into_iter().filter(|env| env.is_here());
    here.map(|env| {
        let site = Site::new(env);
        site.file("go.mod", "module example.test/shared\n\ngo 1.21\n");
        site
    })
}

#[test]
fn tests_use_the_loopback_as_bare() {
    for site in sites() {
        site.file(
            "loopback_test.go",
            include_str!("../notify_go/loopback_test.go"),
        );
        site.settle();
        let words = ["go", "test", "-count=1", "-buildvcs=false", "."];
        site.run(&[], &words).expect(0).says("ok");
    }
}

#[test]
fn tests_of_two_packages_reach_each_other() {
    const SERVE: &str = r#"package a
import ("net"; "os"; "path/filepath"; "testing")
func TestServe(t *testing.T) {
    l, err := net.Listen("tcp", "127.0.0.1:0")
    if err != nil { t.Fatal(err) }
    name := filepath.Join(os.TempDir(), "address")
    if err := os.WriteFile(name+".new", []byte(l.Addr().String()), 0o600); err != nil { t.Fatal(err) }
    if err := os.Rename(name+".new", name); err != nil { t.Fatal(err) }
    c, err := l.Accept()
    if err != nil { t.Fatal(err) }
    c.Write([]byte("hello"))
    c.Close()
}
"#;
    const DIAL: &str = r#"package b
import ("io"; "net"; "os"; "path/filepath"; "testing"; "time")
func TestDial(t *testing.T) {
    for range make([]int, 12000) {
        address, err := os.ReadFile(filepath.Join(os.TempDir(), "address"))
        if err != nil { time.Sleep(10 * time.Millisecond); continue }
        c, err := net.Dial("tcp", string(address))
        if err != nil { t.Fatal(err) }
        got, err := io.ReadAll(c)
        if err != nil || string(got) != "hello" { t.Fatal(string(got), err) }
        return
    }
    t.Fatal("nobody serves")
}
"#;
    for site in sites() {
        site.file("a/a_test.go", SERVE);
        site.file("b/b_test.go", DIAL);
        site.settle();
        let words = [
            "go",
            "test",
            "-count=1",
            "-p=2",
            "-timeout=10m",
            "-buildvcs=false",
            "./...",
        ];
        site.run(&[], &words).expect(0);
    }
}

#[test]
fn the_hosts_services_and_processes_are_out_of_reach() {
    const ATTACK: &str = r#"package a
import ("fmt"; "net"; "os"; "strconv"; "syscall"; "testing")
func say(what string, err error) { fmt.Printf("TRIED %s: %v\n", what, err == nil) }
func TestAttack(t *testing.T) {
    _, err := net.Dial("tcp", os.Getenv("HOST_TCP"))
    say("tcp", err)
    _, err = net.Dial("unix", "@"+os.Getenv("HOST_ABSTRACT"))
    say("abstract", err)
    pid, _ := strconv.Atoi(os.Getenv("HOST_PID"))
    say("signal", syscall.Kill(pid, 0))
}
"#;
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = host.local_addr().unwrap().to_string();
    let name = format!("gosandbox-shared-{}", std::process::id());
    let _abstract =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    for site in sites() {
        site.file("a_test.go", ATTACK);
        site.settle();
        let mut victim = Command::new("sleep");
        if is_root() {
            victim.uid(ORDINARY).gid(ORDINARY);
        }
        let mut victim = victim.arg("3600").spawn().unwrap();
        let variables = [
            ("HOST_TCP", address.clone()),
            ("HOST_ABSTRACT", name.clone()),
            ("HOST_PID", victim.id().to_string()),
        ];
        let words = ["go", "test", "-v", "-count=1", "."];
        let mut bare = site.bare(&words);
        bare.envs(variables.iter().map(|(name, value)| (*name, value)));
        let passed = variables.map(|(name, value)| format!("--env={name}={value}"));
        let options: Vec<&str> = passed.iter().map(String::as_str).collect();
        let inside = site.run(
            &options,
            &["go", "test", "-v", "-count=1", "-buildvcs=false", "."],
        );
        for (ended, reached) in [(Ended::of(&mut bare), true), (inside, false)] {
            let mut ended = ended.expect(0);
            for what in ["tcp", "abstract", "signal"] {
                ended = ended.says(&format!("TRIED {what}: {reached}"));
            }
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
}

#[test]
fn a_signal_to_the_group_does_not_reach_the_caller() {
    for site in sites() {
        site.settle();
        let mut command = site.gosandbox(
            &[],
            &[
                "sh",
                "-c",
                "trap '' TERM; kill -TERM 0; kill -TERM -1; exit 7",
            ],
        );
        // The launcher and a neighbour in one group, as in a shell's pipeline.
        let mut neighbour = Command::new("sleep");
        if is_root() {
            neighbour.uid(ORDINARY).gid(ORDINARY);
        }
        let mut neighbour = neighbour.arg("3600").process_group(0).spawn().unwrap();
        command.process_group(neighbour.id() as i32);
        Ended::of(&mut command).expect(7);
        assert!(neighbour.try_wait().unwrap().is_none(), "{:?}", site.env);
        neighbour.kill().unwrap();
        neighbour.wait().unwrap();
    }
}

#[test]
fn descriptors_and_datagrams_pass_by_sendmsg_where_the_host_lets_init_take_them() {
    const PASS: &str = r#"package a
import ("net"; "os"; "path/filepath"; "syscall"; "testing")
func TestDescriptor(t *testing.T) {
    if os.Getenv("NO_DESCRIPTORS") != "" { t.Skip("a container's filter refuses pidfd_getfd") }
    name := filepath.Join(t.TempDir(), "s")
    l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
    if err != nil { t.Fatal(err) }
    go func() {
        c, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
        if err != nil { t.Error(err); return }
        r, w, _ := os.Pipe()
        w.WriteString("through")
        if _, _, err := c.WriteMsgUnix([]byte("x"), syscall.UnixRights(int(r.Fd())), nil); err != nil { t.Error(err) }
        c.Close()
    }()
    c, err := l.AcceptUnix()
    if err != nil { t.Fatal(err) }
    data, oob := make([]byte, 8), make([]byte, 64)
    _, n, _, _, err := c.ReadMsgUnix(data, oob)
    if err != nil { t.Fatal(err) }
    messages, err := syscall.ParseSocketControlMessage(oob[:n])
    if err != nil || len(messages) != 1 { t.Fatal(messages, err) }
    got, err := syscall.ParseUnixRights(&messages[0])
    if err != nil { t.Fatal(err) }
    text := make([]byte, 7)
    if _, err := syscall.Read(got[0], text); err != nil || string(text) != "through" { t.Fatal(string(text), err) }
}
func TestDatagram(t *testing.T) {
    a, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
    if err != nil { t.Fatal(err) }
    b, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
    if err != nil { t.Fatal(err) }
    // struct cmsghdr: 20 bytes, IPPROTO_IP, IP_TOS
    mark := []byte{20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}
    if _, _, err := a.WriteMsgUDP([]byte("marked"), mark, b.LocalAddr().(*net.UDPAddr)); err != nil { t.Fatal(err) }
    data := make([]byte, 8)
    n, err := b.Read(data)
    if err != nil || string(data[:n]) != "marked" { t.Fatal(string(data[:n]), err) }
}
"#;
    for site in sites() {
        site.file("a_test.go", PASS);
        site.settle();
        let words = ["go", "test", "-v", "-count=1", "-buildvcs=false", "."];
        let takes = takes_descriptors();
        let options: &[&str] = if takes {
            &[]
        } else {
            &["--env=NO_DESCRIPTORS=1"]
        };
        let said = if takes {
            "PASS: TestDescriptor"
        } else {
            "PASS: TestDatagram"
        };
        site.run(options, &words).expect(0).says(said);
    }
}

/// Whether pidfd_getfd(2) is there: the filters of many containers refuse it.
fn takes_descriptors() -> bool {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    pidfd_getfd(own, 0, PidfdGetfdFlags::empty()).is_ok()
}

#[test]
fn modes_and_times_change_where_the_cage_may_write_and_nowhere_else() {
    const CHANGE: &str = r#"package a
import ("os"; "os/exec"; "path/filepath"; "syscall"; "testing"; "time")
func TestChange(t *testing.T) {
    folder := t.TempDir()
    name := filepath.Join(folder, "f")
    when := time.Unix(1_000_000_000, 123_456_000)
    if err := os.WriteFile(name, nil, 0o600); err != nil { t.Fatal(err) }
    if err := os.Chmod(name, 0o640); err != nil { t.Fatal(err) }
    if err := os.Chtimes(name, when, when); err != nil { t.Fatal(err) }
    if err := os.Chown(name, -1, os.Getgid()); err != nil { t.Fatal(err) }
    f, err := os.Open(name)
    if err != nil { t.Fatal(err) }
    if err := f.Chmod(0o604); err != nil { t.Fatal(err) }
    info, err := f.Stat()
    if err != nil || info.Mode() != 0o604 || !info.ModTime().Equal(when) { t.Fatal(info.Mode(), info.ModTime(), err) }
    link := filepath.Join(folder, "link")
    if err := os.Symlink(name, link); err != nil { t.Fatal(err) }
    if err := os.Lchown(link, -1, os.Getgid()); err != nil { t.Fatal(err) }
    if err := os.Chmod("/proc/self/fd/"+string(rune('0'+int(f.Fd())%10)), 0o600); err != nil && f.Fd() < 10 { t.Error(err) }
    if err := os.Chmod(filepath.Join(folder, "none"), 0o600); !os.IsNotExist(err) { t.Error(err) }
    if err := os.Chmod("testdata/f", 0o640); err != nil { t.Error(err) }
    if err := os.Chmod("a_test.go", 0o640); err != syscall.EPERM && !os.IsPermission(err) { t.Error(err) }
    away := filepath.Join(folder, "away")
    if err := os.Symlink(os.Getenv("OUTSIDE"), away); err != nil { t.Fatal(err) }
    for _, path := range []string{os.Getenv("OUTSIDE"), away} {
        if err := os.Chmod(path, 0o777); !os.IsPermission(err) { t.Error(path, err) }
        if err := os.Chtimes(path, when, when); !os.IsPermission(err) { t.Error(path, err) }
    }
    if text, err := exec.Command("sh", "-c", "cd "+folder+"; touch -d @1 f; cp -p f g; chmod 400 g; mkdir d; chmod 700 d").CombinedOutput(); err != nil {
        t.Error(string(text), err)
    }
}
"#;
    for site in sites() {
        site.file("a_test.go", CHANGE);
        site.file("testdata/f", "");
        let outside = site.outside.join("file");
        support::write(&outside, "");
        site.settle();
        let option = format!("--env=OUTSIDE={}", outside.display());
        let words = ["go", "test", "-count=1", "-buildvcs=false", "."];
        site.run(&[&option], &words).expect(0);
    }
}

#[test]
fn statuses_and_time_outs_are_as_bare() {
    const SLOW: &str = r#"package main
import ("net"; "testing"; "time")
func TestSlow(t *testing.T) {
    l, err := net.Listen("tcp", "127.0.0.1:0")
    if err != nil { t.Fatal(err) }
    go l.Accept()
    time.Sleep(time.Hour)
}
"#;
    const MAIN: &str = r#"package main
import ("net"; "os")
func main() {
    if _, err := net.Listen("tcp", "127.0.0.1:0"); err != nil { panic(err) }
    os.Exit(9)
}
"#;
    for site in sites() {
        site.file("main.go", MAIN);
        site.file("slow_test.go", SLOW);
        site.settle();
        let slow = ["go", "test", "-timeout=1s", "-buildvcs=false", "."];
        site.run(&[], &slow).expect(1).says("panic: test timed out");
        let program = ["go", "run", "-buildvcs=false", "."];
        site.run(&[], &program).expect(1).says("exit status 9");
        let end = ["sh", "-c", "kill -TERM $$"];
        site.run(&[], &end).expect(128 + libc::SIGTERM);
    }
}

fn reported(file: &std::path::Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[test]
fn the_report_says_what_holds_and_what_is_not_confined() {
    for site in sites() {
        site.settle();
        let file = site.home.join("report.json");
        let options = ["--report", file.to_str().unwrap()];
        site.run(&options, &["true"]).expect(0);
        let report = reported(&file);
        let held = &report["guarantees"]["network-contained"]["held-by"];
        assert!(held.to_string().contains("seccomp"), "{held}");
        assert_eq!(report["filter"]["options"]["network"], "notify");
        let gaps = report["not-confined"].to_string();
        assert!(gaps.contains("/proc"), "{gaps}");
    }
}

#[test]
fn where_another_supervisor_is_a_run_goes_on_without_sockets_and_says_so() {
    for site in sites() {
        site.settle();
        let file = site.home.join("report.json");
        let options = ["--report", file.to_str().unwrap()];
        let mut command = site.gosandbox(&options, &["true"]);
        confined::without_listener(&mut command, NoListener::Another);
        Ended::of(&mut command).expect(0);
        let report = reported(&file);
        assert_eq!(report["filter"]["options"]["network"], "none");
        let gaps = report["not-confined"].to_string();
        assert!(
            gaps.contains("chmod") && gaps.contains("no internet"),
            "{gaps}"
        );
    }
}
