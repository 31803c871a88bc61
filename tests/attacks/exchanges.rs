//! Root's launcher beside a user who exchanges what it looks at: caches, and the folders they are made in.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::support::{Ended, Env, ORDINARY, Site, base, gosandbox, is_root, skip};

/// A project of the ordinary user's, that user's caches, and a folder of root's that nobody else may look into.
struct Scene {
    site: Site,
    cache: PathBuf,
    roots: PathBuf,
}

impl Scene {
    fn new(name: &str) -> Option<Scene> {
        if !is_root() {
            skip("a launcher of root's takes root", true);
            return None;
        }
        let site = Site::new(Env::User);
        site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
        site.file("main.go", "package main\n\nfunc main() {}\n");
        let cache = site.root.join("cache");
        fs::create_dir_all(cache.join("go-build")).unwrap();
        site.settle();
        let roots = base().join(format!("roots-{name}-{}", std::process::id()));
        fs::create_dir_all(&roots).unwrap();
        fs::write(roots.join("secret"), "decoysecret").unwrap();
        fs::set_permissions(&roots, fs::Permissions::from_mode(0o700)).unwrap();
        Some(Scene { site, cache, roots })
    }

    fn link(&self, at: &Path) {
        symlink(&self.roots, at).unwrap();
        lchown(at, Some(ORDINARY), Some(ORDINARY)).unwrap();
    }

    /// As root, with every capability.
    fn run(&self, words: &[&str]) -> Ended {
        let mut command = std::process::Command::new(gosandbox());
        command.arg("--cache-dir").arg(&self.cache);
        command.arg("--").args(words);
        self.site.prepare(&mut command);
        Ended::of(&mut command)
    }

    /// Whether root's folder is as it was.
    fn is_kept(&self) -> bool {
        let found = fs::metadata(&self.roots).unwrap();
        let secret = fs::metadata(self.roots.join("secret")).unwrap();
        fs::read_dir(&self.roots).unwrap().count() == 1
            && (found.uid(), found.mode() & 0o7777) == (0, 0o700)
            && secret.uid() == 0
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.roots);
    }
}

/// Exchanges the two names again and again while `act` runs.
fn exchanged<T>(one: &Path, other: &Path, act: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let acted = act();
        done.store(true, Ordering::Relaxed);
        acted
    })
}

/// What a launcher does that resolves a path, looks at what is there, and then uses the path.
fn naive(cache: &Path) -> Option<PathBuf> {
    let is_users = |path: &Path| fs::symlink_metadata(path).is_ok_and(|it| it.is_dir());
    if !is_users(cache) {
        return None;
    }
    cache.canonicalize().ok()
}

#[test]
fn a_cache_that_is_exchanged_for_a_link_is_not_roots_own_folder() {
    let Some(scene) = Scene::new("race") else {
        return;
    };
    let (cache, link) = (scene.cache.join("go-build"), scene.cache.join("link"));
    scene.link(&link);
    exchanged(&cache, &link, || {
        for _ in 0..10 {
            scene.run(&["go", "build", "-o", "/dev/null", "."]);
            assert!(scene.is_kept());
        }
        let hit = |_: &i32| naive(&cache).is_some_and(|real| real == scene.roots);
        let hits = (0..100_000).filter(hit).take(1).count();
        assert_eq!(hits, 1, "a launcher that uses paths withstands it too");
    });
    // The link held in its place.
    if !cache.is_symlink() {
        renameat_with(CWD, &cache, CWD, &link, RenameFlags::EXCHANGE).unwrap();
    }
    let ended = scene.run(&["go", "build", "-o", "/dev/null", "."]);
    assert!(scene.is_kept(), "{ended:?}");
    ended.expect(125).says("cannot use the cache");
}

