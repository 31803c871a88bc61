//! What somebody outside changes while a run lasts is not overwritten.

use std::fs;
use std::path::PathBuf;

use gosandbox::changes::Landed;

use crate::command::{self, changes};
use crate::overlay::{Op, Place, act, contents};

fn write(path: &str, content: &str) -> Op {
    Op::Write(path.into(), content.into())
}

/// A work tree before a run, what its programs do, and what is done outside before the run ends.
fn run(before: &[Op], inside: &[Op], outside: &[Op]) -> (Place, Landed) {
    let place = Place::new();
    act(&place.tree, before);
    let stage = place.stage(place.rules());
    place.run(&stage, inside);
    act(&place.tree, outside);
    let landed = stage.apply().unwrap();
    assert_eq!(landed.failed().collect::<Vec<_>>(), []);
    (place, landed)
}

fn conflicts(landed: &Landed) -> Vec<PathBuf> {
    landed.conflicts().map(|change| change.path).collect()
}

fn read(place: &Place, path: &str) -> Option<String> {
    fs::read_to_string(place.tree.join(path)).ok()
}

#[test]
fn a_file_that_both_have_changed_stays_as_it_is_outside() {
    let old = [
        write("file", "old"),
        write("same", "old"),
        write("other", "old"),
    ];
    let inside = [
        write("file", "inside"),
        write("same", "both"),
        write("other", "inside"),
        write("new", "inside"),
    ];
    let outside = [
        write("file", "outside"),
        write("same", "both"),
        write("new", "outside"),
    ];
    let (place, landed) = run(&old, &inside, &outside);
    let mut found = conflicts(&landed);
    found.sort();
    assert_eq!(found, [PathBuf::from("file"), "new".into()]);
    assert_eq!(read(&place, "file").as_deref(), Some("outside"));
    assert_eq!(read(&place, "new").as_deref(), Some("outside"));
    assert_eq!(read(&place, "other").as_deref(), Some("inside"));
    assert!(landed.is_left());
}

#[test]
fn a_deletion_does_not_take_what_was_changed_or_made_outside() {
    let old = [
        write("file", "old"),
        Op::Mkdir("folder".into()),
        write("folder/a", "old"),
        Op::Mkdir("gone".into()),
        write("gone/a", "old"),
        Op::Mkdir("made-again".into()),
        write("made-again/old", "old"),
    ];
    let inside = [
        Op::Remove("file".into()),
        Op::RemoveAll("folder".into()),
        Op::RemoveAll("gone".into()),
        Op::RemoveAll("made-again".into()),
        Op::Mkdir("made-again".into()),
        write("made-again/new", "inside"),
    ];
    let outside = [
        write("file", "outside"),
        write("folder/b", "outside"),
        write("made-again/outside", "outside"),
    ];
    let (place, landed) = run(&old, &inside, &outside);
    let mut found = conflicts(&landed);
    found.sort();
    assert_eq!(found, [PathBuf::from("file"), "folder".into()]);
    assert_eq!(read(&place, "file").as_deref(), Some("outside"));
    assert_eq!(read(&place, "folder/b").as_deref(), Some("outside"));
    assert_eq!(
        read(&place, "made-again/outside").as_deref(),
        Some("outside")
    );
    assert_eq!(read(&place, "made-again/new").as_deref(), Some("inside"));
    assert!(read(&place, "made-again/old").is_none() && !place.tree.join("gone").exists());
}

#[test]
fn a_changed_file_that_was_deleted_outside_does_not_come_back() {
    let old = [write("file", "old")];
    let deleted = [Op::Remove("file".into())];
    let (place, landed) = run(&old, &[write("file", "inside")], &deleted);
    assert_eq!(conflicts(&landed), [PathBuf::from("file")]);
    assert!(read(&place, "file").is_none());
    let (place, landed) = run(&old, &[Op::Rename("file".into(), "here".into())], &[]);
    assert_eq!(conflicts(&landed), Vec::<PathBuf>::new());
    assert!(read(&place, "file").is_none());
    assert_eq!(read(&place, "here").as_deref(), Some("old"));
}

