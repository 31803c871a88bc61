//! What symbolic links lead to. Whoever can write what a link leads to, or a link on the way there,
//! need not touch the link itself.

use crate::files::look;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As many links are followed as the kernel follows (path_resolution(7)).
const MOST: usize = 40;

/// The folders of a git repository in which a link may lead to something that is executed or read as
/// configuration. The others hold data, and very much of it.
const OF_GIT: [&str; 4] = ["hooks", "info", "modules", "worktrees"];

/// Each link on the way of a path, and what is at its end, there or not. Nothing where no link is on
/// the way.
pub fn steps(path: &Path) -> Vec<PathBuf> {
    look::with_rights_of(path, || steps_to(path))
}

fn steps_to(path: &Path) -> Vec<PathBuf> {
    let mut rest: Vec<OsString> = Vec::new();
    let mut at = PathBuf::new();
    let mut found = Vec::new();
    push(&mut rest, path);
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        // An absolute path replaces all that is before it: its first part is the root.
        let next = at.join(&part);
        match look::read_link(&next) {
            Ok(target) if found.len() < MOST => {
                found.push(next);
                push(&mut rest, &target);
            }
            _ => at = next,
        }
    }
    if !found.is_empty() {
        found.push(at);
    }
    found
}

/// Puts the parts of a path in front of what is left.
fn push(rest: &mut Vec<OsString>, path: &Path) {
    let parts = path.components().rev();
    let parts = parts.filter(|part| *part != Component::CurDir);
    rest.extend(parts.map(|part| part.as_os_str().to_owned()));
}

/// What paths of a tree lead to that are links, or have links on their way or below them, where that is in
/// the tree too. The links on the way are among it.
pub fn ends_of_links(tree: &Path, paths: &[PathBuf]) -> Vec<PathBuf> {
    look::with_rights_of(tree, || ends(tree, paths))
}

fn ends(tree: &Path, paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in paths {
        let path = tree.join(path);
        found.extend(steps(&path).into_iter().filter(|step| *step != path));
        for link in links_below(&path) {
            found.extend(steps(&link).into_iter().filter(|step| *step != link));
        }
    }
    found.retain(|path| path != tree && path.starts_with(tree));
    found.sort();
    found.dedup();
    found
}

/// The links in a folder, at any depth.
fn links_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let is_folder = look::symlink_metadata(folder).is_ok_and(|found| found.is_dir());
    let mut folders: Vec<PathBuf> = is_folder.then(|| folder.to_owned()).into_iter().collect();
    while let Some(folder) = folders.pop() {
        // Who cannot list it cannot execute out of it either.
        let entries = look::read_dir(&folder).unwrap_or_default();
        let is_of_git = entries.iter().any(|entry| entry.file_name() == "HEAD");
        for entry in entries {
            let name = entry.file_name();
            let counts = !is_of_git || OF_GIT.iter().any(|one| name == *one);
            if entry.kind().is_symlink() {
                found.push(entry.path());
            } else if entry.kind().is_dir() && counts {
                folders.push(entry.path());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_counts_and_ends_that_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().canonicalize().unwrap();
        for name in [
            ".git/hooks",
            ".git/objects",
            ".husky/_",
            "scripts",
            "other/deep",
        ] {
            fs::create_dir_all(tree.join(name)).unwrap();
        }
        fs::write(tree.join(".git/HEAD"), "").unwrap();
        for (target, link) in [
            ("../../scripts/x", ".git/hooks/pre-commit"),
            ("../one", ".git/config"),
            ("two", "one"),
            ("other/deep/../config", "two"),
            ("/etc/passwd", ".git/hooks/outside"),
            ("../../scripts", ".husky/_/all"),
            ("../scripts/data", ".git/objects/x"),
            ("loop", "loop"),
            ("../loop", ".husky/loop"),
        ] {
            symlink(target, tree.join(link)).unwrap();
        }
        let names = [".git", ".husky", ".vscode"].map(PathBuf::from);
        let found = ends_of_links(&tree, &names);
        let found: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(&tree).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(
            found,
            ["loop", "one", "other/config", "scripts", "scripts/x", "two"]
        );
        assert!(steps(&tree.join("scripts")).is_empty());
        assert_eq!(ends_of_links(&tree, &["one".into()]).len(), 2);
    }
}
