//! Modes, owners and times, which Landlock does not know: performed on the file that was opened once,
//! where the caller's cage may write.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, Uid, chmod, chownat, open,
    utimensat,
};

use super::caller::Caller;
use super::{Errno, Rules};

/// fchmodat2(2), the same on every machine; libc knows it for some.
const FCHMODAT2: i64 = 452;

/// What is to be changed.
enum Change {
    Mode(u32),
    Owner(u32, u32),
    Times(Timestamps),
}

/// A call's object: an open descriptor, or a path from a folder.
struct Object {
    folder: i32,
    path: Option<u64>,
    follow: bool,
}

/// Whether this is one of the calls; their numbers differ by machine, and some only one has.
pub(super) fn is_one(number: i64) -> bool {
    #[cfg(target_arch = "x86_64")]
    let legacy = matches!(
        number,
        libc::SYS_chmod
            | libc::SYS_chown
            | libc::SYS_lchown
            | libc::SYS_utime
            | libc::SYS_utimes
            | libc::SYS_futimesat
    );
    #[cfg(not(target_arch = "x86_64"))]
    let legacy = false;
    legacy
        || matches!(
            number,
            libc::SYS_fchmod
                | libc::SYS_fchmodat
                | FCHMODAT2
                | libc::SYS_fchown
                | libc::SYS_fchownat
                | libc::SYS_utimensat
        )
}

/// Performs the call, or refuses it.
pub(super) fn change(rules: &Rules, caller: &Caller<'_>) -> Result<(), Errno> {
    let (object, change) = understand(caller)?;
    let file = find(caller, &object)?;
    let name = format!("/proc/thread-self/fd/{}", file.as_raw_fd());
    let real = std::fs::read_link(&name).map_err(|_| libc::EPERM)?;
    if !rules.may_change(&real, caller.is_program(rules)?) {
        return Err(libc::EPERM);
    }
    let failed = rustix::io::Errno::raw_os_error;
    match change {
        // Set-id bits: the filter refuses them; a further filter cannot take that back.
        Change::Mode(mode) if mode & 0o6000 != 0 => Err(libc::EPERM),
        Change::Mode(mode) => chmod(&name, Mode::from_raw_mode(mode & 0o7777)).map_err(failed),
        Change::Owner(user, group) => {
            let user = (user != u32::MAX).then(|| Uid::from_raw(user));
            let group = (group != u32::MAX).then(|| Gid::from_raw(group));
            chownat(&file, "", user, group, AtFlags::EMPTY_PATH).map_err(failed)
        }
        Change::Times(times) => utimensat(&file, "", &times, AtFlags::EMPTY_PATH).map_err(failed),
    }
}

fn understand(caller: &Caller<'_>) -> Result<(Object, Change), Errno> {
    let arguments = caller.call.arguments;
    let word = |at: usize| arguments[at] as u32;
    let opened = || Object {
        folder: caller.int(0),
        path: None,
        follow: true,
    };
    let at = |flags: u32| {
        let known = (libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) as u32;
        if flags & !known != 0 {
            return Err(libc::EINVAL);
        }
        Ok(Object {
            folder: caller.int(0),
            path: Some(arguments[1]),
            follow: flags & libc::AT_SYMLINK_NOFOLLOW as u32 == 0,
        })
    };
    match caller.call.number {
        libc::SYS_fchmod => Ok((opened(), Change::Mode(word(1)))),
        libc::SYS_fchmodat => Ok((at(0)?, Change::Mode(word(2)))),
        FCHMODAT2 => Ok((at(word(3))?, Change::Mode(word(2)))),
        libc::SYS_fchown => Ok((opened(), Change::Owner(word(1), word(2)))),
        libc::SYS_fchownat => Ok((at(word(4))?, Change::Owner(word(2), word(3)))),
        libc::SYS_utimensat => {
            let object = match arguments[1] {
                0 => opened(),
                _ => at(word(3))?,
            };
            Ok((object, Change::Times(times(caller, arguments[2], 1)?)))
        }
        _ => legacy(caller),
    }
}

