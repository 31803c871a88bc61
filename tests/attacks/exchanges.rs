//! Root's launcher beside a user who exchanges what it looks at: caches, and the folders they are made in.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::support::in_environments;
use crate::support::user_project::UserProject;
use crate::support::{Ended, Env, ORDINARY, Site, confined, gosandbox, held, is_root, needs_root};

/// It links nothing, so that an empty cache costs little.
const BUILD: [&str; 3] = ["go", "build", "."];

/// With caches of the user's.
struct Scene {
    project: UserProject,
    cache: PathBuf,
}

impl Scene {
    fn new() -> Option<Scene> {
        let project = UserProject::new(&["secret"])?;
        let site = &project.site;
        site.file("m.go", "package m\n");
        let cache = site.root.join("cache");
        fs::create_dir_all(cache.join("go-build")).unwrap();
        site.settle();
        Some(Scene { project, cache })
    }

    fn command(&self, words: &[&str]) -> Command {
        let (program, cache) = (gosandbox().to_str().unwrap(), self.cache.to_str().unwrap());
        let all = [&[program, "--cache-dir", cache, "--"], words].concat();
        self.project.command(&all)
    }

    fn run(&self, words: &[&str]) -> Ended {
        Ended::of(&mut self.command(words))
    }
}

/// tests/staged/windows.rs does this with each folder that a run uses, and looks at more than root's folder.
#[test]
fn a_cache_that_is_exchanged_for_a_link_is_not_roots_own_folder() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let (cache, link) = (scene.cache.join("go-build"), scene.cache.join("link"));
    scene.project.link(&link, "");
    let exchange = || renameat_with(CWD, &cache, CWD, &link, RenameFlags::EXCHANGE).unwrap();
    let site = scene.project.site.root.file_name().unwrap();
    let place = Path::new(site).join("cache/go-build");
    let at = |command: &mut Command, window| {
        let (ended, windows) = held::at_window(command, &place, window, exchange);
        let is_kept = scene.project.is_kept();
        if cache.is_symlink() {
            exchange();
        }
        assert!(is_kept, "{window:?} of {windows}: {ended:?}");
        (ended, windows)
    };
    let (ended, windows) = at(&mut scene.command(&BUILD), None);
    ended.expect(0);
    assert_ne!(windows, 0);
    for window in 0..windows {
        let (ended, _) = at(&mut scene.command(&BUILD), Some(window));
        assert!([0, 1, 125].contains(&ended.status), "{window}: {ended:?}");
    }
    // A program that looks and then uses the path.
    let script = "test -d \"$0\" && test ! -h \"$0\" && cd \"$0\" && pwd -P";
    let naive = || {
        scene
            .project
            .command(&["sh", "-c", script, cache.to_str().unwrap()])
    };
    let (_, windows) = at(&mut naive(), None);
    let roots = scene.project.root_folder.to_str().unwrap();
    let is_led = |window| at(&mut naive(), Some(window)).0.stdout.trim_end() == roots;
    assert!((0..windows).any(is_led), "{windows} windows");
    // The link is there from the start.
    exchange();
    let ended = scene.run(&BUILD);
    assert!(scene.project.is_kept(), "{ended:?}");
    ended.expect(125).refused("cache-refused");
}

#[test]
fn no_folder_is_made_where_a_link_leads_that_another_user_has_made() {
    let Some(scene) = Scene::new() else {
        return;
    };
    fs::remove_dir_all(&scene.cache).unwrap();
    scene.project.link(&scene.cache, "");
    let ended = scene.run(&BUILD);
    assert!(scene.project.is_kept(), "{ended:?}");
    ended.expect(125).refused("cache-unusable");
    // By its path, as root, it is made and given away.
    let made = scene.cache.join("go-build");
    fs::create_dir_all(&made).unwrap();
    chown(&made, Some(ORDINARY), Some(ORDINARY)).unwrap();
    assert!(!scene.project.is_kept());
}

