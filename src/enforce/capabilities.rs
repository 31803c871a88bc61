//! Capabilities: the bounding set, the other sets, and `no_new_privs`.

use rustix::thread;

use super::{Context, Error};
use crate::policy::Layer;
use crate::sys;

/// Empties the bounding and the ambient set (capabilities(7)).
///
/// Needs CAP_SETPCAP: held in a user namespace of our own, and by root where it was not taken. An
/// ordinary user without a namespace lacks it and does not need it: `no_new_privs` keeps execve
/// from granting anything, whatever the bounding set says.
pub fn drop_bounding_set(required: bool) -> Result<(), Error> {
    const CAP_SETPCAP: u32 = 8;
    if !required && !sys::has_capability(CAP_SETPCAP) {
        return Ok(());
    }
    let mut capability = 0;
    while sys::drop_from_bounding_set(capability).during(Layer::Capabilities, || {
        format!("drop capability {capability} from the bounding set")
    })? {
        capability += 1;
    }
    Ok(())
}

/// Empties the ambient, effective, permitted and inheritable sets.
pub fn clear() -> Result<(), Error> {
    thread::clear_ambient_capability_set().during(Layer::Capabilities, || {
        "clear the ambient capability set".into()
    })?;
    sys::clear_capability_sets().during(Layer::Capabilities, || "clear the capability sets".into())
}

/// Sets `no_new_privs` (Linux 3.5), and reads it back.
pub fn no_new_privs() -> Result<(), Error> {
    let action = || "set no_new_privs".to_owned();
    thread::set_no_new_privs(true).during(Layer::NoNewPrivs, action)?;
    match thread::no_new_privs() {
        Ok(true) => Ok(()),
        Ok(false) => Err(rustix::io::Errno::PERM).during(Layer::NoNewPrivs, action),
        Err(errno) => Err(errno).during(Layer::NoNewPrivs, action),
    }
}

#[cfg(test)]
mod tests {
    use caps::CapSet;

    use super::*;

    const SETS: [CapSet; 5] = [
        CapSet::Ambient,
        CapSet::Bounding,
        CapSet::Effective,
        CapSet::Inheritable,
        CapSet::Permitted,
    ];

    #[test]
    fn another_reader_finds_the_same_capabilities_and_none_afterwards() {
        let given_up = || {
            for capability in caps::all() {
                let found = caps::has_cap(None, CapSet::Effective, capability).unwrap();
                assert_eq!(
                    sys::has_capability(u32::from(capability.index())),
                    found,
                    "{capability}"
                );
            }
            let may_drop = caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP);
            drop_bounding_set(false).unwrap();
            clear().unwrap();
            for set in SETS {
                let left = caps::read(None, set).unwrap();
                // Without CAP_SETPCAP the bounding set stays, and grants nothing (no_new_privs).
                let stays = matches!(set, CapSet::Bounding) && !may_drop.as_ref().unwrap();
                assert!(stays || left.is_empty(), "{set:?}: {left:?}");
            }
            assert!(caps::raise(None, CapSet::Effective, caps::Capability::CAP_CHOWN).is_err());
        };
        // The sets are a thread's own.
        std::thread::spawn(given_up).join().unwrap();
    }
}
