//! `gosandbox cache`: what is kept is listed, and what nothing uses any more is removed, whatever is in it.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod hostile;
mod live;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use support::{Ended, Env, Site, give_tree, in_environments, is_root, needs_root, write};

/// A project with a folder of caches of its own, which the launcher's user owns.
pub struct Scene {
    pub site: Site,
    pub caches: PathBuf,
    apart: Option<PathBuf>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(folder) = &self.apart {
            let _stays_for_who_looks = fs::remove_dir_all(folder);
        }
    }
}

impl Scene {
    pub fn new(env: Env) -> Scene {
        let site = Site::new(env);
        site.file("go.mod", "module example.test/hello\n\ngo 1.21\n");
        site.settle();
        // Nobody but root decides what lies at the caches of root's launcher.
        let apart = env.is_root().then(support::root_folder);
        let folder = apart.as_deref().unwrap_or(&site.outside);
        let caches = folder.join("caches");
        fs::create_dir(&caches).unwrap();
        if is_root() {
            give_tree(folder, site.caller());
        }
        Scene {
            site,
            caches,
            apart,
        }
    }

    /// The user who runs inside, and owns what programs keep.
    pub fn inside(&self) -> u32 {
        match (is_root(), self.site.env) {
            (true, Env::Root) => 65534,
            _ => fs_owner(&self.site.work),
        }
    }

    /// Runs a command that code of the source could be.
    pub fn run(&self, script: &str) -> Ended {
        Ended::of(&mut self.command(script)).expect(0)
    }

    pub fn command(&self, script: &str) -> std::process::Command {
        let caches = self.caches.to_str().unwrap();
        self.site
            .gosandbox_apart(&["-q", "--cache-dir", caches], &["sh", "-c", script])
    }

    /// `gosandbox cache WORDS`.
    pub fn cache(&self, words: &[&str]) -> Ended {
        let caches = ["--cache-dir", self.caches.to_str().unwrap()];
        let words = [&["cache"][..], words, &caches].concat();
        let mut command = self.site.subcommand(&words);
        if !self.site.work.exists() {
            command.current_dir("/");
        }
        Ended::of(&mut command)
    }

    /// The folder of the project's own cache.
    pub fn own(&self) -> PathBuf {
        let hash = Sha256::digest(self.site.work.as_os_str().as_encoded_bytes());
        let name: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        self.caches.join("programs").join(name)
    }

    /// What is listed.
    pub fn listed(&self) -> Vec<serde_json::Value> {
        let ended = self.cache(&["list", "--format", "json"]).expect(0);
        let value: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        value["caches"].as_array().unwrap().clone()
    }

    /// What is listed of a kind.
    pub fn of_kind(&self, kind: &str) -> Vec<serde_json::Value> {
        let mut all = self.listed();
        all.retain(|one| one["kind"] == kind);
        all
    }
}

fn fs_owner(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    path.metadata().unwrap().uid()
}

/// As if it had been made forty days ago.
fn make_old(folder: &Path) {
    let then = SystemTime::now() - Duration::from_secs(40 * 24 * 60 * 60);
    fs::File::open(folder).unwrap().set_modified(then).unwrap();
}

fn a_project_has_a_cache_until_it_is_gone(env: Env) {
    let scene = Scene::new(env);
    scene.cache(&["list"]).expect(0).says("Nothing is kept.");
    scene.run("echo kept > \"$XDG_CACHE_HOME/file\"");
    assert!(scene.own().join("file").exists());
    let listed = scene.of_kind("project");
    assert_eq!(listed.len(), 1, "{listed:?}");
    let work = scene.site.work.to_str().unwrap();
    assert_eq!(listed[0]["project"], work);
    assert_eq!(listed[0]["project_is_gone"], false);
    assert!(listed[0]["bytes"].as_u64().unwrap() >= 4096);
    scene.cache(&["list"]).expect(0).says(work).says("total");
    // Somebody needs it.
    scene.cache(&["clean"]).expect(0);
    assert!(scene.own().join("file").exists());
    let elsewhere = scene.site.outside.to_str().unwrap();
    scene
        .cache(&["clean", "--project", elsewhere])
        .expect(0)
        .says("Nothing is to be removed.");
    fs::remove_dir_all(&scene.site.work).unwrap();
    assert_eq!(scene.of_kind("project")[0]["project_is_gone"], true);
    let clean = |words: &[&str]| scene.cache(&[&["clean"], words].concat());
    clean(&["--dry-run"]).expect(0).says("would remove");
    assert!(scene.own().exists());
    clean(&[])
        .expect(0)
        .says("removed")
        .says("which is gone")
        .says("freed");
    assert!(!scene.own().exists());
    clean(&[]).expect(0).says("Nothing is to be removed.");
    let records = scene.caches.join("projects");
    assert_eq!(fs::read_dir(records).unwrap().count(), 0);
}
in_environments!(a_project_has_a_cache_until_it_is_gone);