#[test]
fn a_folder_in_the_place_of_a_file_that_was_changed_outside() {
    let inside = [
        Op::Remove("file".into()),
        Op::Mkdir("file".into()),
        write("file/new", "inside"),
    ];
    let (place, landed) = run(
        &[write("file", "old")],
        &inside,
        &[write("file", "outside")],
    );
    assert_eq!(conflicts(&landed), [PathBuf::from("file")]);
    assert_eq!(read(&place, "file").as_deref(), Some("outside"));
}

#[test]
fn runs_at_the_same_time_that_write_the_same_or_other_files_are_no_conflict() {
    let place = Place::new();
    act(&place.tree, &[write("golden", "old"), write("gone", "old")]);
    let stages: Vec<_> = (0..4).map(|_| place.stage(place.rules())).collect();
    for (number, stage) in stages.iter().enumerate() {
        let ops = [
            write("golden", "new"),
            Op::Mkdir("out".into()),
            write("out/same", "same"),
            write(&format!("out/{number}"), "own"),
            Op::Remove("gone".into()),
        ];
        place.run(stage, &ops);
    }
    for stage in stages {
        let landed = stage.apply().unwrap();
        assert_eq!(conflicts(&landed), Vec::<PathBuf>::new());
        assert!(!landed.is_left());
    }
    for number in 0..4 {
        assert_eq!(
            read(&place, &format!("out/{number}")).as_deref(),
            Some("own")
        );
    }
    assert_eq!(read(&place, "golden").as_deref(), Some("new"));
}

/// What one side does to `x`, and whether that takes it to be there, and as what.
type Deed = (&'static str, Had, fn() -> Vec<Op>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Had {
    Nothing,
    File,
    Folder,
    Link,
    Anything,
}

fn path(path: &str) -> PathBuf {
    path.into()
}

fn before(had: Had) -> Vec<Op> {
    match had {
        Had::Nothing | Had::Anything => Vec::new(),
        Had::File => vec![write("x", "old")],
        Had::Folder => vec![Op::Mkdir(path("x")), write("x/a", "old")],
        Had::Link => vec![Op::Symlink(path("other"), path("x"))],
    }
}

const INSIDE: [Deed; 10] = [
    ("file added", Had::Nothing, || vec![write("x", "inside")]),
    ("folder added", Had::Nothing, || {
        vec![Op::Mkdir(path("x")), write("x/in", "inside")]
    }),
    ("link added", Had::Nothing, || {
        vec![Op::Symlink(path("inside"), path("x"))]
    }),
    ("file modified", Had::File, || vec![write("x", "inside")]),
    ("file deleted", Had::File, || vec![Op::Remove(path("x"))]),
    ("mode changed", Had::File, || {
        vec![Op::Chmod(path("x"), 0o750)]
    }),
    ("folder modified", Had::Folder, || {
        vec![write("x/a", "inside"), write("x/in", "inside")]
    }),
    ("folder deleted", Had::Folder, || {
        vec![Op::RemoveAll(path("x"))]
    }),
    ("link modified", Had::Link, || {
        vec![
            Op::Remove(path("x")),
            Op::Symlink(path("inside"), path("x")),
        ]
    }),
    ("link deleted", Had::Link, || vec![Op::Remove(path("x"))]),
];

/// Each is done to whatever is there before, as far as that can be.
/// Each is done to whatever is there before.
const OUTSIDE: [Deed; 8] = [
    ("edited", Had::File, || vec![write("x", "outside")]),
    ("edited below", Had::Folder, || {
        vec![write("x/a", "outside")]
    }),
    ("mode changed", Had::Anything, || {
        vec![Op::Chmod(path("x"), 0o700)]
    }),
    ("removed", Had::Anything, gone),
    ("replaced by renaming", Had::Anything, || {
        then(write("y", "outside"), Op::Rename(path("y"), path("x")))
    }),
    ("made a file", Had::Nothing, || {
        then(Op::Remove(path("y")), write("x", "outside"))
    }),
    ("made a folder", Had::Nothing, || {
        then(Op::Mkdir(path("x")), write("x/out", "outside"))
    }),
    ("made a link", Had::Nothing, || {
        then(
            Op::Remove(path("y")),
            Op::Symlink(path("outside"), path("x")),
        )
    }),
];

