//! Work trees and workspaces wherever they lie.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn work_trees_may_lie_anywhere_and_have_odd_names() {
    for env in [Env::User, Env::Root, Env::Container] {
        if !env.is_here() {
            continue;
        }
        for name in ["with spaces", "ünïcode", "quo'te", "col:on"] {
            let site = Site::new(env);
            let folder = site.work.join(name);
            copy_tree(&checkout().join("examples/hello"), &folder);
            site.settle();
            let directory = folder.to_str().unwrap();
            site.run(&["-C", directory], &["go", "build", "-o", "out", "."])
                .expect(0);
            site.run(&["-C", directory], &["go", "test", "./..."])
                .expect(0);
            assert!(folder.join("out").is_file());
        }
    }
}

#[test]
fn a_work_tree_whose_name_is_not_utf_8_is_built_and_run_from() {
    use std::os::unix::ffi::OsStrExt as _;
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = Site::new(env);
        let folder = site.work.join(std::ffi::OsStr::from_bytes(b"not\xffutf-8"));
        copy_tree(&checkout().join("examples/hello"), &folder);
        site.settle();
        let run = |options: &[&str], words: &[&str]| {
            Ended::of(site.gosandbox(options, words).current_dir(&folder)).expect(0)
        };
        let bare = Ended::of(site.bare(&["go", "run", "."]).current_dir(&folder)).expect(0);
        assert_eq!(run(&[], &["go", "run", "."]).stdout, bare.stdout);
        run(&[], &["go", "build", "-o", "out", "."]);
        assert!(folder.join("out").is_file());
        let planned = run(&["--dry-run", "--report", "-"], &["go", "run", "."]).stdout;
        let planned: serde_json::Value = serde_json::from_str(&planned).unwrap();
        let bytes = serde_json::json!(folder.as_os_str().as_bytes());
        assert_eq!(planned["programs"]["tree"], bytes);
        assert_eq!(planned["folder"], bytes);
    }
}

#[test]
fn a_work_tree_below_the_temporary_folder_works() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = Site::new(env);
        let folder = Path::new("/tmp").join(site.root.file_name().unwrap());
        copy_tree(&checkout().join("examples/hello"), &folder);
        fs::rename(&folder, site.work.join("moved")).ok();
        if site.work.join("moved").exists() {
            site.settle();
            fs::rename(site.work.join("moved"), &folder).unwrap();
        }
        let directory = folder.to_str().unwrap();
        let vet = site.run(&["-C", directory], &["go", "test", "./..."]);
        fs::remove_dir_all(&folder).unwrap();
        vet.expect(0);
    }
}

#[test]
fn a_work_tree_that_nobody_may_write_can_be_built_from() {
    use std::os::unix::fs::PermissionsExt;
    let site = hello(Env::User);
    for folder in [site.work.join("greeting"), site.work.clone()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let place = site.outside.join("app");
    site.run(&[], &["go", "build", "-o", place.to_str().unwrap(), "."])
        .expect(0);
    site.run(&[], &["go", "test", "./..."]).expect(0);
    fs::set_permissions(&site.work, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn workspaces_and_local_replacements_work() {
    for env in [Env::User, Env::Restricted, Env::Root] {
        if !env.is_here() {
            continue;
        }
        let site = Site::new(env);
        site.file("go.work", "go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n");
        site.file("lib/go.mod", "module example.com/lib\n\ngo 1.21\n");
        site.file("lib/lib.go", "package lib\n\nconst Name = \"lib\"\n");
        site.file("app/go.mod", "module example.com/app\n\ngo 1.21\n");
        site.file(
            "app/main.go",
            "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.Name) }\n",
        );
        site.file("other/go.mod", "module example.com/other\n\ngo 1.21\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../lib\n");
        site.file(
            "other/main.go",
            "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.Name) }\n",
        );
        write(&site.work.join(".git/HEAD"), "ref: refs/heads/main\n");
        write(&site.work.join(".git/config"), "");
        write(&site.work.join(".git/objects/x"), "");
        write(&site.work.join(".git/refs/x"), "");
        site.settle();
        site.run(&["-C", "app"], &["go", "run", "."])
            .expect(0)
            .says("lib");
        let mut other = site.gosandbox(&["-C", "other"], &["go", "run", "."]);
        Ended::of(other.env("GOWORK", "off")).expect(0).says("lib");
        site.run(&[], &["go", "build", "-o", "/dev/null", "./app"])
            .expect(0);
    }
}

/// As `go install` of a program is called from anywhere.
#[test]
fn a_folder_that_is_shared_with_others_can_be_started_in() {
    for site in sites() {
        let folder = site.root.join("shared/folder");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("secret"), "secret").unwrap();
        site.settle();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777)).unwrap();
        let start = ["-C", folder.to_str().unwrap()];
        let ended = site.run_apart(&start, &["go", "env", "GOMOD"]).expect(0);
        assert_eq!(ended.stdout, "/dev/null\n", "{:?}", site.env);
        let script = "pwd; cat secret || echo not here";
        let ended = site.run_apart(&start, &["sh", "-c", script]).expect(0);
        let wanted = format!("{}\nnot here\n", folder.display());
        assert_eq!(ended.stdout, wanted, "{:?}", site.env);
    }
}

