//! Users by name or number, from `/etc/passwd` and `/etc/group` alone.
//!
//! Read by hand: a static binary cannot load NSS modules, and what a name service says over the
//! network is not what decides who code of the source runs as.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home folder.
    pub home: PathBuf,
}

/// The user with this name.
pub fn by_name(name: &str) -> Option<Account> {
    find("/etc/passwd", |account| account.name == name)
}

/// The user with this id.
pub fn by_uid(uid: u32) -> Option<Account> {
    find("/etc/passwd", |account| account.uid == uid)
}

/// The id of the group with this name.
pub fn group_by_name(name: &str) -> Option<u32> {
    group(&fs::read("/etc/group").ok()?, name)
}

fn group(text: &[u8], name: &str) -> Option<u32> {
    lines(text).find_map(|fields| {
        let [found, _, id, ..] = fields.as_slice() else {
            return None;
        };
        (*found == name.as_bytes()).then(|| number(id))?
    })
}

fn find(path: &str, matches: impl Fn(&Account) -> bool) -> Option<Account> {
    let text = fs::read(path).ok()?;
    accounts(&text).find(matches)
}

/// The accounts in a file. A line that is not UTF-8 where a name or number stands is passed over.
fn accounts(text: &[u8]) -> impl Iterator<Item = Account> + '_ {
    lines(text).filter_map(|fields| {
        let [name, _, uid, gid, _, home, ..] = fields.as_slice() else {
            return None;
        };
        Some(Account {
            name: str::from_utf8(name).ok()?.to_owned(),
            uid: number(uid)?,
            gid: number(gid)?,
            home: OsStr::from_bytes(home).into(),
        })
    })
}

/// Lines, as fields between colons.
fn lines(text: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    text.split(|byte| *byte == b'\n')
        .map(|line| line.split(|byte| *byte == b':').collect())
}

fn number(field: &[u8]) -> Option<u32> {
    str::from_utf8(field).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_and_lines_that_are_not_text_hide_no_account() {
        let text = b"# comment\nbad\xff:x:7:7::/bad:/bin/sh\nmany:x:many:1001::/:\n\
            dev:x:1000:1001:D\xe9v,,,:/home/d\xe9v:/bin/bash\nlast:x:1002:1002::/home/last:/bin/sh";
        let found: Vec<Account> = accounts(text).collect();
        let names: Vec<&str> = found.iter().map(|account| account.name.as_str()).collect();
        assert_eq!(names, ["dev", "last"]);
        assert_eq!((found[0].uid, found[0].gid), (1000, 1001));
        assert_eq!(found[0].home.as_os_str().as_bytes(), b"/home/d\xe9v");
        let groups = b"bad\xff:x:7:\nstaff:x:50:\ndev:x:1001:dev\xe9";
        assert_eq!(group(groups, "staff"), Some(50));
        assert_eq!(group(groups, "dev"), Some(1001));
        assert_eq!(group(groups, "none"), None);
    }
}