/// Each folder that is made for the user is the user's, and is made with the user's rights.
#[test]
fn what_is_missing_is_made_with_the_users_rights() {
    let Some(scene) = Scene::new() else {
        return;
    };
    fs::remove_dir_all(scene.cache.join("go-build")).unwrap();
    scene.run(&BUILD).expect(0);
    for name in ["go-build", "mod", "programs"] {
        let found = fs::symlink_metadata(scene.cache.join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (ORDINARY, ORDINARY), "{name}");
    }
    // A folder of the user's that the user cannot write: root does not do it instead.
    fs::remove_dir_all(&scene.cache).unwrap();
    fs::create_dir(&scene.cache).unwrap();
    fs::set_permissions(&scene.cache, fs::Permissions::from_mode(0o555)).unwrap();
    chown(&scene.cache, Some(ORDINARY), Some(ORDINARY)).unwrap();
    let ended = scene.run(&BUILD);
    assert_eq!(fs::read_dir(&scene.cache).unwrap().count(), 0, "{ended:?}");
    ended.expect(125).refused("cache-unusable");
}

/// Under sudo HOME may be the user's. What the launcher keeps from run to run is not kept there then.
#[test]
fn nothing_of_the_launchers_is_kept_where_a_link_leads_that_another_user_has_made() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let local = scene.project.site.home.join(".local");
    fs::create_dir(&local).unwrap();
    scene.project.site.settle();
    scene.project.link(&local.join("state"), "");
    scene.run(&["go", "mod", "download"]);
    assert!(scene.project.is_kept());
    fs::remove_file(local.join("state")).unwrap();
    scene.run(&["go", "mod", "download"]);
    assert_eq!(fs::read_dir(&local).unwrap().count(), 0);
}

/// The same bind shows what a run makes there.
#[test]
fn a_run_of_roots_makes_its_caches_where_the_next_test_looks() {
    if !needs_root("caches below /var take root") {
        return;
    }
    let site = Site::new(Env::Root);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    let caches = site.root.join("var-cache");
    fs::create_dir(&caches).unwrap();
    let mut command = Command::new(gosandbox());
    command.args(["--", "go", "env", "GOROOT"]);
    site.prepare(&mut command);
    confined::bind(&mut command, &caches, Path::new("/var/cache"));
    Ended::of(&mut command).expect(0);
    assert_ne!(list(&caches), []);
}

/// What only shows or prepares makes nothing, wherever it is run, and neither does what is refused.
fn what_only_shows_and_what_is_refused_makes_nothing(env: Env) {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("main.go", "package main\n\nfunc main() {}\n");
    fs::create_dir(site.outside.join("tmp")).unwrap();
    site.settle();
    // Other tests make caches in the real one.
    let caches = site.root.join("var-cache");
    fs::create_dir(&caches).unwrap();
    let before = list(&site.root);
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
    let shown = commands.into_iter().map(|words| (words, 0));
    // Nothing is made before all that can refuse a run has let it pass.
    let refused = [
        (vec!["--", "go", "build", "-toolexec=x", "./..."], 125),
        (vec!["--", "go", "test", "-exec=x", "./..."], 125),
        (
            vec!["--", "go", "test", "-fuzz=Fuzz", "-o", ".git/hooks/x", "."],
            125,
        ),
        (vec!["--ro", "/no/such/place", "--", "go", "build"], 125),
        (vec!["--report", ".vscode/x", "--", "go", "build"], 125),
        (vec!["--require", "no-such-guarantee", "--", "true"], 125),
        (vec!["--", "gcc", "--version"], 125),
        (vec!["--", "no-such-command"], 127),
    ];
    for (words, status) in shown.chain(refused) {
        let mut command = Command::new(gosandbox());
        command.args(&words);
        site.prepare(&mut command);
        command.env("TMPDIR", site.outside.join("tmp"));
        if is_root() {
            confined::bind(&mut command, &caches, Path::new("/var/cache"));
        }
        confined::enter(&mut command, env, site.caller());
        let ended = Ended::of(&mut command);
        assert_eq!(list(&site.root), before, "{env:?} {words:?}: {ended:?}");
        ended.expect(status);
    }
}

in_environments!(what_only_shows_and_what_is_refused_makes_nothing);

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
