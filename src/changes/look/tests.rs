use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};

use super::*;
use crate::policy::protected::Matcher;

#[rustfmt::skip]
const NAMES: [&str; 6] = [".idea", ".git", ".envrc", ".vscode", "Jenkinsfile", ".cargo/config.toml"];

struct Scene {
    _base: tempfile::TempDir,
    base: PathBuf,
    tree: PathBuf,
}

fn scene(folders: &[&str]) -> Scene {
    let held = tempfile::tempdir().unwrap();
    let base = held.path().canonicalize().unwrap();
    let tree = base.join("tree");
    fs::create_dir(&tree).unwrap();
    for folder in folders {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    Scene {
        _base: held,
        base,
        tree,
    }
}

fn repository(folder: &Path) {
    for part in ["objects", "refs"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").unwrap();
}

impl Scene {
    fn record(&self, watched: &[&str]) -> LookRecord {
        let scope = Scope {
            roots: vec![PathBuf::new()],
            names: NAMES.map(PathBuf::from).to_vec(),
            watched: watched.iter().map(PathBuf::from).collect(),
            stand_ins: vec![".idea".into(), ".vscode".into()],
        };
        let before = before(&self.tree, &scope, &Matcher::new(NAMES), None).unwrap();
        LookRecord {
            schema: LookRecord::SCHEMA,
            run: "00000000000000aa".to_owned(),
            started: 1,
            launcher: Launcher::this(),
            command: vec!["sh".to_owned()],
            profile: "dev".to_owned(),
            identity: None,
            decoys: Vec::new(),
            before,
        }
    }

    fn begin(&self, watched: &[&str]) -> Look {
        Look::begin(self.record(watched)).unwrap()
    }

    fn has(&self, path: &str) -> bool {
        self.tree.join(path).symlink_metadata().is_ok()
    }
}

fn end(look: Look) -> Report {
    look.end(&|_| false).unwrap()
}

fn moved(report: &Report) -> Vec<&str> {
    let moved = report.moved.iter();
    let mut moved: Vec<_> = moved.map(|one| one.path.to_str().unwrap()).collect();
    moved.sort();
    moved
}

#[test]
fn what_was_there_stays_and_what_has_come_is_moved_away() {
    let scene = scene(&["a/.git", "b", "node_modules/x", "vendor/y", "c/.cargo"]);
    repository(&scene.tree.join("fixture"));
    symlink("b", scene.tree.join("a/.envrc")).unwrap();
    let look = scene.begin(&["top", "b/hooks/pre-commit"]);
    repository(&scene.tree.join("b/.git"));
    repository(&scene.tree.join("b/plain"));
    for folder in ["node_modules/x", "vendor/y"] {
        fs::create_dir(scene.tree.join(folder).join(".git")).unwrap();
    }
    symlink("../z", scene.tree.join("c/.git")).unwrap();
    fs::write(scene.tree.join("c/.cargo/config.toml"), "").unwrap();
    fs::write(scene.tree.join("c/config.toml"), "").unwrap();
    fs::write(scene.tree.join("vendor/y/Jenkinsfile"), "").unwrap();
    fs::write(scene.tree.join("top"), "").unwrap();
    let report = end(look);
    assert!(report.stayed.is_empty(), "{report:?}");
    let places: Vec<_> = report
        .moved
        .iter()
        .map(|one| one.place.clone().unwrap())
        .collect();
    assert!(
        places
            .iter()
            .all(|place| scene.tree.join(place).symlink_metadata().is_ok()
                || place.to_str().unwrap().contains("HEAD"))
    );
    let expected = [
        "b/.git",
        "b/plain/HEAD",
        "c/.cargo/config.toml",
        "c/.git",
        "node_modules/x/.git",
        "top",
        "vendor/y/.git",
    ];
    let found = moved(&report);
    for path in expected {
        assert!(found.contains(&path), "{path}: {found:?}");
        assert!(!scene.has(path), "{path}");
    }
    // The HEAD of what was moved, which would be a repository by any name.
    assert_eq!(found.len(), expected.len() + 1, "{found:?}");
    for kept in [
        "a/.git",
        "a/.envrc",
        "fixture/HEAD",
        "c/config.toml",
        "vendor/y/Jenkinsfile",
    ] {
        assert!(scene.has(kept), "{kept}");
    }
    assert!(end(scene.begin(&["top"])).is_empty());
}

#[test]
fn a_link_whose_end_was_exchanged_has_come() {
    let scene = scene(&["real", "other"]);
    symlink("step/x", scene.tree.join(".envrc")).unwrap();
    symlink("real", scene.tree.join("step")).unwrap();
    for folder in ["real", "other"] {
        fs::write(scene.tree.join(folder).join("x"), folder).unwrap();
    }
    assert!(end(scene.begin(&[])).is_empty());
    let look = scene.begin(&[]);
    fs::remove_file(scene.tree.join("step")).unwrap();
    symlink("other", scene.tree.join("step")).unwrap();
    assert_eq!(moved(&end(look)), [".envrc"]);
}

#[test]
fn a_known_repository_that_is_exchanged_by_the_folder_above_is_found() {
    let scene = scene(&["testdata"]);
    repository(&scene.tree.join("testdata/fixture/repo"));
    let look = scene.begin(&[]);
    fs::rename(
        scene.tree.join("testdata/fixture"),
        scene.tree.join("testdata/away"),
    )
    .unwrap();
    repository(&scene.tree.join("testdata/fixture/repo"));
    let report = end(look);
    assert!(
        moved(&report).contains(&"testdata/fixture/repo/HEAD"),
        "{report:?}"
    );
    assert!(!scene.has("testdata/fixture/repo/HEAD"));
}

#[test]
fn a_link_on_the_way_to_a_watched_path_is_what_is_moved() {
    let scene = scene(&["a", "another/hooks"]);
    let look = scene.begin(&["a/hooks"]);
    fs::remove_dir(scene.tree.join("a")).unwrap();
    symlink("another", scene.tree.join("a")).unwrap();
    assert_eq!(moved(&end(look)), ["a"]);
    assert!(scene.has("another/hooks") && !scene.has("a"));
}

#[test]
fn folders_without_rights_keep_nothing_from_being_found() {
    let scene = scene(&["ours", "later"]);
    let look = scene.begin(&[]);
    let close = |path: &str, mode| {
        let path = scene.tree.join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for folder in ["ours", "later"] {
        fs::create_dir_all(scene.tree.join(folder).join("in/.git")).unwrap();
    }
    for name in 0..1_100 {
        fs::write(
            scene
                .tree
                .join(format!("later/gosandbox-quarantine-git-{name}")),
            "",
        )
        .unwrap();
    }
    close("ours/in", 0o555);
    close("ours", 0o555);
    close("later/in", 0o311);
    close("later", 0);
    let report = end(look);
    assert_eq!(moved(&report), ["later/in/.git", "ours/in/.git"]);
    let mode = fs::metadata(scene.tree.join("ours/in"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o555);
    for folder in ["ours", "ours/in"] {
        close(folder, 0o755);
    }
}

#[test]
fn depth_and_numbers_are_no_hiding_place() {
    let scene = scene(&[]);
    let look = scene.begin(&[]);
    let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
    let mut at = rustix::fs::openat(CWD, &scene.tree, flags, Mode::empty()).unwrap();
    let name = "d".repeat(60);
    for _ in 0..3_000 {
        rustix::fs::mkdirat(&at, &name, Mode::RWXU).unwrap();
        // A second folder at each depth, which the walk has to come back to.
        rustix::fs::mkdirat(&at, "beside", Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, &name, flags, Mode::empty()).unwrap();
    }
    rustix::fs::mkdirat(&at, ".git", Mode::RWXU).unwrap();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    for number in 0..20_000 {
        let name = format!("file-{number}");
        drop(rustix::fs::openat(&at, name, flags, Mode::RUSR).unwrap());
    }
    let report = end(look);
    assert_eq!((report.moved.len(), report.stayed.len()), (1, 0));
    let path = report.moved[0].path.to_str().unwrap();
    assert!(path.starts_with("...") && path.ends_with("/.git"), "{path}");
    let gone = rustix::fs::statat(&at, ".git", rustix::fs::AtFlags::empty());
    assert_eq!(gone.err(), Some(rustix::io::Errno::NOENT));
    drop(at);
    let base = rustix::fs::openat(CWD, &scene.base, OFlags::DIRECTORY, Mode::empty()).unwrap();
    crate::changes::delete::everything(std::os::fd::AsFd::as_fd(&base), "tree").unwrap();
}

#[test]
fn protected_names_in_each_other_are_gone_through_once() {
    let scene = scene(&[]);
    let look = scene.begin(&[]);
    let mut path = scene.tree.clone();
    for _ in 0..300 {
        path.push(".git");
        fs::create_dir(&path).unwrap();
    }
    let report = end(look);
    assert_eq!((report.moved.len(), report.stayed.len()), (300, 0));
}

#[test]
fn more_than_can_be_named_is_counted() {
    let scene = scene(&[]);
    let look = scene.begin(&[]);
    for number in 0..1_200 {
        fs::create_dir_all(scene.tree.join(format!("{number}/.git"))).unwrap();
    }
    let report = end(look);
    assert_eq!((report.moved.len(), report.more), (1_000, (200, 0)));
}

#[test]
fn sockets_and_what_is_the_launchers_own_stay() {
    let scene = scene(&[]);
    let look = scene.begin(&[".envrc"]);
    let _socket = UnixListener::bind(scene.tree.join(".vscode")).unwrap();
    fs::write(scene.tree.join(".envrc"), "").unwrap();
    fs::write(scene.tree.join(".idea"), "").unwrap();
    let report = look.end(&|path| path == Path::new(".envrc")).unwrap();
    assert!(report.is_empty(), "{report:?}");
    assert!(scene.has(".vscode") && scene.has(".envrc"));
    // With something in it, or anywhere else, it is no other run's.
    let look = scene.begin(&[]);
    fs::remove_file(scene.tree.join(".idea")).unwrap();
    fs::write(scene.tree.join(".new"), "x").unwrap();
    fs::rename(scene.tree.join(".new"), scene.tree.join(".idea")).unwrap();
    fs::create_dir(scene.tree.join("a")).unwrap();
    fs::write(scene.tree.join("a/.vscode"), "").unwrap();
    assert_eq!(moved(&end(look)), [".idea", "a/.vscode"]);
}

#[test]
fn names_of_the_greatest_length_are_moved_too() {
    let scene = scene(&[]);
    let name = "é".repeat(127);
    let look = scene.begin(&[&name]);
    fs::write(scene.tree.join(&name), "planted").unwrap();
    let report = end(look);
    assert_eq!(moved(&report), [name.as_str()]);
    assert!(!scene.has(&name));
}

#[test]
fn a_record_is_found_by_another_process_and_goes_when_everything_was_looked_at() {
    let scene = scene(&["a"]);
    let mut record = scene.record(&["x"]);
    record.decoys = vec![".vscode".into(), ".envrc".into()];
    let mut look = Look::begin(record.clone()).unwrap();
    look.write_down(&scene.base).unwrap();
    let found = list(&scene.base);
    assert!(
        found.len() == 1
            && found[0].is_running
            && found[0].record == {
                let mut written = record.clone();
                written.before.to_mount.clear();
                written
            }
    );
    let file = found[0].file.clone();
    assert!(matches!(
        Look::open(&file),
        Err(crate::changes::Error::Running { .. })
    ));
    sweep(&scene.base);
    // As if the launcher had been killed.
    drop(look);
    let _socket = UnixListener::bind(scene.tree.join(".vscode")).unwrap();
    fs::write(scene.tree.join(".envrc"), "").unwrap();
    fs::create_dir(scene.tree.join("a/.git")).unwrap();
    sweep(&scene.base);
    // A process that another test is about to start has the lock, too, until it executes.
    let start = std::time::Instant::now();
    while list(&scene.base)[0].is_running {
        assert!(start.elapsed().as_secs() < 60);
    }
    let late = Look::open(&file).unwrap();
    assert_eq!(moved(&late.show().unwrap()), ["a/.git"]);
    assert!(scene.has("a/.git"));
    assert_eq!(moved(&end(late)), ["a/.git"]);
    assert!(!scene.has(".vscode") && !scene.has(".envrc"));
    assert!(list(&scene.base).is_empty());
}

#[test]
fn a_record_of_a_tree_that_is_gone_goes_and_that_of_a_new_one_in_its_place_moves_nothing() {
    let scene = scene(&[]);
    let write = || {
        let mut look = scene.begin(&[]);
        look.write_down(&scene.base).unwrap();
        list(&scene.base)[0].file.clone()
    };
    let file = write();
    fs::remove_dir(&scene.tree).unwrap();
    fs::create_dir_all(scene.tree.join(".git")).unwrap();
    assert!(Look::open(&file).is_err());
    sweep(&scene.base);
    assert!(file.exists() && scene.has(".git"));
    let make_old = |file: &Path| {
        let past = std::time::SystemTime::now() - std::time::Duration::from_secs(90_000);
        fs::File::open(file).unwrap().set_modified(past).unwrap();
    };
    make_old(&file);
    sweep(&scene.base);
    assert!(!file.exists() && scene.has(".git"));
    let file = write();
    fs::remove_dir_all(&scene.tree).unwrap();
    make_old(&file);
    sweep(&scene.base);
    assert!(!file.exists());
}

#[test]
fn what_cannot_be_moved_is_named_and_the_record_stays() {
    if !crate::skip::needs_root("what cannot be moved is root's") {
        return;
    }
    let scene = scene(&["held", "free"]);
    let mut record = scene.record(&[]);
    record.identity = Some((4242, 4242));
    fs::set_permissions(&scene.base, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(scene.tree.join("free"), Some(4242), Some(4242)).unwrap();
    let mut look = Look::begin(record).unwrap();
    look.write_down(&scene.base).unwrap();
    for folder in ["held", "free"] {
        fs::create_dir(scene.tree.join(folder).join(".git")).unwrap();
    }
    // Another user's folder: that user decides, and root does not help.
    let report = end(look);
    assert_eq!(moved(&report), ["free/.git"]);
    assert_eq!(report.stayed.len(), 1);
    assert_eq!(report.stayed[0].path, Path::new("held/.git"));
    let file = list(&scene.base)[0].file.clone();
    fs::remove_dir(scene.tree.join("held/.git")).unwrap();
    assert!(end(Look::open(&file).unwrap()).is_empty());
    assert!(!file.exists());
}
