//! Files that a program has changed and that were deleted outside in the meantime.
//!
//! The overlay notes on a file that it copies the handle of the file in the work tree. Where nothing
//! is at that name any more, either the program has renamed the file, and the original is at a name
//! that the program has removed or replaced; or somebody outside has deleted it.

use std::collections::HashSet;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs;

use super::change::{Entry, Kind, Verdict, What};
use super::folders::Folders;
use super::journal::Journal;
use super::side;
use crate::sys::handle::file_handle;

/// Bytes of the attribute before the handle: version, magic, length, flags, type and the file
/// system's UUID (`struct ovl_fb` in the kernel).
const HEAD: usize = 21;
const TYPE: usize = 4;

/// Marks as conflicts the changed files that somebody has deleted.
pub(super) fn judge(
    entries: &mut [Entry],
    upper: BorrowedFd<'_>,
    tree: BorrowedFd<'_>,
    journal: &Journal,
) -> io::Result<()> {
    let copied = (0..entries.len() as u32).filter(|index| entries[*index as usize].is_copied_up);
    let copied: Vec<u32> = copied.collect();
    let is_gone_folder = |entry: &Entry| {
        entry.real == Some(Kind::Folder) && matches!(entry.what, What::Deleted | What::Replaced)
    };
    // The original may lie anywhere in a folder that the program has deleted.
    if copied.is_empty() || entries.iter().any(is_gone_folder) {
        return Ok(());
    }
    let mut folders = Folders::of_tree(tree);
    let mut there = HashSet::new();
    for entry in entries
        .iter()
        .filter(|entry| entry.real == Some(Kind::File))
    {
        if let Ok(folder) = folders.at(&*entries, entry.parent) {
            there.extend(file_handle(folder, &entry.name).ok());
        }
    }
    let has_files = entries.iter().any(|entry| entry.real == Some(Kind::File));
    let mut staged = Folders::of_stage(upper, journal);
    for index in copied {
        let entry = &entries[index as usize];
        let folder = staged.at(&*entries, entry.parent)?;
        let path = side::path_in(folder, &entry.name);
        let mut value = [0; 256];
        let length = fs::lgetxattr(path.as_slice(), c"user.overlay.origin", &mut value[..]);
        let length = length.unwrap_or(0);
        // Overlays that an ordinary user mounts note no handle. Then a file is taken for a renamed
        // one where any file could be its original.
        let is_renamed = match length > HEAD {
            true => there.contains(&(i32::from(value[TYPE]), value[HEAD..length].to_vec())),
            false => has_files,
        };
        if !is_renamed {
            let entry = &mut entries[index as usize];
            entry.what = What::Modified;
            entry.verdict = Verdict::Conflict;
        }
    }
    Ok(())
}
