//! The switch from root to the sandbox user: groups, group, user, for good.

use rustix::process::{self, Gid, Uid};
use rustix::thread;

use super::{Context, Error};
use crate::plan::Identity;
use crate::policy::Layer;

/// Changes to the identity, and shows that root cannot be had back.
///
/// The order is that of setgroups(2), setresgid(2), setresuid(2): the reverse would lack the right.
pub fn switch(identity: &Identity) -> Result<(), Error> {
    if identity.switch {
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        thread::set_thread_groups(&[]).during(Layer::Identity, || {
            "give up the supplementary groups".into()
        })?;
        thread::set_thread_res_gid(gid, gid, gid)
            .during(Layer::Identity, || format!("change to group {gid}"))?;
        thread::set_thread_res_uid(uid, uid, uid)
            .during(Layer::Identity, || format!("change to user {uid}"))?;
    }
    let is_root = process::getuid().is_root() || process::geteuid().is_root();
    if is_root || thread::set_thread_uid(Uid::ROOT).is_ok() {
        return Err(rustix::io::Errno::PERM).during(Layer::Identity, || {
            format!("become user {} for good", identity.uid)
        });
    }
    Ok(())
}
