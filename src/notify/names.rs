//! Unix sockets by name: which were made inside, and where new ones may be.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags, open, openat, statx};
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::{Errno, Rules};

/// The names of unix sockets that were made inside.
#[derive(Debug, Default)]
pub(super) struct Names {
    files: BTreeSet<Identity>,
}

/// A file opened without effect, and the path that names it by its descriptor.
pub(super) struct Opened {
    file: OwnedFd,
}

/// Device, inode and time of birth: another file may get the number of one that is gone.
type Identity = (u32, u32, u64, i64, u32);

impl Opened {
    pub(super) fn path(&self) -> Vec<u8> {
        format!("/proc/thread-self/fd/{}", self.file.as_raw_fd()).into_bytes()
    }

    fn identity(&self) -> Result<Identity, Errno> {
        let wanted = StatxFlags::INO | StatxFlags::BTIME;
        let found = statx(&self.file, c"", AtFlags::EMPTY_PATH, wanted)
            .map_err(rustix::io::Errno::raw_os_error)?;
        let birth = found.stx_btime;
        Ok((
            found.stx_dev_major,
            found.stx_dev_minor,
            found.stx_ino,
            birth.tv_sec,
            birth.tv_nsec,
        ))
    }
}

fn open_path(path: &[u8], flags: OFlags) -> Result<Opened, Errno> {
    let path = Path::new(OsStr::from_bytes(path));
    open(path, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty())
        .map(|file| Opened { file })
        .map_err(rustix::io::Errno::raw_os_error)
}

impl Names {
    /// The socket file at `path`, if it was made inside; connecting goes through the descriptor,
    /// so that exchanging the path afterwards changes nothing.
    pub(super) fn find(&self, path: &[u8]) -> Result<Opened, Errno> {
        let opened = open_path(path, OFlags::empty())?;
        if self.files.contains(&opened.identity()?) {
            Ok(opened)
        } else {
            Err(libc::EACCES)
        }
    }

    /// Remembers the file that has just been made; EACCES where it is older than that, since the path was
    /// exchanged meanwhile, and the file is another's.
    pub(super) fn add(&mut self, folder: &Opened, name: &[u8], since: Time) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&folder.file, OsStr::from_bytes(name), flags, Mode::empty())
            .map_err(rustix::io::Errno::raw_os_error)?;
        let identity = Opened { file }.identity()?;
        let (.., seconds, fraction) = identity;
        // Not every file system tells.
        let is_older = (seconds, fraction) != (0, 0) && (seconds, fraction) < since;
        if is_older {
            return Err(libc::EACCES);
        }
        self.files.insert(identity);
        Ok(())
    }
}

/// Seconds and nanoseconds.
type Time = (i64, u32);

/// The time, as files that are made now have it at the least.
pub(super) fn now() -> Time {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::RealtimeCoarse);
    (tv_sec, tv_nsec as u32)
}

/// The folder in which a socket file is to be made, if the rules grant it, and the file's name.
pub(super) fn folder<'p>(rules: &Rules, path: &'p [u8]) -> Result<(Opened, &'p [u8]), Errno> {
    let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..=at], &path[at + 1..]),
        None => return Err(libc::EINVAL),
    };
    if name.is_empty() || name == b"." || name == b".." {
        return Err(libc::EADDRINUSE);
    }
    let opened = open_path(parent, OFlags::DIRECTORY)?;
    let real = std::fs::read_link(OsStr::from_bytes(&opened.path())).map_err(|_| libc::EACCES)?;
    let target = real.join(OsStr::from_bytes(name));
    let granted = rules
        .socket_folders
        .iter()
        .any(|folder| real.starts_with(folder));
    let protected = rules.protected.iter().any(|path| target.starts_with(path));
    if granted && !protected {
        Ok((opened, name))
    } else {
        Err(libc::EACCES)
    }
}

/// Whether sockets made inside, and no others, answer to this name without a file.
pub(super) fn are_ours(
    kind: i32,
    name: &[u8],
    mut ours: impl FnMut(u64) -> bool,
) -> Result<bool, Errno> {
    let table = std::fs::read("/proc/thread-self/net/unix").map_err(|_| libc::EPERM)?;
    // The kernel writes each zero byte of such a name as an at sign.
    let shown: Vec<u8> = name
        .iter()
        .map(|byte| if *byte == 0 { b'@' } else { *byte })
        .collect();
    let mut found = false;
    for line in table.split(|byte| *byte == b'\n').skip(1) {
        let Some((inode, path)) = entry(line, kind) else {
            continue;
        };
        if path == shown {
            if !ours(inode) {
                return Ok(false);
            }
            found = true;
        }
    }
    Ok(found)
}

/// Inode and name of a line, if a socket of this kind answers there: accepted sockets carry the
/// listener's name too.
fn entry(line: &[u8], kind: i32) -> Option<(u64, &[u8])> {
    /// `__SO_ACCEPTCON`
    const LISTENS: u32 = 1 << 16;
    let mut rest = line;
    let mut fields = [""; 7];
    for field in &mut fields {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| *byte == b' ')?;
        *field = std::str::from_utf8(&rest[..end]).ok()?;
        rest = &rest[end..];
    }
    let [_, _, _, flags, its_kind, _, inode] = fields;
    let listens = u32::from_str_radix(flags, 16).ok()? & LISTENS != 0;
    let same = i32::from_str_radix(its_kind, 16).ok()? == kind;
    let answers = same && (listens || kind == libc::SOCK_DGRAM);
    answers.then_some((inode.parse().ok()?, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_that_answer_count() {
        let listening = b"0000000000000000: 00000002 00000000 00010000 0001 01 4242 @a b";
        let accepted = b"0000000000000000: 00000003 00000000 00000000 0001 03 4243 @a b";
        let unnamed = b"0000000000000000: 00000003 00000000 00000000 0001 03 4244";
        assert_eq!(entry(listening, 1), Some((4242, &b"@a b"[..])));
        assert_eq!(entry(listening, 5), None);
        assert_eq!(entry(accepted, 1), None);
        assert_eq!(entry(unnamed, 1), None);
    }
}
