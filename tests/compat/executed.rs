//! Programs that flags have the go command execute, where a profile of the caller's lets the flags through.

use super::support::write_executable;
use super::*;

const ALLOWED: &str =
    "extends = \"dev\"\n\n[programs]\nallow-flags = [\"-toolexec\", \"-exec\", \"-vettool\"]\n";

/// Says what it is called with, and writes what it can.
fn tool(targets: &[&Path]) -> String {
    let writes = targets
        .iter()
        .map(|path| format!("echo poisoned 2>/dev/null >'{}'\n", path.display()));
    format!(
        "#!/bin/sh\necho \"tool: $1\" >&2\n{}exec \"$@\"\n",
        writes.collect::<String>()
    )
}

fn project(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", MODULE);
    site.file(
        "cmd/main.go",
        "package main\n\nfunc main() { println(\"ran\") }\n",
    );
    site.file(
        "lib/lib_test.go",
        "package lib\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { t.Log(\"ran\") }\n",
    );
    site.file("bin/.keep", "");
    site.program("tool", &tool(&[]));
    site.settle();
    site
}

fn allowed(site: &Site, words: &[&str]) -> Ended {
    let profile = site.profile(ALLOWED);
    site.run(&["--profile", profile.to_str().unwrap()], words)
}

#[test]
fn a_program_of_the_work_tree_wraps_gos_tools() {
    for site in Env::ALL
        .into_iter()
        .filter(|env| env.is_here())
        .map(project)
    {
        let flag = format!("-toolexec={}", site.work.join("tool").display());
        let ended = allowed(&site, &["go", "build", &flag, "-o", "bin/", "./cmd"]).expect(0);
        for name in ["/compile", "/link"] {
            assert!(ended.stderr.contains(name), "{:?} {ended:?}", site.env);
        }
        let built = site.work.join("bin/cmd");
        let ran = Ended::of(&mut site.bare(&[built.to_str().unwrap()])).expect(0);
        assert_eq!(ran.stderr, "ran\n");
        let words = ["go", "test", "-v", "-count=1", &flag, "./lib"];
        let ended = allowed(&site, &words).expect(0);
        assert!(
            ended.stdout.contains("--- PASS"),
            "{:?} {ended:?}",
            site.env
        );
        // In GOFLAGS too, for commands that have the flag.
        let profile = site.profile(ALLOWED);
        let options = ["--profile", profile.to_str().unwrap()];
        for (words, runs) in [
            (&["go", "vet", "./cmd"][..], true),
            (&["go", "mod", "verify"], false),
        ] {
            let mut command = site.gosandbox(&options, words);
            let ended = Ended::of(command.env("GOFLAGS", &flag)).expect(0);
            assert_eq!(
                ended.stderr.contains("tool: "),
                runs,
                "{:?} {ended:?}",
                site.env
            );
        }
        // Without the profile each is refused.
        site.run(&[], &["go", "build", &flag, "./cmd"])
            .expect(125)
            .refused("flag-refused");
    }
}

#[test]
fn a_program_of_the_system_is_found_by_name_and_path() {
    for site in Env::ALL
        .into_iter()
        .filter(|env| env.is_here())
        .map(project)
    {
        for program in ["env", "/usr/bin/env"] {
            let flag = format!("-exec={program} A=b");
            let ended = allowed(&site, &["go", "run", &flag, "./cmd"]).expect(0);
            assert_eq!(ended.stderr, "ran\n", "{:?}", site.env);
        }
        // One that no profile names.
        let own = site.outside.join("own");
        write_executable(&own, tool(&[]));
        site.give(&own);
        let flag = format!("-exec={}", own.display());
        let words = ["go", "test", "-v", "-count=1", &flag, "./lib"];
        allowed(&site, &words).expect(0).says("tool: ");
        // go vet asks it first which flags it has.
        write_executable(&own, "#!/bin/sh\nexit 77\n");
        let flag = format!("-vettool={}", own.display());
        let words = ["go", "vet", &flag, "./cmd"];
        let (ended, without) = (allowed(&site, &words), bare(&site, &words));
        assert!(without.stderr.contains("exit status 77"), "{without:?}");
        assert_eq!(ended.stderr, without.stderr, "{:?}", site.env);
        assert_eq!(ended.status, without.status, "{:?}", site.env);
    }
}