#[test]
fn a_missing_go_says_where_it_looked() {
    let site = hello(Env::User);
    let mut command = site.gosandbox(&[], &["go", "version"]);
    let ended = Ended::of(command.env("PATH", "/nonexistent/decoy"));
    assert!(ended.status == 125 || ended.status == 127, "{ended:?}");
    ended.says("/nonexistent/decoy");
    let _ = goroot();
}

/// With `-C` of go's own, of which the caller's folder is no part of the project.
#[test]
fn a_module_beside_the_current_folder_is_built_and_stamped_as_bare() {
    for site in sites() {
        for module in ["app", "tools"] {
            site.file(
                &format!("{module}/go.mod"),
                &format!("module example.com/{module}\n\ngo 1.21\n"),
            );
            site.file(
                &format!("{module}/main.go"),
                "package main\n\nfunc main() { println(\"ran\") }\n",
            );
        }
        site.file(".gitignore", "program\n");
        for words in [&["init", "-q"][..], &["add", "-A"], &["commit", "-qm", "x"]] {
            let mut git = std::process::Command::new("git");
            git.args(["-c", "user.name=x", "-c", "user.email=x@example.com"]);
            let status = git.args(words).current_dir(&site.work).output().unwrap();
            assert!(status.status.success(), "{words:?}: {status:?}");
        }
        site.settle();
        let within = |words: &[&str]| {
            let mut command = site.gosandbox(&[], words);
            Ended::of(command.current_dir(site.work.join("app"))).expect(0)
        };
        within(&["go", "-C", "../tools", "build", "-o", "program"]);
        within(&["go", "run", "-C=../tools", "."]).says("ran");
        let program = site.work.join("tools/program");
        within(&["go", "version", "-m", program.to_str().unwrap()])
            .says("vcs.revision=")
            .says("vcs.modified=false");
    }
}

const MOVES: &str = include_str!("../fixtures/moves_test.go");

/// Programs write a file beside its place and rename it, or link it: between folders that are one file system for
/// them without gosandbox.
#[test]
fn programs_link_and_rename_between_their_own_folders() {
    for site in sites() {
        site.file("go.mod", MODULE);
        site.file("main_test.go", MOVES);
        site.settle();
        let words = ["go", "test", "-count=1", "."];
        let tmp = site.home.join("tmp");
        std::fs::create_dir_all(&tmp).unwrap();
        site.give(&tmp);
        Ended::of(site.bare(&words).env("TMPDIR", &tmp)).expect(0);
        site.run(&[], &words).expect(0);
    }
}

/// By its usual name too, unless something granted lies there.
#[test]
fn the_temporary_folder_is_found_by_its_usual_name_too() {
    let words = [
        "sh",
        "-c",
        "echo x > /tmp/file && cat \"$TMPDIR/file\" && cd /tmp && pwd -P",
    ];
    for env in [Env::User, Env::Root, Env::NoLandlock] {
        if !env.is_here() {
            continue;
        }
        let site = hello(env);
        assert!(
            !site.work.starts_with("/tmp"),
            "this shows nothing below /tmp"
        );
        assert_eq!(
            site.run(&[], &words).expect(0).stdout,
            "x\n/tmp\n",
            "{env:?}"
        );
    }
}

