//! `go clean -modcache`: the module cache goes as it does without gosandbox, wherever it lies and whoever owns it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use super::*;
use crate::support::user_project::UserProject;
use crate::support::{
    ORDINARY, content, give_tree, gosandbox, in_environments, is_root, root_folder,
};

/// Where a module cache lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Below HOME, where go has it without any variable.
    Home,
    /// Where GOMODCACHE says.
    Named,
    /// In the work tree.
    Tree,
    /// In the folder of `--cache-dir`.
    CacheDir,
}

struct Cache {
    site: Site,
    place: Place,
    folder: PathBuf,
    apart: PathBuf,
}

impl Drop for Cache {
    fn drop(&mut self) {
        // The folders of modules are not writable, also for the user who removes the site.
        let mut opened = std::process::Command::new("chmod");
        let _stays_for_who_looks = opened.args(["-R", "u+w"]).arg(&self.site.root).status();
        let _stays_for_who_looks = fs::remove_dir_all(&self.apart);
    }
}

impl Cache {
    /// `None` where runs have no such cache: root's have a home only where the user inside has one.
    fn new(env: Env, place: Place) -> Option<Cache> {
        if place == Place::Home && env.is_root() {
            return None;
        }
        let site = Site::new(env);
        site.file("go.mod", MODULE);
        site.file("main.go", "package main\n\nfunc main() {}\n");
        // Nobody but root decides what lies at the caches of root's launcher.
        let apart = root_folder();
        let folder = match place {
            Place::Home => site.home.join("go/pkg/mod"),
            Place::Named => site.root.join("named/mod"),
            Place::Tree => site.work.join(".cache/mod"),
            Place::CacheDir => apart.join("caches/mod"),
        };
        fs::create_dir_all(&folder).unwrap();
        site.settle();
        if is_root() {
            give_tree(&apart, site.caller());
        }
        let cache = Cache {
            site,
            place,
            folder,
            apart,
        };
        cache.fill();
        Some(cache)
    }

    /// What go lays there, and a link that leads out of it.
    fn fill(&self) {
        let module = self.folder.join("example.com/a@v1.0.0");
        write(&module.join("sub/a.go"), "package sub\n");
        write(&module.join("go.mod"), "module example.com/a\n");
        write(
            &self
                .folder
                .join("cache/download/example.com/a/@v/v1.0.0.mod"),
            "module example.com/a\n",
        );
        write(&self.site.outside.join("kept/file"), "kept");
        symlink(
            self.site.outside.join("kept"),
            self.folder.join("example.com/link"),
        )
        .unwrap();
        if is_root() {
            let owner = match (self.place, self.site.env) {
                // What a run makes there is the sandbox user's.
                (Place::CacheDir, Env::Root) => 65534,
                (Place::CacheDir, _) => self.site.work.metadata().unwrap().uid(),
                _ => self.site.work.metadata().unwrap().uid(),
            };
            give_tree(&self.folder, owner);
        }
        for folder in [module.join("sub"), module] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
        }
    }

    fn is_whole(&self) -> bool {
        self.folder.join("example.com/a@v1.0.0/sub/a.go").exists()
    }

    fn run(&self, words: &[&str]) -> Ended {
        let caches = self.apart.join("caches");
        let options = ["--cache-dir", caches.to_str().unwrap()];
        let options = if self.place == Place::CacheDir {
            &options[..]
        } else {
            &[]
        };
        let mut command = self.site.gosandbox_apart(options, words);
        self.set(&mut command);
        Ended::of(&mut command)
    }

    fn bare(&self, words: &[&str]) -> Ended {
        let mut command = self.site.bare(words);
        command.env("GOFLAGS", "");
        match self.place {
            Place::Home => _ = command.env_remove("GOMODCACHE"),
            _ => _ = command.env("GOMODCACHE", &self.folder),
        }
        Ended::of(&mut command)
    }

    fn set(&self, command: &mut std::process::Command) {
        if matches!(self.place, Place::Named | Place::Tree) {
            command.env("GOMODCACHE", &self.folder);
            command.env("GOCACHE", self.folder.with_file_name("build"));
        }
    }
}

fn caches(env: Env) -> impl Iterator<Item = Cache> {
    let places = [Place::Home, Place::Named, Place::Tree, Place::CacheDir];
    places
        .into_iter()
        .filter_map(move |place| Cache::new(env, place))
}

/// What both say of the same words, one after the other.
#[track_caller]
fn same(cache: &Cache, words: &[&str]) {
    let without = cache.bare(words);
    let was_gone = !cache.folder.exists();
    if was_gone {
        cache.fill();
    }
    let within = cache.run(words);
    assert_eq!(
        (
            within.status,
            &within.stdout,
            &within.stderr,
            !cache.folder.exists()
        ),
        (without.status, &without.stdout, &without.stderr, was_gone),
        "{:?} {:?} {words:?}",
        cache.site.env,
        cache.place
    );
}

