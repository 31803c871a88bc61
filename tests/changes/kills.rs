//! An apply that is killed or that the system stops half-way.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use gosandbox::changes::{Stage, discard};

use crate::overlay::{Op, Place, act, contents, private_mounts};
use crate::support::killed::send;
use crate::support::reachable::again;
use crate::support::{held, in_child};

fn write(path: &str, content: &str) -> Op {
    Op::Write(path.into(), content.into())
}

/// The process that the tests below start: applies a stage.
#[test]
#[ignore = "the tests below start it"]
fn applying() {
    let folder = std::env::var_os("GOSANDBOX_APPLY").unwrap();
    let landed = Stage::open(Path::new(&folder)).unwrap().apply().unwrap();
    for failure in landed.failed() {
        println!("failed {} {}", failure.change.path.display(), failure.cause);
    }
}

pub fn apply_in_process(folder: &Path) -> Command {
    let mut command = again("kills::applying");
    command
        .env("GOSANDBOX_APPLY", folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

#[test]
fn an_apply_that_is_killed_at_any_time_is_finished_by_the_next_one() {
    const ROUNDS: usize = 10;
    let (mut calls, mut left) = (0, 0);
    // The first round is not killed: it tells how many calls there are.
    for round in 0..=ROUNDS {
        let place = match round % 2 {
            0 => Place::new(),
            _ => Place::across(),
        };
        let plain = place.root.path().join("plain");
        fs::create_dir(&plain).unwrap();
        let names = (0..400).map(|number| (number, format!("d{}/f{number}", number % 20)));
        let (mut before, mut inside) = (Vec::new(), Vec::new());
        for folder in 0..20 {
            before.push(Op::Mkdir(format!("d{folder}").into()));
        }
        for (number, name) in names {
            if number % 3 > 0 {
                before.push(write(&name, "old"));
            }
            inside.push(match number % 3 {
                2 => Op::Remove(name.into()),
                _ => write(&name, "new"),
            });
        }
        for tree in [&plain, &place.tree] {
            act(tree, &before);
        }
        let stage = place.stage(place.rules());
        place.run(&stage, &inside);
        act(&plain, &inside);
        let folder = stage.folder().to_owned();
        drop(stage);
        // Those of the tree's folders, in the tree or staged.
        let is_about_them = |call: &held::Call| {
            let mut paths = call.paths.iter();
            paths.any(|it| it.path.starts_with(place.root.path()) || it.path.starts_with(&folder))
        };
        let mut number = 0;
        let ended = held::run(&mut apply_in_process(&folder), |call| {
            if is_about_them(call) {
                number += 1;
                if round > 0 && number == calls * round / (ROUNDS + 1) {
                    send(call.process, libc::SIGKILL);
                }
            }
        });
        match round {
            0 => calls = number,
            _ => assert_eq!(
                ended.status,
                128 + libc::SIGKILL,
                "round {round}: {ended:?}"
            ),
        }
        let expected = contents(&plain);
        for (name, shown) in contents(&place.tree) {
            let is_whole = shown.ends_with("\"new\"") || shown.ends_with("\"old\"");
            assert!(
                is_whole || shown.starts_with("folder"),
                "{}: {shown}",
                name.display()
            );
        }
        left += usize::from(contents(&place.tree) != expected);
        if folder.exists() {
            let landed = Stage::open(&folder).unwrap().apply().unwrap();
            assert!(!landed.is_left(), "round {round}");
        }
        assert_eq!(contents(&place.tree), expected, "round {round}");
    }
    assert!(
        left > ROUNDS / 2,
        "{left}: they were finished when they were killed"
    );
}

/// Mounts something on the work tree in the process's own mount namespace.
fn mounted(command: &mut Command, tree: &Path, options: Option<&'static str>) {
    let namespaces = private_mounts();
    let tree = CString::new(tree.as_os_str().as_bytes()).unwrap();
    let options = options.map(|options| CString::new(options).unwrap());
    in_child(command, move || {
        namespaces()?;
        let none = std::ptr::null();
        let is_done = match &options {
            // SAFETY: the strings live until the call returns.
            Some(options) => unsafe {
                let kind = c"tmpfs".as_ptr();
                libc::mount(kind, tree.as_ptr(), kind, 0, options.as_ptr().cast())
            },
            // SAFETY: as above.
            None => unsafe {
                let flags = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY;
                libc::mount(
                    tree.as_ptr(),
                    tree.as_ptr(),
                    none,
                    libc::MS_BIND,
                    none.cast(),
                );
                libc::mount(none, tree.as_ptr(), none, flags, none.cast())
            },
        };
        match is_done {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    });
}

#[test]
fn on_a_read_only_work_tree_every_change_fails_with_its_cause_and_stays_staged() {
    let place = Place::new();
    act(
        &place.tree,
        &[write("changed", "old"), write("gone", "old")],
    );
    let stage = place.stage(place.rules());
    let ops = [
        write("changed", "new"),
        write("added", "new"),
        Op::Remove("gone".into()),
    ];
    place.run(&stage, &ops);
    let folder = stage.folder().to_owned();
    drop(stage);
    let before = contents(&place.tree);
    let mut command = apply_in_process(&folder);
    mounted(&mut command, &place.tree, None);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in ["changed", "added", "gone"] {
        assert!(
            text.contains(&format!("failed {name} Read-only file system")),
            "{text}"
        );
    }
    assert_eq!(contents(&place.tree), before);
    assert!(!Stage::open(&folder).unwrap().apply().unwrap().is_left());
    assert!(place.tree.join("added").exists() && !place.tree.join("gone").exists());
}

/// The process that the next test starts: a run in a work tree on a small file system.
#[test]
#[ignore = "the next test starts it"]
fn filling() {
    let folder = std::env::var_os("GOSANDBOX_FILL").unwrap();
    let mut place = Place::new();
    place.tree = Path::new(&folder).to_owned();
    act(&place.tree, &[write("changed", "old")]);
    let stage = place.stage(place.rules());
    let large = "x".repeat(2 << 20);
    let upper = [
        write("a-large", &large),
        write("changed", &large),
        write("small", "new"),
    ];
    act(&stage.upper(), &upper);
    let stage_folder = stage.folder().to_owned();
    let landed = stage.apply().unwrap();
    let failed: Vec<_> = landed.failed().collect();
    assert!(
        failed
            .iter()
            .all(|failure| failure.cause.contains("No space left")),
        "{failed:?}"
    );
    let mut names: Vec<_> = failed
        .iter()
        .map(|failure| failure.change.path.clone())
        .collect();
    names.sort();
    assert_eq!(names, [Path::new("a-large"), Path::new("changed")]);
    let found: Vec<_> = contents(&place.tree).into_keys().collect();
    assert_eq!(
        found,
        ["", "changed", "small"].map(std::path::PathBuf::from)
    );
    assert_eq!(fs::read(place.tree.join("changed")).unwrap(), b"old");
    discard(&stage_folder).unwrap();
    println!("filled");
}

#[test]
fn on_a_full_disk_no_file_is_half_written() {
    let place = Place::new();
    let mut command = again("kills::filling");
    command.env("GOSANDBOX_FILL", &place.tree);
    mounted(&mut command, &place.tree, Some("size=1m,mode=755"));
    let output = command.output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("filled"),
        "{output:?}"
    );
}
