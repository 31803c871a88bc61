//! What git executes outside the sandbox later, out of the work tree: hooks, configuration, and the files of
//! command lines that a repository's own configuration leads to.
//!
//! `core.hooksPath = .githooks`, `include.path = ../.gitconfig` and `filter.x.clean = ./tools/clean` are
//! common. Whoever may write the work tree must not write these.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::gitconfig::{self, LARGEST, Setting};
use super::read_plain;
use super::vcs::each_submodule;
use crate::paths::clean;

/// Includes of includes are followed so deep, as git does (`MAX_INCLUDE_DEPTH`).
const DEEPEST: usize = 10;
/// So many files are read, and again only where they are nearer than before: git gives up where one includes
/// itself.
const MOST: usize = 1000;

/// The files and folders that the configuration of `repository`, its top folder, leads to, and that of its
/// submodules: there or not, without `.` and `..`. What cannot be read or understood leads nowhere, as for git.
pub fn led_to(repository: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut seen = HashMap::new();
    let git = git_folder(repository);
    let common = common_folder(&git);
    for config in [common.join("config"), git.join("config.worktree")] {
        follow(&config, repository, 0, &mut seen, &mut found);
    }
    let _what_is_wrong_leads_nowhere =
        follow_submodules(&common.join("modules"), 0, &mut seen, &mut found);
    found.sort();
    found.dedup();
    found
}

/// A submodule's own configuration, which lies in its repository's folder, and says where its files are.
fn follow_submodules(
    modules: &Path,
    depth: usize,
    seen: &mut HashMap<PathBuf, usize>,
    found: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let mut look = |git: &Path, depth: usize| {
        let config = git.join("config");
        let settings = read(&config).and_then(|text| gitconfig::parse(&text).ok());
        let mut settings = settings.unwrap_or_default().into_iter();
        let tree = settings.find(|it| it.section == "core" && it.key == "worktree");
        if let Some(tree) = tree.and_then(|it| it.value) {
            let tree = clean(&git.join(tree));
            follow(&config, &tree, 0, seen, found);
            follow(&git.join("config.worktree"), &tree, 0, seen, found);
        }
        follow_submodules(&git.join("modules"), depth, seen, found)
    };
    each_submodule(modules, depth, &mut look)
}

fn follow(
    config: &Path,
    repository: &Path,
    depth: usize,
    seen: &mut HashMap<PathBuf, usize>,
    found: &mut Vec<PathBuf>,
) {
    let is_known = seen.get(config).is_some_and(|nearest| *nearest <= depth);
    if is_known || seen.len() >= MOST {
        return;
    }
    seen.insert(config.to_owned(), depth);
    let settings = read(config).and_then(|text| gitconfig::parse(&text).ok());
    let Some(settings) = settings else {
        return;
    };
    let folder = config.parent().unwrap_or(repository);
    for setting in settings {
        let Setting {
            section,
            key,
            value,
            ..
        } = setting;
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            continue;
        };
        match (section.as_str(), key.as_str()) {
            ("core", "hookspath") => found.push(clean(&repository.join(value))),
            ("include" | "includeif", "path") => {
                let path = clean(&folder.join(value));
                if depth < DEEPEST {
                    follow(&path, repository, depth + 1, seen, found);
                }
                found.push(path);
            }
            _ => found.extend(named(repository, &value)),
        }
    }
}

/// The files that a value names, if it is a command line: filters, drivers, aliases, editors and more, which
/// git gives to a shell at the top of the work tree. Words that are files there, or may become one (`./tool`).
fn named(repository: &Path, value: &str) -> Vec<PathBuf> {
    let parts = value.split(|c: char| c.is_whitespace() || "\"'`;|&()<>{}=!".contains(c));
    let words = parts.filter(|word| !word.is_empty());
    let paths = words.map(|word| (word, clean(&repository.join(word))));
    let kept =
        paths.filter(|(word, path)| path.is_file() || word.starts_with("./") && !path.is_dir());
    kept.map(|(_, path)| path).collect()
}

/// `.git`, or where a file of that name says it is (gitrepository-layout(5)).
fn git_folder(repository: &Path) -> PathBuf {
    let git = repository.join(".git");
    let text = read(&git).unwrap_or_default();
    match text.strip_prefix("gitdir: ") {
        Some(path) => repository.join(path.trim_end()),
        None => git,
    }
}

/// The folder that has the configuration of a linked work tree.
fn common_folder(git: &Path) -> PathBuf {
    match read(&git.join("commondir")) {
        Some(path) => git.join(path.trim_end()),
        None => git.to_owned(),
    }
}

