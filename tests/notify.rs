//! The supervisor in a real kernel: loopback work inside succeeds, the host's services and the
//! network stay out of reach.

#![allow(unsafe_code)]

mod reachable;

use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use gosandbox::enforce::seccomp::{compile, install};
use gosandbox::notify::{Handover, Rules, Supervisor};
use gosandbox::policy::Cage;
use gosandbox::policy::syscalls::{Arch, Network, Options, Signals, table};
use rustix::event::{PollFd, PollFlags, poll};

const OPTIONS: Options = Options {
    nesting: false,
    network: Network::Notify,
    udp: true,
    signals: Signals::Notify,
    pid_namespace: false,
    ipc_namespace: false,
};

/// The helper's body: started again by the other tests, never on its own.
#[test]
fn helper() {
    if let Ok(name) = std::env::var("NOTIFY_TEST_ATTACK") {
        let result = attack(&name).map_or_else(|e| -e.raw_os_error().unwrap_or(1), |()| 0);
        let _ = writeln!(std::io::stdout(), "RESULT {result}");
        std::process::exit(0);
    }
    let Ok(script) = std::env::var("NOTIFY_TEST_SCRIPT") else {
        return;
    };
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
        let mut command = Command::new(reachable::this_test());
        command
            .args(["--exact", "helper", "--nocapture", "--test-threads=1"])
            .env("NOTIFY_TEST_SCRIPT", script);
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
        "exec '{}' --exact helper --nocapture --test-threads=1",
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

/// The attack succeeds bare, and inside gives exactly this error number.
fn refused(name: &str, argument: &str, errno: i32) {
    let folder = folder();
    assert_eq!(
        result(folder.path(), false, name, argument),
        0,
        "attack {name} {argument} bare"
    );
    assert_eq!(
        result(folder.path(), true, name, argument),
        -errno,
        "attack {name} {argument}"
    );
}

fn attack(name: &str) -> std::io::Result<()> {
    let argument = std::env::var("NOTIFY_TEST_ARGUMENT").unwrap_or_default();
    match name {
        "tcp" => TcpStream::connect(&argument).map(drop),
        "udp" => UdpSocket::bind("0.0.0.0:0")?
            .send_to(b"x", &argument)
            .map(drop),
        "udp connect" => UdpSocket::bind("0.0.0.0:0")?.connect(&argument),
        "udp6" => UdpSocket::bind("[::]:0")?
            .send_to(b"x", &argument)
            .map(drop),
        "bind" => TcpListener::bind(&argument).map(drop),
        "same port" => {
            let port = argument.rsplit(':').next().unwrap_or_default();
            let _mine = TcpListener::bind(format!("[::1]:{port}"))?;
            TcpStream::connect(&argument).map(drop)
        }
        "unix" => UnixStream::connect(&argument).map(drop),
        "unix datagram" => UnixDatagram::unbound()?.send_to(b"x", &argument).map(drop),
        "unix bind" => UnixListener::bind(&argument).map(drop),
        "abstract" => {
            let name = std::os::unix::net::SocketAddr::from_abstract_name(&argument)?;
            UnixStream::connect_addr(&name).map(drop)
        }
        "packet information" => packet_information(&argument),
        "device" => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            // SAFETY: an empty name is allowed.
            let done =
                unsafe { libc::setsockopt(socket.as_raw_fd(), 1, 25, c"".as_ptr().cast(), 0) };
            if done < 0 {
                Err(std::io::Error::last_os_error())
            } else {
                Ok(())
            }
        }
        "race" => race(argument.parse().expect("a port")),
        _ => unreachable!("{name}"),
    }
}

