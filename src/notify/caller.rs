//! What is read of a calling thread: its memory, its descriptors, its working folder.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use super::{Errno, Rules};
use crate::sys::notify::{self as sys, Notification};

/// A thread that waits for its call to be answered.
pub(super) struct Caller<'a> {
    listener: BorrowedFd<'a>,
    pub(super) call: Notification,
}

impl<'a> Caller<'a> {
    pub(super) fn new(listener: BorrowedFd<'a>, call: Notification) -> Caller<'a> {
        Caller { listener, call }
    }

    /// An `int` argument.
    pub(super) fn int(&self, argument: usize) -> i32 {
        self.call.arguments[argument] as i32
    }

    fn file(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.call.thread).into()
    }

    /// The thread could have died and its id been given away since: only while its call waits is
    /// what was read the caller's.
    pub(super) fn still_waits(&self) -> Result<(), Errno> {
        if sys::waits(self.listener, self.call.id) {
            Ok(())
        } else {
            Err(libc::ESRCH)
        }
    }

    /// Reads the caller's memory, once.
    pub(super) fn memory(&self, address: u64, length: usize) -> Result<Vec<u8>, Errno> {
        let memory = File::open(self.file("mem")).map_err(|_| libc::EPERM)?;
        self.still_waits()?;
        let mut bytes = vec![0; length];
        memory
            .read_exact_at(&mut bytes, address)
            .map_err(|_| libc::EFAULT)?;
        self.still_waits()?;
        Ok(bytes)
    }

    /// The inode of a socket that the caller has open.
    pub(super) fn socket(&self, descriptor: i32) -> Result<u64, Errno> {
        let link = std::fs::read_link(self.file(&format!("fd/{descriptor}")));
        self.still_waits()?;
        let link = link.map_err(|error| match error.raw_os_error() {
            Some(libc::ENOENT) => libc::EBADF,
            _ => libc::EPERM,
        })?;
        let name = link.to_str().and_then(|name| name.strip_prefix("socket:["));
        name.and_then(|name| name.strip_suffix(']'))
            .and_then(|inode| inode.parse().ok())
            .ok_or(libc::ENOTSOCK)
    }

    /// Reads a path, once: up to its NUL, page by page, since the next one may not be there.
    pub(super) fn string(&self, address: u64) -> Result<Vec<u8>, Errno> {
        const PAGE: u64 = 4096;
        let mut path = Vec::new();
        let mut at = address;
        while path.len() < libc::PATH_MAX as usize {
            let length = PAGE - at % PAGE;
            let bytes = self.memory(at, length as usize)?;
            if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
                path.extend(&bytes[..end]);
                return Ok(path);
            }
            path.extend(bytes);
            at = at.checked_add(length).ok_or(libc::EFAULT)?;
        }
        Err(libc::ENAMETOOLONG)
    }

    /// The path of one of the caller's descriptors.
    pub(super) fn descriptor(&self, number: i32) -> Vec<u8> {
        format!("/proc/{}/fd/{number}", self.call.thread).into_bytes()
    }

    /// Whether the caller is in the program cage: the wrapper has added a filter to the command's, which
    /// is inherited and never goes.
    pub(super) fn is_program(&self, rules: &Rules) -> Result<bool, Errno> {
        Ok(self.status(FILTERS, 10)? > rules.filters)
    }

    /// A path of the caller's, so that it can be opened from here.
    pub(super) fn path(&self, path: &[u8]) -> Vec<u8> {
        for itself in [&b"/proc/self/"[..], b"/proc/thread-self/"] {
            if let Some(rest) = path.strip_prefix(itself) {
                let mut full = format!("/proc/{}/", self.call.thread).into_bytes();
                full.extend_from_slice(rest);
                return full;
            }
        }
        if path.first() == Some(&b'/') {
            return path.to_vec();
        }
        let mut full = format!("/proc/{}/cwd/", self.call.thread).into_bytes();
        full.extend_from_slice(path);
        full
    }

    /// The caller's process id.
    pub(super) fn process(&self) -> Result<i32, Errno> {
        self.status("Tgid:", 10).map(u32::cast_signed)
    }

    /// The process that one of the caller's pidfds names.
    pub(super) fn pidfd(&self, descriptor: i32) -> Result<i32, Errno> {
        let info = std::fs::read_to_string(self.file(&format!("fdinfo/{descriptor}")));
        self.still_waits()?;
        let info = info.map_err(|_| libc::EBADF)?;
        let line = info.lines().find_map(|line| line.strip_prefix("Pid:"));
        line.and_then(|value| value.trim().parse().ok())
            .ok_or(libc::EBADF)
    }

    /// The caller's umask.
    pub(super) fn umask(&self) -> Result<u32, Errno> {
        self.status("Umask:", 8)
    }

    fn status(&self, field: &str, radix: u32) -> Result<u32, Errno> {
        let found = status(self.call.thread, field, radix);
        self.still_waits()?;
        found.ok_or(libc::EPERM)
    }
}

/// How many filters a thread has (proc(5), Linux 5.9).
pub(super) const FILTERS: &str = "Seccomp_filters:";

/// A number of a thread's in proc(5)'s status.
pub(super) fn status(thread: u32, field: &str, radix: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    u32::from_str_radix(line.trim(), radix).ok()
}