#[test]
fn no_folder_is_made_where_a_link_leads_that_another_user_has_made() {
    let Some(scene) = Scene::new("made") else {
        return;
    };
    fs::remove_dir_all(&scene.cache).unwrap();
    scene.link(&scene.cache);
    let ended = scene.run(&["go", "build", "-o", "/dev/null", "."]);
    assert!(scene.is_kept(), "{ended:?}");
    ended.expect(125).says("cannot use the cache");
    // By its path, as root, it is made and given away.
    let made = scene.cache.join("go-build");
    fs::create_dir_all(&made).unwrap();
    chown(&made, Some(ORDINARY), Some(ORDINARY)).unwrap();
    assert!(!scene.is_kept());
}

/// Each folder that is made for the user is the user's, and is made with the user's rights.
#[test]
fn what_is_missing_is_made_with_the_users_rights() {
    let Some(scene) = Scene::new("rights") else {
        return;
    };
    fs::remove_dir_all(scene.cache.join("go-build")).unwrap();
    scene
        .run(&["go", "build", "-o", "/dev/null", "."])
        .expect(0);
    for name in ["go-build", "mod", "programs"] {
        let found = fs::symlink_metadata(scene.cache.join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (ORDINARY, ORDINARY), "{name}");
    }
    // A folder of the user's that the user cannot write: root does not do it instead.
    fs::remove_dir_all(&scene.cache).unwrap();
    fs::create_dir(&scene.cache).unwrap();
    fs::set_permissions(&scene.cache, fs::Permissions::from_mode(0o555)).unwrap();
    chown(&scene.cache, Some(ORDINARY), Some(ORDINARY)).unwrap();
    let ended = scene.run(&["go", "build", "-o", "/dev/null", "."]);
    assert_eq!(fs::read_dir(&scene.cache).unwrap().count(), 0, "{ended:?}");
    ended.expect(125).says("Permission denied");
}

/// Under sudo HOME may be the user's. What the launcher keeps from run to run is not kept there then.
#[test]
fn nothing_of_the_launchers_is_kept_where_a_link_leads_that_another_user_has_made() {
    let Some(scene) = Scene::new("state") else {
        return;
    };
    let local = scene.site.home.join(".local");
    fs::create_dir(&local).unwrap();
    scene.site.settle();
    scene.link(&local.join("state"));
    scene.run(&["go", "mod", "download"]);
    assert!(scene.is_kept());
    fs::remove_file(local.join("state")).unwrap();
    scene.run(&["go", "mod", "download"]);
    assert_eq!(fs::read_dir(&local).unwrap().count(), 0);
}

/// What only shows or prepares makes nothing, wherever it is run.
#[test]
fn what_only_shows_makes_nothing() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
        site.file("main.go", "package main\n\nfunc main() {}\n");
        fs::create_dir(site.outside.join("tmp")).unwrap();
        site.settle();
        let all = || {
            let mut found = list(&site.root);
            found.extend(list(Path::new("/var/cache/gosandbox")));
            found
        };
        let before = all();
        let formats = [
            "apparmor",
            "bwrap",
            "container",
            "kubernetes",
            "oci-seccomp",
            "selinux",
            "systemd",
        ];
        let mut commands: Vec<Vec<&str>> = formats.iter().map(|it| vec!["profile", it]).collect();
        commands.push(vec!["policy", "show"]);
        commands.push(vec!["policy", "list"]);
        commands.push(vec!["--dry-run", "--", "go", "build", "./..."]);
        commands.push(vec!["--dry-run", "--", "go", "test", "-fuzz=Fuzz", "."]);
        commands.push(vec!["--dry-run", "--", "sh", "-c", "true"]);
        for words in commands {
            let mut command = std::process::Command::new(gosandbox());
            command.args(&words);
            site.prepare(&mut command);
            command.env("TMPDIR", site.outside.join("tmp"));
            crate::support::confined::enter(&mut command, env, site.caller());
            let ended = Ended::of(&mut command);
            assert_eq!(all(), before, "{env:?} {words:?}: {ended:?}");
            ended.expect(0);
        }
    }
}

/// Every path below a folder, with owner and mode.
fn list(folder: &Path) -> Vec<(PathBuf, u32, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let known = fs::symlink_metadata(&path).unwrap();
        if known.is_dir() {
            found.extend(list(&path));
        }
        found.push((path, known.uid(), known.mode()));
    }
    found.sort();
    found
}
