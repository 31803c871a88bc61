//! The hostile example, as a visitor would run it, with decoys for its targets.

use std::path::Path;

use serde_json::json;

use crate::support::{Ended, Env, Site, base, checkout, goroot, write};

/// The example with decoys; nothing it aims at by default is touched.
fn example(env: Env) -> Site {
    let site = Site::new(env);
    site.copy(&checkout().join("examples/hostile"));
    for name in [
        ".netrc",
        ".ssh/id_ed25519",
        ".ssh/authorized_keys",
        ".git-credentials",
        ".bashrc",
        ".aws/credentials",
    ] {
        write(&site.home.join(name), "decoy\n");
    }
    write(&site.outside.join("github_env"), "");
    site.file(".git/HEAD", "ref: refs/heads/main\n");
    site.file(".git/config", "");
    site.file(".git/objects/x", "");
    site.file(".git/refs/x", "");
    site.file(".git/hooks/x", "");
    site
}

fn aim(site: &Site, cache: &Path) {
    let targets = json!({
        "goroot": goroot(),
        "gocache": cache.join("go-build"),
        "gomodcache": cache.join("mod"),
        "home": site.home,
        "github_env": site.outside.join("github_env"),
        "github_path": site.outside.join("github_env"),
        "repository": site.work,
        "path": [site.outside],
        // Loopback only: nothing leaves the machine.
        "tcp": "127.0.0.1:9",
        "udp": "127.0.0.1:9",
        "name": "gosandbox-hostile.invalid",
        "unix": [],
        "pid": std::process::id(),
        "straggler": site.work.join("testdata/straggler"),
    });
    site.file("testdata/targets.json", &targets.to_string());
    site.settle();
}

#[track_caller]
fn all_contained(ended: Ended, phases: &[&str]) {
    let lines: Vec<&str> = ended
        .stdout
        .lines()
        .filter(|line| line.contains(": contained (") || line.contains(": SUCCEEDED ("))
        .collect();
    let succeeded: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("SUCCEEDED"))
        .collect();
    assert!(succeeded.is_empty(), "{succeeded:#?}");
    for phase in phases {
        let count = lines
            .iter()
            .filter(|line| line.starts_with(&format!("{phase}/")))
            .count();
        assert!(count >= 34, "{count} attempts in {phase}: {ended:?}");
    }
    ended.expect(0);
}

#[test]
fn the_hostile_example_is_contained() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = example(env);
        let cache = site.cache();
        aim(&site, &cache);
        all_contained(
            site.run(&[], &["go", "test", "-v", "-count=1", "."]),
            &["test", "init"],
        );
        all_contained(site.run(&[], &["go", "run", "."]), &["run"]);
        // Its `go run` compiles into a cache of the project's own: twice is enough.
        if matches!(env, Env::Restricted | Env::Root) {
            site.warm_own_cache();
            all_contained(site.run(&[], &["go", "generate", "."]), &["generate"]);
        }
    }
}

#[test]
fn the_hostile_example_succeeds_without_gosandbox() {
    let site = example(Env::User);
    let cache = base().join(format!("bare-{}", site.caller()));
    site.bare(&["true"]);
    aim(&site, &cache);
    let ended = Ended::of(&mut site.bare(&["go", "run", "."]));
    assert_eq!(ended.status, 1, "{ended:?}");
    for name in [
        "gocache-poison",
        "netrc-read",
        "ssh-key-plant",
        "github-env-edit",
        "git-hook-plant",
        "path-fake-go",
        "setuid-file",
    ] {
        let line = ended
            .stdout
            .lines()
            .find(|line| line.starts_with(&format!("run/{name}:")));
        assert!(
            line.is_some_and(|line| line.contains("SUCCEEDED")),
            "{name}: {line:?}\n{ended:?}"
        );
    }
}
