//! Outputs that flags name are granted, and nothing that a repository puts in their way is.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Env, Site, goroot, write};

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("main.go", "package main\n\nfunc main() {}\n");
    site.file(
        "main_test.go",
        "package main\n\nimport \"testing\"\n\nfunc TestNothing(t *testing.T) {}\n",
    );
    site.file(".git/HEAD", "ref: refs/heads/main\n");
    site.file(".git/config", "");
    site.file(".git/hooks/README", "");
    site.file(".git/objects/README", "");
    site.file(".git/refs/README", "");
    write(&site.outside.join("profile"), "the user's own\n");
    site
}

#[test]
fn a_link_of_the_repository_does_not_choose_where_an_output_goes() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        for words in [
            &["go", "test", "-coverprofile=c.out", "."][..],
            &["go", "test", "-cpuprofile=c.out", "."],
            &["go", "build", "-o", "c.out", "."],
            &["go", "build", "-o", "folder/profile", "."],
        ] {
            let site = site(env);
            symlink("../outside/profile", site.work.join("c.out")).unwrap();
            symlink("../outside", site.work.join("folder")).unwrap();
            site.settle();
            let ended = site.run(&[], words);
            let text = fs::read_to_string(site.outside.join("profile"));
            assert!(
                text.as_ref().is_ok_and(|text| text == "the user's own\n"),
                "{env:?} {words:?}: {ended:?}"
            );
        }
    }
}

#[test]
fn no_output_is_written_to_a_protected_path() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        for place in [
            ".git/hooks/post-checkout",
            ".github/workflows/x.yml",
            ".envrc",
            ".vscode/x",
            "./.git/../.git/config",
        ] {
            let site = site(env);
            site.file(".github/workflows/y.yml", "");
            site.settle();
            let flag = format!("-coverprofile={place}");
            for words in [
                &["go", "build", "-o", place, "."][..],
                &["go", "test", &flag, "."],
            ] {
                let before = site.listing();
                let ended = site.run(&[], words);
                assert_ne!(ended.status, 0, "{env:?} {words:?}: {ended:?}");
                let now: Vec<_> = site
                    .listing()
                    .into_iter()
                    .filter(|path| !path.to_string_lossy().contains("quarantine"))
                    .collect();
                assert_eq!(now, before, "{env:?} {words:?}");
                assert_eq!(
                    fs::read_to_string(site.work.join(".git/config")).unwrap(),
                    "",
                    "{env:?} {words:?}"
                );
            }
        }
    }
}

#[test]
fn no_output_is_written_to_the_toolchain_or_a_cache() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        site.settle();
        let places = [
            goroot().join("gosandbox-attack"),
            site.cache().join("go-build/00/gosandbox-attack"),
            site.cache().join("mod/gosandbox-attack"),
        ];
        for place in places {
            let flag = format!("-cpuprofile={}", place.display());
            for words in [
                &["go", "build", "-o", place.to_str().unwrap(), "."][..],
                &["go", "test", "-count=1", &flag, "."],
            ] {
                let ended = site.run(&[], words);
                let is_there = place.exists();
                fs::remove_file(&place).ok();
                assert!(
                    !is_there && ended.status != 0,
                    "{env:?} {words:?}: {ended:?}"
                );
            }
        }
    }
}
