//! What a program can write to break, mislead or outlast the look at its changes.

use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use gosandbox::changes::{Dropped, Keep, Verdict};
use gosandbox::refusal::Code;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, XattrFlags};

use crate::overlay::{Op, Place, act, contents, marks};

#[test]
fn sixty_thousand_planted_names_are_refused_and_the_rest_applied() {
    let place = Place::across();
    let stage = place.stage(place.rules());
    for folder in 0..20 {
        let folder = stage.upper().join(format!("d{folder}"));
        fs::create_dir(&folder).unwrap();
        for number in 0..3_000 {
            fs::write(folder.join(spelt(number)), "x").unwrap();
        }
    }
    fs::write(stage.upper().join("kept"), "x").unwrap();
    let began = Instant::now();
    let landed = stage.apply().unwrap();
    eprintln!("60,000 names: {:?}", began.elapsed());
    assert_eq!(landed.refused().count(), 60_000);
    assert_eq!(contents(&place.tree).len(), 22);
    assert!(place.tree.join("kept").exists());
    assert!(landed.is_left() && landed.failed().count() == 0);
}

/// One of many spellings of `.envrc`, which some file systems take for it.
fn spelt(number: usize) -> String {
    let letters = "envrc".chars().enumerate();
    let letters = letters.map(|(at, letter)| match number >> at & 1 {
        0 => letter,
        _ => letter.to_ascii_uppercase(),
    });
    format!(
        ".{}{}",
        letters.collect::<String>(),
        ".".repeat(number >> 5)
    )
}

#[test]
fn five_thousand_new_files_are_applied() {
    for place in [Place::new(), Place::across()] {
        let stage = place.stage(place.rules());
        for number in 0..5_000 {
            let folder = stage.upper().join(format!("d{}", number % 50));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("f{number}")), "content").unwrap();
        }
        let began = Instant::now();
        let landed = stage.apply().unwrap();
        eprintln!("5,000 new files: {:?}", began.elapsed());
        assert_eq!(
            (landed.applied().count(), landed.failed().count()),
            (5_050, 0)
        );
        assert!(!landed.is_left() && place.tree.join("d1/f4951").exists());
    }
}

#[test]
fn an_untouched_stage_costs_next_to_nothing() {
    let place = Place::new();
    let stage = place.stage(place.rules());
    let began = Instant::now();
    stage.apply().unwrap();
    eprintln!("nothing to apply: {:?}", began.elapsed());
}

/// Folders in folders, by descriptors. The innermost one.
fn deep(top: &Path, depth: usize, name: &str) -> std::os::fd::OwnedFd {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = rustix::fs::openat(CWD, top, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&at, name, Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, name, flags, Mode::empty()).unwrap();
    }
    at
}

#[test]
fn depth_and_long_names_hide_nothing() {
    let long = "n".repeat(255);
    for (depth, name) in [(3_000, "d"), (60, long.as_str())] {
        for place in [Place::new(), Place::across()] {
            let stage = place.stage(place.rules());
            let inner = deep(&stage.upper(), depth, name);
            for file in ["kept", ".envrc"] {
                let flags = OFlags::CREATE | OFlags::WRONLY;
                rustix::fs::openat(&inner, file, flags, Mode::RWXU).unwrap();
            }
            let began = Instant::now();
            let landed = stage.apply().unwrap();
            eprintln!("depth {depth}: {:?}", began.elapsed());
            let (change, refusal) = landed.refused().next().unwrap();
            assert_eq!(refusal, Code::ProtectedPath);
            assert!(change.path.ends_with(".envrc"));
            assert_eq!(landed.failed().count(), 0);
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let mut at = rustix::fs::openat(CWD, &place.tree, flags, Mode::empty()).unwrap();
            for _ in 0..depth {
                at = rustix::fs::openat(&at, name, flags, Mode::empty()).unwrap();
            }
            let is_there = |file: &str| rustix::fs::statat(&at, file, AtFlags::empty()).is_ok();
            assert!(is_there("kept") && !is_there(".envrc"));
            remove_deep(place);
        }
    }
}

