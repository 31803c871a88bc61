//! Linked work trees and submodules, whose `.git` is a file: git that reads works inside, and a `.git` file of the
//! source's own shows nothing.

use std::path::Path;
use std::process::Command;

use crate::support::{Env, Site, in_environments, write};

/// As the user of the tests, before the site is handed to its owner.
fn git(folder: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args([
        "-c",
        "protocol.file.allow=always",
        "-c",
        "init.defaultBranch=main",
    ]);
    command.arg("-C").arg(folder).args(words).env_clear();
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "a")
            .env(format!("GIT_{who}_EMAIL"), "a@example.com");
    }
    command
        .env("PATH", "/usr/bin:/bin")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    let ended = command.output().unwrap();
    assert!(
        ended.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
    String::from_utf8(ended.stdout).unwrap().trim().to_owned()
}

/// A repository with a commit and a tag, outside the work tree.
fn repository(site: &Site, name: &str) -> std::path::PathBuf {
    let main = site.outside.join(name);
    write(&main.join("go.mod"), "module example.com/m\n\ngo 1.21\n");
    write(&main.join("m.go"), "package m\n");
    write(
        &main.join("Makefile"),
        "V := $(shell git describe --tags)\nv:\n\t@echo version=$(V)\n",
    );
    git(&main, &["init", "-q"]);
    git(&main, &["add", "-A"]);
    git(&main, &["commit", "-qm", "one"]);
    git(&main, &["tag", "v1.2.3"]);
    main
}

/// Git that reads answers as without gosandbox, and what it reads cannot be written.
fn works(site: &Site, common: &Path) {
    let env = site.env;
    for words in [
        &["git", "rev-parse", "HEAD"][..],
        &["git", "describe", "--tags", "--dirty"],
        &["git", "log", "--format=%h %s"],
        &["git", "status", "--porcelain"],
    ] {
        let bare = crate::support::Ended::of(&mut site.bare(words));
        // As root in the container git does not trust the other user's repository, bare.
        if env == Env::Container {
            site.run(&[], words).expect(0);
        } else {
            assert_eq!(
                site.run(&[], words).expect(0).stdout,
                bare.expect(0).stdout,
                "{env:?} {words:?}"
            );
        }
    }
    site.run(&[], &["make", "-s", "v"])
        .expect(0)
        .says("version=v1.2.3");
    let hook = common.join("hooks/post-checkout");
    for script in [
        format!("echo x > {}", hook.display()),
        format!("echo x >> {}/config", common.display()),
        "git commit --allow-empty -m two".to_owned(),
    ] {
        assert_ne!(
            site.run(&[], &["sh", "-c", &script]).status,
            0,
            "{env:?}: {script}"
        );
    }
    assert!(!hook.exists());
}

in_environments!(git_reads_in_a_linked_work_tree);
fn git_reads_in_a_linked_work_tree(env: Env) {
    let site = Site::new(env);
    let main = repository(&site, "main");
    let tree = site.work.to_string_lossy().into_owned();
    git(&main, &["worktree", "add", "-q", &tree, "-b", "other"]);
    git(
        &main,
        &["config", "http.extraheader", "Authorization: decoysecret"],
    );
    site.settle();
    works(&site, &main.join(".git"));
    // The main work tree is not shown, nor a secret in the configuration.
    let read = format!("cat {}", main.join("m.go").display());
    assert_ne!(site.run(&[], &["sh", "-c", &read]).status, 0, "{env:?}");
    if env.has_namespaces() {
        let read = format!("cat {}", main.join(".git/config").display());
        let config = site.run(&[], &["sh", "-c", &read]).expect(0).stdout;
        assert!(!config.contains("decoysecret"), "{env:?}: {config}");
    }
    site.run(&[], &["go", "build", "./..."]).expect(0);
}

in_environments!(git_reads_in_a_submodule);
fn git_reads_in_a_submodule(env: Env) {
    let site = Site::new(env);
    let main = repository(&site, "main");
    let around = site.outside.join("around");
    write(&around.join("README"), "around\n");
    git(&around, &["init", "-q"]);
    git(
        &around,
        &["submodule", "add", "-q", main.to_str().unwrap(), "sub"],
    );
    git(&around, &["commit", "-qam", "one"]);
    let moved = Site {
        work: around.join("sub"),
        root: site.root.clone(),
        home: site.home.clone(),
        outside: site.outside.clone(),
        env,
    };
    site.settle();
    works(&moved, &around.join(".git/modules/sub"));
}

in_environments!(a_git_file_of_the_source_shows_no_other_repository);
fn a_git_file_of_the_source_shows_no_other_repository(env: Env) {
    let site = Site::new(env);
    let main = repository(&site, "main");
    let tree = site.outside.join("tree").to_string_lossy().into_owned();
    git(&main, &["worktree", "add", "-q", &tree, "-b", "other"]);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    for target in [main.join(".git"), main.join(".git/worktrees/tree")] {
        site.file(".git", &format!("gitdir: {}\n", target.display()));
        site.settle();
        let read = format!("cat {}/HEAD", main.join(".git").display());
        assert_ne!(site.run(&[], &["sh", "-c", &read]).status, 0, "{env:?}");
        // Control: it could be read.
        crate::support::Ended::of(&mut site.bare(&["sh", "-c", &read])).expect(0);
    }
}
