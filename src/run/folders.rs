//! The folders in which runs of this user leave what is on disk for them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Those that are there, and that nobody but root and this user can replace.
pub fn run_folders() -> Vec<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let named = ["GOTMPDIR", "TMPDIR"]
        .into_iter()
        .filter_map(std::env::var_os);
    let folders = named.map(PathBuf::from);
    let folders = folders.chain(["/tmp".into(), "/var/tmp".into()]);
    let mut found: Vec<PathBuf> = folders
        .filter_map(|folder| folder.canonicalize().ok())
        .map(|folder| folder.join(format!("gosandbox-{uid}")))
        .filter(|base| base.ancestors().all(|folder| is_held(folder, uid)))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Whether nobody but root and this user can replace what lies in a folder.
fn is_held(folder: &Path, uid: u32) -> bool {
    const STICKY: u32 = 0o1000;
    folder.symlink_metadata().is_ok_and(|found| {
        let is_own = found.uid() == 0 || found.uid() == uid;
        is_own && found.is_dir() && (found.mode() & 0o022 == 0 || found.mode() & STICKY != 0)
    })
}