/// A datagram to the socket itself, with IP_PKTINFO naming the device.
fn packet_information(_: &str) -> std::io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let port = socket.local_addr()?.port();
    // SAFETY: all zeroes is a valid value of these plain structures.
    let (mut name, mut message): (libc::sockaddr_in, libc::msghdr) = unsafe { std::mem::zeroed() };
    name.sin_family = libc::AF_INET as u16;
    name.sin_port = port.to_be();
    name.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
    let mut control = [0u64; 4];
    control[0] = 28;
    control[1] = 8 << 32;
    message.msg_name = (&raw mut name).cast();
    message.msg_namelen = 16;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = 32;
    // SAFETY: the message and all it points to live through the call.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, 0) };
    if sent < 0 {
        Err(std::io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Exchanges the port while the call waits for its answer. The listener of the other port is the
/// test's, which sees whether this ever worked.
fn race(theirs: u16) -> std::io::Result<()> {
    static TURNS: AtomicU32 = AtomicU32::new(0);
    let mine = TcpListener::bind("127.0.0.1:0")?;
    let own = mine.local_addr()?.port();
    // family, port, address, padding
    #[repr(C)]
    struct Name(u16, AtomicU16, [u8; 4], [u8; 8]);
    let port = AtomicU16::new(own.to_be());
    let name: &'static Name = Box::leak(Box::new(Name(
        libc::AF_INET as u16,
        port,
        [127, 0, 0, 1],
        [0; 8],
    )));
    std::thread::spawn(move || {
        loop {
            let turn = TURNS.fetch_add(1, Ordering::Relaxed);
            let port = if turn.is_multiple_of(2) { own } else { theirs };
            name.1.store(port.to_be(), Ordering::Relaxed);
        }
    });
    while TURNS.load(Ordering::Relaxed) < 1000 {
        std::thread::yield_now();
    }
    for _ in 0..100 {
        // SAFETY: the address lives for ever; the kernel only reads it.
        unsafe {
            let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
            libc::connect(socket, std::ptr::from_ref(name).cast(), 16);
            libc::close(socket);
        }
    }
    Ok(())
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("an address").port()
}

#[test]
fn the_hosts_tcp_services_are_out_of_reach_however_they_are_spelt() {
    let host = TcpListener::bind("[::]:0").expect("a port");
    let port = port_of(&host);
    for ip in [
        "127.0.0.1",
        "127.0.0.2",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:0.0.0.0]",
    ] {
        refused("tcp", &format!("{ip}:{port}"), libc::ECONNREFUSED);
    }
}

#[test]
fn binding_the_hosts_port_on_another_address_does_not_open_it() {
    let host = TcpListener::bind("127.0.0.1:0").expect("a port");
    refused(
        "same port",
        &format!("127.0.0.1:{}", port_of(&host)),
        libc::ECONNREFUSED,
    );
}

#[test]
fn exchanging_the_address_after_the_check_gains_nothing() {
    let host = TcpListener::bind("127.0.0.1:0").expect("a port");
    host.set_nonblocking(true).expect("a flag");
    let folder = folder();
    let port = port_of(&host).to_string();
    // A race is won by chance: bare it must be won in one of many tries.
    let won = (0..50).any(|_| {
        assert_eq!(result(folder.path(), false, "race", &port), 0);
        host.accept().is_ok()
    });
    assert!(won, "bare, the race reaches the host");
    while host.accept().is_ok() {}
    assert_eq!(result(folder.path(), true, "race", &port), 0);
    assert!(host.accept().is_err(), "inside, it does not");
}

#[test]
fn datagrams_reach_neither_the_host_nor_the_network() {
    let host = UdpSocket::bind("[::]:0").expect("a port");
    host.set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a time");
    let port = host.local_addr().expect("an address").port();
    for (name, ip) in [
        ("udp", "127.0.0.1"),
        ("udp connect", "127.0.0.1"),
        ("udp6", "[::1]"),
        ("udp6", "[::ffff:127.0.0.1]"),
    ] {
        refused(name, &format!("{ip}:{port}"), libc::ECONNREFUSED);
    }
    let mut buffer = [0; 8];
    for _ in 0..3 {
        assert!(host.recv(&mut buffer).is_ok(), "the bare ones arrived");
    }
    assert!(host.recv(&mut buffer).is_err(), "those from inside did not");
}

#[test]
fn other_networks_are_unreachable() {
    let folder = folder();
    for (name, target) in [
        ("tcp", "192.0.2.1:80"),
        ("udp", "192.0.2.1:53"),
        ("udp6", "[::ffff:192.0.2.1]:53"),
        ("udp", "224.0.0.1:53"),
        ("tcp", "169.254.169.254:80"),
    ] {
        let value = result(folder.path(), true, name, target);
        assert_eq!(value, -libc::ENETUNREACH, "{name} {target}");
    }
    let value = result(folder.path(), true, "bind", "192.0.2.1:0");
    assert_eq!(value, -libc::EADDRNOTAVAIL);
}

#[test]
fn sockets_stay_tied_to_the_loopback_device() {
    let folder = folder();
    assert_eq!(result(folder.path(), true, "device", ""), -libc::EPERM);
    refused("packet information", "", libc::EPERM);
}

