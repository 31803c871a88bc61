//! Looks at a path with another user's rights, and has root's rights again afterwards.
//!
//! The kernel decides about files by the file system identity (credentials(7)) and by capabilities. Both are given up
//! for the time. Signals and ptrace look at the other identities, which stay: the
//! user cannot reach the process. It is one thread's identity, so that a gateway's threads do not matter.
//!
//! What changes something at a path of another user's is done by a [`super::helper`] instead.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{Gid, Stat};
use rustix::io::Errno;
use rustix::process;
use rustix::thread::{self, CapabilitySet, CapabilitySets};

use super::helper::User;
use super::walk::{Follow, Keeper, Step, Stop};
use crate::host::accounts;
use crate::sys;

/// The user and group that `nobody` is everywhere.
const NOBODY: u32 = 65534;
const STICKY: u32 = 0o1000;

/// Root's supplementary groups and capabilities, as the launcher was started with them.
static OWN: OnceLock<(Vec<Gid>, CapabilitySets)> = OnceLock::new();

thread_local! {
    /// The user who was looked up last.
    static KNOWN: Cell<Option<User>> = const { Cell::new(None) };
    /// Where another user decides, as it was found last, and who that is.
    static LAST: RefCell<Option<(PathBuf, u32)>> = const { RefCell::new(None) };
    static HELD: Cell<Held> = const { Cell::new(Held::Unknown) };
}

/// Whose rights the thread has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// Not looked up yet.
    Unknown,
    /// Root's own.
    Roots,
    /// An ordinary user's, or lent until [`with_rights_of`] ends.
    Users,
    /// None: they could not be lent.
    Refused,
}

/// Whether the thread must judge the path that it walks to: it has root's rights.
///
/// # Errors
/// EPERM: root cannot give its rights up here, and must not use them.
pub(super) fn judges() -> io::Result<bool> {
    match HELD.get() {
        Held::Unknown => {
            let is_root = process::geteuid().is_root();
            HELD.set(if is_root { Held::Roots } else { Held::Users });
            Ok(is_root)
        }
        Held::Roots => Ok(true),
        Held::Users => Ok(false),
        Held::Refused => Err(Errno::PERM.into()),
    }
}

/// To be called where the process has become another user for good.
pub(super) fn are_another_users() {
    HELD.set(Held::Users);
}

/// Does `work` with the rights of the user who decides what is at a path, where that is not root. For what is read on
/// the word of files there: they may name paths of root's.
///
/// Where the rights cannot be lent, each look in `work` fails (EPERM).
pub fn with_rights_of<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    if !matches!(judges(), Ok(true)) {
        return work();
    }
    let (held, _lent) = match lent_for(path) {
        Ok(None) => return work(),
        Ok(Some(lent)) => (Held::Users, Some(lent)),
        Err(_) => (Held::Refused, None),
    };
    holding(held, work)
}

/// Looks with a user's rights to files. What makes something is not done here, but by a [`super::helper`].
///
/// # Errors
/// EPERM: root cannot give its rights up here.
pub fn with_rights<T>(user: User, look: impl FnOnce() -> T) -> io::Result<T> {
    if !judges()? {
        return Ok(look());
    }
    let _lent = Lent::of(user)?;
    Ok(holding(Held::Users, look))
}

fn holding<T>(held: Held, work: impl FnOnce() -> T) -> T {
    HELD.set(held);
    let done = work();
    HELD.set(Held::Roots);
    done
}

/// The rights of the user who decides what is at a path, or what is in the folder there; none where that is root.
fn lent_for(path: &Path) -> io::Result<Option<Lent>> {
    if let Some(lent) = Lent::known(path)? {
        return Ok(Some(lent));
    }
    if let Some(Ok((_, found))) = super::look::kept_entry(path)
        && Keeper::ROOT.closes(&found)
    {
        return Ok(None);
    }
    let mut step = Step::start(path)?;
    // Where it fails (a circle of links), all on the way there was root's.
    let stop = step.walk(Follow::Kept(Keeper::ROOT), None);
    let stop = stop.unwrap_or(Stop::There);
    if stop != Stop::NotKept && Keeper::ROOT.closes(step.found()) {
        return Ok(None);
    }
    Lent::of_decider(&step).map(Some)
}

