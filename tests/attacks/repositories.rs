//! Repositories that code of the source plants, under any name, for a git that runs outside later: git
//! takes its configuration from where it is called, and that names programs to execute.

use std::path::Path;

use crate::support::{Ended, Env, Site};

/// Plants one of each kind below the folder `$1`, each of which touches the file `$2` when git looks.
const PLANT: &str = r#"
repository() {
    mkdir -p "$1/refs" "$1/objects"
    printf '[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = "touch %s;false"\n' "$2" > "$1/config"
    echo ref: refs/heads/main > "$1/HEAD"
}
mkdir -p "$1/linked" "$1/plain" "$1/file"
repository "$1/plain/.git" "$2"
repository "$1/bare" "$2"
repository "$1/hidden" "$2"
ln -s ../hidden "$1/linked/.git"
echo gitdir: ../hidden > "$1/file/.git"
mkdir -p "$1/closed/shut"
repository "$1/closed/shut/in" "$2"
chmod 0311 "$1/closed" "$1/closed/shut"
repository "$1" "$2"
true
"#;

const PLACES: [&str; 7] = [
    "",
    "plain",
    "bare",
    "linked",
    "file",
    "closed/shut/in",
    "plain/.git",
];

const PROGRAM: &str = "package main\n\n//go:generate sh plant.sh own MARKER\n\nimport \"os/exec\"\n\nfunc plant(folder string) {\n\texec.Command(\"sh\", \"plant.sh\", folder, \"MARKER\").Run()\n}\n\nfunc main() { plant(\"own\") }\n";
const TEST: &str =
    "package main\n\nimport \"testing\"\n\nfunc TestPlant(t *testing.T) { plant(\"testdata\") }\n";

const FUZZ: &str = "package main\n\nimport \"testing\"\n\nfunc FuzzPlant(f *testing.F) {\n\tplant(\"testdata\")\n\tf.Fuzz(func(*testing.T, int) {})\n}\n";

fn site(env: Env) -> (Site, std::path::PathBuf) {
    let site = Site::new(env);
    let marker = site.outside.join("executed");
    let named = |text: &str| text.replace("MARKER", marker.to_str().unwrap());
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("main.go", &named(PROGRAM));
    site.file("main_test.go", TEST);
    site.file("plant.sh", PLANT);
    site.file("own/README", "");
    site.file("testdata/README", "");
    site.settle();
    (site, marker)
}

/// Where git, called outside in every folder below one, executes what is planted.
fn executed(site: &Site, folder: &str, marker: &Path) -> Vec<String> {
    let moved = |path: &std::path::PathBuf| {
        let name = path.to_string_lossy().into_owned();
        (path.is_dir() && name.contains("quarantine")).then_some(name)
    };
    let places = PLACES.iter().map(|place| format!("{folder}/{place}"));
    let listing = site.listing();
    let mut bad = Vec::new();
    for place in places.chain(listing.iter().filter_map(moved)) {
        if !site.work.join(&place).is_dir() {
            continue;
        }
        Ended::of(&mut site.bare(&["git", "-C", &place, "status"]));
        if std::fs::remove_file(marker).is_ok() {
            bad.push(place);
        }
    }
    bad
}

const WAYS: [(&[&str], &str); 4] = [
    (&["go", "generate", "./..."], "own"),
    (&["go", "run", "."], "own"),
    (&["go", "test", "-count=1", "./..."], "testdata"),
    (&["sh", "plant.sh", "own", ""], "own"),
];

fn words<'a>(words: &[&'a str], marker: &'a Path) -> Vec<&'a str> {
    let marker = marker.to_str().unwrap();
    let named = |word: &&'a str| if word.is_empty() { marker } else { *word };
    words.iter().map(named).collect()
}

#[test]
fn git_executes_nothing_that_a_run_has_planted() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        for (way, folder) in WAYS {
            let (site, marker) = site(env);
            let ended = site.run(&[], &words(way, &marker));
            let found = executed(&site, folder, &marker);
            assert!(found.is_empty(), "{env:?} {way:?}: {found:?} {ended:?}");
            let said = match env.has_namespaces() {
                true => "makes-repository",
                false => "(protected-path)",
            };
            ended.expect(125).says(said);
        }
    }
}

#[test]
fn a_first_fuzzing_plants_nothing_either() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (site, marker) = site(env);
        std::fs::remove_dir_all(site.work.join("testdata")).unwrap();
        site.file("main_test.go", FUZZ);
        site.settle();
        let words = ["go", "test", "-fuzz=Plant", "-fuzztime=1x", "."];
        let ended = site.run(&[], &words);
        let found = executed(&site, "testdata", &marker);
        assert!(found.is_empty(), "{env:?}: {found:?} {ended:?}");
    }
}

