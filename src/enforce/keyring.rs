//! A session keyring of the run's own, so that the caller's keys are out of reach (keyrings(7)).

use super::{Context, Error};
use crate::policy::Layer;
use crate::sys;

/// Joins a new session keyring. `false`: the kernel or a container's filter has no keyrings at all,
/// which leaves none to be reached; the sandbox's own filter refuses keyctl in any case.
pub fn join() -> Result<bool, Error> {
    match sys::join_new_session_keyring() {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::ENOSYS | libc::EPERM | libc::EDQUOT)
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error).during(Layer::Keyring, || "join a new session keyring".into()),
    }
}
