//! Standard input that was opened outside, and leads there.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use crate::support::{Ended, Env, Site};

/// Connects standard input, which is a socket, to another address.
const CONNECTS: &str = r#"package main

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

func main() {
	port, _ := strconv.Atoi(os.Args[1])
	nobody := [16]byte{}
	syscall.Syscall(syscall.SYS_CONNECT, 0, uintptr(unsafe.Pointer(&nobody)), 16)
	syscall.Connect(0, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	syscall.Write(0, []byte("from inside"))
}
"#;

#[test]
fn a_socket_as_standard_input_is_no_way_to_other_addresses() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
        site.file("main.go", CONNECTS);
        site.settle();
        let theirs = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        other.set_nonblocking(true).unwrap();
        let port = other.local_addr().unwrap().port().to_string();
        let words = ["go", "run", "main.go", &port];
        let socket = || OwnedFd::from(TcpStream::connect(theirs.local_addr().unwrap()).unwrap());
        Ended::of(site.bare(&words).stdin(socket())).expect(0);
        assert_eq!(said(&other), "from inside", "{env:?}");
        Ended::of(site.gosandbox(&[], &words).stdin(socket()))
            .expect(125)
            .refused("stream-refused")
            .says("socket");
        assert_eq!(said(&other), "", "{env:?}");
        // Tools that start others by pairs of sockets.
        let (mine, others) = UnixStream::pair().unwrap();
        let mut command = site.gosandbox(&[], &["cat"]);
        command.stdin(OwnedFd::from(others));
        std::io::Write::write_all(&mut &mine, b"by a pair").unwrap();
        drop(mine);
        assert_eq!(Ended::of(&mut command).expect(0).stdout, "by a pair");
    }
}

/// What a process that has ended has written to a listening socket. On the loopback it had connected by then.
fn said(listener: &TcpListener) -> String {
    let mut text = String::new();
    if let Ok((mut stream, _)) = listener.accept() {
        stream.set_nonblocking(false).unwrap();
        stream.read_to_string(&mut text).unwrap();
    }
    text
}

#[test]
fn a_folder_as_standard_input_leads_nowhere() {
    let here = Env::ALL.into_iter().chain([Env::NoLandlock]);
    for env in here.filter(|env| env.is_here()) {
        let site = Site::new(env);
        site.settle();
        let secret = site.outside.join("secret");
        fs::write(&secret, "told").unwrap();
        let folder = || File::open(site.outside.join(".")).unwrap();
        let words = ["sh", "-c", "cat /proc/self/fd/0/secret"];
        let bare = Ended::of(site.bare(&words).stdin(folder())).expect(0);
        assert_eq!(bare.stdout, "told", "{env:?}");
        Ended::of(site.gosandbox(&[], &words).stdin(folder()))
            .expect(125)
            .refused("stream-refused")
            .says("folder");
    }
}
