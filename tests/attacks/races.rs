//! Paths that are exchanged for links while a run starts (CVE-2026-87766).

use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::support::{Ended, Env, Site, held, in_environments, needs_root};

struct Scene {
    site: Site,
    tree: std::path::PathBuf,
    link: std::path::PathBuf,
}

impl Scene {
    fn new(env: Env) -> Scene {
        let site = Site::new(env);
        for folder in ["tree", "elsewhere"] {
            site.file(&format!("{folder}/go.mod"), "module example.com/m\n");
            site.file(&format!("{folder}/name"), folder);
        }
        let (tree, link) = (site.work.join("tree"), site.work.join("link"));
        symlink(site.work.join("elsewhere"), &link).unwrap();
        site.settle();
        Scene { site, tree, link }
    }

    fn exchange(&self) {
        renameat_with(CWD, &self.tree, CWD, &self.link, RenameFlags::EXCHANGE).unwrap();
    }

    /// Runs it, and exchanges the tree for the link before one of the calls that come through the tree. With `back`
    /// everything is as before when the next such call is made.
    fn run(&self, window: Option<usize>, back: bool) -> (Ended, usize) {
        let script = "pwd -P; cat name; echo; echo x > written";
        let options = ["-C", self.tree.to_str().unwrap()];
        let mut command = self.site.gosandbox(&options, &["sh", "-c", script]);
        let name = self.site.root.file_name().unwrap();
        let place = Path::new(name).join("work/tree");
        if !back {
            return held::at_window(&mut command, &place, window, || self.exchange());
        }
        let mut number = 0;
        let ended = held::run(&mut command, |call| {
            if call.comes_through(&place) {
                let is_back = window.is_some_and(|window| number == window + 1);
                if window == Some(number) || is_back {
                    self.exchange();
                }
                number += 1;
            }
        });
        (ended, number)
    }

    /// A run either has the tree that it was given, or the link's target under the target's own name, or is refused.
    /// What must never be is the target's content under the tree's name. Returns whether the command ran.
    fn judge(&self, ended: &Ended, what: &str) -> bool {
        let env = self.site.env;
        let lines: Vec<&str> = ended.stdout.lines().collect();
        match lines.as_slice() {
            [] => assert_eq!(ended.status, 125, "{env:?} {what}: {ended:?}"),
            [folder, name, ..] => {
                // Without a view the tree may by now be called `link`, and what has come into its place is not
                // granted.
                let is_own = matches!(*name, "tree" | "") || folder.ends_with("/elsewhere");
                assert!(is_own, "{env:?} {what}: {ended:?}");
            }
            _ => panic!("{env:?} {what}: {ended:?}"),
        }
        let is_litter = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with('.')
        };
        let made = self.site.listing().into_iter().find(is_litter);
        assert_eq!(made, None, "{env:?} {what}");
        !lines.is_empty()
    }
}

fn a_work_tree_exchanged_for_a_link_while_a_run_starts_shows_nothing_else(env: Env) {
    if !needs_root("an ordinary user reads no paths of a launcher's, which is not dumpable") {
        return;
    }
    let scene = Scene::new(env);
    let (ended, windows) = scene.run(None, false);
    assert!(windows > 0, "{env:?}: {ended:?}");
    assert!(scene.judge(&ended, "untouched"), "{env:?}: {ended:?}");
    let mut ran = 0;
    for window in 0..windows {
        let scene = Scene::new(env);
        // Each environment has the one where its neighbour has the other.
        let back = (window + env as usize).is_multiple_of(2);
        let (ended, _) = scene.run(Some(window), back);
        ran += u32::from(scene.judge(&ended, &format!("{window} of {windows}, {back}")));
    }
    assert!(ran > 0, "{env:?}: nothing ran, so nothing was shown");
}

in_environments!(a_work_tree_exchanged_for_a_link_while_a_run_starts_shows_nothing_else);
