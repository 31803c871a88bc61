//! Version control stamping, for which go has git run: a repository's configuration names programs to execute.

use std::fs;

use crate::inputs::{marker, site, site_in, with};
use crate::support::{Ended, Env, Site, goroot};

#[test]
fn a_repository_runs_nothing_at_a_build() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site_in(env);
        let mark = site.work.join("marked");
        let program = site.program("hook.sh", &format!("#!/bin/sh\n: > {}\n", mark.display()));
        let git = |words: &[&str]| {
            let status = std::process::Command::new("git")
                .args(["-c", "user.name=x", "-c", "user.email=x@example.com"])
                .args(words)
                .current_dir(&site.work)
                .output()
                .unwrap();
            assert!(status.status.success(), "{words:?}: {status:?}");
        };
        git(&["init", "-q"]);
        git(&["add", "-A"]);
        git(&["commit", "-qm", "x"]);
        git(&["config", "core.fsmonitor", &program.to_string_lossy()]);
        git(&["config", "filter.x.clean", &program.to_string_lossy()]);
        site.file(".gitattributes", "* filter=x\n");
        let hook = fs::read_to_string(&program).unwrap();
        site.program(".git/hooks/post-index-change", &hook);
        fs::remove_file(site.work.join("marked")).ok();
        site.settle();
        let ended = site
            .run(&[], &["go", "build", "-o", "/dev/null", "."])
            .expect(0);
        assert!(!mark.exists(), "{env:?}: {ended:?}");
        assert!(
            ended.stderr.contains("no version control stamping"),
            "{env:?}: {ended:?}"
        );
    }
}

/// Beside tests and programs a shell can be executed, and whatever lies in the tree.
#[test]
fn a_repository_runs_nothing_beside_programs_even_where_stamping_is_asked_for() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let (site, mark) = repository_with_a_monitor(env);
        for words in [&["go", "run", "."][..], &["go", "test", "-count=1", "."]] {
            for flags in ["-buildvcs=true", "-buildvcs=true '-tags=a -buildvcs=false'"] {
                let ended = with(&site, "GOFLAGS", flags, words);
                assert!(!mark.exists(), "{env:?} {flags} {words:?}: {ended:?}");
                ended.expect(0).says("no version control stamping");
            }
            let given = [&words[..2], &["-buildvcs=true"], &words[2..]].concat();
            for flags in ["", "-buildvcs=false"] {
                let ended = with(&site, "GOFLAGS", flags, &given);
                assert!(!mark.exists(), "{env:?} {given:?}: {ended:?}");
                ended.expect(125).refused("stamping-refused");
            }
        }
        site.run(
            &[],
            &["go", "build", "-buildvcs=false", "-o", "/dev/null", "."],
        )
        .expect(0);
        site.run(
            &[],
            &["go", "build", "-buildvcs=true", "-o", "/dev/null", "."],
        )
        .expect(125)
        .says("core.fsmonitor");
    }
}

#[test]
fn it_runs_it_without_gosandbox() {
    let (site, mark) = repository_with_a_monitor(Env::User);
    let mut command = site.bare(&["go", "run", "."]);
    Ended::of(command.env("GOFLAGS", "-buildvcs=true"));
    assert!(mark.exists());
}

/// A repository whose configuration names a program, and the mark that the program leaves in the tree.
fn repository_with_a_monitor(env: Env) -> (Site, std::path::PathBuf) {
    let site = site_in(env);
    let mark = site.work.join("own/marked");
    let program = site.program(
        "own/monitor",
        &format!("#!/bin/sh\n: > {}\n", mark.display()),
    );
    for words in [
        &["init", "-q"][..],
        &["add", "-A"],
        &["commit", "-qm", "x"],
        &["config", "core.fsmonitor", &program.to_string_lossy()],
    ] {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=x", "-c", "user.email=x@example.com"]);
        let status = git.args(words).current_dir(&site.work).output().unwrap();
        assert!(status.status.success(), "{words:?}: {status:?}");
    }
    site.settle();
    fs::remove_file(&mark).ok();
    (site, mark)
}

/// go has git run in the nearest repository of the folder that it works in.
#[test]
fn a_repository_within_the_module_is_not_stamped() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let (site, _) = repository_with_a_monitor(env);
        site.file("sub/main.go", "package main\n\nfunc main() {}\n");
        fs::rename(site.work.join(".git"), site.work.join("sub/.git")).unwrap();
        let git = std::process::Command::new("git")
            .args(["init", "-q"])
            .current_dir(&site.work)
            .output();
        assert!(git.unwrap().status.success());
        site.settle();
        for options in [&["-C", "sub"][..], &[]] {
            let words: &[&str] = match options {
                [] => &["go", "-C", "sub", "build", "-o", "/dev/null", "."],
                _ => &["go", "build", "-o", "/dev/null", "."],
            };
            site.run(options, words)
                .expect(0)
                .says("is a repository within");
        }
    }
}

/// go looks for a repository up to the root, and passes over the file that a submodule has for one. What is around
/// the project it must not run git in, and cannot see where there are mounts.
#[test]
fn a_repository_around_the_projects_is_not_stamped() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site_in(env);
        for words in [&["init", "-q"][..], &["add", "-A"], &["commit", "-qm", "x"]] {
            let mut git = std::process::Command::new("git");
            git.args(["-c", "user.name=x", "-c", "user.email=x@example.com"]);
            let status = git.args(words).current_dir(&site.work).output().unwrap();
            assert!(status.status.success(), "{words:?}: {status:?}");
        }
        site.file("sub/.git", "gitdir: ../.git/modules/sub\n");
        site.file("sub/go.mod", "module example.com/sub\n\ngo 1.21\n");
        site.file("sub/main.go", "package main\n\nfunc main() {}\n");
        site.settle();
        let words = ["go", "build", "-o", "program"];
        site.run(&["-C", "sub"], &words)
            .expect(0)
            .says("is a repository around the project's");
        site.run(&["-C", "sub"], &[&words[..], &["-buildvcs=true"]].concat())
            .expect(125)
            .refused("stamping-refused");
    }
}

#[test]
fn a_nested_foreign_repository_runs_nothing() {
    let site = site();
    let (program, mark) = marker(&site, "hg");
    site.file(
        "sub/.hg/hgrc",
        &format!("[hooks]\npre-status = {program}\n"),
    );
    site.file("sub/go.mod", "module example.com/sub\n\ngo 1.21\n");
    site.file("sub/main.go", "package main\n\nfunc main() {}\n");
    site.file("sub/.git/HEAD", "ref: refs/heads/main\n");
    site.settle();
    let path = format!(
        "{}:/usr/bin:/bin:{}",
        site.outside.display(),
        goroot().join("bin").display()
    );
    for folder in [".", "sub"] {
        let mut command = site.gosandbox(&["-C", folder], &["go", "build", "-o", "/dev/null", "."]);
        let ended = Ended::of(command.env("PATH", &path));
        assert!(!mark.exists(), "{folder}: {ended:?}");
    }
}
