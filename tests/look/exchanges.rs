//! Root's launcher beside a user who exchanges folders for links while it looks.

use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::support::{Env, ORDINARY, base, is_root, skip};
use crate::{DIRECT, site};

/// Exchanges the two names again and again while `act` runs.
fn exchanged(one: &Path, other: &Path, act: impl FnOnce()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        act();
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn root_moves_nothing_of_its_own_away() {
    if !is_root() {
        return skip("a launcher of root's takes root", true);
    }
    let roots = base().join(format!("roots-look-{}", std::process::id()));
    let kept = roots.join(".git");
    fs::create_dir_all(kept.join("refs")).unwrap();
    fs::set_permissions(&roots, fs::Permissions::from_mode(0o755)).unwrap();
    let site = site(
        Env::Container,
        "for i in $(seq 20); do mkdir -p folder/.git link/.git; done; true",
    );
    let folder = site
        .file("own/folder/README", "")
        .parent()
        .unwrap()
        .to_owned();
    let link = site.work.join("own/link");
    site.settle();
    symlink(&roots, &link).unwrap();
    lchown(&link, Some(ORDINARY), Some(ORDINARY)).unwrap();
    exchanged(&folder, &link, || {
        for _ in 0..10 {
            site.run(&DIRECT, &["sh", "script.sh", "own"]);
            assert_eq!(fs::read_dir(&roots).unwrap().count(), 1);
            assert!(kept.join("refs").is_dir());
        }
        // A launcher of root's that goes by paths.
        let naive = |_: &i32| {
            let path = folder.join(".git");
            let is_hit = fs::rename(&path, folder.join("moved")).is_ok();
            is_hit && !kept.exists()
        };
        let hits = (0..100_000).filter(naive).take(1).count();
        assert_eq!(hits, 1, "paths withstand it too");
    });
    fs::remove_dir_all(&roots).unwrap();
}
