//! Root applies nothing itself to a work tree of another user's.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use gosandbox::changes::{Record, Stage};
use rustix::fs::{CWD, RenameFlags};

use crate::kills::apply_in_process;
use crate::overlay::{Op, Place, act, contents};
use crate::support::{ORDINARY, give_tree, held, needs_root};

fn is_here() -> bool {
    needs_root("only root can become another user")
}

/// A stage of root's for a work tree of an ordinary user's.
fn stage_of_root(place: &Place) -> Stage {
    // The owner can go to the work tree, and not to the stage.
    fs::set_permissions(place.root.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let record = Record {
        identity: Some((ORDINARY, ORDINARY)),
        ..place.record(place.rules())
    };
    place.stage_with(record, Some((ORDINARY, ORDINARY)))
}

fn write(path: &str) -> Op {
    Op::Write(path.into(), "new".into())
}

#[test]
fn changes_are_applied_with_the_rights_of_the_owner() {
    if !is_here() {
        return;
    }
    for place in [Place::new(), Place::across()] {
        act(
            &place.tree,
            &[
                Op::Mkdir("own".into()),
                Op::Mkdir("roots".into()),
                write("changed"),
            ],
        );
        give_tree(&place.tree, ORDINARY);
        let stage = stage_of_root(&place);
        chown(place.tree.join("roots"), Some(0), Some(0)).unwrap();
        let ops = [
            Op::Mkdir("own/deep".into()),
            write("own/deep/new"),
            write("roots/new"),
            Op::Append("changed".into(), "er".into()),
            Op::Chmod("own/deep/new".into(), 0o640),
            Op::Write(".envrc".into(), String::new()),
        ];
        act(
            &stage.upper(),
            &[
                Op::Mkdir("own".into()),
                Op::Mkdir("roots".into()),
                write("changed"),
            ],
        );
        act(&stage.upper(), &ops);
        give_tree(&stage.upper(), ORDINARY);
        let landed = stage.apply().unwrap();
        let failed: Vec<_> = landed.failed().map(|failure| failure.change.path).collect();
        assert_eq!(failed, [Path::new("roots/new")]);
        let refused: Vec<_> = landed.refused().map(|(change, _)| change.path).collect();
        assert_eq!(refused, [Path::new(".envrc")]);
        assert!(contents(&place.tree)[Path::new("changed")].contains("newer"));
        for name in ["own/deep", "own/deep/new", "changed"] {
            let owner = place.tree.join(name).metadata().unwrap().uid();
            assert_eq!(owner, ORDINARY, "{name}");
        }
        assert!(!place.tree.join("roots/new").exists());
    }
}

#[test]
fn what_the_sandbox_user_has_written_to_a_tree_of_roots_is_given_to_root() {
    if !is_here() {
        return;
    }
    for place in [Place::new(), Place::across()] {
        let record = Record {
            owned_by_root: true,
            ..place.record(place.rules())
        };
        let stage = place.stage_with(record, Some((65534, 65534)));
        act(
            &stage.upper(),
            &[
                Op::Mkdir("d".into()),
                write("d/file"),
                Op::Symlink("file".into(), "d/link".into()),
            ],
        );
        give_tree(&stage.upper(), 65534);
        assert!(!stage.apply().unwrap().is_left());
        for name in ["d", "d/file", "d/link"] {
            let found = place.tree.join(name).symlink_metadata().unwrap();
            assert_eq!((found.uid(), found.gid()), (0, 0), "{name}");
        }
    }
}

#[test]
fn an_owner_who_exchanges_folders_for_links_gets_nothing_done_outside() {
    if !is_here() {
        return;
    }
    // Without an exchange the number of moments at which there can be one.
    let windows = exchanged_while_applied(None);
    assert!(windows > 0);
    for window in 0..windows {
        exchanged_while_applied(Some(window));
    }
}

/// Applies changes in a folder that is exchanged for a link before one of the calls that come through it.
fn exchanged_while_applied(window: Option<usize>) -> usize {
    let place = Place::new();
    let outside = place.root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    for name in ["victim", "f3"] {
        fs::write(outside.join(name), "roots").unwrap();
    }
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o755)).unwrap();
    let before = contents(&outside);
    fs::create_dir(place.tree.join("d")).unwrap();
    symlink(&outside, place.tree.join("other")).unwrap();
    give_tree(&place.tree, ORDINARY);
    let stage = stage_of_root(&place);
    let mut ops = vec![Op::Mkdir("d".into()), Op::Chmod("d".into(), 0o777)];
    ops.extend((0..4).map(|number| write(&format!("d/f{number}"))));
    ops.push(Op::Mkdir("d/deep".into()));
    act(&stage.upper(), &ops);
    give_tree(&stage.upper(), ORDINARY);
    let folder = stage.folder().to_owned();
    drop(stage);
    let name = place.root.path().file_name().unwrap();
    let traced = Path::new(name).join("tree/d");
    let (ended, windows) = held::at_window(&mut apply_in_process(&folder), &traced, window, || {
        let (one, other) = (place.tree.join("d"), place.tree.join("other"));
        rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
    });
    assert_eq!(ended.status, 0, "{window:?}: {ended:?}");
    if folder.exists() {
        gosandbox::changes::discard(&folder).unwrap();
    }
    assert_eq!(contents(&outside), before, "{window:?} of {windows}");
    assert_eq!(outside.metadata().unwrap().uid(), 0);
    windows
}
