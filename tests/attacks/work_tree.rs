//! What the work tree says of itself: its configuration, its profiles, and links in the place of its folders.

use std::path::Path;

use crate::inputs::{site, site_in};
use crate::support::{Ended, Env, write};

#[test]
fn configuration_in_the_work_tree_only_tightens() {
    for (text, what) in [
        ("[files]\nwrite = [\"/\"]\n", "files.write"),
        ("[files]\nread = [\"/root\"]\n", "files.read"),
        ("[network]\nallow = [\"example.com\"]\n", "network.allow"),
        (
            "[programs]\nallow-flags = [\"-toolexec\"]\n",
            "programs.allow-flags",
        ),
        ("[programs]\nexecute = [\"gcc\"]\n", "programs.execute"),
        ("[guarantees]\nnetwork-contained = \"off\"\n", "guarantees"),
        (
            "[modules]\nchecksum-database = \"off\"\n",
            "checksum-database",
        ),
        (
            "[environment]\npass = [\"GITHUB_TOKEN\"]\n",
            "environment.pass",
        ),
        ("[identity]\nuser = \"root\"\n", "identity"),
        ("extends = \"dev\"\n", "extends"),
        ("[files]\ntest = \"write\"\n", "files.test"),
    ] {
        let site = site();
        site.file(".gosandbox.toml", text);
        site.settle();
        let before = site.listing();
        let ended = site.run(&[], &["go", "version"]);
        assert_eq!(ended.status, 125, "{what}: {ended:?}");
        assert!(
            ended.stderr.contains(".gosandbox.toml"),
            "{what}: {ended:?}"
        );
        assert_eq!(before, site.listing());
    }
}

#[test]
fn no_profile_of_the_repository_is_found_by_its_name() {
    let site = site();
    let profile = site.file("ci/gosandbox/ours.toml", "extends = \"dev\"\n");
    site.settle();
    let run = |named: &str, configuration: &Path| {
        let mut command = site.gosandbox(&["--profile", named], &["go", "version"]);
        Ended::of(command.env("XDG_CONFIG_HOME", configuration))
    };
    let ours = site.work.join("ci");
    run("ours", &ours).expect(125).refused("profile-untrusted");
    run(profile.to_str().unwrap(), &ours).expect(0);
    let theirs = site.home.join(".config/gosandbox/ours.toml");
    write(&theirs, "extends = \"dev\"\n");
    site.settle();
    run("ours", &site.home.join(".config")).expect(0);
}

#[test]
fn a_testdata_link_widens_nothing() {
    const WRITE: &str = r#"package main

import (
	"fmt"
	"os"
	"testing"
)

func TestWrite(t *testing.T) {
	for _, path := range []string{"testdata/planted", "planted", "../outside/planted", "testdata/work/planted"} {
		if os.WriteFile(path, nil, 0o644) == nil {
			fmt.Println("WROTE", path)
		}
	}
}
"#;
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        for to in ["..", "../outside", ".", "/"] {
            let site = site_in(env);
            site.file("main_test.go", WRITE);
            std::os::unix::fs::symlink(to, site.work.join("testdata")).unwrap();
            site.settle();
            let ended = site.run(&[], &["go", "test", "-v", "-count=1", "."]);
            let ended = ended.expect(0);
            // Where the work tree is staged, what a strict test writes in it is dropped.
            let written = ended.stdout.contains("WROTE");
            assert!(env.has_namespaces() || !written, "{env:?}: {ended:?}");
            assert!(!ended.stdout.contains("WROTE ../outside"), "{ended:?}");
            assert!(!site.work.join("planted").exists() && !site.outside.join("planted").exists());
        }
    }
}

#[test]
fn another_packages_build_folder_is_out_of_a_tests_reach() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site_in(env);
        site.file(
            "main_test.go",
            "package main\n\nimport (\n\t\"os\"\n\t\"path/filepath\"\n\t\"testing\"\n)\n\nfunc TestWrite(t *testing.T) {\n\tself, _ := os.Executable()\n\town := filepath.Dir(self)\n\tif err := os.WriteFile(filepath.Join(own, \"mine\"), nil, 0o644); err != nil {\n\t\tt.Error(err)\n\t}\n\tdirs, _ := filepath.Glob(filepath.Join(filepath.Dir(own), \"b*\"))\n\tfor _, dir := range append(dirs, filepath.Dir(own)) {\n\t\tif dir != own && os.WriteFile(filepath.Join(dir, \"planted\"), nil, 0o644) == nil {\n\t\t\tt.Error(dir)\n\t\t}\n\t}\n}\n",
        );
        site.settle();
        site.run(&[], &["go", "test", "-count=1", "."]).expect(0);
    }
}

#[test]
fn a_work_tree_exchanged_for_a_link_is_not_followed() {
    let site = site();
    let link = site.root.join("link");
    std::os::unix::fs::symlink(&site.work, &link).unwrap();
    site.settle();
    // A link that is there from the start is resolved once, and its target is what is granted.
    site.run(&["-C", link.to_str().unwrap()], &["go", "run", "."])
        .expect(0);
}
