//! Paths that are exchanged for links while a run starts (CVE-2026-87766).

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::support::{Ended, Env, Site};

/// Each run either has the tree that it was given, or the link's target under the target's own name,
/// or is refused. What must never be is the target's content under the tree's name.
#[test]
fn a_work_tree_exchanged_for_a_link_while_a_run_starts_shows_nothing_else() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = Site::new(env);
        for folder in ["tree", "elsewhere"] {
            site.file(&format!("{folder}/go.mod"), "module example.com/m\n");
            site.file(&format!("{folder}/name"), folder);
        }
        let (tree, link) = (site.work.join("tree"), site.work.join("link"));
        symlink(site.work.join("elsewhere"), &link).unwrap();
        site.settle();
        let stop = AtomicBool::new(false);
        let exchange = || {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &tree, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        };
        let ended: Vec<Ended> = std::thread::scope(|scope| {
            scope.spawn(exchange);
            let one = || {
                let script = "pwd -P; cat name; echo; echo x > written";
                site.run(&["-C", tree.to_str().unwrap()], &["sh", "-c", script])
            };
            let ended = (0..40).map(|_| one()).collect();
            stop.store(true, Ordering::Relaxed);
            ended
        });
        let mut ran = 0;
        for one in ended {
            let lines: Vec<&str> = one.stdout.lines().collect();
            match lines.as_slice() {
                [] => assert_eq!(one.status, 125, "{env:?}: {one:?}"),
                [folder, name, ..] => {
                    ran += 1;
                    // Without a view the tree may by now be called `link`, and what has come into
                    // its place is not granted.
                    let is_own = matches!(*name, "tree" | "") || folder.ends_with("/elsewhere");
                    assert!(is_own, "{env:?}: {one:?}");
                }
                _ => panic!("{env:?}: {one:?}"),
            }
        }
        assert!(ran > 0, "{env:?}: nothing ran, so nothing was shown");
        let made: Vec<_> = site
            .listing()
            .into_iter()
            .filter(|path| is_litter(path))
            .collect();
        assert!(made.is_empty(), "{env:?}: {made:?}");
        fs::remove_file(&link)
            .or_else(|_| fs::remove_file(&tree))
            .unwrap();
    }
}

fn is_litter(path: &std::path::Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
}
