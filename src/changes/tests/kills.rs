//! A kill at every step: each file is old or new, and the next apply finishes.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use super::super::steps::limited;
use super::super::*;
use super::{record, stage};

fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn whiteout(folder: &Path, name: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mode = Mode::empty();
    rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, mode, 0).unwrap();
}

fn mark(folder: &Path, name: &str, attribute: &str, value: &[u8]) {
    let attribute = format!("user.overlay.{attribute}");
    rustix::fs::setxattr(folder.join(name), attribute, value, XattrFlags::empty()).unwrap();
}

fn chmod(folder: &Path, name: &str, mode: u32) {
    fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
}

fn before(tree: &Path) {
    for name in [
        "changed",
        "deleted",
        "mode",
        "becomes-folder",
        "becomes-file/a",
        "becomes-file/deep/b",
        "replaced/old",
        "replaced/both",
        "replaced/sub/old",
        "gone/a/b",
        "gone/c",
        "closed/kept",
        "linked",
        "opened/kept",
    ] {
        write(tree, name, "old");
    }
    symlink("changed", tree.join("link")).unwrap();
    chmod(tree, "closed", 0o555);
}

fn programs(upper: &Path) {
    for name in [
        "changed",
        "added",
        "folder/deep/new",
        "becomes-folder/new",
        "becomes-file",
        "replaced/both",
        "replaced/new",
        "closed/new",
        "linked",
        "opened/new",
        ".github/workflows/new",
    ] {
        write(upper, name, "new");
    }
    write(upper, "mode", "old");
    let old = fs::File::open(upper.join("mode")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    chmod(upper, "mode", 0o600);
    for name in ["deleted", "gone", "nothing"] {
        whiteout(upper, name);
    }
    fs::hard_link(upper.join("linked"), upper.join("linked-too")).unwrap();
    symlink("added", upper.join("link")).unwrap();
    mark(upper, "replaced", "opaque", b"y");
    mark(upper, "folder", "opaque", b"y");
    mark(upper, "changed", "origin", b"");
    mark(upper, "opened", "origin", b"");
    chmod(upper, "opened", 0o777);
    chmod(upper, "changed", 0o444);
    chmod(upper, "folder", 0o500);
    chmod(upper, "closed", 0o555);
}

fn contents(tree: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(tree).unwrap().to_owned();
            let about = fs::symlink_metadata(&path).unwrap();
            let shown = if about.is_dir() {
                folders.push(path);
                format!("folder {:o}", about.mode() & 0o7777)
            } else if about.is_symlink() {
                fs::read_link(path).unwrap().display().to_string()
            } else {
                let content = fs::read_to_string(path).unwrap();
                format!("{content} {:o}", about.mode() & 0o7777)
            };
            found.insert(name, shown);
        }
    }
    found
}

struct Case {
    _base: tempfile::TempDir,
    tree: PathBuf,
}

/// A run that has ended, on the work tree's file system or on another.
fn case(elsewhere: bool) -> (Case, Stage) {
    let base = match elsewhere {
        true => tempfile::tempdir_in("/dev/shm").unwrap(),
        false => tempfile::tempdir_in("/var/tmp").unwrap(),
    };
    let root = tempfile::tempdir_in("/var/tmp").unwrap().keep();
    let tree = root.canonicalize().unwrap().join("tree");
    fs::create_dir(&tree).unwrap();
    before(&tree);
    std::thread::sleep(std::time::Duration::from_millis(12));
    let made = stage(base.path(), record(&tree));
    programs(&made.upper());
    (Case { _base: base, tree }, made)
}

impl Drop for Case {
    fn drop(&mut self) {
        let _left_over =
            fs::set_permissions(self.tree.join("folder"), Permissions::from_mode(0o700));
        let _left_over =
            fs::set_permissions(self.tree.join("closed"), Permissions::from_mode(0o700));
        let _left_over = fs::remove_dir_all(self.tree.parent().unwrap());
    }
}

