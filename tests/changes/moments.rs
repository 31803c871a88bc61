//! What somebody outside saves at any moment while changes are applied, held open by ptrace(2).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::command;
use crate::overlay::{Op, Place, act};
use crate::support::held;

fn path(path: &str) -> PathBuf {
    path.into()
}

fn write(path: &str, content: &str) -> Op {
    Op::Write(path.into(), content.into())
}

/// A work tree and a stage with a change of each kind.
fn staged() -> Place {
    let place = command::place();
    let before = [
        write("changed", "old"),
        write("gone", "old"),
        write("mode", "old"),
        Op::Mkdir(path("folder-gone")),
        write("folder-gone/a", "old"),
        Op::Mkdir(path("over")),
        write("over/a", "old"),
    ];
    let inside = [
        write("changed", "inside"),
        Op::Remove(path("gone")),
        Op::Chmod(path("mode"), 0o750),
        write("new", "inside"),
        Op::RemoveAll(path("folder-gone")),
        Op::RemoveAll(path("over")),
        write("over", "inside"),
    ];
    act(&place.tree, &before);
    let stage = place.stage(place.rules());
    place.run(&stage, &inside);
    stage.keep();
    place
}

/// Whether a file in the work tree, also one below a temporary name, holds what was saved outside.
fn is_kept(tree: &Path, name: &Path) -> bool {
    let holds = |path: PathBuf| fs::read(path).is_ok_and(|content| content == b"outside");
    let names = fs::read_dir(tree)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut beside = names.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(".gosandbox-")
    });
    holds(tree.join(name)) || beside.any(|path| holds(path.join(name.file_name().unwrap())))
}

#[test]
fn what_is_saved_outside_at_any_moment_of_the_apply_is_kept() {
    for name in ["changed", "gone", "mode", "new", "folder-gone/a", "over/a"] {
        let name = Path::new(name);
        let through = Path::new("tree").join(name.iter().next().unwrap());
        for window in 0.. {
            let place = staged();
            let (mut number, mut held_at) = (0, None);
            let ended = held::run(&mut command::command(&place, &["apply"]), |call| {
                if !call.comes_through(&through) {
                    return;
                }
                if number == window {
                    held_at = Some(call.number);
                    // As editors save.
                    let save = [
                        write("y", "outside"),
                        Op::Rename(path("y"), name.to_owned()),
                    ];
                    act(&place.tree, &save);
                }
                number += 1;
            });
            let Some(held_at) = held_at else {
                assert!(window > 1, "{}", name.display());
                break;
            };
            // The call that replaces or removes the file itself has looked at it just before.
            let replaces = [libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_unlinkat];
            let is_last_moment = replaces.contains(&held_at);
            let place_and_call = format!("{}, window {window}, {held_at}", name.display());
            assert!(
                is_kept(&place.tree, name) || is_last_moment,
                "{place_and_call}: {ended:?}"
            );
            assert!(
                [0, 125].contains(&ended.status),
                "{place_and_call}: {ended:?}"
            );
        }
    }
}

/// A new file may get the inode number of a folder that the apply has just deleted. It is not taken
/// for what the apply has touched itself.
#[test]
fn a_new_file_with_the_inode_of_a_deleted_folder_is_kept() {
    let name = Path::new("folder-gone/a");
    for window in 0.. {
        let place = staged();
        let inode = |path: PathBuf| fs::symlink_metadata(path).map(|found| found.ino()).ok();
        let deleted = inode(place.tree.join("over")).unwrap();
        let (mut number, mut held_at) = (0, None);
        let ended = held::run(&mut command::command(&place, &["apply"]), |call| {
            if !call.comes_through(Path::new("tree/folder-gone")) {
                return;
            }
            if number == window {
                held_at = Some(call.number);
                // File systems that use numbers again take the lowest free ones.
                let new: Vec<_> = (0..64)
                    .map(|number| place.tree.join(format!("y{number}")))
                    .collect();
                for path in &new {
                    fs::write(path, "outside").unwrap();
                }
                let has_it = |path: &&PathBuf| inode((*path).clone()) == Some(deleted);
                let saved = new.iter().find(has_it).unwrap_or(&new[0]);
                fs::rename(saved, place.tree.join(name)).unwrap();
                for path in new.iter().filter(|path| *path != saved) {
                    fs::remove_file(path).unwrap();
                }
            }
            number += 1;
        });
        let Some(held_at) = held_at else {
            assert!(window > 1);
            break;
        };
        let is_last_moment = held_at == libc::SYS_unlinkat;
        assert!(
            is_kept(&place.tree, name) || is_last_moment,
            "window {window}, {held_at}: {ended:?}"
        );
    }
}
