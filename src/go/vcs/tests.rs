use std::fs;

use super::*;

fn verdict(config: &str) -> Stamping {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::create_dir(dir.path().join(".git")).expect("folder");
    fs::write(dir.path().join(".git/config"), config).expect("config");
    stamping(dir.path())
}

#[test]
fn an_ordinary_clone_is_safe() {
    let config = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n[remote \"origin\"]\n\turl = git@x:y\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n[branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n[user]\n\tname = x\n";
    let Stamping::Safe { environment, read } = verdict(config) else {
        panic!("not safe")
    };
    assert!(environment.contains(&("GIT_CONFIG_COUNT".into(), "4".into())));
    assert!(environment.contains(&("GIT_CONFIG_KEY_3".into(), "safe.directory".into())));
    assert!(read[0].ends_with(".git"));
}

#[test]
fn anything_that_can_run_is_named() {
    for (config, key) in [
        ("[core]\nfsmonitor = /tmp/x", "core.fsmonitor"),
        ("[core]\nsshCommand = x", "core.sshcommand"),
        ("[core]\nworktree = /", "core.worktree"),
        ("[core]\ngitProxy = x", "core.gitproxy"),
        ("[core]\npager = x", "core.pager"),
        ("[filter \"x\"]\nclean = x", "filter.x.clean"),
        ("[diff \"x\"]\ncommand = x", "diff.x.command"),
        ("[diff]\nexternal = x", "diff.external"),
        ("[gpg]\nprogram = x", "gpg.program"),
        ("[alias]\nx = !y", "alias.x"),
        ("[credential]\nhelper = !x", "credential.helper"),
        ("[remote \"o\"]\nuploadpack = x", "remote.o.uploadpack"),
        ("[remote \"o\"]\npromisor = true", "remote.o.promisor"),
        ("[include]\npath = /tmp/x", "include.path"),
        (
            "[includeIf \"gitdir:/\"]\npath = /tmp/x",
            "includeif.gitdir:/.path",
        ),
        ("[extensions]\npartialClone = o", "extensions.partialclone"),
        ("[extensions]\nnovelty = 1", "extensions.novelty"),
    ] {
        match verdict(config) {
            Stamping::Unsafe { reason } => assert!(reason.contains(key), "{reason}"),
            other => panic!("{config}: {other:?}"),
        }
    }
}

#[test]
fn a_worktree_config_and_submodules_are_read_too() {
    let dir = tempfile::tempdir().expect("tempdir");
    let git = dir.path().join(".git");
    fs::create_dir_all(git.join("modules/a/b")).expect("folders");
    fs::write(git.join("config"), "[extensions]\nworktreeConfig = true\n").expect("config");
    assert!(matches!(stamping(dir.path()), Stamping::Safe { .. }));
    fs::write(git.join("config.worktree"), "[core]\neditor = x\n").expect("config");
    assert!(matches!(stamping(dir.path()), Stamping::Unsafe { .. }));
    fs::remove_file(git.join("config.worktree")).expect("removed");
    fs::write(git.join("modules/a/b/HEAD"), "").expect("head");
    fs::write(git.join("modules/a/b/config"), "[core]\nworktree = ../x\n").expect("config");
    assert!(matches!(stamping(dir.path()), Stamping::Safe { .. }));
    fs::write(
        git.join("modules/a/b/config"),
        "[filter \"x\"]\nclean = y\n",
    )
    .expect("config");
    assert!(matches!(stamping(dir.path()), Stamping::Unsafe { .. }));
}

#[test]
fn a_git_file_means_no_stamping_and_a_link_is_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    assert_eq!(stamping(dir.path()), Stamping::None);
    fs::write(dir.path().join(".git"), "gitdir: /etc\n").expect("file");
    assert_eq!(stamping(dir.path()), Stamping::None);
    fs::remove_file(dir.path().join(".git")).expect("removed");
    std::os::unix::fs::symlink("/etc", dir.path().join(".git")).expect("link");
    assert!(matches!(stamping(dir.path()), Stamping::Unsafe { .. }));
}

#[test]
fn the_checkout_is_the_one_that_go_finds() {
    let dir = tempfile::tempdir().expect("tempdir");
    let inner = dir.path().join("a/b/c");
    fs::create_dir_all(&inner).expect("folders");
    let outside = checkout(&inner).map(Path::to_owned);
    assert!(outside.is_none_or(|found| dir.path().starts_with(found)));
    fs::create_dir(dir.path().join(".git")).expect("folder");
    assert_eq!(checkout(&inner), Some(dir.path()));
    fs::write(dir.path().join("a/.git"), "gitdir: ../.git/modules/a\n").expect("file");
    fs::create_dir(dir.path().join("a/_FOSSIL_")).expect("folder");
    assert_eq!(checkout(&inner), Some(dir.path()));
    fs::write(dir.path().join("a/b/_FOSSIL_"), "").expect("file");
    assert_eq!(checkout(&inner), Some(dir.path().join("a/b").as_path()));
}

#[test]
fn other_systems_are_switched_off() {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::create_dir(dir.path().join(".hg")).expect("folder");
    assert!(matches!(stamping(dir.path()), Stamping::Unsafe { .. }));
    fs::create_dir(dir.path().join(".git")).expect("folder");
    assert!(matches!(stamping(dir.path()), Stamping::Unsafe { .. }));
}
