use std::fs;

use super::*;
use std::os::unix::fs::{MetadataExt, symlink};

struct Scene {
    _dir: tempfile::TempDir,
    base: PathBuf,
    uid: u32,
}

impl Scene {
    fn new() -> Scene {
        let dir = tempfile::tempdir().expect("tempdir");
        let base = dir.path().canonicalize().expect("real path");
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).expect("chmod");
        let uid = fs::metadata(&base).expect("metadata").uid();
        let scene = Scene {
            _dir: dir,
            base,
            uid,
        };
        let tools = format!("go/pkg/tool/linux_{}", host_arch());
        for tool in ["compile", "link", "asm"] {
            scene.program(&format!("{tools}/{tool}"), b"\x7fELF");
        }
        scene.program("go/bin/go", b"\x7fELF...");
        scene.program("go/VERSION", b"go1.26.8\ntime 2026-01-01T00:00:00Z\n");
        scene.program("go/src/runtime/x.go", b"");
        scene.program(
            "go/go.env",
            b"# c\nGOPROXY=https://proxy.golang.org,direct\nGOTOOLCHAIN=local\n",
        );
        scene
    }

    fn program(&self, path: &str, content: &[u8]) {
        let path = self.base.join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folders");
        fs::write(&path, content).expect("file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
    }

    fn discover(
        &self,
        path: &str,
        goroot: Option<&Path>,
        tree: Option<&Path>,
    ) -> Result<Toolchain, ToolchainError> {
        let trust = Trust {
            uid: self.uid,
            gid: u32::MAX,
            below: &self.base,
            noted: None,
        };
        discover(&Choice {
            goroot,
            path: Some(OsStr::new(path)),
            trust,
            work_tree: tree,
        })
    }

    fn path(&self, entry: &str) -> String {
        self.base.join(entry).display().to_string()
    }
}

#[test]
fn the_go_of_path_is_found_through_a_link() {
    let scene = Scene::new();
    fs::create_dir(scene.base.join("usr")).expect("folder");
    symlink("../go/bin/go", scene.base.join("usr/go")).expect("link");
    let found = scene
        .discover(&format!("/nonexistent:{}", scene.path("usr")), None, None)
        .expect("found");
    assert_eq!(found.go, scene.base.join("go/bin/go"));
    assert_eq!(found.version.as_str(), "1.26.8");
    assert_eq!(
        found.settings[1],
        ("GOTOOLCHAIN".to_owned(), "local".to_owned())
    );
    assert!(found.linked.is_empty());
}

#[test]
fn debian_links_out_of_goroot_are_listed() {
    let scene = Scene::new();
    fs::create_dir(scene.base.join("share")).expect("folder");
    fs::rename(scene.base.join("go/src"), scene.base.join("share/src")).expect("rename");
    symlink("../share/src", scene.base.join("go/src")).expect("link");
    let found = scene
        .discover("", Some(&scene.base.join("go")), None)
        .expect("found");
    assert_eq!(found.linked, [scene.base.join("share/src")]);
}

#[test]
fn a_go_that_a_relative_entry_finds_is_refused() {
    let scene = Scene::new();
    let up = "../".repeat(std::env::current_dir().expect("cwd").components().count());
    let relative = format!("{up}{}", scene.path("go/bin").trim_start_matches('/'));
    assert!(matches!(
        scene.discover(&relative, None, None),
        Err(ToolchainError::RelativeEntry { .. })
    ));
    assert!(
        scene
            .discover(&format!(":.:{}", scene.path("go/bin")), None, None)
            .is_ok()
    );
}

#[test]
fn a_missing_go_says_where_it_looked() {
    let scene = Scene::new();
    let error = scene
        .discover("/nonexistent/a:/nonexistent/b", None, None)
        .expect_err("missing")
        .to_string();
    assert!(error.contains("/nonexistent/a, /nonexistent/b"), "{error}");
}

#[test]
fn a_go_in_the_project_is_refused() {
    let scene = Scene::new();
    assert!(matches!(
        scene.discover(&scene.path("go/bin"), None, Some(&scene.base)),
        Err(ToolchainError::InWorkTree { .. })
    ));
}

#[test]
fn scripts_and_wrappers_are_refused() {
    let scene = Scene::new();
    scene.program("shim/bin/go", b"#!/bin/sh\n");
    assert!(matches!(
        scene.discover(&scene.path("shim/bin"), None, None),
        Err(ToolchainError::NotElf { .. })
    ));
    scene.program("gopath/bin/go", b"\x7fELF");
    let error = scene
        .discover(&scene.path("gopath/bin"), None, None)
        .expect_err("wrapper")
        .to_string();
    assert!(
        error.contains("VERSION") && error.contains("golang.org/dl"),
        "{error}"
    );
}

#[test]
fn a_tool_that_others_can_write_is_refused() {
    let scene = Scene::new();
    let compile = scene
        .base
        .join(format!("go/pkg/tool/linux_{}/compile", host_arch()));
    fs::set_permissions(&compile, fs::Permissions::from_mode(0o757)).expect("chmod");
    assert!(matches!(
        scene.discover(&scene.path("go/bin"), None, None),
        Err(ToolchainError::Untrusted { .. })
    ));
}

#[test]
fn a_tool_that_go_has_neither_built_nor_the_source_of_is_not_gos_own() {
    let scene = Scene::new();
    scene.program("go/src/cmd/pprof/main.go", b"");
    scene.program("go/src/cmd/doc/README", b"");
    let path = scene.base.join("go/bin");
    let path = path.to_str().expect("text");
    let found = scene.discover(path, None, None).expect("found");
    let is_own = |tool: &str| {
        let tool = OsStr::new(tool);
        (found.has_built(tool), found.builds(tool))
    };
    assert_eq!(is_own("link"), (true, false));
    assert_eq!(is_own("pprof"), (false, true));
    assert_eq!(is_own("doc"), (false, false));
    // Such a Go has another than its own run in its place.
    scene.program("go/VERSION", b"go1.24.9\n");
    let found = scene.discover(path, None, None).expect("found");
    assert!(!found.builds(OsStr::new("pprof")));
}
