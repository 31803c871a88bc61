use crate::refusal::{Code, Refused};
use std::fs;

use super::*;

struct Scene {
    _dir: tempfile::TempDir,
    base: PathBuf,
}

impl Scene {
    /// `base/home` is the home, `base/home/repo` a repository.
    fn new(files: &[(&str, &str)]) -> Scene {
        let dir = tempfile::tempdir().expect("tempdir");
        let base = dir.path().canonicalize().expect("real path");
        fs::create_dir_all(base.join("home/repo/.git")).expect("folders");
        for (path, text) in files {
            let path = base.join("home").join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folders");
            fs::write(path, text).expect("file");
        }
        Scene { _dir: dir, base }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.base.join("home").join(path)
    }

    fn discover(
        &self,
        cwd: &str,
        gowork: Option<&str>,
        granted: &[PathBuf],
    ) -> Result<Workspace, WorkspaceError> {
        self.discover_for(cwd, gowork, granted, false)
    }

    fn discover_for(
        &self,
        cwd: &str,
        gowork: Option<&str>,
        granted: &[PathBuf],
        writes_work: bool,
    ) -> Result<Workspace, WorkspaceError> {
        let (home, temp) = (self.at(""), self.at("temp"));
        discover(&Start {
            cwd: &self.at(cwd),
            gowork: gowork.map(OsStr::new),
            writes_work,
            home: Some(&home),
            temp: Some(&temp),
            granted,
            written: granted,
        })
    }
}

#[test]
fn a_module_right_in_the_temporary_folder_is_ignored_as_by_go() {
    let scene = Scene::new(&[
        ("temp/go.mod", "module m\nreplace x => /etc\n"),
        ("temp/a/x.go", ""),
        ("temp/m/go.mod", "module m\n"),
        ("temp/w/go.work", "use (\n./..\n)\n"),
    ]);
    let found = scene.discover("temp/a", None, &[]).expect("found");
    assert!(found.go_mod.is_none() && !found.none);
    assert_eq!(found.root, scene.at("temp/a"));
    // It is not shown either, or go would use it inside, where TMPDIR is another.
    let found = scene.discover("temp", None, &[]).expect("found");
    assert!(found.go_mod.is_none() && found.none);
    let found = scene.discover("temp/m", None, &[]).expect("found");
    assert_eq!(found.go_mod, Some(scene.at("temp/m/go.mod")));
    // In a workspace go uses it.
    let refused = scene.discover("temp/w", None, &[]);
    assert!(refused.is_err() || refused.is_ok_and(|found| found.go_mod.is_some()));
}

#[test]
fn a_module_is_found_from_a_folder_inside() {
    let scene = Scene::new(&[
        ("repo/m/go.mod", "module m\ngo 1.21\n"),
        ("repo/m/a/x.go", ""),
        ("repo/m/vendor/modules.txt", ""),
    ]);
    let found = scene.discover("repo/m/a", None, &[]).expect("found");
    assert_eq!(found.root, scene.at("repo/m"));
    assert_eq!(found.repository, Some(scene.at("repo")));
    assert_eq!(found.lines.go.expect("line").line, 2);
    assert!(found.vendor && !found.none && found.local_modules.is_empty());
}

#[test]
fn a_go_work_of_the_repository_is_the_root_and_gives_the_lines() {
    let scene = Scene::new(&[
        ("repo/go.work", "go 1.25\nuse (\n./a\n./b\n)\n"),
        ("repo/a/go.mod", "module a\ngo 1.21\n"),
        ("repo/b/go.mod", "module b\n"),
    ]);
    let found = scene.discover("repo/a", None, &[]).expect("found");
    assert_eq!(
        (found.root, found.module_root),
        (scene.at("repo"), Some(scene.at("repo/a")))
    );
    assert_eq!(found.lines.go.expect("line").text, "1.25");
    let found = scene.discover("repo/a", Some("off"), &[]).expect("found");
    assert_eq!((found.root, found.go_work), (scene.at("repo/a"), None));
}

#[test]
fn a_replaced_module_of_the_same_repository_is_granted() {
    let scene = Scene::new(&[
        (
            "repo/m/go.mod",
            "module m\nreplace x => ../x\nreplace y => ./y\nreplace z => ../absent\n",
        ),
        ("repo/x/go.mod", "module x\n"),
        ("repo/m/y/go.mod", "module y\n"),
    ]);
    let found = scene.discover("repo/m", None, &[]).expect("found");
    assert_eq!(found.local_modules, [scene.at("repo/x")]);
}

#[test]
fn a_submodule_may_replace_the_module_at_the_repositorys_top() {
    let scene = Scene::new(&[
        ("repo/go.mod", "module top\n"),
        (
            "repo/examples/go.mod",
            "module examples\nreplace top => ../\n",
        ),
    ]);
    let found = scene.discover("repo/examples", None, &[]).expect("found");
    assert_eq!(found.local_modules, [scene.at("repo")]);
}

#[test]
fn what_leads_out_of_the_repository_names_line_and_flag() {
    let scene = Scene::new(&[
        ("repo/m/go.mod", "module m\n\nreplace x => ../../other\n"),
        ("other/go.mod", "module x\n"),
        ("repo/plain/notes", ""),
    ]);
    let error = scene.discover("repo/m", None, &[]).expect_err("outside");
    let refused = Refused::of(&error);
    assert_eq!(refused.code(), Code::OutsideRepository);
    assert!(refused.message().contains("go.mod:3: replace"), "{error}");
    let other = fs::canonicalize(scene.at("other")).expect("there");
    let help = format!("--ro {}", other.display());
    assert_eq!(refused.remedies(), [help]);
    assert!(scene.discover("repo/m", None, &[scene.at("other")]).is_ok());
    // A folder of the repository that is no module, and a link that leaves it.
    for target in ["../plain", "./link"] {
        fs::write(
            scene.at("repo/m/go.mod"),
            format!("module m\nreplace x => {target}\n"),
        )
        .expect("file");
        let _ = std::os::unix::fs::symlink("../../other", scene.at("repo/m/link"));
        assert!(
            matches!(
                scene.discover("repo/m", None, &[]),
                Err(WorkspaceError::Outside { .. })
            ),
            "{target}"
        );
    }
}

