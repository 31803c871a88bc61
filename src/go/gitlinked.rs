//! Where the repository of a linked work tree or of a submodule lies (gitrepository-layout(5), git-worktree(1)).
//!
//! There `.git` is a file that names a folder elsewhere. The source could have written that file. It counts only where
//! the named folder says the same of this work tree, which only its owner could have written there.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::gitdirs::{line, read, settings};
use crate::files::look;

/// The folder of the repository that the `.git` file at the top of a work tree names, where both agree. It is canonical,
/// and holds all that git reads: for a linked work tree it is the main repository's.
pub fn linked(top: &Path) -> Option<PathBuf> {
    look::with_rights_of(top, || agreed(top))
}

fn agreed(top: &Path) -> Option<PathBuf> {
    let file = top.join(".git");
    let found = look::symlink_metadata(&file).ok()?;
    if FileType::from_raw_mode(found.mode()) != FileType::RegularFile {
        return None;
    }
    let text = read(&file).ok()??;
    let named = text.strip_prefix(b"gitdir: ")?;
    let git = look::canonicalize(top.join(OsStr::from_bytes(line(named)))).ok()?;
    let repository = of_worktree(&file, &git).or_else(|| of_submodule(top, &git))?;
    let is_owners =
        |path: &Path| look::symlink_metadata(path).is_ok_and(|it| it.uid() == found.uid());
    // A link would show what it leads to in the place of the repository's own.
    let is_own = |name| {
        let found = look::symlink_metadata(repository.join(name));
        found.is_ok_and(|it| FileType::from_raw_mode(it.mode()) != FileType::Symlink)
    };
    let is_repository = ["HEAD", "objects", "refs"].into_iter().all(is_own);
    (is_repository && is_owners(&git) && is_owners(&repository)).then_some(repository)
}

/// `REPOSITORY/worktrees/NAME`, whose file `gitdir` leads back to the `.git` file.
fn of_worktree(file: &Path, git: &Path) -> Option<PathBuf> {
    let back = read(&git.join("gitdir")).ok()??;
    let back = git.join(OsStr::from_bytes(line(&back)));
    let is_back = look::canonicalize(back.parent()?).ok()? == file.parent()?
        && back.file_name() == file.file_name();
    let worktrees = git
        .parent()
        .filter(|folder| folder.ends_with("worktrees"))?;
    let common = read(&git.join("commondir")).ok()??;
    let common = look::canonicalize(git.join(OsStr::from_bytes(line(&common)))).ok()?;
    // What `commondir` says is not believed where the folder does not lie in it.
    (is_back && worktrees.parent()? == common).then_some(common)
}

/// `…/modules/NAME`, whose `core.worktree` leads back to the work tree.
fn of_submodule(top: &Path, git: &Path) -> Option<PathBuf> {
    let is_module = git
        .ancestors()
        .skip(1)
        .any(|folder| folder.ends_with("modules"));
    let settings = settings(&git.join("config")).ok()?;
    let last = settings
        .iter()
        .rev()
        .find(|one| one.is("core", "worktree"))?;
    let back = git.join(OsStr::from_bytes(last.value.as_deref()?));
    (is_module && look::canonicalize(back).ok()? == top).then(|| git.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A repository with a linked work tree and the repository of a submodule.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        for git in ["main/.git", "main/.git/modules/sub"] {
            for name in ["objects", "refs"] {
                fs::create_dir_all(base.join(git).join(name)).unwrap();
            }
            fs::write(base.join(git).join("HEAD"), "ref: refs/heads/main\n").unwrap();
        }
        fs::write(
            base.join("main/.git/modules/sub/config"),
            "[core]\n\tworktree = ../../../sub\n",
        )
        .unwrap();
        let git = base.join("main/.git/worktrees/tree");
        for path in [
            &git,
            &base.join("tree"),
            &base.join("main/sub"),
            &base.join("evil/worktrees/x"),
        ] {
            fs::create_dir_all(path).unwrap();
        }
        fs::write(git.join("commondir"), "../..\n").unwrap();
        fs::write(
            git.join("gitdir"),
            format!("{}\n", base.join("tree/.git").display()),
        )
        .unwrap();
        fs::write(
            base.join("tree/.git"),
            format!("gitdir: {}\n", git.display()),
        )
        .unwrap();
        fs::write(base.join("main/sub/.git"), "gitdir: ../.git/modules/sub\n").unwrap();
        (folder, base)
    }

    #[test]
    fn a_repository_is_shown_where_both_sides_agree() {
        let (_folder, base) = folder();
        assert_eq!(linked(&base.join("tree")), Some(base.join("main/.git")));
        assert_eq!(
            linked(&base.join("main/sub")),
            Some(base.join("main/.git/modules/sub"))
        );
        assert_eq!(linked(&base.join("main")), None);
        // As git writes it with worktree.useRelativePaths.
        fs::write(
            base.join("main/.git/worktrees/tree/gitdir"),
            "../../../../tree/.git\n",
        )
        .unwrap();
        fs::write(
            base.join("tree/.git"),
            "gitdir: ../main/.git/worktrees/tree",
        )
        .unwrap();
        assert_eq!(linked(&base.join("tree")), Some(base.join("main/.git")));
    }

    #[test]
    fn a_git_file_of_the_source_shows_nothing_of_another_repository() {
        let (_folder, base) = folder();
        let evil = base.join("evil");
        let (git, tree) = (
            base.join("main/.git"),
            base.join("main/.git/worktrees/tree"),
        );
        // It names a repository, one of its work trees, and the repository of a submodule, none of which knows of it.
        for target in [
            &git,
            &tree,
            &git.join("modules/sub"),
            &base.join("tree"),
            &base,
        ] {
            fs::write(evil.join(".git"), format!("gitdir: {}\n", target.display())).unwrap();
            assert_eq!(linked(&evil), None, "{}", target.display());
        }
        // It has a folder of its own that says the right thing, and names another's repository as what is shared.
        let own = evil.join("worktrees/x");
        fs::write(own.join("gitdir"), evil.join(".git").as_os_str().as_bytes()).unwrap();
        fs::write(own.join("commondir"), git.as_os_str().as_bytes()).unwrap();
        fs::write(evil.join(".git"), "gitdir: worktrees/x\n").unwrap();
        assert_eq!(linked(&evil), None);
        // By links: to the other's repository, and to its folder of work trees.
        std::os::unix::fs::symlink(&git, evil.join("link")).unwrap();
        fs::write(own.join("commondir"), "../../link\n").unwrap();
        assert_eq!(linked(&evil), None);
        fs::write(evil.join(".git"), "gitdir: link/worktrees/tree\n").unwrap();
        assert_eq!(linked(&evil), None);
        fs::remove_file(evil.join(".git")).unwrap();
        std::os::unix::fs::symlink(base.join("tree/.git"), evil.join(".git")).unwrap();
        assert_eq!(linked(&evil), None);
        // Its own folders as a repository, with parts that are links to another's.
        fs::remove_file(evil.join(".git")).unwrap();
        fs::write(evil.join(".git"), "gitdir: worktrees/x\n").unwrap();
        fs::write(own.join("commondir"), "../..\n").unwrap();
        for name in ["HEAD", "objects", "refs"] {
            std::os::unix::fs::symlink(git.join(name), evil.join(name)).unwrap();
        }
        assert_eq!(linked(&evil), None);
    }
}