fn one_projects_cache_is_removed_from_within_it(env: Env) {
    let scene = Scene::new(env);
    scene.run("echo kept > \"$XDG_CACHE_HOME/file\"");
    fs::create_dir_all(scene.site.work.join("a/b")).unwrap();
    let other = scene.caches.join("programs/0123456789abcdef");
    fs::create_dir(&other).unwrap();
    scene
        .cache(&["clean", "--project", "a/b"])
        .expect(0)
        .says("removed");
    assert!(!scene.own().exists() && other.exists());
    scene.run("echo again > \"$XDG_CACHE_HOME/file\"");
    scene.cache(&["clean", "--project"]).expect(0);
    assert!(!scene.own().exists() && other.exists());
    scene.cache(&["clean", "--all"]).expect(0);
    for kind in ["project", "build", "modules", "links"] {
        assert_eq!(scene.of_kind(kind), Vec::<serde_json::Value>::new());
    }
    // What was removed is made anew.
    scene.run("echo again > \"$XDG_CACHE_HOME/file\"");
    assert!(scene.own().join("file").exists());
}
in_environments!(one_projects_cache_is_removed_from_within_it);

fn what_no_run_has_used_for_long_goes(env: Env) {
    let scene = Scene::new(env);
    scene.run("true");
    let own = scene.own();
    scene.cache(&["clean", "--older", "30d"]).expect(0);
    assert!(own.exists());
    make_old(&own);
    scene.cache(&["clean"]).expect(0);
    assert!(own.exists());
    // A run that uses it notes the time.
    scene.run("true");
    scene.cache(&["clean", "--older", "30d"]).expect(0);
    assert!(own.exists());
    make_old(&own);
    scene
        .cache(&["clean", "--older", "30d"])
        .expect(0)
        .says("removed");
    assert!(!own.exists());
}
in_environments!(what_no_run_has_used_for_long_goes);

fn links_of_old_policies_and_copies_of_killed_runs_go(env: Env) {
    let scene = Scene::new(env);
    scene.run("true");
    let links = scene.caches.join("path-links");
    let plant = || {
        let folders = ["0", "1"].map(|digit| links.join(digit.repeat(64)));
        let new = [
            links.join("new-0123456789abcdef"),
            links.join("new-1123456789abcdef"),
        ];
        for folder in folders.iter().chain(&new) {
            fs::create_dir(folder).unwrap();
            symlink("/bin/true", folder.join("true")).unwrap();
        }
        give_tree(&links, scene.site.caller());
        make_old(&folders[0]);
        make_old(&new[0]);
        (folders, new)
    };
    let used: Vec<_> = fs::read_dir(&links).unwrap().flatten().collect();
    assert!(!used.is_empty());
    let (folders, new) = plant();
    let are_right = || {
        assert!(!folders[0].exists() && !new[0].exists());
        assert!(folders[1].exists() && new[1].exists());
        assert!(used.iter().all(|one| one.path().exists()));
    };
    scene
        .cache(&["clean"])
        .expect(0)
        .says("links")
        .says("leftover");
    are_right();
    for folder in [&folders[1], &new[1]] {
        fs::remove_dir_all(folder).unwrap();
    }
    // A run that makes new links takes the old ones away.
    plant();
    let caches = scene.caches.to_str().unwrap();
    let options = ["-q", "--cache-dir", caches, "--allow-program", "perl"];
    let ended = scene.site.run_apart(&options, &["true"]).expect(0);
    let _the_same_in_each = ended;
    are_right();
}
in_environments!(
    links_of_old_policies_and_copies_of_killed_runs_go: user User, root Root
);

