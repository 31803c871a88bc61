//! `--ro`, `--rw`: what they name is granted, what is not there is an error, what must not be is refused.

use std::path::PathBuf;

use std::fs;

use crate::support::{Env, Site, goroot};

pub(crate) fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    crate::support::write(&site.outside.join("file"), "text\n");
    crate::support::write(&site.outside.join("folder/inner"), "text\n");
    site.settle();
    site
}

#[test]
fn a_file_and_a_folder_can_be_granted_to_be_read_or_written() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let file = site.outside.join("file").to_string_lossy().into_owned();
        let folder = site.outside.join("folder").to_string_lossy().into_owned();
        let inner = format!("{folder}/inner");
        site.run(&["--ro", &file], &["cat", &file])
            .expect(0)
            .says("text");
        site.run(&["--ro", &folder], &["cat", &inner])
            .expect(0)
            .says("text");
        let append = format!("echo more >> {file}");
        assert_ne!(
            site.run(&["--ro", &file], &["sh", "-c", &append]).status,
            0,
            "{env:?}"
        );
        site.run(&["--rw", &file], &["sh", "-c", &append]).expect(0);
        let make = format!("echo new > {folder}/new");
        assert_ne!(
            site.run(&["--ro", &folder], &["sh", "-c", &make]).status,
            0,
            "{env:?}"
        );
        site.run(&["--rw", &folder], &["sh", "-c", &make]).expect(0);
        assert!(site.outside.join("folder/new").exists());
        assert_ne!(
            site.run(&[], &["cat", &inner]).status,
            0,
            "{env:?}: it can be read anyway"
        );
    }
}

#[test]
fn a_granted_path_that_is_missing_is_an_error_and_is_not_made() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let missing = site.outside.join("missing");
        for option in ["--ro", "--rw"] {
            let ended = site
                .run(&[option, missing.to_str().unwrap()], &["true"])
                .expect(125);
            ended.refused("grant-missing").says("missing");
            assert!(!missing.exists());
        }
    }
}

#[test]
fn nothing_that_must_stay_as_it_is_can_be_granted_for_writing() {
    let site = site(Env::User);
    let cache = site.cache();
    for path in [
        "/",
        goroot().to_str().unwrap(),
        goroot().parent().unwrap().to_str().unwrap(),
        cache.to_str().unwrap(),
    ] {
        site.run(&["--rw", path], &["true"]).expect(125);
    }
}

#[test]
fn a_working_folder_outside_the_policy_does_not_arrive() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        // No module here: the folder is not granted for being the current one.
        fs::create_dir(site.outside.join("here")).unwrap();
        site.settle();
        let mut command = site.gosandbox(
            &[],
            &[
                "sh",
                "-c",
                "cat ../file 2>/dev/null; cat ../../outside/file",
            ],
        );
        command.current_dir(site.outside.join("here"));
        let ended = crate::support::Ended::of(&mut command);
        assert!(!ended.stdout.contains("text"), "{env:?}: {ended:?}");
    }
}

#[test]
fn tests_of_two_packages_share_no_network() {
    // Each waits for what the other writes, however long one of them is compiled after the other.
    const A: &str = r#"package a

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"
)

