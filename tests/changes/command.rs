//! `gosandbox changes`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::overlay::{Op, Place, act};
use crate::support::{Ended, gosandbox};

fn write(path: &str, content: &str) -> Op {
    Op::Write(path.into(), content.into())
}

/// A place whose stages lie where the launcher makes them.
pub fn place() -> Place {
    let mut place = Place::new();
    let uid = rustix::process::geteuid().as_raw();
    place.base = place
        .root
        .path()
        .canonicalize()
        .unwrap()
        .join(format!("gosandbox-{uid}"));
    fs::create_dir(&place.base).unwrap();
    act(
        &place.tree,
        &[
            write("file", "one\ntwo\nthree\n"),
            Op::Mkdir("folder".into()),
        ],
    );
    place
}

fn staged(place: &Place, ops: &[Op]) -> String {
    let stage = place.stage(place.rules());
    place.run(&stage, ops);
    let run = stage.record().run.clone();
    stage.keep();
    run
}

pub fn changes(place: &Place, words: &[&str]) -> Ended {
    Ended::of(&mut command(place, words))
}

pub fn command(place: &Place, words: &[&str]) -> Command {
    let mut command = Command::new(gosandbox());
    command
        .arg("changes")
        .args(words)
        .env_remove("GOTMPDIR")
        .env("TMPDIR", place.root.path())
        .current_dir(place.tree.join("folder"));
    command
}

#[test]
fn staged_changes_are_listed_shown_and_applied() {
    let place = place();
    let ops = [
        write("file", "one\n2\nthree\n"),
        write("folder/new\u{1b}[31m\n", "x\n"),
        write("binary", "\0"),
        write(".envrc", "evil\n"),
    ];
    let run = staged(&place, &ops);
    let listed = changes(&place, &[]).expect(0).says(&run).says("review");
    let line = listed.stdout.lines().find(|line| line.contains(&run));
    assert!(
        line.unwrap().contains("3 to apply, 1 refused"),
        "{listed:?}"
    );
    let shown = changes(&place, &["show"]).expect(0);
    for text in [
        "apply     modified  file\n",
        "refused   added     .envrc  (protected-path: the path is protected)\n",
        "folder/new\\u{1b}[31m\\n\n",
        "--- a/file\n+++ b/file\n",
        "-two\n+2\n",
        "binary: a binary file of 1 bytes\n",
        "+evil\n",
    ] {
        assert!(
            shown.stdout.contains(text),
            "{text:?} is not in\n{}",
            shown.stdout
        );
    }
    let json: serde_json::Value = serde_json::from_str(
        &changes(&place, &["show", &run[..12], "--json"])
            .expect(0)
            .stdout,
    )
    .unwrap();
    let refused = json["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["path"] == ".envrc");
    assert_eq!(refused.unwrap()["code"], "protected-path");
    let applied = changes(&place, &["apply", &run]).expect(125);
    assert!(
        applied.stdout.contains("applied   modified  file\n"),
        "{applied:?}"
    );
    assert!(
        applied
            .stderr
            .ends_with(&format!("help: gosandbox changes show {run}\n")),
        "{applied:?}"
    );
    applied.refused("changes-left");
    assert_eq!(
        fs::read(place.tree.join("file")).unwrap(),
        b"one\n2\nthree\n"
    );
    changes(&place, &["list"]).expect(0).says("refused");
    changes(&place, &["drop"]).expect(0).says(&run);
    let listed = changes(&place, &["list"]).expect(0);
    assert!(!listed.stdout.contains(&run), "{listed:?}");
    assert!(!place.tree.join(".envrc").exists());
}

#[test]
fn a_run_is_found_by_its_work_tree_or_by_its_name() {
    let place = place();
    let first = staged(&place, &[write("file", "first")]);
    let second = staged(&place, &[write("file", "second")]);
    changes(&place, &["apply", "zz"])
        .expect(125)
        .refused("changes-unknown");
    changes(&place, &["apply", "00000000"])
        .expect(125)
        .refused("changes-unknown");
    changes(&place, &["apply"])
        .expect(0)
        .says("applied   modified  file");
    assert_eq!(fs::read(place.tree.join("file")).unwrap(), b"second");
    // What the first one has changed is changed since.
    changes(&place, &["apply", &first])
        .expect(125)
        .says("conflict  modified  file");
    changes(&place, &["drop", &first]).expect(0).says(&first);
    changes(&place, &["show", &second])
        .expect(125)
        .refused("changes-unknown")
        .says("help: gosandbox changes list");
}

#[test]
fn a_stage_whose_work_tree_is_gone_can_be_dropped_and_one_in_use_cannot() {
    let place = place();
    let run = staged(&place, &[write("file", "new")]);
    let elsewhere = place.root.path().join("elsewhere");
    fs::rename(&place.tree, &elsewhere).unwrap();
    fs::create_dir_all(place.tree.join("folder")).unwrap();
    changes(&place, &["apply", &run])
        .expect(125)
        .refused("changes-of-other-tree");
    changes(&place, &["drop", &run]).expect(0);
    let stage = place.stage(place.rules());
    fs::write(stage.upper().join("new"), "x").unwrap();
    let run = stage.record().run.clone();
    changes(&place, &["list"]).expect(0).says("running");
    changes(&place, &["drop", &run])
        .expect(125)
        .refused("changes-in-use");
    drop(stage);
    changes(&place, &["list"]).expect(0).says("interrupted");
    changes(&place, &["apply", &run])
        .expect(0)
        .says("applied   added     new");
    assert!(PathBuf::from(&place.tree).join("new").exists());
}
