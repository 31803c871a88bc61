//! File handles: what names a file on its file system, whatever its path is.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;

const MOST: usize = 128;

/// The argument of name_to_handle_at(2), as the kernel lays it out (`struct file_handle`).
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: i32,
    handle: [u8; MOST],
}

/// The type and the bytes of a name's handle (name_to_handle_at(2)). A link is not followed.
///
/// # Errors
/// EOPNOTSUPP where the file system has none.
pub fn file_handle(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<(i32, Vec<u8>)> {
    let mut handle = Handle {
        bytes: MOST as u32,
        kind: 0,
        handle: [0; MOST],
    };
    let mut mount = 0;
    // SAFETY: the name ends with NUL; the kernel writes at most `bytes` bytes of `handle` and one
    // integer, which outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            folder.as_raw_fd(),
            name.as_ptr(),
            &raw mut handle,
            &raw mut mount,
            0,
        )
    })?;
    let bytes = handle.handle[..MOST.min(handle.bytes as usize)].to_vec();
    Ok((handle.kind, bytes))
}