func TestA(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("testdata/new", []byte(fmt.Sprint(l.Addr())), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename("testdata/new", "testdata/address"); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 6000; i++ {
		if _, err := os.Stat("testdata/tried"); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the other test did not try")
}
"#;
    const B: &str = r#"package b

import (
	"net"
	"os"
	"testing"
	"time"
)

func TestB(t *testing.T) {
	for i := 0; i < 6000; i++ {
		address, err := os.ReadFile("../a/testdata/address")
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if c, err := net.Dial("tcp", string(address)); err == nil {
			c.Close()
			println("REACHED")
		}
		if err := os.WriteFile("../a/testdata/tried", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("the other test did not listen")
}
"#;
    for env in [Env::User, Env::Root] {
        if !env.is_here() {
            continue;
        }
        let make = || {
            let site = site(env);
            site.file("a/a_test.go", A);
            site.file("a/testdata/README", "");
            site.file("b/b_test.go", B);
            site.settle();
            site
        };
        let words = ["go", "test", "-v", "-count=1", "-p=2", "./..."];
        let ended = make().run(&[], &words).expect(0);
        assert!(
            !format!("{}{}", ended.stdout, ended.stderr).contains("REACHED"),
            "{env:?}"
        );
        let bare = crate::support::Ended::of(&mut make().bare(&words)).expect(0);
        bare.says("REACHED");
    }
}

#[test]
fn goroot_stays_unwritable_where_it_is_the_work_tree() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let folder = goroot().join("src");
        // Opens an existing file to append nothing.
        let append = ": >> errors/errors.go";
        let mut options = vec!["-C", folder.to_str().unwrap()];
        if env == Env::Container {
            // The owner of the caches; the work tree's is root.
            options.extend(["--user", "1000"]);
        }
        let ended = site.run(&options, &["sh", "-c", append]);
        assert_ne!(ended.status, 0, "{env:?}: {ended:?}");
        site.run(&options, &["go", "test", "errors"]).expect(0);
    }
}

#[test]
fn a_work_tree_of_another_user_can_be_used() {
    let site = Site::new(Env::User);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("m.go", "package m\n");
    site.settle();
    if !crate::support::needs_root("giving files to another user needs root") {
        return;
    }
    for name in ["go.mod", "m.go", ""] {
        std::os::unix::fs::chown(site.work.join(name), Some(4242), Some(4242)).unwrap();
    }
    site.run(&[], &["go", "vet", "."]).expect(0);
    site.run(&[], &["go", "test", "."]).expect(0);
    site.run(&[], &["cat", "go.mod"]).expect(0);
    assert_ne!(site.run(&[], &["touch", "new"]).status, 0);
}

#[test]
fn caches_in_the_work_tree_are_as_trusted_as_elsewhere() {
    const ATTACK: &str =
        "mv .c .d; mv .c/go-build .c/x; touch .c/planted .c/go-build/planted .c/mod/planted; true";
    const PROGRAM: &str = "package main\n\nimport \"os/exec\"\n\nfunc main() { exec.Command(\"sh\", \"attack.sh\").Run() }\n";
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        for folder in [".c", "a/b/.c"] {
            let site = site(env);
            site.file("main.go", PROGRAM);
            site.file(
                "attack.sh",
                &ATTACK.replace(".c", folder).replace(".d", "moved"),
            );
            let cache = site.work.join(folder);
            crate::support::reachable::seed::seed(&cache.join("go-build"), None);
            for name in ["go-build/entry", "mod/entry"] {
                crate::support::write(&cache.join(name), "");
            }
            site.settle();
            let options = ["--cache-dir", cache.to_str().unwrap()];
            for words in [&["sh", "attack.sh"][..], &["go", "run", "."]] {
                let ended = site.run_apart(&options, words);
                match (env.has_namespaces(), ended.status) {
                    // What would take the cache away is staged, and refused.
                    (true, 125) => drop(ended.says("protected-path")),
                    _ => drop(ended.expect(0)),
                }
                let listing = site.listing();
                // A copy beside is no harm: the cache itself must be where and as it was.
                let is_bad = |path: &&PathBuf| {
                    let caches = [cache.join("go-build"), cache.join("mod")];
                    let is_within = caches.iter().any(|cache| path.starts_with(cache));
                    path.ends_with("planted") && (is_within || !env.has_namespaces())
                };
                let bad = listing.iter().find(is_bad);
                assert_eq!(bad, None, "{env:?} {folder} {words:?}");
                assert!(cache.join("go-build/entry").exists() && cache.join("mod/entry").exists());
            }
        }
    }
}

/// Where programs may write the tree, too, what go builds beside them is out of their reach.
#[test]
fn a_temporary_folder_in_the_work_tree_is_not_where_go_builds() {
    const TEST: &str = "package p\n\nimport (\n\t\"fmt\"\n\t\"path/filepath\"\n\t\"testing\"\n)\n\nfunc TestLook(t *testing.T) {\n\t\
        for _, name := range []string{\"program.json\", \"work/go-build*\"} {\n\t\t\
        found, _ := filepath.Glob(\"tmp/gosandbox-*/*/\" + name)\n\t\tfmt.Println(\"FOUND\", len(found))\n\t}\n\t\
        bare, _ := filepath.Glob(\"tmp/go-build*\")\n\tfmt.Println(\"BARE\", len(bare))\n}\n";
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        site.file("p_test.go", TEST);
        site.file("tmp/README", "");
        site.settle();
        for profile in ["strict", "ci"] {
            let words = ["go", "test", "-v", "-count=1", "."];
            let mut command = site.gosandbox(&["--profile", profile], &words);
            let ended = crate::support::Ended::of(command.env("TMPDIR", site.work.join("tmp")));
            assert!(
                !ended.stdout.contains("FOUND 1"),
                "{env:?} {profile}: {ended:?}"
            );
            ended.expect(0).says("FOUND 0");
            let mut bare = site.bare(&words);
            crate::support::Ended::of(bare.env("TMPDIR", site.work.join("tmp"))).says("BARE 1");
        }
    }
}
