//! Attributes of mounts.

use std::ffi::{CStr, c_char, c_uint};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;

/// The arguments of [`mount_setattr`], as the kernel lays them out (`struct mount_attr`, version 0).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MountAttr {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: u64,
    /// Propagation (`MS_PRIVATE`, …), or 0 to leave it.
    pub propagation: u64,
    /// Descriptor of the user namespace for `MOUNT_ATTR_IDMAP`.
    pub userns_fd: u64,
}

/// mount_setattr(2) (Linux 5.12) on `path` relative to `dirfd`; an empty path means `dirfd` itself.
pub fn mount_setattr(
    dirfd: BorrowedFd<'_>,
    path: &CStr,
    recursive: bool,
    attr: &MountAttr,
) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH
        | libc::AT_SYMLINK_NOFOLLOW
        | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: `attr` is a live `struct mount_attr` of the size that is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dirfd.as_raw_fd(),
            path.as_ptr(),
            flags as c_uint,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    check(result).map(drop)
}

/// Whether the kernel has mount_setattr(2) (Linux 5.12).
pub fn has_mount_setattr() -> bool {
    // SAFETY: the descriptor is none, the pointers are null with a size of 0: the kernel reads nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            -1,
            std::ptr::null::<c_char>(),
            0,
            std::ptr::null::<u8>(),
            0usize,
        )
    };
    check(result).err().and_then(|error| error.raw_os_error()) != Some(libc::ENOSYS)
}
