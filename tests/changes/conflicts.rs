//! What somebody outside changes while a run lasts is not overwritten.

use std::fs;
use std::path::PathBuf;

use gosandbox::changes::Landed;

use crate::overlay::{Op, Place, act};

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