#[test]
fn git_executes_it_where_it_was_planted_without_gosandbox() {
    let (site, marker) = site(Env::User);
    for (way, folder) in WAYS {
        Ended::of(&mut site.bare(&words(way, &marker)));
        let found = executed(&site, folder, &marker);
        assert_eq!(found.len(), PLACES.len(), "{way:?}: {found:?}");
    }
}

#[test]
fn a_repository_that_is_there_can_be_read_and_not_changed() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (site, _) = site(env);
        for file in ["HEAD", "objects/x", "refs/x", "config"] {
            site.file(&format!("own/there.git/{file}"), "kept\n");
        }
        site.settle();
        let script =
            "cat own/there.git/config; echo x > own/there.git/config; echo fine > own/README";
        let ended = site.run(&[], &["sh", "-c", script]);
        match env.has_namespaces() {
            true => ended.expect(125).says("kept").says("inside-repository"),
            false => ended.expect(0).says("kept"),
        };
        assert_eq!(
            std::fs::read_to_string(site.work.join("own/README")).unwrap(),
            "fine\n"
        );
        let config = std::fs::read_to_string(site.work.join("own/there.git/config")).unwrap();
        assert_eq!(config, "kept\n", "{env:?}");
    }
}

#[test]
fn what_is_protected_in_testdata_can_be_read_by_a_test_and_not_changed() {
    const TEST: &str = r#"package main

import (
	"os"
	"testing"
)

func TestChange(t *testing.T) {
	for _, path := range []string{"repo/.git/config", "there.git/config", ".vscode/tasks.json", "repo/.git/testdata/x"} {
		path = "testdata/" + path
		if _, err := os.ReadFile(path); err != nil {
			t.Error(err)
		}
		os.WriteFile(path, []byte("planted\n"), 0o755)
		os.Chmod(path, 0o777)
	}
	os.WriteFile("testdata/repo/.git/hooks/pre-commit", []byte("planted\n"), 0o755)
	os.Chmod(".git/testdata/x", 0o777)
	if err := os.WriteFile("testdata/own/made", nil, 0o644); err != nil {
		t.Error(err)
	}
	if err := os.Chmod("testdata/own/made", 0o755); err != nil {
		t.Error(err)
	}
}
"#;
    let kept = [
        "testdata/repo/.git/config",
        "testdata/there.git/config",
        "testdata/.vscode/tasks.json",
        "testdata/repo/.git/testdata/x",
        ".git/testdata/x",
    ];
    let make = |env: Env| {
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
        site.file("main_test.go", TEST);
        for file in ["HEAD", "objects/x", "refs/x"] {
            site.file(&format!("testdata/there.git/{file}"), "kept\n");
        }
        for file in kept {
            site.file(file, "kept\n");
        }
        site.file("testdata/repo/.git/hooks/README", "");
        site.file("testdata/own/README", "");
        site.settle();
        site
    };
    let changed = |site: &Site| {
        use std::os::unix::fs::PermissionsExt;
        let is_changed = |file: &&str| {
            let path = site.work.join(file);
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            std::fs::read_to_string(path).unwrap() != "kept\n" || mode & 0o777 == 0o777
        };
        let mut found: Vec<&str> = kept.into_iter().filter(is_changed).collect();
        if site
            .work
            .join("testdata/repo/.git/hooks/pre-commit")
            .exists()
        {
            found.push("hook");
        }
        found
    };
    let words = ["go", "test", "-count=1", "."];
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = make(env);
        let ended = site.run(&[], &words);
        assert_eq!(changed(&site), [""; 0], "{env:?}: {ended:?}");
        match env.has_namespaces() {
            true => ended.expect(125).says("protected-path"),
            false => ended.expect(0),
        };
    }
    let site = make(Env::User);
    Ended::of(&mut site.bare(&words)).expect(0);
    assert_eq!(changed(&site).len(), kept.len() + 1);
}

#[test]
fn hooks_and_configuration_that_git_is_led_to_are_not_written() {
    const CONFIG: &str = "[core]\n\thooksPath = own/hooks\n[include]\n\tpath = ../own/gitconfig\n\tpath = ../own/none\n\tpath = ../top\n\
        [filter \"x\"]\n\tclean = ./own/clean %f\n";
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (site, _) = site(env);
        site.file(".git/config", CONFIG);
        for file in ["own/hooks/pre-commit", "own/gitconfig", "own/clean", "top"] {
            site.file(file, "# kept\n");
        }
        site.settle();
        let script = "cd own; for f in hooks/pre-commit hooks/post-checkout gitconfig none clean; do \
            echo planted > $f; done; cp -r hooks copy; mv hooks gone; mv copy hooks; \
            echo planted > hooks/pre-commit; cd ..; echo planted > top; mv own away; mkdir -p own/hooks; \
            echo planted > own/hooks/pre-commit; echo planted > own/gitconfig; \
            echo planted > own/clean; true";
        site.run(&[], &["sh", "-c", script]);
        for file in [
            "hooks/pre-commit",
            "hooks/post-checkout",
            "gitconfig",
            "none",
            "clean",
            "../top",
        ] {
            let text =
                std::fs::read_to_string(site.work.join("own").join(file)).unwrap_or_default();
            assert!(!text.contains("planted"), "{env:?} {file}");
        }
        let refused = site.run(&[], &["go", "build", "-o", "own/hooks/pre-commit", "."]);
        assert_ne!(refused.status, 0, "{env:?} {refused:?}");
    }
}