/// Whatever is at `x` is removed.
fn gone() -> Vec<Op> {
    vec![Op::RemoveAll(path("x")), Op::Remove(path("x"))]
}

fn then(first: Op, second: Op) -> Vec<Op> {
    [gone(), vec![first, second]].concat()
}

/// Where the two sides are no conflict, or not all of them. What is not listed here is one conflict
/// at `x`: status 125, the outside's version in the work tree and the run's in the stage.
struct Merged {
    inside: &'static str,
    outside: &'static str,
    status: i32,
    /// What the run adds to the work tree.
    adds: &'static [&'static str],
    /// What is not as it was left outside.
    loses: &'static [&'static str],
}

const fn merged(
    inside: &'static str,
    outside: &'static str,
    status: i32,
    adds: &'static [&'static str],
    loses: &'static [&'static str],
) -> Merged {
    Merged {
        inside,
        outside,
        status,
        adds,
        loses,
    }
}

const MERGED: [Merged; 11] = [
    merged("folder added", "made a folder", 0, &["x/in"], &[]),
    merged("file deleted", "removed", 0, &[], &[]),
    merged("folder deleted", "removed", 0, &[], &[]),
    merged("link deleted", "removed", 0, &[], &[]),
    // The content is equal.
    merged("mode changed", "mode changed", 0, &[], &[]),
    // Each file of a folder is looked at by itself.
    merged("folder modified", "edited below", 125, &["x/in"], &[]),
    merged("folder modified", "removed", 125, &["x", "x/in"], &[]),
    merged("folder modified", "made a folder", 125, &["x/in"], &[]),
    // The mode is a conflict, and what lies in the folder is none.
    merged("folder modified", "mode changed", 125, &["x/in"], &["x/a"]),
    merged("folder deleted", "mode changed", 0, &[], &["x", "x/a"]),
    // A new link cannot be told from one that is there in the place of another.
    merged("link modified", "removed", 0, &["x"], &[]),
];

#[test]
fn whatever_both_sides_do_nothing_of_the_outside_is_lost() {
    let mut tried = 0;
    for (inside, had, does_inside) in INSIDE {
        for (outside, needs, does_outside) in OUTSIDE {
            let is_possible = match needs {
                Had::Nothing => true,
                Had::Anything => {
                    had != Had::Nothing && !(had == Had::Link && outside == "mode changed")
                }
                needs => had == needs,
            };
            if !is_possible {
                continue;
            }
            tried += 1;
            let case = format!("{inside}, {outside}");
            let place = command::place();
            act(&place.tree, &before(had));
            let stage = place.stage(place.rules());
            place.run(&stage, &does_inside());
            act(&place.tree, &does_outside());
            let left = contents(&place.tree);
            let run = stage.record().run.clone();
            stage.keep();
            let staged = changes(&place, &["show"]).stdout;
            let ended = changes(&place, &["apply"]);
            let mut found = contents(&place.tree);
            let is_it = |merged: &&Merged| merged.inside == inside && merged.outside == outside;
            let expected = MERGED.iter().find(is_it);
            let (status, adds, loses) = match expected {
                Some(it) => (it.status, it.adds, it.loses),
                None => (125, &[][..], &[][..]),
            };
            assert_eq!(ended.status, status, "{case}: {ended:?}");
            for name in adds {
                assert!(found.remove(&path(name)).is_some(), "{case}: {ended:?}");
            }
            let mut left = left;
            for name in loses {
                assert!(
                    left.remove(&path(name)) != found.remove(&path(name)),
                    "{case}"
                );
            }
            assert_eq!(found, left, "{case}: {ended:?}");
            if status == 0 {
                changes(&place, &["show", &run]).expect(125);
                continue;
            }
            assert!(ended.stdout.contains("conflict  "), "{case}: {ended:?}");
            changes(&place, &["list"]).expect(0).says("conflict");
            // What of the run's has not landed is still there.
            let shown = changes(&place, &["show"]).expect(0).stdout;
            if expected.is_none() {
                assert_eq!(shown, staged, "{case}");
            }
            assert!(shown.contains("conflict  "), "{case}: {shown}");
        }
    }
    assert_eq!(tried, 54);
}
