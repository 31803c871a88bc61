//! sendmsg: one message, read once, with the control data that is harmless.

use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::caller::Caller;
use super::{Errno, Held};
use crate::sys::notify::{self as sys, Control};

/// What is sent for a caller in one call, at most.
pub(super) const LARGEST: usize = 1 << 20;
/// Descriptors in one message, at most (unix(7), SCM_MAX_FD).
const DESCRIPTORS: usize = 253;
/// Control data of a message, at most.
const CONTROL: u64 = 4096;

/// A message of a caller's.
pub(super) struct Message {
    pub(super) name: Vec<u8>,
    pub(super) data: Vec<u8>,
    pub(super) control: Vec<Control>,
    /// Held until it has been sent.
    _descriptors: Vec<OwnedFd>,
}

impl Message {
    /// Without control data.
    pub(super) fn plain(name: Vec<u8>, data: Vec<u8>) -> Message {
        Message {
            name,
            data,
            control: Vec::new(),
            _descriptors: Vec::new(),
        }
    }
}

/// Reads `struct msghdr` and all that it points to.
pub(super) fn read(caller: &Caller<'_>, at: u64, domain: i32) -> Result<Message, Errno> {
    let header = caller.memory(at, 56)?;
    let word = |at: usize| word(&header, at);
    let (name, name_length) = (word(0)?, word(8)? as i32);
    let (vectors, count, control) = (word(16)?, word(24)?, word(32)?);
    let name = match usize::try_from(name_length) {
        _ if name == 0 => Vec::new(),
        Ok(length @ 0..=128) => caller.memory(name, length)?,
        _ => return Err(libc::EINVAL),
    };
    let count = usize::try_from(count).map_err(|_| libc::EMSGSIZE)?;
    if count > 1024 {
        return Err(libc::EMSGSIZE);
    }
    let mut data = Vec::new();
    for vector in caller.memory(vectors, count * 16)?.chunks_exact(16) {
        let (base, length) = (self::word(vector, 0)?, self::word(vector, 8)?);
        let length = usize::try_from(length).map_err(|_| libc::EMSGSIZE)?;
        if length > LARGEST - data.len() {
            return Err(libc::EMSGSIZE);
        }
        data.extend(caller.memory(base, length)?);
    }
    let length = word(40)?;
    let bytes = match control {
        0 => Vec::new(),
        _ if length > CONTROL => return Err(libc::ENOBUFS),
        _ => caller.memory(control, length as usize)?,
    };
    let mut descriptors = Vec::new();
    let control = parts(&bytes)?
        .into_iter()
        .map(|part| checked(caller, domain, part, &mut descriptors))
        .collect::<Result<_, _>>()?;
    Ok(Message {
        name,
        data,
        control,
        _descriptors: descriptors,
    })
}

fn word(bytes: &[u8], at: usize) -> Result<u64, Errno> {
    let bytes = bytes.get(at..at + 8).ok_or(libc::EFAULT)?;
    bytes
        .try_into()
        .map(u64::from_ne_bytes)
        .map_err(|_| libc::EFAULT)
}

/// Takes `struct cmsghdr`s apart.
fn parts(bytes: &[u8]) -> Result<Vec<Control>, Errno> {
    let mut rest = bytes;
    let mut parts = Vec::new();
    while rest.len() >= 16 {
        let length = usize::try_from(word(rest, 0)?).map_err(|_| libc::EINVAL)?;
        let data = rest.get(16..length).ok_or(libc::EINVAL)?.to_vec();
        let kind = word(rest, 8)?;
        parts.push(Control {
            level: kind as u32 as i32,
            kind: (kind >> 32) as i32,
            data,
        });
        rest = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(parts)
}

/// Lets pass what says how a packet is marked or cut, not where it goes (IP_PKTINFO names a device), and
/// descriptors, each of which is taken from the caller now.
fn checked(
    caller: &Caller<'_>,
    domain: i32,
    part: Control,
    taken: &mut Vec<OwnedFd>,
) -> Result<Control, Errno> {
    const UDP_SEGMENT: i32 = 103;
    match (domain, part.level, part.kind) {
        (libc::AF_INET | libc::AF_INET6, libc::IPPROTO_IP, libc::IP_TOS | libc::IP_TTL)
        | (libc::AF_INET6, libc::IPPROTO_IPV6, libc::IPV6_TCLASS | libc::IPV6_HOPLIMIT)
        | (libc::AF_INET | libc::AF_INET6, libc::IPPROTO_UDP, UDP_SEGMENT) => Ok(part),
        (libc::AF_UNIX, libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
            let mut data = Vec::new();
            for number in part.data.chunks_exact(4) {
                let number = i32::from_ne_bytes(number.try_into().map_err(|_| libc::EINVAL)?);
                if taken.len() == DESCRIPTORS {
                    return Err(libc::EINVAL);
                }
                let descriptor = take(caller, number)?;
                data.extend(descriptor.as_raw_fd().to_ne_bytes());
                taken.push(descriptor);
            }
            Ok(Control { data, ..part })
        }
        _ => Err(libc::EPERM),
    }
}

/// One of the caller's descriptors: the very open file. Many containers refuse that (EPERM).
fn take(caller: &Caller<'_>, number: i32) -> Result<OwnedFd, Errno> {
    let failed = rustix::io::Errno::raw_os_error;
    let process = Pid::from_raw(caller.process()?).ok_or(libc::ESRCH)?;
    let pidfd = pidfd_open(process, PidfdFlags::empty()).map_err(failed)?;
    caller.still_waits()?;
    pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty()).map_err(failed)
}

/// A socket of the caller's of which no duplicate is held: one of a pair, an accepted one, a stream that
/// is connected.
pub(super) fn socket(caller: &Caller<'_>, number: i32) -> Result<Held, Errno> {
    let socket = take(caller, number)?;
    let (domain, kind) = sys::domain_and_kind(&socket).map_err(|error| super::errno(&error))?;
    match domain {
        libc::AF_UNIX | libc::AF_INET | libc::AF_INET6 => Ok(Held {
            socket,
            domain,
            kind,
        }),
        _ => Err(libc::EPERM),
    }
}
