//! Work on a stage by a process that has become the work tree's owner for good.

use std::fs::File;
use std::io::{Read, Write};

use rustix::pipe::{PipeFlags, pipe_with};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Doing, Error};
use crate::sys::{self, identity};

/// Does the work, in a child process that becomes `user` where this process is root. Without a user
/// the work is done here.
///
/// The child uses descriptors that are open already. What it finds comes back through a pipe.
pub(super) fn as_user<T: Serialize + DeserializeOwned>(
    user: Option<(u32, u32)>,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let Some((uid, gid)) = user.filter(|_| rustix::process::geteuid().is_root()) else {
        return work();
    };
    let failed = |cause: String| Error::Owner { uid, cause };
    let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).doing(|| "make a pipe".to_owned())?;
    let Some(pid) = identity::fork().doing(|| "start a process".to_owned())? else {
        drop(reading);
        let done = identity::become_user(uid, gid)
            .map_err(|error| error.to_string())
            .and_then(|()| work().map_err(|error| error.to_string()));
        let is_told = postcard::to_stdvec(&done)
            .is_ok_and(|answer| File::from(writing).write_all(&answer).is_ok());
        sys::exit_now(i32::from(!is_told));
    };
    drop(writing);
    let mut answer = Vec::new();
    let read = File::from(reading).read_to_end(&mut answer);
    let status = sys::wait_for(pid);
    read.doing(|| "read the answer of a process".to_owned())?;
    match postcard::from_bytes::<Result<T, String>>(&answer) {
        Ok(done) => done.map_err(failed),
        Err(_) => Err(failed(match status {
            Ok(Some(status)) => format!("the process ended with status {}", sys::exit_code(status)),
            _ => "the process ended without an answer".to_owned(),
        })),
    }
}