fn the_module_cache_goes_as_it_does_bare(env: Env) {
    for cache in caches(env) {
        same(&cache, &["go", "clean", "-modcache", "-n"]);
        assert!(cache.is_whole());
        same(&cache, &["go", "clean", "-modcache", "."]);
        assert!(cache.is_whole());
        same(&cache, &["go", "clean", "-modcache", "-frob"]);
        assert!(cache.is_whole());
        same(&cache, &["go", "clean", "-modcache"]);
        assert!(!cache.folder.exists());
        // What is not there can be removed too.
        same(&cache, &["go", "clean", "-modcache"]);
        cache.fill();
        same(&cache, &["go", "clean", "-x", "-modcache"]);
        cache.fill();
        same(
            &cache,
            &["go", "clean", "-r", "-modcache", "-testcache", "-fuzzcache"],
        );
        assert!(!cache.folder.exists());
        let kept = cache.site.outside.join("kept/file");
        assert_eq!(fs::read_to_string(kept).unwrap(), "kept", "{env:?}");
        // The next run has one again.
        cache.run(&["go", "env", "GOMODCACHE"]).expect(0);
        assert!(cache.folder.exists(), "{env:?}");
    }
}
in_environments!(the_module_cache_goes_as_it_does_bare);

/// go removes the link, and leaves what it leads to.
fn a_link_goes_and_what_it_leads_to_stays(env: Env) {
    let Some(cache) = Cache::new(env, Place::Named) else {
        return;
    };
    let real = cache.folder.with_file_name("real");
    let put = || {
        symlink(&real, &cache.folder).unwrap();
        cache.site.settle();
    };
    fs::rename(&cache.folder, &real).unwrap();
    put();
    let before = content(&real);
    for run in [Cache::bare, Cache::run] {
        run(&cache, &["go", "clean", "-modcache"]).expect(0);
        assert!(cache.folder.symlink_metadata().is_err(), "{env:?}");
        assert_eq!(content(&real), before, "{env:?}");
        put();
    }
}
in_environments!(a_link_goes_and_what_it_leads_to_stays);

/// Plain go removes whatever GOMODCACHE names.
fn what_is_no_module_cache_is_not_removed(env: Env) {
    for name in ["lib", "."] {
        let Some(cache) = Cache::new(env, Place::Tree) else {
            return;
        };
        let site = &cache.site;
        write(&site.work.join("lib/lib.go"), "package lib\n");
        site.settle();
        let folder = site.work.join(name);
        let mut command = site.gosandbox_apart(&[], &["go", "clean", "-modcache"]);
        command.env("GOMODCACHE", &folder);
        let ended = Ended::of(&mut command).expect(125);
        assert!(site.work.join("lib/lib.go").exists(), "{env:?} {ended:?}");
        ended.refused("cache-refused");
        let mut bare = site.bare(&["go", "clean", "-modcache"]);
        Ended::of(bare.env("GOMODCACHE", site.work.join("lib"))).expect(0);
        assert!(!site.work.join("lib").exists());
    }
}
in_environments!(what_is_no_module_cache_is_not_removed);

/// A folder of caches is gosandbox's own, and its runs say what they use.
fn a_run_keeps_the_modules_that_it_uses(env: Env) {
    let Some(cache) = Cache::new(env, Place::CacheDir) else {
        return;
    };
    let caches = cache.apart.join("caches");
    let options = ["-q", "--cache-dir", caches.to_str().unwrap()];
    let words = ["sh", "-c", "echo started; read line"];
    let mut command = cache.site.gosandbox_apart(&options, &words);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
    let clean = ["go", "clean", "-modcache"];
    let refused = cache.run(&clean).expect(125).refused("cache-left");
    refused.says("another run uses it");
    assert!(cache.is_whole());
    drop(child.stdin.take());
    child.wait().unwrap();
    cache.run(&clean).expect(0);
    assert!(!cache.folder.exists());
    let left = fs::read_dir(&caches).unwrap().flatten();
    let mut names = left.map(|entry| entry.file_name().into_string().unwrap());
    assert!(!names.any(|name| name.starts_with("new-")), "{env:?}");
}
in_environments!(a_run_keeps_the_modules_that_it_uses);

/// The user chooses where the cache lies and what is in it, and root removes it.
#[test]
fn root_removes_nothing_of_its_own_that_a_user_leads_it_to() {
    let Some(project) = UserProject::new(&["a.go", "cache"]) else {
        return;
    };
    let site = &project.site;
    let clean = |folder: &Path| {
        let gosandbox = gosandbox().to_str().unwrap();
        let mut command = project.command(&[gosandbox, "--", "go", "clean", "-modcache"]);
        command.env("GOMODCACHE", folder);
        command.env("GOCACHE", site.root.join("build"));
        Ended::of(&mut command)
    };
    for (link, name) in [("direct", "direct"), ("above", "above/mod")] {
        project.link(&site.root.join(link), "");
        let folder = site.root.join(name);
        clean(&folder).expect(125);
        assert!(project.is_kept(), "{name}");
    }
    let folder = site.root.join("mod");
    fs::create_dir_all(folder.join("cache/download")).unwrap();
    fs::create_dir_all(folder.join("example.com")).unwrap();
    give_tree(&folder, ORDINARY);
    project.link(&folder.join("example.com/a@v1.0.0"), "");
    project.link(&folder.join("cache/lock"), "a.go");
    clean(&folder).expect(0);
    assert!(!folder.exists() && project.is_kept());
}
