//! Capabilities of the calling thread, by number.

use std::ffi::c_long;
use std::io;

use super::check;

/// Drops a capability from the bounding set. `Ok(false)`: the kernel does not know this one.
///
/// By number, up to the first that the kernel does not know, so that a capability which is newer
/// than this program goes too (capabilities(7)).
pub fn drop_from_bounding_set(capability: u32) -> io::Result<bool> {
    // SAFETY: this prctl takes integers only.
    let result = unsafe {
        libc::prctl(
            libc::PR_CAPBSET_DROP,
            libc::c_ulong::from(capability),
            0,
            0,
            0,
        )
    };
    match check(c_long::from(result)) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Empties the effective, permitted and inheritable capability sets (capset(2), all 64 bits).
pub fn clear_capability_sets() -> io::Result<()> {
    const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
    let header = [LINUX_CAPABILITY_VERSION_3, 0];
    let data = [0u32; 6];
    // SAFETY: version 3 reads a header of two words and two data blocks of three words each.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
    check(result).map(drop)
}

/// Whether `capability` is in the effective set of this process.
pub fn has_capability(capability: u32) -> bool {
    const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
    let header = [LINUX_CAPABILITY_VERSION_3, 0];
    let mut data = [0u32; 6];
    // SAFETY: version 3 writes two data blocks of three words each into `data`.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) };
    let word = data[3 * (capability / 32) as usize];
    result == 0 && word & (1 << (capability % 32)) != 0
}