#[cfg(target_arch = "x86_64")]
fn legacy(caller: &Caller<'_>) -> Result<(Object, Change), Errno> {
    let arguments = caller.call.arguments;
    let word = |at: usize| arguments[at] as u32;
    let named = |follow| Object {
        folder: libc::AT_FDCWD,
        path: Some(arguments[0]),
        follow,
    };
    match caller.call.number {
        libc::SYS_chmod => Ok((named(true), Change::Mode(word(1)))),
        libc::SYS_chown => Ok((named(true), Change::Owner(word(1), word(2)))),
        libc::SYS_lchown => Ok((named(false), Change::Owner(word(1), word(2)))),
        libc::SYS_utimes => Ok((
            named(true),
            Change::Times(times(caller, arguments[1], 1000)?),
        )),
        libc::SYS_futimesat => {
            let object = Object {
                folder: caller.int(0),
                path: Some(arguments[1]).filter(|path| *path != 0),
                follow: true,
            };
            Ok((object, Change::Times(times(caller, arguments[2], 1000)?)))
        }
        libc::SYS_utime => {
            let times = match arguments[1] {
                0 => now(),
                at => {
                    let [access, modification] = words(caller.memory(at, 16)?)?;
                    both(access, 0, modification, 0)
                }
            };
            Ok((named(true), Change::Times(times)))
        }
        _ => Err(libc::EPERM),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn legacy(_: &Caller<'_>) -> Result<(Object, Change), Errno> {
    Err(libc::EPERM)
}

/// Two times of seconds and a fraction, in units of so many nanoseconds; none means now.
fn times(caller: &Caller<'_>, at: u64, unit: i64) -> Result<Timestamps, Errno> {
    if at == 0 {
        return Ok(now());
    }
    let [access, a, modification, m] = words(caller.memory(at, 32)?)?;
    let fraction = |value: i64| match unit {
        1 => Ok(value),
        _ if (0..1_000_000).contains(&value) => Ok(value * unit),
        _ => Err(libc::EINVAL),
    };
    Ok(both(access, fraction(a)?, modification, fraction(m)?))
}

fn words<const N: usize>(bytes: Vec<u8>) -> Result<[i64; N], Errno> {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = i64::from_ne_bytes(bytes.try_into().map_err(|_| libc::EFAULT)?);
    }
    Ok(words)
}

fn now() -> Timestamps {
    both(0, UTIME_NOW, 0, UTIME_NOW)
}

fn both(access: i64, a: i64, modification: i64, m: i64) -> Timestamps {
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    Timestamps {
        last_access: time(access, a),
        last_modification: time(modification, m),
    }
}

/// Opens the object without effect on it; the path is read once.
fn find(caller: &Caller<'_>, object: &Object) -> Result<OwnedFd, Errno> {
    let path = match object.path {
        None => Vec::new(),
        Some(at) => caller.string(at)?,
    };
    let (full, follow) = if path.is_empty() && object.path.is_some() && object.folder < 0 {
        return Err(libc::ENOENT);
    } else if path.is_empty() {
        (caller.descriptor(object.folder), true)
    } else if path[0] == b'/' || object.folder == libc::AT_FDCWD {
        (caller.path(&path), object.follow)
    } else {
        let mut full = caller.descriptor(object.folder);
        full.push(b'/');
        full.extend(path);
        (full, object.follow)
    };
    let mut flags = OFlags::PATH | OFlags::CLOEXEC;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    let file = open(OsStr::from_bytes(&full), flags, Mode::empty());
    caller.still_waits()?;
    file.map_err(|error| match object.path {
        None if error == rustix::io::Errno::NOENT => libc::EBADF,
        _ => error.raw_os_error(),
    })
}
