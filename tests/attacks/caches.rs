//! Variables that say where caches are: code of the source reads those as a whole.

use std::fs;
use std::path::PathBuf;

use crate::support::{Ended, Env, Site, write};

const READ: &str = "package main\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestKey(t *testing.T) {\n\tkey, _ := os.ReadFile(\"KEY\")\n\tt.Log(string(key))\n}\n";

/// A project, and a key of the user's.
fn site(env: Env) -> (Site, PathBuf) {
    let site = Site::new(env);
    let key = site.outside.join("keys/key");
    write(&key, "decoykey\n");
    write(&site.outside.join("sources/host.test/a.go"), "");
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    let test = READ.replace("KEY", key.to_str().unwrap());
    site.file("key_test.go", &test);
    site.settle();
    (site, key)
}

#[test]
fn a_folder_that_holds_something_else_is_no_cache_because_a_variable_says_so() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (site, key) = site(env);
        let key = key.to_str().unwrap();
        for (name, folder) in [
            ("GOCACHE", "outside/keys"),
            ("GOMODCACHE", "outside/keys"),
            ("GOMODCACHE", "outside"),
            ("GOMODCACHE", "outside/sources"),
        ] {
            for words in [&["go", "test", "-count=1", "-v", "."][..], &["cat", key]] {
                let mut command = site.gosandbox_apart(&[], words);
                let ended = Ended::of(command.env(name, site.root.join(folder)));
                let said = format!("{}{}", ended.stdout, ended.stderr);
                assert!(!said.contains("decoykey"), "{env:?} {name}: {ended:?}");
                ended.expect(125).refused("cache-refused").says(name);
            }
        }
        // What `go env -w` has written says where caches are as well.
        let config = site.home.join(".config/go/env");
        let keys = site.outside.join("keys");
        write(&config, &format!("GOMODCACHE={}\n", keys.display()));
        site.settle();
        let ended = Ended::of(&mut site.gosandbox_apart(&[], &["cat", key]));
        ended
            .expect(125)
            .refused("cache-refused")
            .says("GOMODCACHE");
    }
}

#[test]
fn caches_that_variables_name_are_used() {
    let (site, _) = site(Env::User);
    let all = site.home.join("all");
    let cache = site.cache();
    // As go and its users leave them, and one within the other.
    let made = ["CACHEDIR.TAG", "cache/lock", "host.test/dep@v1.0.0/go.mod"];
    made.iter().for_each(|name| write(&all.join(name), ""));
    fs::create_dir(all.join("builds")).unwrap();
    site.settle();
    for (builds, modules) in [
        (cache.join("go-build"), site.home.join("modules")),
        (all.join("builds"), all),
    ] {
        for _ in 0..2 {
            let mut command = site.gosandbox_apart(&[], &["go", "list", "-export", "."]);
            command.env("GOCACHE", &builds).env("GOMODCACHE", &modules);
            Ended::of(&mut command).expect(0);
        }
    }
}

#[test]
fn a_test_reads_the_users_keys_without_gosandbox() {
    let (site, _) = site(Env::User);
    let mut bare = site.bare(&["go", "test", "-count=1", "-v", "."]);
    Ended::of(&mut bare).says("decoykey");
}
