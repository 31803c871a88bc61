//! Flags and variables that do no harm inside are go's own to judge.

use super::*;

/// A site with a program and a test.
fn project(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", MODULE);
    site.file("main.go", "package main\n\nfunc main() {}\n");
    site.file(
        "main_test.go",
        "package main\n\nimport \"testing\"\n\nfunc TestMain(*testing.M) {}\n",
    );
    site.file("lib/lib.go", "package lib\n");
    site.settle();
    site
}

fn projects() -> impl Iterator<Item = Site> {
    Env::ALL
        .into_iter()
        .filter(|env| env.is_here())
        .map(project)
}

#[test]
fn what_takes_a_c_linker_is_refused_by_go() {
    for site in projects() {
        for words in [
            &["go", "build", "-buildmode=plugin", "./lib"][..],
            &["go", "build", "-buildmode=plugin", "."],
            &["go", "build", "-buildmode=c-shared", "."],
            &["go", "build", "-buildmode=shared", "-o", "out", "."],
            &["go", "build", "-linkshared", "."],
            &["go", "list", "-linkshared", "./lib"],
        ] {
            same(&site, words);
        }
        // Nothing is made either way: go finds no linker.
        let words = ["go", "build", "-buildmode=c-archive", "-o", "out.a", "."];
        site.run(&[], &words).expect(1);
        assert!(!site.work.join("out.a").exists(), "{:?}", site.env);
    }
}

#[test]
fn a_test_that_is_only_built_writes_no_profile() {
    for site in projects() {
        let words = [
            "go",
            "test",
            "-c",
            "-o",
            "x.test",
            "-coverprofile=no/such/folder/c.out",
            "-outputdir=no/such/folder",
            ".",
        ];
        site.run(&[], &words).expect(0);
        assert!(site.work.join("x.test").is_file(), "{:?}", site.env);
        assert!(!site.work.join("no").exists(), "{:?}", site.env);
        // One that runs does.
        let words = ["go", "test", "-coverprofile=no/such/folder/c.out", "."];
        site.run(&[], &words).expect(125).refused("output-refused");
    }
}

#[test]
fn go_env_shows_goflags_that_cannot_be_read() {
    for site in projects() {
        for flags in ["$(echo 'cc\"'; echo 'OOPS=\"oops')", "nonsense", "-tags a"] {
            let run = |words: &[&str], inside: bool| {
                let mut command = match inside {
                    true => site.gosandbox(&[], words),
                    false => site.bare(words),
                };
                Ended::of(command.env("GOFLAGS", flags))
            };
            let show = ["go", "env", "GOFLAGS"];
            let (bare, inside) = (run(&show, false).expect(0), run(&show, true).expect(0));
            assert_eq!(inside.stdout, bare.stdout, "{:?}", site.env);
            run(&["go", "build", "."], true)
                .expect(125)
                .refused("goflags-unreadable");
        }
    }
}

#[test]
fn a_folder_that_cannot_be_entered_is_named_as_go_names_it() {
    for site in projects() {
        // Go itself says what is not there.
        let words = ["go", "-C", "no/such", "env", "GOMOD"];
        let missing = bare(&site, &words);
        let cause = missing.stderr.trim().trim_start_matches("go: ");
        assert_eq!(cause, "chdir no/such: no such file or directory");
        same(&site, &words);
    }
}

/// Where everybody builds to: one's own temporary folder.
#[test]
fn a_test_is_built_into_the_callers_temporary_folder() {
    for site in projects() {
        let folder = site.outside.join("tmp");
        fs::create_dir(&folder).unwrap();
        site.give(&folder);
        let place = folder.join("x.test");
        let words = ["go", "test", "-c", "-o", place.to_str().unwrap(), "."];
        Ended::of(site.gosandbox(&[], &words).env("TMPDIR", &folder)).expect(0);
        assert!(place.is_file(), "{:?}", site.env);
        fs::remove_file(&place).unwrap();
        // What is written there is not taken for compiled code later.
        let mut cached = site.gosandbox_apart(&[], &words);
        let ended = Ended::of(cached.env("GOCACHE", &folder)).expect(125);
        ended.refused("grant-refused").says("it lies in GOCACHE");
    }
}