/// The text of a file, which an include may have named.
fn read(path: &Path) -> Option<String> {
    String::from_utf8(read_plain(path, LARGEST).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn led(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for (name, content) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let found = led_to(&root);
        let relative = |path: &PathBuf| {
            path.strip_prefix(&root)
                .unwrap_or(path)
                .display()
                .to_string()
        };
        found.iter().map(relative).collect()
    }

    #[test]
    fn hooks_and_includes_are_found_also_by_way_of_includes() {
        let config = "[core]\n\thooksPath = .githooks\n[include]\n\tpath = ../.gitconfig\n";
        let include = "[includeIf \"gitdir:x\"]\n\tpath = ci/more\n";
        let files = [
            (".git/config", config),
            (".gitconfig", include),
            ("ci/more", "[core]\nhookspath=ci/hooks/\n"),
        ];
        assert_eq!(
            led(&files),
            [".gitconfig", ".githooks", "ci/hooks", "ci/more"]
        );
    }

    #[test]
    fn a_linked_work_tree_has_its_repositorys_configuration_and_its_own() {
        let files = [
            (".git", "gitdir: bare/worktrees/a\n"),
            ("bare/worktrees/a/commondir", "../..\n"),
            (
                "bare/worktrees/a/config.worktree",
                "[core]\nhooksPath = one\n",
            ),
            ("bare/config", "[core]\nhooksPath = two\n"),
        ];
        assert_eq!(led(&files), ["one", "two"]);
    }

    #[test]
    fn a_submodules_configuration_leads_from_its_own_folder() {
        let config = "[core]\n\tworktree = ../../../../sub/a\n\thooksPath = hooks\n";
        let inner = "[core]\n\tworktree = ../../../../../../sub/a/b\n\thooksPath = ../more\n";
        let files = [
            (".git/config", ""),
            (".git/modules/sub/a/HEAD", ""),
            (".git/modules/sub/a/config", config),
            (".git/modules/sub/a/modules/b/HEAD", ""),
            (".git/modules/sub/a/modules/b/config", inner),
        ];
        assert_eq!(led(&files), ["sub/a/hooks", "sub/a/more"]);
    }

    #[test]
    fn a_circle_of_submodules_ends() {
        let folder = tempfile::tempdir().unwrap();
        let modules = folder.path().join(".git/modules");
        fs::create_dir_all(&modules).unwrap();
        for n in 0..20 {
            std::os::unix::fs::symlink(".", modules.join(format!("m{n}"))).unwrap();
        }
        assert!(led_to(folder.path()).is_empty());
        // Also where each is a repository: the depth counts these as well.
        fs::write(modules.join("HEAD"), "").unwrap();
        fs::create_dir(modules.join("modules")).unwrap();
        for n in 0..20 {
            std::os::unix::fs::symlink("..", modules.join(format!("modules/m{n}"))).unwrap();
        }
        assert!(led_to(folder.path()).is_empty());
    }

    #[test]
    fn the_files_of_command_lines_are_found_there_or_not() {
        let config = "[user]\n\tname = a b\n[remote \"o\"]\n\turl = https://x/y\n\tfetch = +refs/heads/*:x\n\
            [submodule \"s\"]\n\turl = ./sub\n\
            [filter \"x\"]\n\tclean = ./tools/clean %f\n\tsmudge = sh tools/smudge\n\
            [alias]\n\tx = \"!f() { ./tools/alias; }; f\"\n[diff]\n\texternal = bin/diff\n";
        let files = [
            (".git/config", config),
            ("tools/smudge", ""),
            ("bin/diff", ""),
            ("sub/file", ""),
        ];
        assert_eq!(
            led(&files),
            ["bin/diff", "tools/alias", "tools/clean", "tools/smudge"]
        );
    }

    #[test]
    fn a_device_is_not_read() {
        let files = [(
            ".git/config",
            "[include]\npath = /dev/zero\npath = /dev/tty\n",
        )];
        assert_eq!(led(&files), ["/dev/tty", "/dev/zero"]);
    }

    #[test]
    fn a_circle_of_includes_ends() {
        let files = [(".git/config", "[include]\npath = config\n")];
        assert_eq!(led(&files), [".git/config"]);
    }

    #[test]
    fn many_circles_of_includes_end_as_well() {
        // Each of them ten deep: more than there will ever be time for.
        let config = "[include]\npath = config\npath = ../one\npath = ../two\n".repeat(50);
        let files = [
            (".git/config", config.as_str()),
            ("one", "[include]\npath = two\n"),
            ("two", "[include]\npath = one\npath = three\n"),
            ("three", "[core]\nhooksPath = four\n"),
        ];
        assert_eq!(led(&files), [".git/config", "four", "one", "three", "two"]);
    }
}