#[test]
fn a_record_that_names_another_project_counts_for_nothing() {
    let scene = Scene::new(Env::User);
    scene.run("true");
    let name = scene.own().file_name().unwrap().to_owned();
    let record = scene.caches.join("projects").join(name);
    assert_eq!(
        fs::read(&record).unwrap(),
        scene.site.work.as_os_str().as_encoded_bytes()
    );
    assert_eq!(record.metadata().unwrap().permissions().mode() & 0o077, 0);
    for text in ["/gone", "", "/", "\0", &"/x".repeat(5000)] {
        write(&record, text);
        assert!(scene.of_kind("project")[0]["project"].is_null(), "{text}");
        scene.cache(&["clean"]).expect(0);
        assert!(scene.own().exists());
    }
    fs::remove_file(&record).unwrap();
    symlink(scene.site.work.join("go.mod"), &record).unwrap();
    assert!(scene.of_kind("project")[0]["project"].is_null());
    scene
        .cache(&["list"])
        .expect(0)
        .says("a project that is not known");
}

#[test]
fn code_of_the_source_reads_no_records() {
    for env in [Env::User, Env::Restricted, Env::Root, Env::Container] {
        if env.is_here() {
            let scene = Scene::new(env);
            scene.run("true");
            let records = scene.caches.join("projects");
            assert_eq!(fs::read_dir(&records).unwrap().count(), 1, "{env:?}");
            let script = format!(
                "! ls {0} 2>/dev/null && ! cat {0}/* 2>/dev/null && ! touch {0}/new 2>/dev/null",
                records.display()
            );
            scene.run(&script);
            // The script finds them where it can: without gosandbox.
            let ended = Ended::of(&mut scene.site.bare(&["sh", "-c", &script]));
            assert_ne!(ended.status, 0, "{env:?}");
        }
    }
}

#[test]
fn caches_that_others_can_change_are_left_alone() {
    let scene = Scene::new(Env::User);
    scene.run("true");
    let own = scene.own();
    fs::set_permissions(&scene.caches, fs::Permissions::from_mode(0o777)).unwrap();
    for words in [&["list"][..], &["clean", "--all"]] {
        scene.cache(words).expect(125).refused("cache-not-own");
    }
    assert!(own.exists());
    fs::set_permissions(&scene.caches, fs::Permissions::from_mode(0o755)).unwrap();
    scene.cache(&["clean", "--all"]).expect(0);
    assert!(!own.exists());
}

#[test]
fn root_does_not_work_on_another_users_caches() {
    if !needs_root("it is root who must not") {
        return;
    }
    let (scene, victim) = (Scene::new(Env::User), Scene::new(Env::Root));
    scene.run("true");
    victim.run("echo kept > \"$XDG_CACHE_HOME/file\"");
    let as_root = |words: &[&str], caches: &Path| {
        let caches = ["--cache-dir", caches.to_str().unwrap()];
        let words = [&["cache"][..], words, &caches].concat();
        Ended::of(&mut victim.site.subcommand(&words))
    };
    as_root(&["clean", "--all"], &scene.caches)
        .expect(125)
        .refused("cache-not-own");
    assert!(scene.own().exists());
    // Nor where a link of that user's leads to a cache of root's.
    let link = scene.site.home.join("link");
    symlink(&victim.caches, &link).unwrap();
    scene.site.settle();
    as_root(&["clean", "--all"], &link)
        .expect(125)
        .refused("cache-not-own");
    assert!(victim.own().join("file").exists());
    as_root(&["clean", "--all"], &victim.caches).expect(0);
    assert!(!victim.own().exists());
}

#[test]
fn what_plain_go_uses_too_is_listed_and_stays() {
    let scene = Scene::new(Env::User);
    let (build, own) = (
        scene.site.home.join(".cache/go-build"),
        scene
            .site
            .home
            .join(".cache/gosandbox/programs/0123456789abcdef"),
    );
    let stray = scene.site.home.join(".cache/gosandbox/programs/stray");
    for folder in [&build, &own, &stray] {
        fs::create_dir_all(folder).unwrap();
    }
    write(&build.join("file"), "x");
    write(&own.join("file"), "x");
    give_tree(&scene.site.home, scene.site.caller());
    let cache = |words: &[&str]| {
        let words = [&["cache"][..], words].concat();
        Ended::of(&mut scene.site.subcommand(&words)).expect(0)
    };
    cache(&["list"])
        .says("go clean -cache")
        .says("0123456789abcdef");
    cache(&["clean"]).says("Nothing is to be removed.");
    cache(&["clean", "--all"]).says("0123456789abcdef");
    assert!(build.join("file").exists() && stray.exists() && !own.exists());
}
