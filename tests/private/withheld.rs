//! What GOPRIVATE and GONOPROXY of the caller withhold.

use std::os::unix::fs::chown;
use std::path::Path;

use crate::apart;
use crate::direct::{DEP, Repositories, resolve, with_upstreams};
use crate::server::{Behaviour, Host};
use crate::support::{Ended, Env, Site, is_root, write};

/// Runs go with variables of the caller's.
fn with(site: &Site, profile: &Path, variables: &[(&str, &str)], words: &[&str]) -> Ended {
    let caches = site.home.join("caches");
    let options = ["--profile", profile.to_str().unwrap(), "--cache-dir"];
    let options = [&options[..], &[caches.to_str().unwrap()]].concat();
    let mut command = site.gosandbox_apart(&options, words);
    Ended::of(command.envs(variables.iter().copied()))
}

const GET: [&str; 3] = ["go", "get", "git.example.test/team/dep@v1.0.0"];

#[test]
fn names_that_the_caller_withholds_are_told_to_no_proxy_and_no_checksum_database() {
    if !apart::is(
        "withheld::names_that_the_caller_withholds_are_told_to_no_proxy_and_no_checksum_database",
    ) {
        return;
    }
    resolve();
    let repositories = Repositories::new();
    repositories.commit("dep", &DEP, Some("v1.0.0"));
    let proxy = Host::start(
        "proxy.example.test",
        "127.0.0.3",
        &repositories.0,
        Behaviour::default(),
    );
    let told = || {
        let paths = proxy.asked().into_iter();
        paths
            .filter(|path| path.contains("git.example.test/team"))
            .count()
    };
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let private = "\"other.example.test/*\" = {}";
        let upstreams = "https://proxy.example.test";
        let (site, profile) = with_upstreams(env, &proxy.ca, upstreams, private, "");
        let before = told();
        for (variable, value) in [
            ("GOPRIVATE", "git.example.test"),
            ("GOPRIVATE", "x.example/y, git.example.test/team ,"),
            ("GONOPROXY", "git.*.test/*"),
            ("GOPRIVATE", "*"),
        ] {
            let ended = with(&site, &profile, &[(variable, value)], &GET).expect(1);
            let ended = ended.says(&format!("403 refused by gosandbox: {variable} "));
            let ended = ended.says("withholds it from proxies");
            ended
                .says("(module-withheld)\nhelp: ")
                .says("{ direct = \"https\" }");
        }
        assert_eq!(told(), before, "{env:?}");
        // What `go env -w` has written counts as well.
        let config = site.home.join(".config/go/env");
        write(&config, "GOPRIVATE=git.example.test\n");
        if is_root() {
            for path in [".config", ".config/go", ".config/go/env"] {
                chown(site.home.join(path), Some(site.caller()), None).unwrap();
            }
        }
        let ended = with(&site, &profile, &[], &GET).expect(1);
        ended.says("GOPRIVATE git.example.test withholds it");
        assert_eq!(told(), before, "{env:?}");
        // And a file of the repository's own does not take it back.
        for name in [".env", "go.env", "env", ".config/go/env"] {
            site.file(name, "GOPRIVATE=\nGONOPROXY=none\n");
        }
        with(&site, &profile, &[], &GET).expect(1);
        assert_eq!(told(), before, "{env:?}");
        std::fs::remove_file(&config).unwrap();
        // Without it the proxy is asked.
        with(&site, &profile, &[], &GET).expect(1);
        assert!(told() > before, "{env:?}");
        let bad = with(&site, &profile, &[("GOPRIVATE", "git.[")], &GET).expect(125);
        bad.refused("module-withheld");
    }
}
