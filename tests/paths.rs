//! Paths that another user can change are walked in one room, `src/files`: each is opened once and used by its descriptor.
//! What only looks or reads goes through `files::look`. Everything else that takes a path is counted here, and the numbers
//! only go down. The names of methods count that a path shares with what was looked at already (`Metadata::is_dir`).

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What changes something at a path.
const CHANGES: [&str; 17] = [
    "fs::write(",
    "fs::rename(",
    "fs::remove_file(",
    "fs::remove_dir(",
    "fs::remove_dir_all(",
    "fs::create_dir(",
    "fs::create_dir_all(",
    "fs::set_permissions(",
    "fs::hard_link(",
    "fs::copy(",
    "fs::mkdir(",
    "fs::chmod(",
    "fs::unlink(",
    "fs::symlink(",
    "DirBuilder::new(",
    "OpenOptions::new(",
    "File::create",
];

/// What opens a path or looks at what is there.
const LOOKS: [&str; 15] = [
    ".canonicalize()",
    ".exists()",
    ".is_dir()",
    ".is_file()",
    ".is_symlink()",
    ".metadata()",
    ".symlink_metadata()",
    ".read_dir()",
    ".read_link()",
    "fs::metadata(",
    "fs::read(",
    "fs::read_to_string(",
    "fs::read_dir(",
    "fs::canonicalize(",
    "File::open(",
];

/// Where paths are changed outside `src/files`, how often, and why nobody else decides what they lead to.
#[rustfmt::skip]
const CHANGED: [(&str, usize, &str); 12] = [
    ("cli/auto/apparmor.rs", 4, "installs for the machine, in /etc"),
    ("cli/auto/mod.rs", 2, "a folder of its own, from mkdtemp"),
    ("cli/auto/selinux.rs", 1, "a folder of its own, from mkdtemp"),
    ("enforce/cgroup.rs", 6, "the cgroup file system"),
    ("enforce/self_check.rs", 1, "a confined process, which must not succeed"),
    ("enforce/mandatory.rs", 2, "/proc/self/attr"),
    ("host/mandatory.rs", 1, "/proc/self/attr"),
    ("launch/init.rs", 2, "the run's own folders, and the view's"),
    ("launch/placeholder/mod.rs", 2, "records, in the folder of all runs"),
    ("launch/placeholder/record.rs", 1, "records, in the folder of all runs"),
    ("launch/remove.rs", 1, "/proc/self/fd, of a descriptor"),
    ("launch/wrapper.rs", 2, "the sandbox user's process"),
];

/// So often paths are looked at, by file. A lower number is better, and a new file has none.
#[rustfmt::skip]
const LOOKED_AT: [(&str, usize); 42] = [
    ("cli/auto/apparmor.rs", 7),
    ("cli/auto/mod.rs", 1),
    ("cli/doctor.rs", 2),
    ("run/audit.rs", 2),
    ("run/git.rs", 1),
    ("run/links.rs", 3),
    ("run/protected.rs", 1),
    ("run/stage.rs", 1),
    ("run/verify.rs", 3),
    ("run/folders.rs", 3),
    ("enforce/cgroup.rs", 3),
    ("enforce/mandatory.rs", 3),
    ("gateway/peer.rs", 1),
    ("go/dirhash.rs", 5),
    ("go/gitdirs.rs", 1),
    ("go/mod.rs", 3),
    ("go/toolchain.rs", 2),
    ("go/trust.rs", 2),
    ("go/vcs.rs", 4),
    ("host/accounts.rs", 2),
    ("host/cgroups.rs", 5),
    ("host/mandatory.rs", 1),
    ("host/notification.rs", 1),
    ("launch/descendants.rs", 3),
    ("launch/gate.rs", 1),
    ("launch/placeholder/mod.rs", 1),
    ("launch/wrapper.rs", 4),
    ("notify/caller.rs", 3),
    ("notify/handover.rs", 1),
    ("notify/names.rs", 1),
    ("notify/ports.rs", 1),
    ("notify/signals.rs", 2),
    ("notify/sockets.rs", 2),
    ("plan/links.rs", 3),
    ("plan/libraries.rs", 8),
    ("plan/programs.rs", 8),
    ("plan/system.rs", 7),
    ("plan/tree.rs", 1),
    ("profile/load.rs", 3),
    ("sys/descriptors.rs", 1),
    ("sys/process_stat.rs", 1),
    ("web/folder.rs", 2),
];

/// Not the launcher's code: a helper's that is the tree's owner, and what only tests use.
const OTHERS: [&str; 2] = ["changes", "go/real.rs"];

fn counted(words: &[&str]) -> BTreeMap<String, usize> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source.clone()];
    let mut found = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path
                .strip_prefix(&source)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if OTHERS.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                if name != "files" && !name.ends_with("tests") {
                    folders.push(path);
                }
                continue;
            }
            let number: usize = words
                .iter()
                .map(|word| code(&path).matches(word).count())
                .sum();
            if number > 0 && !name.ends_with("tests.rs") {
                found.insert(name, number);
            }
        }
    }
    found
}

/// The code of a file without its comments and its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn more_than(found: &BTreeMap<String, usize>, allowed: &BTreeMap<&str, usize>) -> Vec<String> {
    let is_more = |(name, number): &(&String, &usize)| {
        allowed.get(name.as_str()).is_none_or(|most| *number > most)
    };
    let more = found.iter().filter(is_more);
    more.map(|(name, number)| format!("(\"{name}\", {number}),"))
        .collect()
}

#[test]
fn paths_are_changed_in_one_room() {
    let allowed = CHANGED
        .iter()
        .map(|(name, most, _)| (*name, *most))
        .collect();
    let more = more_than(&counted(&CHANGES), &allowed);
    assert!(
        more.is_empty(),
        "use crate::files, by descriptors:\n{}",
        more.join("\n")
    );
}

#[test]
fn paths_are_looked_at_in_no_more_places_than_they_were() {
    let allowed = LOOKED_AT.into_iter().collect();
    let more = more_than(&counted(&LOOKS), &allowed);
    assert!(
        more.is_empty(),
        "use crate::files, by descriptors:\n{}",
        more.join("\n")
    );
}
