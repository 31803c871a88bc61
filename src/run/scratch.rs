//! Where the run's own folders are made: on disk, out of other users' reach, found again after a crash.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{IFlags, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;

use super::Session;
use crate::files::{Follow, Keeper, Step, Stop};
use crate::refusal::{Code, OrRefuse, shell_path};

const TMPFS_MAGIC: i64 = 0x0102_1994;

/// The place of a new run's folder, which has the run's name, in a folder that only the caller can write, and that lies in none of those
/// that are `written` inside: what go builds there is not for its programs to write.
pub(super) fn choose<'p>(
    session: &Session<'_>,
    written: impl Iterator<Item = &'p PathBuf>,
    run: &str,
) -> anyhow::Result<PathBuf> {
    let base = base(session, written)?;
    let folder = base.real().join(format!("gosandbox-{}", session.host.uid));
    Ok(folder.join(run))
}

/// Makes the folder that a run's own is to lie in.
///
/// # Errors
/// It cannot be made, or another user's is in its place.
pub(super) fn make(session: &Session<'_>, scratch: &Path) -> anyhow::Result<()> {
    let make = || -> anyhow::Result<()> {
        let (base, name) = scratch
            .parent()
            .and_then(|folder| {
                let base = kept(folder.parent()?).or_else(|| reached(folder.parent()?).ok())?;
                Some((base, folder.file_name()?.to_str()?.to_owned()))
            })
            .ok_or(Errno::NOENT)?;
        own_folder(base.at(), &name, session)
    };
    let folder = scratch.parent().unwrap_or(scratch);
    let failed = || {
        format!(
            "cannot use the folder {} for temporary files",
            folder.display()
        )
    };
    Ok(make()
        .or_refuse(Code::TemporaryUnusable, failed)
        .map_err(|refused| refused.words(format!("ls -ld {}", shell_path(folder))))?)
}

/// A name for a run.
///
/// # Errors
/// There are no random numbers.
pub(super) fn name() -> anyhow::Result<String> {
    unguessable().context("cannot get random numbers")
}

/// A name that nobody else can know before it is used: sixteen hexadecimal digits.
pub(super) fn unguessable() -> io::Result<String> {
    let mut random = [0; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    Ok(format!("{:016x}", u64::from_ne_bytes(random)))
}

/// The caller's GOTMPDIR or TMPDIR where nobody else decides what lies there, else /tmp, or /var/tmp where that
/// lies in memory: links of large programs need gigabytes. Containers with a read-only root often have /tmp alone.
fn base<'p>(
    session: &Session<'_>,
    mut written: impl Iterator<Item = &'p PathBuf>,
) -> anyhow::Result<Step> {
    let named = ["GOTMPDIR", "TMPDIR"]
        .iter()
        .find_map(|name| session.variable(name));
    if let Some(step) = named.and_then(|path| kept(Path::new(path)))
        && !written.any(|folder| step.real().starts_with(folder))
    {
        return Ok(step);
    }
    let in_memory = rustix::fs::statfs("/tmp").is_ok_and(|found| found.f_type == TMPFS_MAGIC);
    let usable = |path: &str| {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(path, access).is_ok()
    };
    let path = match in_memory && usable("/var/tmp") {
        true => "/var/tmp",
        false => "/tmp",
    };
    reached(Path::new(path))
        .with_context(|| format!("cannot use {path} for temporary files; set TMPDIR"))
}

fn reached(path: &Path) -> io::Result<Step> {
    let mut step = Step::start(path)?;
    match step.walk(Follow::All, None)? {
        Stop::There => Ok(step),
        _ => Err(Errno::NOENT.into()),
    }
}

/// A folder in which nobody but root and the caller can rename what the caller makes, nor exchange the folder itself: root
/// would give a user whatever that user had put in its place.
fn kept(path: &Path) -> Option<Step> {
    let keeper = Keeper::caller();
    let mut step = Step::start(path).ok()?;
    let stop = step.walk(Follow::Kept(keeper), None).ok()?;
    (stop == Stop::There && keeper.makes(step.found())).then_some(step)
}

/// Makes the folder, or makes sure that the one that is there is the caller's own and nobody else's.
fn own_folder(base: &OwnedFd, name: &str, session: &Session<'_>) -> anyhow::Result<()> {
    let is_new = match mkdirat(base, name, Mode::from_raw_mode(0o711)) {
        Err(Errno::EXIST) => false,
        made => made.map(|()| true)?,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(base, name, flags, Mode::empty());
    let found = folder.as_ref().map(rustix::fs::fstat);
    let is_own = matches!(found, Ok(Ok(found)) if found.st_uid == session.host.uid
        && (is_new || found.st_mode & 0o022 == 0));
    let (Ok(folder), true) = (folder, is_own) else {
        bail!(
            "it is not a folder that only user {} can write",
            session.host.uid
        );
    };
    if is_new {
        // Whatever the umask: without a mount view the sandbox user walks through it.
        rustix::fs::fchmod(&folder, Mode::from_raw_mode(0o711))?;
    }
    spread(&folder);
    Ok(())
}

/// Has ext4 place the runs' folders in block groups of their own (FS_TOPDIR_FL, `chattr +T`). Beside one that was just
/// removed, a new file costs more: ext4 passes over each inode that was removed within the last minutes.
fn spread(folder: &OwnedFd) {
    if let Ok(flags) = rustix::fs::ioctl_getflags(folder)
        && !flags.contains(IFlags::TOPDIR)
    {
        // Other file systems have no such flag, and no such cost.
        let _unsupported = rustix::fs::ioctl_setflags(folder, flags | IFlags::TOPDIR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_spread_where_the_file_system_can() {
        let folder = tempfile::tempdir().unwrap();
        let folder = rustix::fs::open(folder.path(), OFlags::RDONLY, Mode::empty()).unwrap();
        spread(&folder);
        let has_flag = || rustix::fs::ioctl_getflags(&folder).map(|it| it.contains(IFlags::TOPDIR));
        let can = rustix::fs::ioctl_getflags(&folder)
            .and_then(|flags| rustix::fs::ioctl_setflags(&folder, flags | IFlags::TOPDIR));
        assert!(can.is_err() || has_flag() == Ok(true));
    }
}