/// While it lives, the thread has another user's rights to files.
#[derive(Debug)]
pub(super) struct Lent;

impl Lent {
    /// Takes on the rights of the user who decides what the next component of a walk is.
    ///
    /// # Errors
    /// EPERM: root cannot give its rights up here.
    pub fn of_decider(step: &Step) -> io::Result<Lent> {
        let uid = decider_of(step)?;
        if !step.is_led() {
            let folder = step.real().join(step.next().unwrap_or_default());
            LAST.set(Some((folder, uid)));
        }
        Lent::of(user(uid))
    }

    /// Takes them on for a path below one for which they were taken on last. Too few rights are safe, so that what was
    /// true a moment ago is good enough.
    ///
    /// # Errors
    /// As for [`Lent::of_decider`].
    pub fn known(path: &Path) -> io::Result<Option<Lent>> {
        let is_below = |(folder, _): &&(PathBuf, u32)| path.starts_with(folder);
        let uid = LAST.with_borrow(|last| last.as_ref().filter(is_below).map(|(_, uid)| *uid));
        uid.map(|uid| Lent::of(user(uid))).transpose()
    }

    fn of(user: User) -> io::Result<Lent> {
        let own = match OWN.get() {
            Some(own) => own,
            None => {
                let own = (process::getgroups()?, thread::capabilities(None)?);
                OWN.get_or_init(|| own)
            }
        };
        // From here on all is taken back, also where a step fails.
        let lent = Lent;
        thread::set_thread_groups(&[])?;
        sys::identity::set_file_identity(user.uid, user.gid);
        // CAP_SYS_PTRACE would lead through the links in /proc. With SECBIT_NO_SETUID_FIXUP those that overrule permissions
        // would stay, too (capabilities(7)).
        let none = CapabilitySets {
            effective: CapabilitySet::empty(),
            ..own.1
        };
        thread::set_capabilities(None, none)?;
        match sys::identity::file_identity() == (user.uid, user.gid) {
            true => Ok(lent),
            false => Err(Errno::PERM.into()),
        }
    }
}

impl Drop for Lent {
    /// Where the kernel refuses it, the thread has fewer rights until it has lent them the next time.
    fn drop(&mut self) {
        let (uid, gid) = (process::geteuid(), process::getegid());
        sys::identity::set_file_identity(uid.as_raw(), gid.as_raw());
        if let Some((groups, capabilities)) = OWN.get() {
            let _has_fewer_rights = thread::set_capabilities(None, *capabilities);
            let _has_fewer_groups = thread::set_thread_groups(groups);
        }
    }
}

/// Who decides what the next component of a walk is.
fn decider_of(step: &Step) -> io::Result<u32> {
    let entry = step.next().and_then(|name| {
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::statat(step.at(), name, flags).ok()
    });
    Ok(decider(step.found(), entry.as_ref()))
}

/// Who decides what an entry of a folder is, beside root; nobody in particular where a whole group does.
fn decider(folder: &Stat, entry: Option<&Stat>) -> u32 {
    let is_by_owner = Keeper::ROOT.closes(folder) || folder.st_mode & STICKY != 0;
    match (folder.st_uid, entry.map_or(0, |entry| entry.st_uid)) {
        (0, 0) => NOBODY,
        (0, owner) if is_by_owner => owner,
        (0, _) => NOBODY,
        (owner, _) => owner,
    }
}

fn user(uid: u32) -> User {
    let known = KNOWN.get().filter(|known| known.uid == uid);
    let user = known.unwrap_or_else(|| User {
        uid,
        gid: accounts::by_uid(uid).map_or(NOBODY, |account| account.gid),
    });
    KNOWN.set(Some(user));
    user
}