#[test]
fn a_go_work_above_the_repository_is_an_error_with_a_remedy() {
    let scene = Scene::new(&[("go.work", "go 1.21\n"), ("repo/go.mod", "module m\n")]);
    let error = scene.discover("repo", None, &[]).expect_err("foreign");
    let refused = Refused::of(&error);
    assert_eq!(refused.code(), Code::GoWorkRefused);
    assert_eq!(refused.remedies()[0], "export GOWORK=off");
    assert!(scene.discover("repo", Some("off"), &[]).is_ok());
    assert!(matches!(
        scene.discover("repo", Some("x.work"), &[]),
        Err(WorkspaceError::GoWork { .. })
    ));
    assert!(matches!(
        scene.discover("repo", Some("/etc/passwd"), &[]),
        Err(WorkspaceError::ForeignWork { .. })
    ));
    // What is granted applies, and is no work tree.
    let go_work = scene.at("go.work");
    for gowork in [None, go_work.to_str()] {
        let granted = [go_work.clone()];
        let found = scene.discover("repo", gowork, &granted).expect("granted");
        assert_eq!(found.go_work.as_ref(), Some(&go_work), "{gowork:?}");
        assert_eq!(found.root, scene.at("repo"), "{gowork:?}");
    }
}

#[test]
fn what_a_foreign_go_work_takes_is_named() {
    let scene = Scene::new(&[
        ("go.work", "go 1.21\n"),
        ("ws/go.work", "go 1.21\n"),
        ("repo/go.mod", "module m\n"),
    ]);
    let [home, ws, new] = ["go.work", "ws/go.work", "ws/new"].map(|name| scene.at(name));
    for (gowork, writes, options) in [
        // The home folder is too wide.
        (&home, false, format!("--ro {}", home.display())),
        (&ws, false, format!("--ro {}", scene.at("ws").display())),
        (&ws, true, format!("--rw {}", scene.at("ws").display())),
        (&new, true, format!("--rw {}", scene.at("ws").display())),
    ] {
        let error = scene.discover_for("repo", gowork.to_str(), &[], writes);
        let remedies = Refused::of(&error.expect_err("foreign")).remedies();
        assert_eq!(remedies, ["export GOWORK=off".to_owned(), options]);
    }
    // Nothing to be granted: it is not there, and the home folder is too wide.
    let new = scene.at("new");
    let error = scene.discover_for("repo", new.to_str(), &[], true);
    assert_eq!(
        Refused::of(&error.expect_err("foreign")).remedies().len(),
        1
    );
    // Nothing is read, and go says what is missing.
    let found = scene
        .discover("repo", new.to_str(), &[])
        .expect("nothing there");
    assert_eq!(found.go_work, None);
}

#[test]
fn without_a_repository_a_go_work_within_the_module_is_its_own() {
    let scene = Scene::new(&[
        ("m/go.mod", "module m\n"),
        ("m/ws/go.work", "go 1.25\nuse ../\n"),
        ("loose/x.go", ""),
        ("loose/sub/x.go", ""),
    ]);
    let found = scene.discover("m/ws", None, &[]).expect("found");
    assert_eq!(
        (&found.root, &found.go_work),
        (&scene.at("m"), &Some(scene.at("m/ws/go.work")))
    );
    assert_eq!(found.lines.go.expect("line").text, "1.25");
    // The one that is to be made.
    let new = scene.at("loose/sub/new.work");
    let found = scene
        .discover_for("loose", new.to_str(), &[], true)
        .expect("found");
    assert_eq!((found.root, found.go_work), (scene.at("loose"), Some(new)));
    let link = scene.at("loose/link.work");
    std::os::unix::fs::symlink("../made", &link).expect("link");
    assert!(matches!(
        scene.discover_for("loose", link.to_str(), &[], true),
        Err(WorkspaceError::GoWork { .. })
    ));
    // A folder that is no work tree makes nothing its own.
    let below = scene.at("loose/go.work");
    fs::write(&below, "go 1.21\n").expect("file");
    assert!(scene.discover("", below.to_str(), &[]).is_err());
}

#[test]
fn the_home_folder_is_never_a_work_tree() {
    let scene = Scene::new(&[(".git/HEAD", ""), ("loose/x.go", "")]);
    assert!(scene.discover("", None, &[]).expect("found").none);
    let found = scene.discover("loose", None, &[]).expect("found");
    assert_eq!((found.none, found.repository), (false, None));
    fs::write(scene.at("go.mod"), "module home\n").expect("file");
    assert!(matches!(
        scene.discover("", None, &[]),
        Err(WorkspaceError::TooWide { .. })
    ));
}

#[test]
fn a_go_mod_that_makes_no_sense_is_named() {
    let scene = Scene::new(&[("repo/go.mod", "module m\nuse \"x\n")]);
    let error = scene
        .discover("repo", None, &[])
        .expect_err("broken")
        .to_string();
    assert!(error.contains("go.mod: line 2"), "{error}");
}
