//! Users by name or number, from `/etc/passwd` and `/etc/group` alone.
//!
//! Read by hand: a static binary cannot load NSS modules, and what a name service says over the
//! network is not what decides who code of the source runs as.

use std::fs;
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
    let text = fs::read_to_string("/etc/group").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

fn find(path: &str, matches: impl Fn(&Account) -> bool) -> Option<Account> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().filter_map(parse).find(matches)
}

fn parse(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let home = PathBuf::from(fields.nth(1)?);
    Some(Account {
        name,
        uid,
        gid,
        home,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_passwd_is_understood_and_noise_is_not() {
        let account = parse("dev:x:1000:1001:Dev,,,:/home/dev:/bin/bash").unwrap();
        assert_eq!((account.uid, account.gid), (1000, 1001));
        assert_eq!(account.home, PathBuf::from("/home/dev"));
        assert_eq!(parse("# comment"), None);
        assert_eq!(parse("dev:x:many:1001::/:"), None);
    }
}
