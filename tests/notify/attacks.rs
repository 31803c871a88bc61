//! What attacks do, by name, in the helper process.

use super::*;

pub(super) fn attack(name: &str) -> std::io::Result<()> {
    let argument = std::env::var("NOTIFY_TEST_ARGUMENT").unwrap_or_default();
    match name {
        "tcp" => TcpStream::connect(&argument).map(drop),
        "tcp later" => later(),
        "udp" => UdpSocket::bind("0.0.0.0:0")?
            .send_to(b"x", &argument)
            .map(drop),
        "udp connect" => UdpSocket::bind("0.0.0.0:0")?.connect(&argument),
        "udp6" => UdpSocket::bind("[::]:0")?
            .send_to(b"x", &argument)
            .map(drop),
        "udp unspecified" => unspecified(&argument),
        "udp let go" => let_go(),
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
        "group" => match argument.as_str() {
            "4" => UdpSocket::bind("127.0.0.1:0")?
                .join_multicast_v4(&"239.1.2.3".parse().expect("a group"), &Ipv4Addr::LOCALHOST),
            "6" => UdpSocket::bind("[::1]:0")?
                .join_multicast_v6(&"ff12::9".parse().expect("a group"), 1),
            _ => join_by_request(argument.parse().expect("a number")),
        },
        "race" => race(argument.parse().expect("a port")),
        _ => unreachable!("{name}"),
    }
}

/// A connection to a port that is the program's own as it is asked for, and another's as it is made.
fn later() -> std::io::Result<()> {
    let own = TcpListener::bind("127.0.0.1:0")?;
    let port = own.local_addr()?.port();
    // SAFETY: the option is readable for its length, and socket(2) takes integers.
    let (socket, set) = unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        let set = |option| libc::setsockopt(socket, 6, option, (&raw const ON).cast(), 4);
        // TCP_FASTOPEN_NO_COOKIE, TCP_FASTOPEN_CONNECT
        (socket, set(34) + set(30))
    };
    if socket < 0 || set < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the socket is new, and nobody else owns it.
    let mut stream = unsafe { TcpStream::from_raw_fd(socket) };
    // SAFETY: all zeroes is a valid value of this plain structure.
    let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    name.sin_family = libc::AF_INET as u16;
    name.sin_port = port.to_be();
    name.sin_addr.s_addr = Ipv4Addr::LOCALHOST.to_bits().to_be();
    // SAFETY: the address is readable for its length.
    if unsafe { libc::connect(socket, (&raw const name).cast(), 16) } < 0 {
        return Err(std::io::Error::last_os_error());
    }
    drop(own);
    let host = TcpListener::bind(("127.0.0.1", port))?;
    stream.write_all(b"x")?;
    host.accept().map(drop)
}

static ON: i32 = 1;

/// A datagram to an address whose family is AF_UNSPEC, which the kernel takes for AF_INET.
fn unspecified(argument: &str) -> std::io::Result<()> {
    let to: std::net::SocketAddrV4 = argument.parse().expect("an address");
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: all zeroes is a valid value of this plain structure.
    let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    name.sin_port = to.port().to_be();
    name.sin_addr.s_addr = u32::from_ne_bytes(to.ip().octets());
    // SAFETY: data and address live through the call.
    let sent = unsafe {
        let (data, name) = (c"x".as_ptr().cast(), (&raw const name).cast());
        libc::sendto(socket.as_raw_fd(), data, 1, 0, name, 16)
    };
    if sent < 0 {
        Err(std::io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Lets go of a peer; 0 where the socket is tied to no device then, which the kernel lets go of as well.
fn let_go() -> std::io::Result<()> {
    let mine = UdpSocket::bind("127.0.0.1:0")?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(mine.local_addr()?)?;
    let mut device = [0u8; 16];
    let mut length = 16;
    // SAFETY: a family alone is an address; `device` has room for `length` bytes.
    let done = unsafe {
        let nobody = (&raw const device).cast();
        if libc::connect(socket.as_raw_fd(), nobody, 16) < 0 {
            -1
        } else {
            let device = (&raw mut device).cast();
            libc::getsockopt(socket.as_raw_fd(), 1, 25, device, &raw mut length)
        }
    };
    if done < 0 {
        return Err(std::io::Error::last_os_error());
    }
    match length {
        0 => Ok(()),
        _ => Err(std::io::Error::from_raw_os_error(libc::EBUSY)),
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

/// By an option that takes a group of any family, and for `MCAST_JOIN_SOURCE_GROUP` a source.
fn join_by_request(option: i32) -> std::io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    // struct group_source_req: the number of the loopback device, a group and a source of 128 bytes each.
    let mut request = [0u64; 33];
    request[0] = 1;
    let name = |ip: [u8; 4]| {
        let [a, b, c, d] = ip;
        u64::from_ne_bytes([libc::AF_INET as u8, 0, 0, 0, a, b, c, d])
    };
    request[1] = name([239, 1, 2, 4]);
    request[17] = name([127, 0, 0, 1]);
    let length = if option == 42 { 136 } else { 264 };
    // SAFETY: the request lives through the call, which reads `length` bytes of it.
    let done = unsafe {
        let request = request.as_ptr().cast();
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            option,
            request,
            length,
        )
    };
    if done < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
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
