use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

fn own() -> Keeper {
    Keeper::caller()
}

fn scene() -> (tempfile::TempDir, PathBuf) {
    let base = tempfile::tempdir().unwrap();
    let real = base.path().canonicalize().unwrap();
    std::fs::create_dir_all(real.join("a/b")).unwrap();
    (base, real)
}

#[test]
fn it_comes_to_where_the_kernel_comes() {
    let (_base, real) = scene();
    symlink("a", real.join("link")).unwrap();
    symlink(real.join("link/b"), real.join("a/absolute")).unwrap();
    for name in ["a/b", "link/b", "link/../a/absolute", "a/./b/../../link/b"] {
        let mut step = Step::start(&real.join(name)).unwrap();
        assert_eq!(
            step.walk(Follow::Kept(own()), None).unwrap(),
            Stop::There,
            "{name}"
        );
        assert_eq!(step.real(), real.join("a/b"), "{name}");
    }
    let mut step = Step::start(&real.join("link/new/more")).unwrap();
    assert_eq!(step.walk(Follow::Kept(own()), None).unwrap(), Stop::Missing);
    assert_eq!(step.end(), real.join("a/new/more"));
    step.make_folder(0o700).unwrap();
    assert!(step.is_last() && real.join("a/new").is_dir());
    symlink("circle", real.join("circle")).unwrap();
    let mut step = Step::start(&real.join("circle")).unwrap();
    assert_eq!(
        step.walk(Follow::All, None).unwrap_err().raw_os_error(),
        Some(libc::ELOOP)
    );
}

#[test]
fn it_stops_where_others_decide() {
    let (_base, real) = scene();
    let walk = || {
        let mut step = Step::start(&real.join("a/b")).unwrap();
        let stop = step.walk(Follow::Kept(own()), None).unwrap();
        (stop, step.real().to_owned())
    };
    for (mode, stops) in [(0o700, false), (0o777, true), (0o1777, false)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(real.join("a"), mode).unwrap();
        assert_eq!(walk().0 == Stop::NotKept, stops);
    }
    if crate::skip::needs_root("another user's folder is made by root") {
        let give = |name: &str| std::os::unix::fs::lchown(real.join(name), Some(1000), None);
        give("a/b").unwrap();
        // In a sticky folder its owner may exchange it.
        assert_eq!(walk(), (Stop::NotKept, real.join("a")));
        std::fs::set_permissions(real.join("a"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(walk().0, Stop::There);
        give("a").unwrap();
        assert_eq!(walk(), (Stop::NotKept, real.join("a")));
    }
}

#[test]
fn a_link_of_the_trees_own_that_leads_out_is_told() {
    let (_base, real) = scene();
    let tree = real.join("a");
    symlink("../b", tree.join("out")).unwrap();
    symlink("b", tree.join("in")).unwrap();
    std::fs::create_dir(real.join("b")).unwrap();
    for (name, leaves) in [("out", true), ("in", false), ("../b", false), ("b", false)] {
        let mut step = Step::start(&tree.join(name)).unwrap();
        step.walk(Follow::All, Some(&tree)).unwrap();
        assert_eq!(step.leaves(Some(&tree)), leaves, "{name}");
    }
}

#[test]
fn links_to_what_is_missing_are_followed_to_their_end() {
    let (_base, real) = scene();
    let tree = real.join("a");
    for (to, name) in [
        ("second", "first"),
        ("b/third", "second"),
        ("../../c/new", "b/third"),
        ("b/new", "stays"),
    ] {
        symlink(to, tree.join(name)).unwrap();
    }
    let end = |name: &str| end_of(&tree.join(name), Some(own()), Some(&tree)).unwrap();
    let first = end("first");
    assert_eq!(first.path, real.join("c/new"));
    assert!(first.leaves && !first.is_there);
    let stays = end("stays");
    assert_eq!(stays.path, tree.join("b/new"));
    assert!(!stays.leaves && !stays.is_there && end("b").is_there);
}
