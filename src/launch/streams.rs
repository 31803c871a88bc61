//! The caller's standard input, output and error, which the command gets as they are: no namespace, no mount
//! and no rule stands before what was opened outside.

use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fstat, open};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, getpeername, sockopt};
use rustix::stdio::{stderr as errors, stdin as input, stdout as output};
use rustix::termios::tcgetsid;

/// A stream that would lead out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Paths can be looked up from there, `..` included.
    #[error("cannot hand on {0}: {0} is a folder, from which code inside would find its way out")]
    Folder(&'static str),
    /// It can be connected anew, and is in the caller's net namespace.
    #[error(
        "cannot hand on {0}: {0} is a socket, by which code inside could reach other addresses"
    )]
    Socket(&'static str),
}

/// Makes sure that none of them leads out.
///
/// # Errors
/// The first that does.
pub fn check() -> Result<(), Error> {
    // They are open: `sanitise_descriptors` has seen to that.
    let streams = [
        (input(), "standard input"),
        (output(), "standard output"),
        (errors(), "standard error"),
    ];
    streams
        .into_iter()
        .try_for_each(|(stream, name)| look(stream, name))
}

/// The name of standard output or error, where it leads into a file. An AppArmor profile or SELinux domain that does
/// not grant the file closes it at exec, and the output would be lost.
pub fn into_a_file() -> Option<&'static str> {
    let is_regular = |stream: BorrowedFd<'_>| {
        fstat(stream)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile)
    };
    match (is_regular(output()), is_regular(errors())) {
        (true, _) => Some("standard output"),
        (_, true) => Some("standard error"),
        _ => None,
    }
}

fn look(stream: BorrowedFd<'_>, name: &'static str) -> Result<(), Error> {
    let Ok(found) = fstat(stream) else {
        return Ok(());
    };
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => Err(Error::Folder(name)),
        FileType::Socket if !is_settled(stream) => Err(Error::Socket(name)),
        _ => Ok(()),
    }
}

/// Whether it is a unix stream that has its peer, as one of a pair has, and can be given no other.
fn is_settled(socket: BorrowedFd<'_>) -> bool {
    let is_stream = |kind| matches!(kind, SocketType::STREAM | SocketType::SEQPACKET);
    sockopt::socket_domain(socket).is_ok_and(|domain| domain == AddressFamily::UNIX)
        && sockopt::socket_type(socket).is_ok_and(is_stream)
        && getpeername(socket).is_ok()
}

/// Whether `/dev/tty` gives nothing that standard input, output or error does not give: they are the controlling
/// terminal, for reading and writing, or there is none. A person who sends all three elsewhere has a terminal still.
pub fn has_terminal() -> bool {
    let is_it = |descriptor: BorrowedFd<'_>| {
        let flags = fcntl_getfl(descriptor);
        // Only the controlling terminal tells its session (TIOCGSID in tty_ioctl(4)).
        flags.is_ok_and(|flags| flags.contains(OFlags::RDWR)) && tcgetsid(descriptor).is_ok()
    };
    [input(), output(), errors()].into_iter().any(is_it)
        || matches!(
            open("/dev/tty", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()),
            Err(Errno::NXIO)
        )
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;

    fn is_taken(stream: &impl AsFd) -> bool {
        look(stream.as_fd(), "it").is_ok()
    }

    #[test]
    fn files_pipes_and_pairs_are_taken() {
        let (mine, others) = UnixStream::pair().unwrap();
        assert!(is_taken(&mine));
        drop(others);
        assert!(is_taken(&mine), "the other end is closed");
        assert!(is_taken(&std::fs::File::open("/dev/null").unwrap()));
        assert!(is_taken(&tempfile::tempfile().unwrap()));
        let (read, write) = rustix::pipe::pipe().unwrap();
        assert!(is_taken(&read) && is_taken(&write));
    }

    #[test]
    fn folders_and_sockets_that_can_be_given_an_address_are_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_taken(&std::fs::File::open(folder.path()).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!is_taken(&listener));
        let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!is_taken(&connected));
        assert!(!is_taken(&UdpSocket::bind("127.0.0.1:0").unwrap()));
        assert!(!is_taken(&UnixDatagram::pair().unwrap().0));
        assert!(!is_taken(
            &UnixListener::bind(folder.path().join("s")).unwrap()
        ));
    }
}
