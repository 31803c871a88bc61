//! The host's services, its processes and the network stay out of reach.

use super::*;
use crate::reachable::wait::wait_for_file;

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
fn no_connection_is_put_off_until_the_port_is_anothers() {
    refused("tcp later", "", libc::EOPNOTSUPP);
}

#[test]
fn datagrams_reach_neither_the_host_nor_the_network() {
    let host = UdpSocket::bind("[::]:0").expect("a port");
    // On the loopback a datagram has come when the call that sends it returns.
    host.set_nonblocking(true).expect("a flag");
    let port = host.local_addr().expect("an address").port();
    for (name, ip) in [
        ("udp", "127.0.0.1"),
        ("udp connect", "127.0.0.1"),
        ("udp6", "[::1]"),
        ("udp6", "[::ffff:127.0.0.1]"),
    ] {
        refused(name, &format!("{ip}:{port}"), libc::ECONNREFUSED);
    }
    let address = format!("127.0.0.1:{port}");
    refused("udp unspecified", &address, libc::EAFNOSUPPORT);
    let mut buffer = [0; 8];
    for _ in 0..4 {
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
    refused("udp let go", "", libc::EBUSY);
    refused("packet information", "", libc::EPERM);
}

/// The kernel tells the neighbours on the network which groups are listened to.
#[test]
fn no_multicast_group_is_joined() {
    // MCAST_JOIN_GROUP and MCAST_JOIN_SOURCE_GROUP among them.
    for way in ["4", "6", "42", "46"] {
        refused("group", way, libc::ENODEV);
    }
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
    let wait_for = |name: &str| wait_for_file(&folder.path().join(name));
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
    let mut host = host.arg("3600").spawn().expect("a process");
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
        sleep 600 & kill $!; wait $!; echo child $?
        (sleep 600 & echo $! > orphan); kill $(cat orphan) && echo orphan
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
