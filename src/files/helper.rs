//! A process that has become another user for good, and does one thing with that user's rights.
//!
//! Root does not walk, make or change anything where another user decides what lies at a path. The helper does, and can
//! do no more than that user could. It hands back what it found, and descriptors of it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, Uid};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{self, DumpableBehavior, Signal};
use rustix::thread;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sys::{self, Cloned, Namespaces};

/// The longest answer. It is one message, which is less than what a unix socket buffers.
const LONGEST: usize = 64 << 10;
/// Its user can stop the helper by a signal. The launcher does not wait for ever.
const PATIENCE: Duration = Duration::from_secs(120);
/// Of one answer.
const MOST_DESCRIPTORS: usize = 8;

/// Whom the helper becomes.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group. There are no supplementary ones.
    pub gid: u32,
}

/// Does `work` in a process that is this user. Waits first until threads of a gateway that is ended have ended: the helper
/// would find their locks held.
///
/// # Errors
/// The helper did not become the user, has failed, or was ended or stopped by its user.
pub fn as_user<T: Serialize + DeserializeOwned>(
    user: User,
    work: impl FnOnce() -> (T, Vec<OwnedFd>),
) -> io::Result<(T, Vec<OwnedFd>)> {
    one_thread()?;
    in_helper(user, work)
}

/// The process has one thread.
fn in_helper<T: Serialize + DeserializeOwned>(
    user: User,
    work: impl FnOnce() -> (T, Vec<OwnedFd>),
) -> io::Result<(T, Vec<OwnedFd>)> {
    let (own, its) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let Cloned::Parent { pid, pidfd } = sys::clone_process(Namespaces::NONE)? else {
        drop(own);
        let told = serve(user, work, &its);
        sys::exit_now(i32::from(told.is_err()));
    };
    drop(its);
    let received = receive(&own);
    if received.is_err() {
        let _it_has_ended = process::pidfd_send_signal(&pidfd, Signal::KILL);
    }
    sys::wait_for(pid)?;
    let (bytes, descriptors) = received?;
    let answer: Result<T, i32> = postcard::from_bytes(&bytes).map_err(io::Error::other)?;
    match answer {
        Ok(answer) => Ok((answer, descriptors)),
        Err(errno) => Err(io::Error::from_raw_os_error(errno)),
    }
}

fn one_thread() -> io::Result<()> {
    let start = Instant::now();
    // A folder has two links more than it has folders in it, which are the threads.
    while rustix::fs::stat("/proc/self/task")?.st_nlink > 3 {
        if start.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// In the helper.
fn serve<T: Serialize>(
    user: User,
    work: impl FnOnce() -> (T, Vec<OwnedFd>),
    socket: &OwnedFd,
) -> io::Result<()> {
    let (answer, descriptors) = match become_for_good(user) {
        Ok(()) => {
            super::rights::are_another_users();
            let (answer, descriptors) = work();
            (Ok(answer), descriptors)
        }
        Err(error) => (Err(error.raw_os_error().unwrap_or(libc::EPERM)), Vec::new()),
    };
    let bytes = postcard::to_stdvec(&answer).map_err(io::Error::other)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    sendmsg(
        socket,
        &[IoSlice::new(&bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// The order is that of setgroups(2), setresgid(2), setresuid(2): the reverse would lack the right.
fn become_for_good(user: User) -> io::Result<()> {
    // Its memory is root's, with root's environment: not to be looked into by the user.
    process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    thread::set_thread_groups(&[])?;
    thread::set_thread_res_gid(gid, gid, gid)?;
    thread::set_thread_res_uid(uid, uid, uid)?;
    process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // The change of user has cleared it.
    process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let held = thread::capabilities(None)?;
    let is_root = process::getuid().is_root() || process::geteuid().is_root();
    let has_capabilities = !(held.effective | held.permitted).is_empty();
    if is_root || has_capabilities || thread::set_thread_uid(Uid::ROOT).is_ok() {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    Ok(())
}

/// The helper's answer.
fn receive(socket: &OwnedFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut waits = [PollFd::new(socket, PollFlags::IN)];
    let patience = Timespec {
        tv_sec: PATIENCE.as_secs().cast_signed(),
        tv_nsec: 0,
    };
    if poll(&mut waits, Some(&patience))? == 0 {
        return Err(io::Error::other(
            "the helper process does not answer: its user has stopped it",
        ));
    }
    let mut bytes = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(socket, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Err(io::Error::other("the helper process was ended"));
    }
    let descriptors = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
        _ => Vec::new(),
    });
    let descriptors = descriptors.collect();
    bytes.truncate(received.bytes);
    Ok((bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_is_the_user_and_cannot_be_anybody_else() {
        if !crate::skip::needs_root("only root becomes another user") {
            return;
        }
        // The test harness has threads. After fork(2) there is one.
        let Some(pid) = sys::identity::fork().unwrap() else {
            let held = std::panic::catch_unwind(is_the_user_and_nobody_else);
            sys::exit_now(i32::from(held.is_err()));
        };
        assert_eq!(sys::wait_for(pid).unwrap(), Some(0));
    }

    fn is_the_user_and_nobody_else() {
        let user = User {
            uid: 1000,
            gid: 1000,
        };
        let (told, descriptors) = in_helper(user, || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            let groups = process::getgroups().map_or(1, |groups| groups.len());
            let opened = std::fs::File::open("/etc/shadow").is_ok();
            let folder = std::fs::File::open("/").unwrap();
            let ids = (process::getuid().as_raw(), process::getgid().as_raw());
            ((ids, groups, opened, status), vec![folder.into()])
        })
        .unwrap();
        let ((uid, gid), groups, opened, status) = told;
        assert_eq!((uid, gid, groups, opened), (1000, 1000, 0, false));
        for set in ["CapEff", "CapPrm", "CapAmb"] {
            let line = format!("{set}:\t0000000000000000");
            assert!(status.contains(&line), "{status}");
        }
        assert_eq!(descriptors.len(), 1);
        let ended = in_helper(user, || -> ((), Vec<OwnedFd>) {
            let _ = process::kill_process(process::getpid(), Signal::KILL);
            ((), Vec::new())
        });
        assert!(ended.is_err());
    }
}
