//! Who runs inside: never root.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Session;
use crate::files::User;
use crate::files::look;
use crate::host::Host;
use crate::host::accounts::{self, Account};
use crate::plan::Identity;
use crate::policy::Policy;
use crate::refusal::{Code, Refused};

/// The user that `nobody` is everywhere.
const NOBODY: u32 = 65534;

/// Who runs inside, and where its home on disk is, if it has one.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub identity: Identity,
    pub name: String,
    pub home: Option<PathBuf>,
}

impl Who {
    /// Whether it has an account of its own, and is not the stand-in for one (65534).
    pub fn is_named(&self) -> bool {
        self.identity.uid != NOBODY
    }

    /// For a helper process.
    pub fn user(&self) -> User {
        User {
            uid: self.identity.uid,
            gid: self.identity.gid,
        }
    }
}

/// Makes sure that root can become another user, without which nothing is read in another user's tree.
///
/// # Errors
/// It cannot.
pub(super) fn can_be_chosen(host: &Host) -> anyhow::Result<()> {
    if host.is_root() && !host.can_switch {
        let text = "cannot run as root: nothing inside may be root, and root lacks CAP_SETUID or CAP_SETGID here to \
                    become another user";
        return Err(Refused::new(Code::RootCannotSwitch, text)
            .words("start gosandbox as an ordinary user: setpriv --reuid 1000 --clear-groups gosandbox …")
            .words("start the container with --cap-add SETUID --cap-add SETGID")
            .into());
    }
    Ok(())
}

/// An ordinary caller stays who it is. For root: `--user` or the profile's, else the owner of the
/// work tree, else the user `gosandbox`, else 65534.
pub(super) fn choose(
    session: &Session<'_>,
    policy: &Policy,
    tree: Option<&Path>,
) -> anyhow::Result<Who> {
    let host = &session.host;
    if !host.is_root() {
        if policy.identity.user.is_some() {
            let text = "cannot change to another user: only root can";
            return Err(Refused::new(Code::UserRefused, text)
                .without("--user")
                .words("take `user` out of [identity] in the profile")
                .into());
        }
        let identity = Identity {
            uid: host.uid,
            gid: host.gid,
            switch: false,
        };
        let name = accounts::by_uid(host.uid).map_or_else(|| "gosandbox".to_owned(), |a| a.name);
        return Ok(Who {
            identity,
            name,
            home: session.home.clone(),
        });
    }
    can_be_chosen(host)?;
    let account = match &policy.identity.user {
        Some(user) => named(user)?,
        None => automatic(tree),
    };
    if account.uid == 0 || account.gid == 0 {
        let text = format!(
            "cannot run as {}: nothing inside may be root or in root's group",
            account.name
        );
        return Err(Refused::new(Code::UserRefused, text)
            .option("--user 65534:65534")
            .into());
    }
    let identity = Identity {
        uid: account.uid,
        gid: account.gid,
        switch: true,
    };
    let home = Some(account.home)
        .filter(|home| home.is_absolute() && home != Path::new("/") && look::is_dir(home));
    Ok(Who {
        identity,
        name: account.name,
        home,
    })
}

/// Whether somebody who was chosen for a work tree is who its owner calls for, as that is by now.
pub(super) fn is_of_owner(who: &Who, policy: &Policy, owner: u32) -> bool {
    let expected = match owner {
        0 => automatic(None).uid,
        owner => owner,
    };
    policy.identity.user.is_some() || who.identity.uid == expected
}

fn automatic(tree: Option<&Path>) -> Account {
    let owner = tree
        .and_then(|tree| look::metadata(tree).ok())
        .filter(|found| found.uid() != 0);
    if let Some(owner) = owner {
        let unknown = Account {
            name: "gosandbox".into(),
            uid: owner.uid(),
            gid: if owner.gid() == 0 {
                NOBODY
            } else {
                owner.gid()
            },
            home: "/nonexistent".into(),
        };
        return accounts::by_uid(owner.uid()).unwrap_or(unknown);
    }
    accounts::by_name("gosandbox").unwrap_or_else(|| Account {
        name: "nobody".into(),
        uid: NOBODY,
        gid: NOBODY,
        home: "/nonexistent".into(),
    })
}

/// `USER[:GROUP]`, names or numbers.
fn named(user: &str) -> anyhow::Result<Account> {
    let (user, group) = user
        .split_once(':')
        .map_or((user, None), |(user, group)| (user, Some(group)));
    let mut account = match user.parse() {
        Ok(uid) => accounts::by_uid(uid).unwrap_or_else(|| Account {
            name: "gosandbox".into(),
            uid,
            gid: uid,
            home: "/nonexistent".into(),
        }),
        Err(_) => accounts::by_name(user).ok_or_else(|| {
            let text = format!("cannot run as {user}: there is no such user in /etc/passwd");
            Refused::new(Code::UserUnknown, text).words("cut -d: -f1 /etc/passwd")
        })?,
    };
    if let Some(group) = group {
        account.gid = match group.parse() {
            Ok(gid) => gid,
            Err(_) => accounts::group_by_name(group).ok_or_else(|| {
                let text =
                    format!("cannot run in group {group}: there is no such group in /etc/group");
                Refused::new(Code::UserUnknown, text).words("cut -d: -f1 /etc/group")
            })?,
        };
    }
    Ok(account)
}
