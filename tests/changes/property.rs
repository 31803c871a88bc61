//! Whatever programs do: after the changes are applied, the work tree is what it would be if they
//! had written it themselves.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::overlay::{Op, Place, act, contents, marks};

fn path() -> impl Strategy<Value = PathBuf> {
    let name = prop::sample::select(vec!["a", "b", "c", "testdata", "x y"]);
    prop::collection::vec(name, 1..=3).prop_map(|names| names.iter().collect())
}

fn op() -> impl Strategy<Value = Op> {
    let text = prop::sample::select(vec!["", "one", "two", "another line\n"]);
    let text = text.prop_map(str::to_owned);
    let mode = prop::sample::select(vec![0o644u32, 0o600, 0o755, 0o400, 0o500, 0o700, 0o000]);
    let target = prop::sample::select(vec!["a", "b", "c", "x y"]).prop_map(PathBuf::from);
    prop_oneof![
        6 => (path(), text.clone()).prop_map(|(path, text)| Op::Write(path, text)),
        2 => (path(), text).prop_map(|(path, text)| Op::Append(path, text)),
        4 => path().prop_map(Op::Mkdir),
        3 => path().prop_map(Op::Remove),
        2 => path().prop_map(Op::RemoveAll),
        3 => (path(), path()).prop_map(|(from, to)| Op::Rename(from, to)),
        2 => (target, path()).prop_map(|(target, path)| Op::Symlink(target, path)),
        1 => (path(), path()).prop_map(|(from, to)| Op::Link(from, to)),
        2 => (path(), mode).prop_map(|(path, mode)| Op::Chmod(path, mode)),
        1 => (path(), 1_500_000_000..1_500_000_009u32).prop_map(|(path, at)| Op::Touch(path, at)),
    ]
}

/// Has operations before the run, in the run and, in the same way, without one.
fn same_as_without(place: &Place, before: &[Op], runs: &[Vec<Op>]) -> Result<(), TestCaseError> {
    let plain = place.root.path().join("plain");
    std::fs::create_dir(&plain).unwrap();
    for tree in [&plain, &place.tree] {
        act(tree, before);
    }
    for ops in runs {
        act(&plain, ops);
        let landed = place.whole(place.rules(), ops);
        prop_assert_eq!(landed.failed().collect::<Vec<_>>(), vec![]);
        prop_assert_eq!(landed.conflicts().collect::<Vec<_>>(), vec![]);
        prop_assert_eq!(landed.refused().collect::<Vec<_>>(), vec![]);
        prop_assert!(!landed.is_left());
    }
    prop_assert_eq!(marks(&place.tree), Vec::<PathBuf>::new());
    prop_assert_eq!(contents(&place.tree), contents(&plain));
    Ok(())
}

fn check(cases: u32, place: fn() -> Place) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    });
    let ops = || prop::collection::vec(op(), 0..12);
    let runs = prop::collection::vec(ops(), 1..3);
    let result = runner.run(&(ops(), runs), |(mut before, mut runs)| {
        // An overlay does not know that names of its lower layer are links to one file.
        let is_no_link = |op: &Op| !matches!(op, Op::Link(..));
        before.retain(is_no_link);
        let last = runs.len() - 1;
        for earlier in &mut runs[..last] {
            earlier.retain(is_no_link);
        }
        same_as_without(&place(), &before, &runs)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn cases() -> u32 {
    let named = std::env::var("PROPTEST_CASES").ok();
    named.and_then(|text| text.parse().ok()).unwrap_or(96)
}

#[test]
fn applied_changes_give_the_tree_that_programs_would_have_left() {
    check(cases(), Place::new);
}

#[test]
fn copied_changes_give_the_tree_that_programs_would_have_left() {
    if !Path::new("/dev/shm").exists() {
        return crate::support::skip(
            crate::support::Lacks::Host,
            "there is no second file system in /dev/shm",
        );
    }
    check(cases(), Place::across);
}