/// Files that are there in neither state, or have neither content.
fn torn(
    tree: &Path,
    old: &BTreeMap<PathBuf, String>,
    new: &BTreeMap<PathBuf, String>,
) -> Vec<String> {
    let mut torn = Vec::new();
    for (name, now) in contents(tree) {
        let is_temporary = name.components().any(|part| {
            part.as_os_str()
                .to_string_lossy()
                .starts_with(".gosandbox-")
        });
        let is_folder = now.starts_with("folder ");
        let states = [old.get(&name), new.get(&name)];
        let is_known = states.iter().flatten().any(|state| match is_folder {
            true => state.starts_with("folder "),
            // Content and mode of a file whose content stays are set in two steps.
            false => **state == now || name == Path::new("mode") && now.starts_with("old"),
        });
        if !is_temporary && !is_known {
            torn.push(format!("{}: {now}", name.display()));
        }
    }
    for (name, state) in new {
        let stays = old
            .get(name)
            .is_some_and(|old| old.starts_with("folder ") == state.starts_with("folder "));
        if stays && fs::symlink_metadata(tree.join(name)).is_err() {
            torn.push(format!("{} is missing", name.display()));
        }
    }
    torn
}

fn killed_at_every_step(elsewhere: bool) {
    let (done, made) = case(elsewhere);
    let old = contents(&done.tree);
    let (landed, rest) = limited(u64::MAX, || made.apply().unwrap());
    assert_eq!(landed.failed().collect::<Vec<_>>(), []);
    assert_eq!(landed.conflicts().collect::<Vec<_>>(), []);
    let refused: Vec<_> = landed.refused().map(|(change, _)| change.path).collect();
    assert_eq!(refused, [PathBuf::from(".github")]);
    let new = contents(&done.tree);
    let expected = expected(&old);
    assert_eq!(new, expected);
    let steps = u64::MAX - rest;
    assert!(steps > 40, "{steps}");
    for step in 0..steps {
        let (case, made) = case(elsewhere);
        let folder = made.folder().to_owned();
        let _killed = limited(step, || made.apply().is_ok());
        assert_eq!(
            torn(&case.tree, &old, &new),
            Vec::<String>::new(),
            "step {step}"
        );
        if !folder.exists() {
            assert_eq!(contents(&case.tree), new, "step {step}");
            continue;
        }
        let again = Stage::open(&folder).unwrap().apply().unwrap();
        assert_eq!(again.failed().collect::<Vec<_>>(), [], "step {step}");
        assert_eq!(contents(&case.tree), new, "step {step}");
        assert_eq!(again.conflicts().collect::<Vec<_>>(), [], "step {step}");
    }
}

fn expected(old: &BTreeMap<PathBuf, String>) -> BTreeMap<PathBuf, String> {
    let mode = |name: &str| format!("{} ", old[Path::new(name)].split(' ').next().unwrap());
    assert_eq!(mode("changed"), "old ");
    let file = old[Path::new("changed")].replace("old", "new");
    let folder = old[Path::new("gone")].clone();
    let mut new = BTreeMap::new();
    for name in [
        "added",
        "folder/deep/new",
        "becomes-folder/new",
        "becomes-file",
        "replaced/both",
        "replaced/new",
        "closed/new",
        "linked",
        "linked-too",
        "opened/new",
    ] {
        new.insert(PathBuf::from(name), file.clone());
    }
    for name in ["folder/deep", "becomes-folder", "replaced"] {
        new.insert(name.into(), folder.clone());
    }
    new.insert("folder".into(), "folder 500".to_owned());
    new.insert("closed".into(), "folder 555".to_owned());
    new.insert("opened".into(), "folder 777".to_owned());
    new.insert("opened/kept".into(), old[Path::new("opened/kept")].clone());
    new.insert("closed/kept".into(), old[Path::new("closed/kept")].clone());
    new.insert("changed".into(), "new 444".to_owned());
    new.insert("mode".into(), "old 600".to_owned());
    new.insert("link".into(), "added".to_owned());
    new
}

#[test]
fn a_kill_at_any_step_leaves_each_file_old_or_new_and_the_next_apply_finishes() {
    killed_at_every_step(false);
}

#[test]
fn so_does_a_kill_where_files_are_copied() {
    killed_at_every_step(true);
}
