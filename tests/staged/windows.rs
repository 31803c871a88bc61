//! The moments between a look at a path and its use, each held open while another user puts a link
//! there.
//!
//! A launcher is stopped before each of its system calls that comes through the place, once a run.
//! A link that comes before another call is the same as one that comes before the next of these.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::scenes::{Launcher, SCENES, Scene, Set};
use crate::support::{Ended, Env, needs_root};
use crate::support::{confined, held};

/// What a run shows and changes that it must not.
fn breach(set: &Set<'_>, ended: &Ended) -> Option<String> {
    // An ordinary user's own link may lead there, under the name of what is there.
    let is_named =
        !set.launcher.env().is_root() && ended.stdout.lines().next() == set.victim.folder.to_str();
    let changed = set.victim.changed();
    let is_shown = ended.stdout.contains("decoysecret") || ended.stderr.contains("decoysecret");
    let is_breach = !is_named && (!changed.is_empty() || is_shown) || ended.status >= 126;
    is_breach.then(|| format!("{changed:.400?} {ended:?}"))
}

fn sweep(launcher: Launcher, scenes: &[&str]) {
    let mut wrong = Vec::new();
    for scene in SCENES.iter().filter(|scene| scenes.contains(&scene.name)) {
        if !launcher.is_here() {
            continue;
        }
        let mut set = Set::new(scene, launcher);
        let (ended, windows) = set.run(set.command(), None, false);
        let place = format!("{launcher:?} {}", scene.name);
        assert!(!windows.is_empty(), "{place}: {ended:?}");
        assert!(breach(&set, &ended).is_none(), "{place}: without a link");
        // What the script of this one leaves is refused.
        let expected = if scene.name == "apply" { 125 } else { 0 };
        assert_eq!(ended.status, expected, "{place}: {ended:?}");
        for (number, window) in windows.iter().enumerate() {
            for back in [false, true] {
                // In one of the two ways, by turns, where root's rights are not at stake.
                if !launcher.env().is_root() && back != (number % 2 == 1) {
                    continue;
                }
                let (ended, _) = set.run(set.command(), Some(number), back);
                if let Some(breach) = breach(&set, &ended) {
                    wrong.push(format!("{place}: {window}, back {back}: {breach}"));
                }
                if !set.victim.changed().is_empty() {
                    set = Set::new(scene, launcher);
                }
            }
        }
        eprintln!("{place}: {} windows", windows.len());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn roots_run_follows_no_link_that_comes_at_any_moment() {
    sweep(
        Launcher::Root,
        &["cache", "caches", "tree", "report", "audit", "apply"],
    );
}

#[test]
fn roots_run_in_a_container_follows_no_link_that_comes_at_any_moment() {
    let all = ["cache", "caches", "tree", "report", "audit", "apply"];
    sweep(Launcher::In(Env::Container), &all);
}

/// The caches are the sandbox user's, and the work tree is root's.
#[test]
fn roots_run_in_roots_tree_follows_no_link_that_the_sandbox_user_makes() {
    sweep(Launcher::In(Env::Root), &["cache"]);
}

/// An ordinary user's own links to caches are followed.
#[test]
fn a_users_run_changes_nothing_outside_its_tree_at_any_moment() {
    sweep(Launcher::In(Env::User), &["tree", "report", "apply"]);
    sweep(Launcher::In(Env::Restricted), &["tree", "report", "apply"]);
}

/// The same exchange, with what root would do by paths.
#[test]
fn it_leads_programs_that_use_paths_elsewhere() {
    for launcher in [Launcher::In(Env::User), Launcher::Root] {
        if !launcher.is_here() {
            continue;
        }
        for scene in &SCENES {
            let set = Set::new(scene, launcher);
            let command = || {
                let place = set.place.to_str().unwrap();
                let words = scene.naive.iter().map(|word| word.replace("$PLACE", place));
                let words: Vec<String> = words.collect();
                match launcher {
                    Launcher::Root => {
                        let mut command = Command::new(&words[0]);
                        command.args(&words[1..]);
                        command
                    }
                    Launcher::In(_) => {
                        let words: Vec<&str> = words.iter().map(String::as_str).collect();
                        set.site.bare(&words)
                    }
                }
            };
            let (_, windows) = set.run(command(), None, false);
            assert_eq!(set.victim.changed(), [""; 0], "{}", scene.name);
            let is_led = (0..windows.len()).any(|number| {
                set.run(command(), Some(number), false);
                !set.victim.changed().is_empty()
            });
            assert!(is_led, "{launcher:?} {}: {windows:?}", scene.name);
        }
    }
}

fn scene_of_the_apply() -> &'static Scene {
    SCENES.iter().find(|scene| scene.name == "apply").unwrap()
}

/// The same for changes that are applied after the run, by another process.
#[test]
fn an_apply_after_a_review_follows_no_link_that_comes_at_any_moment() {
    for launcher in [Launcher::In(Env::User), Launcher::Root] {
        let scenes = SCENES
            .iter()
            .filter(|it| ["tree", "apply"].contains(&it.name));
        for scene in scenes {
            if !launcher.is_here() {
                continue;
            }
            let set = Set::new(scene, launcher);
            let place = format!("{launcher:?} {}", scene.name);
            let apply = |window, back| {
                set.reset();
                let cache = set.site.root.join("cache");
                let options = ["--cache-dir", cache.to_str().unwrap(), "--stage", "review"];
                let words = [&options, &["--"][..], scene.words].concat();
                Ended::of(&mut set.gosandbox(&words)).expect(0);
                set.held(set.gosandbox(&["changes", "apply"]), window, back)
            };
            let (ended, windows) = apply(None, false);
            assert!(!windows.is_empty(), "{place}: {ended:?}");
            for window in 0..windows.len() {
                for back in [false, true] {
                    let (ended, _) = apply(Some(window), back);
                    assert_eq!(set.victim.changed(), [""; 0], "{place} {window}: {ended:?}");
                    assert!(
                        [0, 125].contains(&ended.status),
                        "{place} {window}: {ended:?}"
                    );
                }
            }
            eprintln!("{place}, applied later: {} windows", windows.len());
        }
    }
}

/// A run whose changes are exchanged for a link at one moment of their being applied. Its end,
/// whether the exchange could be made, and the number of moments.
fn touched(set: &Set<'_>, window: Option<usize>) -> (Ended, bool, usize) {
    set.reset();
    let (mut number, mut is_made) = (0, false);
    let ended = held::run(&mut set.command(), |call| {
        let Some(path) = call.through(Path::new("upper/d")) else {
            return;
        };
        if window == Some(number) {
            let folder = path.ancestors().find(|path| path.ends_with("upper/d"));
            let folder = folder.unwrap();
            confined::as_user(set.user(), || {
                let aside = folder.with_file_name("aside");
                let link = || symlink(&set.victim.folder, folder);
                is_made = fs::rename(folder, aside).and_then(|()| link()).is_ok();
            });
        }
        number += 1;
    });
    set.open();
    (ended, is_made, number)
}

#[test]
fn a_link_that_comes_to_the_stage_at_any_moment_leads_nowhere() {
    if !needs_root("only root can look into a launcher while it applies") {
        return;
    }
    let scene = scene_of_the_apply();
    for launcher in [Launcher::In(Env::User), Launcher::Root] {
        if !launcher.is_here() {
            continue;
        }
        let set = Set::new(scene, launcher);
        let (_, _, windows) = touched(&set, None);
        assert!(windows > 0, "{launcher:?}");
        let mut made = 0;
        for window in 0..windows {
            let (ended, is_made, _) = touched(&set, Some(window));
            made += usize::from(is_made);
            assert_eq!(
                set.victim.changed(),
                [""; 0],
                "{launcher:?} {window}: {ended:?}"
            );
            let secret = crate::support::content(&set.site.work);
            let mut secret = secret
                .values()
                .filter(|(_, _, held)| held == b"decoysecret\n");
            assert!(secret.next().is_none(), "{launcher:?} {window}: {ended:?}");
        }
        // Root's stages are out of the other user's reach. One's own are not.
        assert_eq!(made > 0, launcher != Launcher::Root, "{made} of {windows}");
    }
}

/// What a user puts in the stage's place is copied by a program that uses paths.
#[test]
fn a_program_that_uses_paths_copies_what_such_a_link_leads_to() {
    let set = Set::new(scene_of_the_apply(), Launcher::In(Env::User));
    let (upper, tree) = (set.site.outside.join("upper"), set.site.work.join("d"));
    fs::create_dir_all(&upper).unwrap();
    fs::write(upper.join("changed"), "new").unwrap();
    let run = |window: Option<usize>| {
        let mut number = 0;
        let from = upper.join(".");
        let words = ["cp", "-R", from.to_str().unwrap(), tree.to_str().unwrap()];
        held::run(&mut set.site.bare(&words), |call| {
            if call.comes_through(Path::new("outside/upper")) {
                if window == Some(number) {
                    fs::rename(&upper, upper.with_file_name("aside")).unwrap();
                    symlink(&set.victim.folder, &upper).unwrap();
                }
                number += 1;
            }
        });
        if upper.is_symlink() {
            fs::remove_file(&upper).unwrap();
            fs::rename(upper.with_file_name("aside"), &upper).unwrap();
        }
        number
    };
    let windows = run(None);
    let is_copied = (0..windows).any(|window| {
        set.reset();
        run(Some(window));
        fs::read(tree.join("changed")).unwrap() == b"decoysecret\n"
    });
    assert!(is_copied, "{windows}");
}
