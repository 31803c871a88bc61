//! Links by which the caller names places: a home behind `/home -> /var/home`, arguments, GOPATH.
//!
//! The view has everything at its real place. Each link on the way that is not in the work tree is in the view too, so
//! that a path works as the caller has written it. A link shows nothing: what it leads to is granted by its real path,
//! or is not there.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::{Command, Session};
use crate::files::look;
use crate::plan::inputs::Link;

/// As many as the kernel follows (path_resolution(7)).
const MOST: usize = 40;

/// Variables of the caller's that name folders.
const VARIABLES: [&str; 8] = [
    "GOBIN",
    "GOCACHE",
    "GOCOVERDIR",
    "GOMODCACHE",
    "GOPATH",
    "GOROOT",
    "GOWORK",
    "PWD",
];

/// The links on the way to what the caller names, outside the work tree.
pub(super) fn links(session: &Session<'_>, command: &Command, tree: Option<&Path>) -> Vec<Link> {
    let mut named: Vec<PathBuf> = session.home.iter().cloned().collect();
    for name in VARIABLES {
        let value = session.go_variable(name).unwrap_or_default();
        named.extend(std::env::split_paths(&value));
    }
    let words = std::iter::once(&command.program).chain(&command.arguments);
    named.extend(words.filter_map(path_in));
    let mut found = Vec::new();
    for path in named.iter().filter(|path| path.is_absolute()) {
        follow(path, tree, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// The caller's own name of the folder in which the command starts, if it is one by links outside the work tree. Go
/// names files and modules by it, as without gosandbox.
pub(super) fn named_folder(
    session: &Session<'_>,
    start: &Path,
    tree: Option<&Path>,
) -> Option<PathBuf> {
    let named = PathBuf::from(session.variable("PWD")?);
    if !named.is_absolute() || named == start || session.request.directory.is_some() {
        return None;
    }
    let is_there = look::canonicalize(&named).is_ok_and(|real| real == start);
    let mut found = Vec::new();
    let is_whole = follow(&named, tree, &mut found);
    (is_there && is_whole).then_some(named)
}

/// The path that a word of the command line is, or that a flag in it has.
fn path_in(word: &OsString) -> Option<PathBuf> {
    let bytes = word.as_bytes();
    let start = match bytes.first()? {
        b'/' => 0,
        b'-' => bytes.iter().position(|byte| *byte == b'=')? + 1,
        _ => return None,
    };
    let path = OsStr::from_bytes(&bytes[start..]);
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

/// Adds the links on the way to a path. Whether its end was reached, without a link of the work tree's.
fn follow(path: &Path, tree: Option<&Path>, found: &mut Vec<Link>) -> bool {
    let mut rest = VecDeque::new();
    prepend(&mut rest, path);
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        at.push(&name);
        let to = match look::read_link(&at) {
            Ok(to) if links < MOST => to,
            // It is no link (readlink(2)).
            Err(error) if error.kind() == ErrorKind::InvalidInput => continue,
            _ => return false,
        };
        links += 1;
        // A repository's own links are shown with it, and count for nothing else.
        if tree.is_some_and(|tree| at.starts_with(tree)) {
            return false;
        }
        found.push(Link {
            path: at.clone(),
            to: to.clone(),
        });
        at.pop();
        if to.is_absolute() {
            at = PathBuf::from("/");
        }
        prepend(&mut rest, &to);
    }
    true
}

fn prepend(rest: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => rest.push_front(name.to_owned()),
            Component::ParentDir => rest.push_front("..".into()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_link_on_the_way_is_found_and_none_of_the_work_tree() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("var/home/u/p")).unwrap();
        symlink("var/home", base.join("home")).unwrap();
        symlink(base.join("home/u"), base.join("var/me")).unwrap();
        symlink("/etc", base.join("var/home/u/p/out")).unwrap();
        let tree = base.join("var/home/u/p");
        let mut found = Vec::new();
        follow(
            &base.join("var/../var/me/p/out/passwd"),
            Some(&tree),
            &mut found,
        );
        let link = |path: &str, to: PathBuf| Link {
            path: base.join(path),
            to,
        };
        let me = link("var/me", base.join("home/u"));
        assert_eq!(found, [me, link("home", "var/home".into())]);
        symlink("loop", base.join("loop")).unwrap();
        let mut found = Vec::new();
        follow(&base.join("loop"), None, &mut found);
        assert_eq!(found.len(), MOST);
    }

    #[test]
    fn paths_are_found_in_words_and_flags() {
        for (word, path) in [
            ("/a/b", Some("/a/b")),
            ("-o=/a", Some("/a")),
            ("-coverprofile=/a=b", Some("/a=b")),
            ("./a", None),
            ("-o=a", None),
            ("-v", None),
            ("A=/b", None),
            ("", None),
        ] {
            assert_eq!(path_in(&word.into()), path.map(PathBuf::from), "{word}");
        }
    }
}
