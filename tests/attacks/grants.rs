//! `--ro`, `--rw`: what they name is granted, what is not there is an error, what must not be is refused.

use std::path::PathBuf;

use std::fs;

use crate::support::{Env, Site, goroot};

fn site(env: Env) -> Site {
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

/// A profile may name what is there on some hosts only.
#[test]
fn a_path_that_a_profile_lets_be_read_may_be_missing() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let file = site.outside.join("file");
        let missing = site.outside.join("missing");
        let text = format!("[files]\nread = [{file:?}, {missing:?}]\n");
        site.settle();
        let profile = site.profile(&text);
        let options = ["--profile", profile.to_str().unwrap()];
        site.run(&options, &["cat", file.to_str().unwrap()])
            .expect(0)
            .says("text");
        assert!(!missing.exists());
    }
}

#[test]
fn a_layer_that_is_required_and_not_there_is_named_with_its_reason_and_nothing_runs() {
    let site = site(Env::Restricted);
    let ended = site.run(&["--require", "namespaces"], &["touch", "started"]);
    assert!(ended.stderr.contains("namespaces"), "{ended:?}");
    ended
        .expect(125)
        .refused("layer-missing")
        .says("gosandbox doctor");
    assert!(!site.work.join("started").exists());
    let ended = site.run(&["--require", "landlock"], &["cat", "go.mod"]);
    ended.expect(0);
    let e5 = Env::NoLandlock;
    let site = self::site(e5);
    site.run(&["--require", "landlock"], &["touch", "started"])
        .expect(125)
        .refused("layer-missing")
        .says("landlock");
    assert!(!site.work.join("started").exists());
}

/// The command's process shows itself that it is confined: what was asked for may not have happened.
#[test]
fn a_landlock_that_is_not_in_force_is_noticed_and_nothing_runs() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        site.file("own/README", "");
        site.settle();
        for words in [&["touch", "own/started"][..], &["go", "version"]] {
            let mut command = site.gosandbox(&[], words);
            crate::support::confined::with_landlock_pretended(&mut command);
            crate::support::Ended::of(&mut command)
                .expect(125)
                .says("cannot show that");
        }
        assert!(!site.work.join("own/started").exists(), "{env:?}");
    }
}

/// What is granted cannot be what shows that the domain is in force.
#[test]
fn a_temporary_folder_that_is_granted_is_no_reason_to_refuse() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let place = site.outside.to_str().unwrap();
        for option in ["--ro", "--rw"] {
            let mut command = site.gosandbox(&[option, place], &["cat", "go.mod"]);
            crate::support::Ended::of(command.env("TMPDIR", &site.outside)).expect(0);
        }
    }
}

/// Root gives the run's folders to the sandbox user by name: another user must not have put others in their place.
#[test]
fn a_temporary_folder_in_which_others_can_rename_is_not_used() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        let folder = site.outside.join("tmp");
        std::fs::create_dir(&folder).unwrap();
        site.settle();
        let is_own = site.root.metadata().unwrap().uid() == site.caller();
        for (mode, is_used) in [(0o777, false), (0o755, is_own)] {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
            let mut command = site.gosandbox(&[], &["cat", "go.mod"]);
            crate::support::Ended::of(command.env("TMPDIR", &folder)).expect(0);
            let found = std::fs::read_dir(&folder).unwrap().count();
            assert_eq!(found, usize::from(is_used), "{env:?} {mode:o}");
        }
    }
}

/// The user's own launcher, in a folder of the user's, while it is the wrapper of the program (CVE-2019-5736).
#[test]
fn the_launchers_own_executable_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    const TEST: &str = "package p\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestExchange(t *testing.T) {\n\t\
        for _, path := range []string{\"LAUNCHER\", \"/run/gosandbox/gosandbox\"} {\n\t\tos.Chmod(path, 0o777)\n\t\t\
        os.Rename(path, path+\"-moved\")\n\t\tos.Remove(path)\n\t\tos.WriteFile(path, []byte(\"planted\"), 0o755)\n\t}\n}\n";
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let launcher = site.root.join("own/gosandbox");
        let make = || {
            fs::create_dir_all(launcher.parent().unwrap()).unwrap();
            crate::support::reachable::copy_executable(crate::support::gosandbox(), &launcher);
            fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)).unwrap();
            site.file(
                "p_test.go",
                &TEST.replace("LAUNCHER", launcher.to_str().unwrap()),
            );
            site.settle();
        };
        make();
        let before = fs::read(&launcher).unwrap();
        let is_kept = || {
            let mode = fs::metadata(&launcher).map(|found| found.permissions().mode() & 0o777);
            mode.is_ok_and(|mode| mode == 0o755) && fs::read(&launcher).unwrap() == before
        };
        let mut command = std::process::Command::new(&launcher);
        let cache = site.cache();
        command
            .arg("--cache-dir")
            .arg(cache)
            .args(["--", "go", "test", "-count=1", "."]);
        site.prepare(&mut command);
        crate::support::confined::enter(&mut command, env, site.caller());
        let ended = crate::support::Ended::of(&mut command);
        assert!(is_kept(), "{env:?}: {ended:?}");
        ended.expect(0);
        crate::support::Ended::of(&mut site.bare(&["go", "test", "-count=1", "."]));
        assert!(!is_kept(), "{env:?}: it stays bare, too");
    }
}
