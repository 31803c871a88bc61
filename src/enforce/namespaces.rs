//! The namespaces of a run: those that init is cloned into, and those that it makes itself, while the
//! launcher makes what the run needs on disk.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use super::{Context, Error};
use crate::plan::{Identity, way};
use crate::policy::Layer;
use crate::sys::{self, Namespaces};

/// The namespaces that init is cloned into. Root needs no user namespace: it has the rights, and an
/// init of root's own can reach what the sandbox user could not even walk to.
pub fn cloned_into(identity: &Identity) -> Namespaces {
    if identity.switch {
        Namespaces::PID
    } else {
        Namespaces::PID | Namespaces::USER
    }
}

/// In init: makes the other namespaces but that of cgroups, maps the user to itself and brings loopback up.
pub fn enter(identity: &Identity) -> Result<(), Error> {
    let others = Namespaces::MOUNT | Namespaces::NET | Namespaces::IPC | Namespaces::UTS;
    sys::unshare(others).during(Layer::Namespaces, || "make namespaces".into())?;
    if !identity.switch {
        map_to_self(identity.uid, identity.gid)?;
    }
    loopback_up()
}

/// In init, once it is in the cgroups of the run: they are the root of what it sees of cgroups.
pub fn enter_cgroup() -> Result<(), Error> {
    sys::unshare(Namespaces::CGROUP).during(Layer::Namespaces, || "make a cgroup namespace".into())
}

/// Maps one user and one group to themselves in the current user namespace (user_namespaces(7)).
pub fn map_to_self(uid: u32, gid: u32) -> Result<(), Error> {
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("{uid} {uid} 1"))?;
    write("/proc/self/gid_map", &format!("{gid} {gid} 1"))
}

/// Brings the loopback interface of the current net namespace up.
pub fn loopback_up() -> Result<(), Error> {
    let action = || "bring the loopback interface up".to_owned();
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .during(Layer::Namespaces, action)?;
    sys::loopback_up(socket.as_fd()).during(Layer::Namespaces, action)?;
    // A kernel that refuses it has no such address, and tests that look for one find none, as before.
    let _or_none = sys::add_loopback_address(socket.as_fd(), way::OWN_ADDRESS);
    Ok(())
}

/// The port of name servers, below 1024: made while this process has capabilities.
const NAMES_PORT: u16 = 53;

/// A socket in the current net namespace on which programs ask for names.
///
/// # Errors
/// As socket(2) and bind(2).
pub fn resolver() -> io::Result<OwnedFd> {
    let (kind, flags) = (SocketType::DGRAM, SocketFlags::CLOEXEC);
    let socket = socket_with(AddressFamily::INET, kind, flags, None)?;
    bind(&socket, &SocketAddrV4::new(way::RESOLVER, NAMES_PORT))?;
    Ok(socket)
}

fn write(path: &str, content: &str) -> Result<(), Error> {
    fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|file| rustix::io::write(&file, content.as_bytes()))
        .during(Layer::Namespaces, || {
            format!("write \"{content}\" to {path}")
        })
        .map(drop)
}