/// What such a program writes no other project gets: neither the build cache nor modules.
#[test]
fn it_writes_no_cache_that_others_trust() {
    for site in Env::ALL
        .into_iter()
        .filter(|env| env.is_here())
        .map(project)
    {
        // Makes the caches.
        site.run(&[], &["go", "build", "-o", "bin/", "./cmd"])
            .expect(0);
        let ended = site
            .run(&[], &["go", "env", "GOCACHE", "GOMODCACHE"])
            .expect(0);
        let caches: Vec<&Path> = ended.stdout.lines().map(Path::new).collect();
        let [cache, modules] = caches[..] else {
            panic!("{ended:?}")
        };
        let targets = [cache.join("planted"), modules.join("planted")];
        let targets = targets.each_ref().map(|path| path.as_path());
        let path = site.program("writer", &tool(&targets));
        site.give(&path);
        let flag = format!("-toolexec={}", path.display());
        allowed(&site, &["go", "build", &flag, "-o", "bin/two", "./cmd"])
            .expect(0)
            .says("tool: ");
        for target in targets {
            assert!(!target.exists(), "{:?} {}", site.env, target.display());
        }
        // The same without gosandbox does.
        let bare = Ended::of(&mut site.bare(&[path.to_str().unwrap(), "true"])).expect(0);
        let written = targets.iter().filter(|target| target.exists()).count();
        assert!(written > 0, "{:?} {bare:?}", site.env);
        for target in targets {
            let _not_both_are_there = fs::remove_file(target);
        }
    }
}

#[test]
fn a_link_of_the_repository_chooses_no_program() {
    for site in Env::ALL
        .into_iter()
        .filter(|env| env.is_here())
        .map(project)
    {
        std::os::unix::fs::symlink("/usr/bin/env", site.work.join("link")).unwrap();
        let flag = format!("-toolexec={}", site.work.join("link").display());
        let ended = allowed(&site, &["go", "build", &flag, "./cmd"]).expect(125);
        ended.refused("outside-repository");
        // Nor where PATH has a folder of the work tree.
        let name = "gosandbox-no-such-program";
        let chosen = site.outside.join("chosen");
        write_executable(&chosen, tool(&[]));
        site.give(&chosen);
        std::os::unix::fs::symlink(&chosen, site.work.join("bin").join(name)).unwrap();
        let profile = site.profile(ALLOWED);
        let options = ["--profile", profile.to_str().unwrap(), "--dry-run"];
        let flag_by_name = format!("-exec={name}");
        let mut command = site.gosandbox(&options, &["go", "run", &flag_by_name, "./cmd"]);
        let path = format!("{}:/usr/bin", site.work.join("bin").display());
        let go = goroot();
        command.env("PATH", format!("{}/bin:{path}", go.display()));
        let plan = Ended::of(&mut command).expect(0);
        let is_granted = plan.stdout.contains(chosen.to_str().unwrap());
        assert!(!is_granted, "{:?} {plan:?}", site.env);
        let options = ["--profile", profile.to_str().unwrap()];
        let mut command = site.gosandbox(&options, &["go", "run", &flag_by_name, "./cmd"]);
        command.env("PATH", format!("{}/bin:{path}", go.display()));
        let ended = Ended::of(&mut command).expect(1);
        assert!(
            ended.stderr.contains("not found"),
            "{:?} {ended:?}",
            site.env
        );
        let flag = format!("-toolexec={}", site.work.join("gcc").display());
        site.program("gcc", "");
        site.settle();
        let ended = allowed(&site, &["go", "build", &flag, "./cmd"]).expect(125);
        ended.refused("compiler-refused");
    }
}
