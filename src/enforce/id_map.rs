//! The user namespace whose mapping makes root's files appear as the sandbox user's.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{self, Mode, OFlags};

use crate::plan::Identity;
use crate::sys::{self, Cloned, Namespaces, signal};

/// Makes a user namespace in which id 0 on disk is the sandbox user, and every other id is itself
/// (mount_setattr(2), MOUNT_ATTR_IDMAP). Its only process ends before this returns. `proc` is a procfs of
/// this process's pid namespace.
pub fn user_namespace(identity: &Identity, proc: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let Cloned::Parent { pid, pidfd: _ } = sys::clone_process(Namespaces::USER)? else {
        // The namespace lives as long as this process or a descriptor of it. Without descriptors, since
        // init must hear of the launcher's end even if that is now.
        sys::descriptors::wait_for_the_end()
    };
    let open = |name: &str, mode: OFlags| {
        let path = format!("{pid}/{name}");
        fs::openat(proc, path, mode | OFlags::CLOEXEC, Mode::empty())
    };
    let write = |name: &str, id: u32| {
        let file = open(name, OFlags::WRONLY)?;
        rustix::io::write(&file, mapping(id).as_bytes())
    };
    let namespace = write("uid_map", identity.uid)
        .and_then(|_| write("gid_map", identity.gid))
        .and_then(|_| open("ns/user", OFlags::RDONLY));
    signal::send(pid, libc::SIGKILL)?;
    sys::wait_for(pid)?;
    Ok(namespace?)
}

/// Lines of `first-on-disk first-seen count`. On disk, the sandbox user's own id is left without
/// one: two ids cannot appear as the same.
fn mapping(id: u32) -> String {
    format!(
        "0 {id} 1\n1 1 {}\n{} {} {}\n",
        id - 1,
        id + 1,
        id + 1,
        u32::MAX - id - 1
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn root_on_disk_is_the_sandbox_user_and_the_rest_is_itself() {
        assert_eq!(
            super::mapping(65534),
            "0 65534 1\n1 1 65533\n65535 65535 4294901760\n"
        );
    }
}
