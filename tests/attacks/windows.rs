//! Root's launcher beside a user who exchanges a file just before it is opened: at each system call that names it, for
//! a link to a file of root's, a FIFO and a device. Nothing of root's is shown, and nothing is waited for.

use std::fs;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::support::user_project::UserProject;
use crate::support::{Ended, ORDINARY, gosandbox, held, write};

/// With each file that the launcher reads for a run.
struct Scene(UserProject);

impl Scene {
    fn new() -> Option<Scene> {
        let names = FILES.map(|(file, _)| file.rsplit('/').next().unwrap());
        let project = UserProject::new(&names)?;
        let site = &project.site;
        for (file, content) in FILES {
            write(&site.root.join(file), content);
        }
        fs::create_dir_all(site.work.join(".git/objects")).unwrap();
        fs::create_dir_all(site.work.join(".git/refs")).unwrap();
        write(&site.work.join(".git/HEAD"), "ref: refs/heads/main\n");
        site.settle();
        Some(Scene(project))
    }

    /// A launcher that reads this file, among others.
    fn launcher(&self, file: &str) -> Command {
        let program = gosandbox();
        let mut words = vec![program.to_str().unwrap()];
        if file == PROFILE {
            words.extend(["--profile", "theirs"]);
        }
        words.extend(["--dry-run", "--", "go", "test", "./..."]);
        let mut command = self.0.command(&words);
        command.env("XDG_CONFIG_HOME", self.0.site.home.join(".config"));
        command
    }

    /// A place below the site's folder, as the tracer looks for it.
    fn traced(&self, place: &str) -> PathBuf {
        Path::new(self.0.site.root.file_name().unwrap()).join(place)
    }

    /// Puts another thing in the place of a file, as its owner could.
    fn exchange(&self, place: &Path, other: Other) {
        let new = self.0.site.root.join("new");
        let _ = fs::remove_file(&new);
        match other {
            Other::Link => {
                let name = place.file_name().unwrap();
                self.0.link(&new, name.to_str().unwrap());
            }
            Other::Fifo => {
                mknodat(CWD, &new, FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap()
            }
            // Root's memory of the machine would be worse: this one never ends.
            Other::Device => {
                let zero = makedev(1, 5);
                let mode = Mode::from_raw_mode(0o666);
                mknodat(CWD, &new, FileType::CharacterDevice, mode, zero).unwrap();
            }
        }
        lchown(&new, Some(ORDINARY), Some(ORDINARY)).unwrap();
        fs::rename(&new, place).unwrap();
    }
}

fn shows_nothing(ended: &Ended, what: &str) {
    let is_shown = ended.stdout.contains("decoysecret") || ended.stderr.contains("decoysecret");
    assert!(!is_shown, "{what}: {ended:?}");
    assert!([0, 1, 125].contains(&ended.status), "{what}: {ended:?}");
}

#[derive(Clone, Copy, Debug)]
enum Other {
    Link,
    Fifo,
    Device,
}

/// A profile that root must not use, since it is another user's.
const PROFILE: &str = "home/.config/gosandbox/theirs.toml";

/// What the launcher reads for a run, below the user's folder.
const FILES: [(&str, &str); 6] = [
    ("work/go.mod", "module example.com/m\n\ngo 1.21\n"),
    ("work/.gosandbox.toml", "[files]\ntest = \"read\"\n"),
    ("work/.git/config", "[core]\n\tbare = false\n"),
    ("home/.gitconfig", "[user]\n\tname = x\n"),
    (PROFILE, "extends = \"strict\"\n"),
    ("home/.config/go/env", "GOFLAGS=-buildvcs=false\n"),
];

/// Exchanges the file before each call that comes through it, once a run, and from the start.
fn each_window(scene: &Scene, file: &str, other: Other) {
    let place = scene.0.site.root.join(file);
    let content = fs::read(&place).unwrap();
    let traced = scene.traced(file);
    let (ended, windows) = held::at_window(&mut scene.launcher(file), &traced, None, || ());
    assert_ne!(windows, 0, "{file} is not read at all: {ended:?}");
    for window in (0..windows).map(Some).chain([None]) {
        let act = || scene.exchange(&place, other);
        if window.is_none() {
            act();
        }
        let (ended, _) = held::at_window(&mut scene.launcher(file), &traced, window, act);
        shows_nothing(&ended, &format!("{file} {other:?} {window:?}"));
        fs::remove_file(&place).unwrap();
        fs::write(&place, &content).unwrap();
        lchown(&place, Some(ORDINARY), Some(ORDINARY)).unwrap();
    }
}

#[test]
fn a_file_exchanged_before_any_call_that_names_it_shows_nothing_of_roots() {
    let Some(scene) = Scene::new() else {
        return;
    };
    Ended::of(&mut scene.launcher("")).expect(0);
    for (file, _) in FILES {
        each_window(&scene, file, Other::Link);
    }
}

#[test]
fn a_file_exchanged_for_what_never_ends_or_never_answers_is_not_waited_for() {
    let Some(scene) = Scene::new() else {
        return;
    };
    for (file, _) in FILES {
        for other in [Other::Fifo, Other::Device] {
            each_window(&scene, file, other);
        }
    }
}

/// The same windows of a program that looks first and then opens by the path.
#[test]
fn a_program_that_looks_and_then_opens_shows_it() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let script = "test ! -h go.mod && while read -r line; do echo \"$line\"; done < go.mod";
    let naive = || scene.0.command(&["sh", "-c", script]);
    let (place, traced) = (
        scene.0.site.work.join("go.mod"),
        scene.traced("work/go.mod"),
    );
    let (_, windows) = held::at_window(&mut naive(), &traced, None, || ());
    let act = || scene.exchange(&place, Other::Link);
    let (ended, _) = held::at_window(&mut naive(), &traced, windows.checked_sub(1), act);
    ended.says("decoysecret");
}

/// A whole folder of the user's is exchanged, so that each path in it leads to root's.
#[test]
fn a_folder_exchanged_before_any_call_that_names_it_shows_nothing_of_roots() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let (work, traced) = (&scene.0.site.work, scene.traced("work"));
    let aside = scene.0.site.root.join("aside");
    let (_, windows) = held::at_window(&mut scene.launcher(""), &traced, None, || ());
    assert_ne!(windows, 0);
    for window in 0..windows {
        let mut launcher = scene.launcher("");
        let (ended, _) = held::at_window(&mut launcher, &traced, Some(window), || {
            fs::rename(work, &aside).unwrap();
            scene.0.link(work, "");
        });
        shows_nothing(&ended, &format!("window {window}"));
        if aside.exists() {
            fs::remove_file(work).unwrap();
            fs::rename(&aside, work).unwrap();
        }
    }
}
