//! Stages as they are made, found and removed.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::*;

mod kills;

/// A record for a work tree, with nothing protected and everything kept.
pub(super) fn record(tree: &Path) -> Record {
    let found = tree.metadata().unwrap();
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    Record {
        schema: Record::SCHEMA,
        run: "00000000000000aa".to_owned(),
        tree: tree.to_owned(),
        tree_identity: (found.dev(), found.ino()),
        started: (now.tv_sec, now.tv_nsec as u32),
        command: vec!["go".to_owned(), "test".to_owned()],
        profile: "ci".to_owned(),
        rules: Rules {
            keep: Keep::All,
            outputs: Vec::new(),
            protected_names: [".git", ".github"].map(PathBuf::from).to_vec(),
            protected_paths: Vec::new(),
        },
        identity: None,
        owned_by_root: false,
        keep_for: 60 * 60,
    }
}

/// A stage for a work tree, beside it.
pub(super) fn stage(base: &Path, record: Record) -> Stage {
    let tree = std::fs::File::open(&record.tree).unwrap();
    let folder = base.join(format!("{}.stage", record.run));
    Stage::create(&folder, record, tree.into(), None).unwrap()
}

#[test]
fn a_stage_is_made_found_locked_and_removed() {
    let base = tempfile::tempdir().unwrap();
    let tree = base.path().canonicalize().unwrap().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::set_permissions(&tree, std::fs::Permissions::from_mode(0o751)).unwrap();
    let made = stage(base.path(), record(&tree));
    assert_eq!(made.upper().metadata().unwrap().mode() & 0o7777, 0o751);
    let folder = made.folder().to_owned();
    assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o700);
    assert!(matches!(Stage::open(&folder), Err(Error::Running { .. })));
    assert!(list(base.path())[0].is_running);
    sweep(base.path());
    std::fs::write(made.upper().join("file"), "new").unwrap();
    made.keep();
    let found = list(base.path());
    assert_eq!(found.len(), 1);
    assert!(!found[0].is_running && found[0].state.is_some_and(|state| state.is_for_review));
    assert_eq!(found[0].record, record_without_time(&found[0], &tree));
    sweep(base.path());
    // Whoever looks at the changes does not shorten the time.
    let looked_at = Stage::open(&folder).unwrap();
    looked_at.differences().unwrap();
    drop(looked_at);
    let past = SystemTime::now() - Duration::from_secs(2);
    let open = |path: &Path| std::fs::File::open(path).unwrap();
    open(&folder).set_modified(past).unwrap();
    sweep(base.path());
    // The state's time says when it expires.
    let state = folder.join("state");
    let ends = state.metadata().unwrap().modified().unwrap();
    let left = ends.duration_since(SystemTime::now()).unwrap().as_secs();
    assert!((3000..=3600).contains(&left), "{left}");
    Stage::open(&folder).unwrap().keep();
    open(&state).set_modified(past).unwrap();
    sweep(base.path());
    assert!(!folder.exists() && list(base.path()).is_empty());
    let made = stage(base.path(), record(&tree));
    made.discard().unwrap();
    assert!(list(base.path()).is_empty());
}

fn record_without_time(found: &Found, tree: &Path) -> Record {
    Record {
        started: found.record.started,
        ..record(tree)
    }
}

#[test]
fn an_untouched_stage_is_removed_and_an_exchanged_tree_refused() {
    let base = tempfile::tempdir().unwrap();
    let tree = base.path().canonicalize().unwrap().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let made = stage(base.path(), record(&tree));
    let folder = made.folder().to_owned();
    assert!(made.changes().unwrap().is_empty());
    assert!(!made.apply().unwrap().is_left());
    assert!(!folder.exists());
    stage(base.path(), record(&tree)).keep();
    std::fs::rename(&tree, base.path().join("other")).unwrap();
    std::fs::create_dir(&tree).unwrap();
    assert!(matches!(Stage::open(&folder), Err(Error::OtherTree { .. })));
    std::fs::remove_dir(&tree).unwrap();
    std::os::unix::fs::symlink("other", &tree).unwrap();
    assert!(matches!(Stage::open(&folder), Err(Error::System { .. })));
}
