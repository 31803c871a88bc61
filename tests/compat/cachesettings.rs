//! Cache settings that go itself refuses, and caches that a command does not need: as without gosandbox.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;
use crate::support::{confined, gosandbox, in_environments};

fn project(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", MODULE);
    site.file(
        "main.go",
        "package main\n\nimport _ \"io\"\n\nfunc main() {}\n",
    );
    site.settle();
    site
}

/// A run and plain go, each with these variables; an empty one is taken away. Both with the same build cache but for that.
fn both(site: &Site, variables: &[(&str, &str)], words: &[&str]) -> [Ended; 2] {
    let cache = site.cache_apart();
    let set = |mut command: Command| {
        command.env_remove("GOFLAGS");
        command.env("GOCACHE", cache.join("go-build"));
        command.env("GOPROXY", "off");
        for (name, value) in variables {
            match value.is_empty() {
                true => command.env_remove(name),
                false => command.env(name, value),
            };
        }
        Ended::of(&mut command)
    };
    [
        set(site.bare(words)),
        set(site.gosandbox_apart(&["-q"], words)),
    ]
}

#[track_caller]
fn alike(site: &Site, variables: &[(&str, &str)], words: &[&str]) -> Ended {
    let [without, within] = both(site, variables, words);
    assert_eq!(
        (within.status, &within.stdout, &within.stderr),
        (without.status, &without.stdout, &without.stderr),
        "{:?} {variables:?} {words:?}",
        site.env
    );
    within
}

fn go_says_what_is_wrong_with_a_setting(env: Env) {
    let site = project(env);
    let off = [("GOCACHE", "off")];
    alike(&site, &off, &["go", "version"]).expect(0);
    alike(&site, &off, &["go", "doc", "io.EOF"]).expect(0);
    alike(&site, &off, &["go", "fmt", "."]).expect(0);
    alike(&site, &off, &["go", "mod", "edit", "-go=1.22"]).expect(0);
    let build = ["go", "build", "-o", "program", "."];
    alike(&site, &off, &build)
        .expect(1)
        .says("disabled by GOCACHE=off");
    alike(&site, &off, &["go", "test", "."]).says("disabled by GOCACHE=off");
    let relative = [("GOCACHE", "./cache")];
    alike(&site, &relative, &["go", "clean", "-cache"])
        .expect(1)
        .says("GOCACHE is not an absolute path");
    let relative = [("GOMODCACHE", "./mod")];
    alike(&site, &relative, &["go", "list", "."]).expect(0);
    // go would remove what a relative path names. Here the launcher would have to.
    let [_, within] = both(&site, &relative, &["go", "clean", "-modcache"]);
    within.expect(125).refused("cache-unusable");
    assert!(!site.work.join("mod").exists() && !site.work.join("cache").exists());
}
in_environments!(go_says_what_is_wrong_with_a_setting);

/// What programs are started with is another matter: there the refusal says more than what fails in them.
#[test]
fn commands_in_the_program_cage_are_refused_with_a_setting_that_go_refuses() {
    for site in sites() {
        site.file("go.mod", MODULE);
        site.settle();
        for setting in [("GOCACHE", "off"), ("GOMODCACHE", "mod")] {
            let [_, within] = both(&site, &[setting], &["sh", "-c", "true"]);
            within.expect(125).refused("cache-unusable").says(setting.0);
        }
    }
}

/// Only an ordinary user is stopped by a folder's mode.
#[test]
fn a_cache_that_cannot_be_made_is_missed_only_where_it_is_needed() {
    for env in [Env::User, Env::Restricted] {
        let site = project(env);
        let closed = site.root.join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
        site.settle();
        let gopath = closed.join("gopath");
        let set = [("GOPATH", gopath.to_str().unwrap()), ("GOMODCACHE", "")];
        alike(&site, &set, &["go", "mod", "edit", "-go=1.23"]).expect(0);
        alike(&site, &set, &["go", "env", "GOMODCACHE"]).expect(0);
        alike(&site, &set, &["go", "version"]).expect(0);
        let [_, within] = both(&site, &set, &["go", "list", "."]);
        within
            .expect(125)
            .refused("cache-unusable")
            .says("--cache-dir");
        let [_, within] = both(&site, &set, &["sh", "-c", "true"]);
        within.expect(125).refused("cache-unusable");
    }
}

/// An account that no system has, so that nothing says where its home is.
const STRANGER: u32 = 54321;

/// go needs a module cache only for modules, and no home for a build cache that GOCACHE names.
#[test]
fn without_home_go_does_what_needs_none() {
    if !needs_root("a user without an account") {
        return;
    }
    for env in [Env::User, Env::Restricted] {
        let site = project(env);
        let caches = site.root.join("caches");
        fs::create_dir(&caches).unwrap();
        std::os::unix::fs::chown(&caches, Some(STRANGER), Some(STRANGER)).unwrap();
        let run = |program: &Path, first: &[&str], words: &[&str], named: bool| {
            let mut command = Command::new(program);
            command.args(first).args(words);
            site.prepare(&mut command);
            command.env_remove("HOME").env("GOPROXY", "off");
            if named {
                command.env("GOCACHE", caches.join("build"));
            }
            confined::enter(&mut command, env, STRANGER);
            Ended::of(&mut command)
        };
        let go = goroot().join("bin/go");
        let within = |words: &[&str], named| run(gosandbox(), &["-q", "--", "go"], words, named);
        for words in [
            &["list", "-deps", "main.go"][..],
            &["version"],
            &["env", "GOPATH", "GOMODCACHE"],
        ] {
            let (without, within) = (run(&go, &[], words, true), within(words, true));
            let said = (within.status, within.stdout, within.stderr);
            assert_eq!(
                said,
                (0, without.stdout, without.stderr),
                "{env:?} {words:?}"
            );
        }
        let without = run(&go, &[], &["env", "GOCACHE"], false).expect(0);
        assert_eq!(
            within(&["env", "GOCACHE"], false).expect(0).stdout,
            without.stdout
        );
        // Each run would compile the standard library, and keep nothing of it.
        within(&["list", "."], false)
            .refused("cache-unusable")
            .says("HOME is not set");
    }
}
