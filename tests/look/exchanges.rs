//! Root's launcher beside a user who exchanges a folder for a link while it looks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::DIRECT;
use crate::support::user_project::UserProject;
use crate::support::{Ended, Env, confined, gosandbox, held};

/// A folder of the user's that gets a protected name, and a link beside it to one of root's that
/// has that name.
struct Scene {
    project: UserProject,
    folder: PathBuf,
    link: PathBuf,
}

impl Scene {
    fn new() -> Option<Scene> {
        let project = UserProject::new(&[".git"])?;
        project.site.file("own/folder/README", "");
        project.site.settle();
        let own = project.site.work.join("own");
        let (folder, link) = (own.join("folder"), own.join("link"));
        project.link(&link, "");
        Some(Scene {
            project,
            folder,
            link,
        })
    }

    fn exchange(&self) {
        let (folder, link) = (&self.folder, &self.link);
        renameat_with(CWD, folder, CWD, link, RenameFlags::EXCHANGE).unwrap();
    }

    fn run(&self) -> Command {
        let mut words = vec![gosandbox().to_str().unwrap()];
        words.extend(DIRECT);
        let script = "mkdir -p own/folder/.git/refs";
        let mut command =
            (self.project).command(&[&words, &["--", "sh", "-c", script][..]].concat());
        confined::enter(&mut command, Env::Container, 0);
        command
    }

    fn held(&self, mut command: Command, window: Option<usize>) -> (Ended, usize) {
        let site = self.project.site.root.file_name().unwrap();
        let place = Path::new(site).join("work/own/folder");
        held::at_window(&mut command, &place, window, || self.exchange())
    }
}

#[test]
fn root_moves_nothing_of_its_own_away() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let (ended, windows) = scene.held(scene.run(), None);
    assert_ne!(windows, 0, "{ended:?}");
    assert!(!scene.folder.join(".git").exists(), "{ended:?}");
    ended.expect(125);
    for window in 0..windows {
        let scene = Scene::new().unwrap();
        let (ended, _) = scene.held(scene.run(), Some(window));
        assert!(scene.project.is_kept(), "{window} of {windows}: {ended:?}");
        assert!([0, 1, 125].contains(&ended.status), "{window}: {ended:?}");
    }
}

/// The same moments of a program of root's that goes by paths.
#[test]
fn a_program_that_uses_paths_moves_what_is_roots() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let run = |scene: &Scene, window| {
        fs::create_dir(scene.folder.join(".git")).unwrap();
        let words = ["mv", "own/folder/.git", "own/folder/moved"];
        scene.held(scene.project.command(&words), window).1
    };
    let is_led = (0..run(&scene, None)).any(|window| {
        let scene = Scene::new().unwrap();
        run(&scene, Some(window));
        !scene.project.is_kept()
    });
    assert!(is_led);
}
