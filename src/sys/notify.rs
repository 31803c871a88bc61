//! Seccomp user notification, and socket calls whose address is bytes read from another process.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use super::check;

/// A call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Notification {
    /// Names the waiting call; never used again once it is answered.
    pub id: u64,
    /// The thread that called.
    pub thread: u32,
    /// The call's number.
    pub number: i64,
    /// The call's arguments.
    pub arguments: [u64; 6],
}

/// Waits for the next call.
pub fn receive(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    // SAFETY: the structure holds plain integers; the kernel demands that it be zero.
    let mut got: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: `got` is as large as the kernel's structure and lives through the call.
    let result = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV as _,
            &raw mut got,
        )
    };
    check(result.into())?;
    Ok(Notification {
        id: got.id,
        thread: got.pid,
        number: got.data.nr.into(),
        arguments: got.data.args,
    })
}

/// Whether the call still waits, so that what was learned about its thread is about that thread.
pub fn waits(listener: BorrowedFd<'_>, id: u64) -> bool {
    /// `SECCOMP_IOCTL_NOTIF_ID_VALID`, `SECCOMP_IOW(2, __u64)`
    const ID_VALID: u32 = 0x4008_2102;
    // SAFETY: the kernel reads one u64, which lives through the call.
    unsafe { libc::ioctl(listener.as_raw_fd(), ID_VALID as _, &raw const id) == 0 }
}

/// Answers a call with a result or an error number. A caller that is gone is no error.
pub fn answer(listener: BorrowedFd<'_>, id: u64, outcome: Result<i64, i32>) -> io::Result<()> {
    let mut response = libc::seccomp_notif_resp {
        id,
        val: outcome.unwrap_or(0),
        error: outcome.err().map_or(0, |errno| -errno),
        flags: 0,
    };
    // SAFETY: `response` is as large as the kernel's structure and lives through the call.
    let result = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND as _,
            &raw mut response,
        )
    };
    match check(result.into()) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other.map(drop),
    }
}

/// Gives the caller a descriptor of its own and answers with its number (Linux 5.14).
pub fn answer_with_descriptor(
    listener: BorrowedFd<'_>,
    id: u64,
    descriptor: BorrowedFd<'_>,
    close_on_exec: bool,
) -> io::Result<()> {
    const SEND: u32 = 2;
    let give = libc::seccomp_notif_addfd {
        id,
        flags: SEND,
        srcfd: descriptor.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if close_on_exec {
            libc::O_CLOEXEC as u32
        } else {
            0
        },
    };
    // SAFETY: `give` is as large as the kernel's structure and lives through the call.
    let result = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ADDFD as _,
            &raw const give,
        )
    };
    check(result.into()).map(drop)
}

/// `connect` with an address as bytes.
pub fn connect(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    // SAFETY: the address is readable for its length, and the kernel only reads it.
    let result = unsafe {
        libc::connect(
            socket.as_raw_fd(),
            address.as_ptr().cast(),
            address.len() as u32,
        )
    };
    check(result.into()).map(drop)
}

/// `bind` with an address as bytes.
pub fn bind(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    // SAFETY: as for `connect`.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            address.as_ptr().cast(),
            address.len() as u32,
        )
    };
    check(result.into()).map(drop)
}

/// One part of a message's control data.
#[derive(Clone, Debug)]
pub struct Control {
    /// The protocol.
    pub level: i32,
    /// What it is.
    pub kind: i32,
    /// As it follows its header.
    pub data: Vec<u8>,
}

/// `sendmsg` with an address as bytes; none where it is empty.
pub fn send(
    socket: BorrowedFd<'_>,
    data: &[u8],
    flags: i32,
    address: &[u8],
    control: &[Control],
) -> io::Result<usize> {
    // In words, since its headers must be aligned.
    let mut words = Vec::new();
    for part in control {
        words.push(16 + part.data.len() as u64);
        words.push(u64::from(part.level as u32) | u64::from(part.kind as u32) << 32);
        for chunk in part.data.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            words.push(u64::from_ne_bytes(word));
        }
    }
    let mut vector = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    // SAFETY: all zeroes is a valid value of this plain structure.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    if !address.is_empty() {
        message.msg_name = address.as_ptr().cast_mut().cast();
        message.msg_namelen = address.len() as u32;
    }
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    if !words.is_empty() {
        message.msg_control = words.as_mut_ptr().cast();
        message.msg_controllen = words.len() * 8;
    }
    // SAFETY: data, address and control data are readable for their lengths, and the kernel only reads them.
    let result = unsafe {
        libc::sendmsg(
            socket.as_raw_fd(),
            &raw const message,
            flags | libc::MSG_NOSIGNAL,
        )
    };
    check(result as libc::c_long).map(|sent| sent as usize)
}

/// A socket's domain and its kind.
pub fn domain_and_kind(socket: &OwnedFd) -> io::Result<(i32, i32)> {
    let option = |name| {
        let mut value = 0i32;
        let mut length = size_of::<i32>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes to `value`, which lives through the call.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                name,
                (&raw mut value).cast(),
                &raw mut length,
            )
        };
        check(result.into()).map(|_| value)
    };
    Ok((option(libc::SO_DOMAIN)?, option(libc::SO_TYPE)?))
}

/// Makes a socket that is closed on exec.
pub fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes integers only.
    let result = unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) };
    let descriptor = check(result.into())?;
    // SAFETY: the kernel has just made it for the caller, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}

/// Ties a socket to an interface. Without CAP_NET_RAW that cannot be undone (Linux 5.7).
pub fn bind_to_device(socket: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    // SAFETY: the name is readable for its length, and the kernel only reads it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            name.as_ptr().cast(),
            name.len() as u32,
        )
    };
    check(result.into()).map(drop)
}

/// Sends a signal to one thread of a process; 0 sends none and only checks.
pub fn signal_thread(process: i32, thread: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes integers only.
    check(unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) }).map(drop)
}

/// Sends a signal to the process that a pidfd names; 0 sends none and only checks.
pub fn signal_process(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: takes integers, and no siginfo.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            none,
            0,
        )
    })
    .map(drop)
}