/// Programs that look for files by patterns start at the root or above the tree. A folder whose name has a `[` is such a
/// pattern for `go:embed`.
#[test]
fn folders_above_the_tree_are_listed_as_far_as_they_lead_to_it() {
    for env in [Env::User, Env::Root] {
        if !env.is_here() {
            continue;
        }
        let site = Site::new(env);
        let above = site.root.join("[above]");
        for (name, content) in [
            ("tree/go.mod", MODULE),
            ("tree/a.txt", "a"),
            ("beside.txt", "beside"),
            ("tree/main.go", ABOVE),
        ] {
            write(&above.join(name), content);
        }
        site.give(&above);
        site.settle();
        let tree = above.join("tree");
        let words = ["go", "run", "."];
        let bare = Ended::of(site.bare(&words).current_dir(&tree)).expect(0);
        assert_eq!(bare.stdout, "1 1 [beside.txt tree]\n");
        let inside = Ended::of(site.gosandbox(&[], &words).current_dir(&tree)).expect(0);
        assert_eq!(inside.stdout, "1 1 [tree]\n", "{env:?}");
        let list = "ls / /usr/bin /tmp && ls -d /*/ && cat /etc/os-release";
        let listed = site.run(&[], &["sh", "-c", list]).expect(0);
        listed.says("etc\n").says("sh\n").says("NAME=");
    }
}

const ABOVE: &str = r#"package main

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

//go:embed *.txt
var files embed.FS

func main() {
	embedded, _ := files.ReadDir(".")
	tree, _ := os.Getwd()
	above := regexp.MustCompile(`[\[\]]`).ReplaceAllString(filepath.Dir(tree), `\$0`)
	found, _ := filepath.Glob(above + "/t*e/*.txt")
	entries, _ := os.ReadDir(filepath.Dir(tree))
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	fmt.Println(len(embedded), len(found), names)
}
"#;

/// What the view does not hold cannot be listed into it: neither the host's folders nor what a file there holds.
#[test]
fn listing_reads_no_file() {
    let words = [
        "sh",
        "-c",
        "ls /usr/lib >/dev/null && cat /usr/lib/os-release /run/gosandbox/closed; ls -a /home /root /var; ls /run/gosandbox/programs",
    ];
    for env in [Env::User, Env::Root] {
        if !env.is_here() {
            continue;
        }
        let site = hello(env);
        let ended = site.run(&[], &words);
        assert!(!ended.stdout.contains("NAME="), "{env:?}: {ended:?}");
        let shown = ended
            .stdout
            .lines()
            .any(|line| line == ".bashrc" || line == "lib");
        assert!(!shown, "{env:?}: {ended:?}");
    }
}

/// Of what is installed go list reads the build ID. Without it every program would be stale.
#[test]
fn programs_that_are_installed_are_not_called_stale() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = hello(env);
        let bin = site.outside.join("bin");
        fs::create_dir(&bin).unwrap();
        site.give(&bin);
        let run = |words: &[&str]| Ended::of(site.gosandbox(&[], words).env("GOBIN", &bin));
        let stale = ["go", "list", "-f", "{{.Stale}}", "."];
        assert_eq!(run(&stale).expect(0).stdout, "true\n", "{env:?}");
        run(&["go", "install", "."]).expect(0);
        assert_eq!(run(&stale).expect(0).stdout, "false\n", "{env:?}");
        let json = run(&["go", "list", "-json=Stale,Name", "."]).expect(0);
        assert!(!json.stdout.contains("Stale"), "{env:?} {json:?}");
        // What is no program there is not read.
        write(&bin.join("secret"), "");
        let plain = site
            .gosandbox(&["--dry-run"], &stale)
            .env("GOBIN", &bin)
            .output();
        let plan = String::from_utf8(plain.unwrap().stdout).unwrap();
        let of = |name: &str| plan.contains(bin.join(name).to_str().unwrap());
        assert!(of("hello") && !of("secret"), "{env:?} {plan}");
    }
}