/// `remove_dir_all` of the standard library needs a descriptor a level.
fn remove_deep(place: Place) {
    let status = std::process::Command::new("rm")
        .args(["-rf", "--"])
        .args([&place.base, &place.tree])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_deep_folder_of_the_work_tree_is_deleted() {
    let place = Place::new();
    deep(&place.tree, 2_000, "d");
    fs::write(place.tree.join("d/file"), "x").unwrap();
    let landed = place.whole(place.rules(), &[Op::RemoveAll("d".into())]);
    assert_eq!(landed.failed().collect::<Vec<_>>(), []);
    assert!(!place.tree.join("d").exists());
}

#[test]
fn folders_and_files_without_permissions_are_looked_into_and_keep_their_modes() {
    let place = Place::new();
    let stage = place.stage(place.rules());
    let ops = [
        Op::Mkdir("closed".into()),
        Op::Write("closed/file".into(), "x".into()),
        Op::Write("closed/.envrc".into(), "x".into()),
        Op::Chmod("closed/file".into(), 0),
        Op::Chmod("closed".into(), 0),
    ];
    act(&stage.upper(), &ops);
    let landed = stage.apply().unwrap();
    assert_eq!(landed.refused().count(), 1);
    let found = contents(&place.tree);
    assert_eq!(found[Path::new("closed")], "folder 0");
    assert!(
        found[Path::new("closed/file")].starts_with("file 0 1"),
        "{found:?}"
    );
    assert!(!found.contains_key(Path::new("closed/.envrc")));
}

#[test]
fn odd_names_and_sockets_and_attributes() {
    let place = Place::new();
    let stage = place.stage(place.rules());
    let odd = std::ffi::OsStr::from_bytes(b"\xff\n*").to_owned();
    fs::write(stage.upper().join(&odd), "x").unwrap();
    fs::write(stage.upper().join("marked"), "x").unwrap();
    for name in [
        "user.overlay.impure",
        "user.overlay.overlay.opaque",
        "user.overlay.redirect",
    ] {
        let path = stage.upper().join("marked");
        rustix::fs::setxattr(path, name, b"y", XattrFlags::empty()).unwrap();
    }
    fs::set_permissions(stage.upper().join("marked"), Permissions::from_mode(0o444)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(stage.upper().join("socket")).unwrap();
    let fifo = stage.upper().join("fifo");
    rustix::fs::mknodat(CWD, fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let whiteout = stage.upper().join("whiteout");
    rustix::fs::mknodat(CWD, whiteout, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    let changes = stage.changes().unwrap();
    let dropped = changes
        .iter()
        .filter(|change| change.verdict == Verdict::Drop(Dropped::Socket));
    assert_eq!(dropped.count(), 2);
    let landed = stage.apply().unwrap();
    assert_eq!(landed.refused().collect::<Vec<_>>(), []);
    assert_eq!(landed.conflicts().collect::<Vec<_>>(), []);
    assert!(!landed.is_left());
    let names: Vec<PathBuf> = contents(&place.tree).into_keys().collect();
    assert_eq!(names, ["".into(), PathBuf::from("marked"), odd.into()]);
    assert_eq!(marks(&place.tree), Vec::<PathBuf>::new());
}

#[test]
fn set_id_bits_and_device_nodes_are_refused() {
    let place = Place::new();
    let stage = place.stage(place.rules());
    fs::write(stage.upper().join("setuid"), "x").unwrap();
    fs::set_permissions(stage.upper().join("setuid"), Permissions::from_mode(0o4755)).unwrap();
    fs::create_dir(stage.upper().join("shared")).unwrap();
    fs::set_permissions(stage.upper().join("shared"), Permissions::from_mode(0o3775)).unwrap();
    let mut expected = vec![("setuid", Code::SetIdFile)];
    if crate::support::is_root() {
        let null = stage.upper().join("null");
        let device = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(CWD, null, FileType::CharacterDevice, Mode::RWXU, device).unwrap();
        expected.insert(0, ("null", Code::DeviceNode));
    } else {
        crate::support::skip(
            crate::support::Lacks::Root,
            "only root can make device nodes",
        );
    }
    let landed = stage.apply().unwrap();
    let refused: Vec<_> = landed
        .refused()
        .map(|(change, why)| (change.path, why))
        .collect();
    let expected = expected
        .into_iter()
        .map(|(path, why)| (PathBuf::from(path), why));
    assert_eq!(refused, expected.collect::<Vec<_>>());
    let mode = place
        .tree
        .join("shared")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o1775);
}

#[test]
fn hard_links_stay_links_also_where_they_are_copied() {
    use std::os::unix::fs::MetadataExt;
    for place in [Place::new(), Place::across()] {
        let ops = [
            Op::Mkdir("d".into()),
            Op::Write("d/one".into(), "x".into()),
            Op::Link("d/one".into(), "two".into()),
        ];
        let landed = place.whole(place.rules(), &ops);
        assert!(!landed.is_left());
        let inode = |name: &str| place.tree.join(name).metadata().unwrap().ino();
        assert_eq!(inode("d/one"), inode("two"));
    }
}

#[test]
fn under_strict_only_testdata_and_outputs_are_kept() {
    let place = Place::new();
    fs::write(place.tree.join("file"), "old").unwrap();
    let mut rules = place.rules();
    rules.keep = Keep::Testdata;
    rules.outputs = vec!["cpu.out".into(), "out/profiles".into()];
    let write = |path: &str| Op::Write(path.into(), "new".into());
    let folder = |path: &str| Op::Mkdir(path.into());
    let ops = [
        write("file"),
        write("dropped"),
        write("cpu.out"),
        folder("out"),
        write("out/dropped"),
        folder("out/profiles"),
        write("out/profiles/kept"),
        folder("p"),
        folder("p/testdata"),
        folder("p/testdata/deep"),
        write("p/testdata/deep/kept"),
        write("p/testdata/.envrc"),
        folder(".git"),
        folder(".git/testdata"),
        write(".git/testdata/planted"),
        folder("empty"),
    ];
    let landed = place.whole(rules, &ops);
    let names: Vec<PathBuf> = contents(&place.tree).into_keys().collect();
    let expected = [
        "",
        "cpu.out",
        "file",
        "out",
        "out/profiles",
        "out/profiles/kept",
        "p",
        "p/testdata",
        "p/testdata/deep",
        "p/testdata/deep/kept",
    ];
    assert_eq!(names, expected.map(PathBuf::from));
    assert_eq!(fs::read_to_string(place.tree.join("file")).unwrap(), "old");
    let refused: Vec<_> = landed.refused().map(|(change, _)| change.path).collect();
    assert_eq!(refused, [PathBuf::from(".git"), "p/testdata/.envrc".into()]);
}

#[test]
fn a_link_in_the_work_tree_is_never_written_through() {
    let place = Place::new();
    let outside = place.root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let stage = place.stage(place.rules());
    fs::create_dir(stage.upper().join("folder")).unwrap();
    fs::write(stage.upper().join("folder/file"), "x").unwrap();
    // Somebody exchanges the folder for a link after the run.
    symlink(&outside, place.tree.join("folder")).unwrap();
    let landed = stage.apply().unwrap();
    assert_eq!(landed.conflicts().count(), 1);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}