#[test]
fn the_hosts_unix_sockets_are_out_of_reach() {
    let place = folder();
    let open = std::fs::Permissions::from_mode(0o777);
    let stream = place.path().join("stream");
    let _stream = UnixListener::bind(&stream).expect("a socket");
    let datagram = place.path().join("datagram");
    let _datagram = UnixDatagram::bind(&datagram).expect("a socket");
    for path in [&stream, &datagram] {
        std::fs::set_permissions(path, open.clone()).expect("permissions");
    }
    let name = format!("gosandbox-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
    let _hidden = UnixListener::bind_addr(&address).expect("a socket");
    refused("unix", &stream.display().to_string(), libc::EACCES);
    refused(
        "unix datagram",
        &datagram.display().to_string(),
        libc::EACCES,
    );
    refused("abstract", &name, libc::ECONNREFUSED);
}

#[test]
fn socket_files_are_made_in_granted_folders_only() {
    let place = folder();
    refused(
        "unix bind",
        &format!("{}/s", place.path().display()),
        libc::EACCES,
    );
    let inside = folder();
    let path = |name: &str| inside.path().join(name).display().to_string();
    std::fs::create_dir(inside.path().join("protected")).expect("a folder");
    std::os::unix::fs::symlink(place.path(), inside.path().join("link")).expect("a link");
    assert_eq!(result(inside.path(), true, "unix bind", &path("s")), 0);
    assert_eq!(
        result(inside.path(), true, "unix bind", &path("link/s")),
        -libc::EACCES
    );
    assert_eq!(
        result(inside.path(), true, "unix bind", &path("protected/s")),
        -libc::EACCES
    );
}

#[test]
fn a_supervisor_that_is_gone_means_refusal() {
    let folder = folder();
    let script = "touch ready; while kill -0 $$ 2>/dev/null; do sleep 0.05; done; \
                  python3 -c 'import socket; socket.socket()' 2>err; touch done";
    let mut supervisor = command(folder.path(), true, script)
        .spawn()
        .expect("the helper");
    let wait_for = |name: &str| {
        for _ in 0..200 {
            if folder.path().join(name).exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no file {name}");
    };
    wait_for("ready");
    supervisor.kill().expect("a signal");
    supervisor.wait().expect("its end");
    wait_for("done");
    let output = std::fs::read_to_string(folder.path().join("err")).expect("text");
    assert!(output.contains("Errno 38"), "{output}");
}

#[test]
fn signals_reach_processes_inside_and_no_others() {
    let folder = folder();
    let mut host = Command::new("/bin/sleep");
    if rustix::process::geteuid().is_root() {
        host.uid(65534).gid(65534);
    }
    let mut host = host.arg("60").spawn().expect("a process");
    let host_id = host.id().to_string();
    // Bare, an ordinary process of the same user can be signalled.
    let bare = run(
        folder.path(),
        false,
        "kill -0 $HOST && echo reached",
        &[("HOST", &host_id)],
    );
    assert_eq!(String::from_utf8_lossy(&bare.stdout), "reached\n");
    let script = "
        for pid in $HOST $PPID 1 -$HOST; do kill -KILL -- $pid && echo reached $pid; done
        sleep 9 & kill $!; wait $!; echo child $?
        (sleep 9 & echo $! > orphan); kill $(cat orphan) && echo orphan
        trap 'echo group' USR1; kill -USR1 0; kill -USR1 -1; echo alive
        kill -USR1 $$";
    let output = run(folder.path(), true, script, &[("HOST", &host_id)]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.ends_with("child 143\norphan\ngroup\nalive\ngroup\n"),
        "{text}"
    );
    assert!(!text.contains("reached"), "{text}");
    assert!(
        host.try_wait().expect("a state").is_none(),
        "the host's process lives"
    );
    host.kill().expect("a signal");
    host.wait().expect("its end");
}

const TESTS: &str = include_str!("notify_go/loopback_test.go");

#[test]
fn go_tests_use_the_loopback_as_bare() {
    if !Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|o| o.status.success())
    {
        println!("SKIPPED: go is not in PATH");
        let required = std::env::var("GOSANDBOX_REQUIRE_KERNEL").is_ok_and(|value| value == "1");
        assert!(!required, "skipped although GOSANDBOX_REQUIRE_KERNEL=1");
        return;
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