/// git executes these in a submodule, and in the repository that the project is a submodule of.
#[test]
fn hooks_of_submodules_and_of_the_repository_around_are_not_written() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (site, _) = site(env);
        site.file(".git/config", "[core]\n\thooksPath = sub/outer\n");
        site.file(".git/modules/sub/HEAD", "");
        let config = "[core]\n\tworktree = ../../../sub\n\thooksPath = inner\n";
        site.file(".git/modules/sub/config", config);
        site.file("sub/.git", "gitdir: ../.git/modules/sub\n");
        site.file("sub/go.mod", "module example.com/sub\n\ngo 1.21\n");
        for file in ["sub/outer/pre-commit", "sub/inner/pre-commit"] {
            site.file(file, "# kept\n");
        }
        site.settle();
        let script = "for hooks in outer inner; do echo planted > $hooks/pre-commit; \
            mv $hooks gone; mkdir -p $hooks; echo planted > $hooks/pre-commit; done; true";
        let within = format!("cd sub && {{ {script}; }}");
        site.run(&["-C", "sub"], &["sh", "-c", script]);
        site.run(&[], &["sh", "-c", &within]);
        for file in ["sub/outer/pre-commit", "sub/inner/pre-commit"] {
            let text = std::fs::read_to_string(site.work.join(file)).unwrap();
            assert_eq!(text, "# kept\n", "{env:?} {file}");
        }
    }
}

#[test]
fn hooks_are_written_and_executed_without_gosandbox() {
    let (site, marker) = site(Env::User);
    let git = |words: &[&str]| Ended::of(&mut site.bare(&[&["git"], words].concat())).expect(0);
    git(&["init", "-q"]);
    git(&["config", "core.hooksPath", "own/hooks"]);
    let script = format!(
        "mkdir own/hooks; printf '#!/bin/sh\ntouch {}\n' > own/hooks/pre-commit; chmod +x own/hooks/pre-commit",
        marker.display()
    );
    Ended::of(&mut site.bare(&["sh", "-c", &script])).expect(0);
    git(&[
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "commit",
        "--allow-empty",
        "-qm",
        "x",
    ]);
    assert!(marker.exists());
}

/// A byte that is not UTF-8 once made all of a configuration count for nothing, and links in what is protected
/// lead to what is executed.
#[test]
fn what_a_configuration_in_latin_1_and_links_lead_to_is_not_written() {
    use std::os::unix::fs::symlink;
    const CONFIG: &[u8] =
        b"# J\xfcrgen\n[user]\n\tname = J\xfcrgen\n[core]\n\thooksPath = own/hooks\n";
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (site, _) = site(env);
        site.file(".git/hooks/README", "");
        std::fs::write(site.work.join(".git/config"), CONFIG).unwrap();
        for file in ["own/hooks/pre-commit", "scripts/x", "scripts/tasks.json"] {
            site.file(file, "# kept\n");
        }
        symlink("../../scripts/x", site.work.join(".git/hooks/pre-push")).unwrap();
        symlink(
            "../../scripts/missing",
            site.work.join(".git/hooks/post-merge"),
        )
        .unwrap();
        site.file(".vscode/README", "");
        symlink(
            "../scripts/tasks.json",
            site.work.join(".vscode/tasks.json"),
        )
        .unwrap();
        site.settle();
        let script = "for f in own/hooks/pre-commit own/hooks/post-commit scripts/x scripts/missing scripts/tasks.json; do \
            echo planted > $f; done; true";
        site.run(&[], &["sh", "-c", script]);
        for file in [
            "own/hooks/pre-commit",
            "own/hooks/post-commit",
            "scripts/x",
            "scripts/missing",
            "scripts/tasks.json",
        ] {
            let text = std::fs::read_to_string(site.work.join(file)).unwrap_or_default();
            assert!(!text.contains("planted"), "{env:?} {file}");
        }
    }
}

#[test]
fn a_configuration_that_cannot_be_understood_refuses_what_runs_code_of_the_source() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (site, _) = site(env);
        site.file(
            ".git/config",
            "[core]\n\thooksPath = own/hooks\n\tx = \\q\n",
        );
        site.settle();
        let ended = site.run(&[], &["sh", "-c", "echo planted > own/hooks"]);
        ended
            .expect(125)
            .refused("git-configuration-unclear")
            .says("line 3");
        assert!(!site.work.join("own/hooks").exists());
        site.run(&[], &["go", "vet", "-buildvcs=false", "./..."])
            .expect(0);
    }
}
