//! docs/deploy/.

mod apparmor;
mod auto;
mod bubblewrap;
mod containers;
mod kubernetes;
mod selinux;
mod systemd;

use crate::examples::{examples, gosandbox, text};

/// Makes a format that a page names, in a folder.
fn made(page: &str, format: &str) {
    assert!(
        text(page).contains(&format!("profile {format}")),
        "{page} does not name {format}"
    );
    let folder = examples();
    let words = ["-q", "profile", format, "-C", "hello", "-o", "made/"];
    let ended = gosandbox(folder.path(), &words);
    assert!(ended.status.success(), "{format}: {ended:?}");
    let files = std::fs::read_dir(folder.path().join("made")).unwrap();
    assert!(files.count() > 0, "{format}");
}
