//! Root's launcher beside a user who exchanges a file just before it is opened: at each system call that names it, for
//! a link to a file of root's, a FIFO and a device. Nothing of root's is shown, and nothing is waited for.

use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::support::{Env, ORDINARY, Site, base, gosandbox, is_root, skip, stepped, write};

/// Of a form that readers of go.mod, of profiles and of git's configuration show where they stumble over it.
const SECRET: &str = "decoysecret=\"is here\"\n";

/// A project of the ordinary user's, and a folder of root's that nobody else may look into.
struct Scene {
    site: Site,
    roots: PathBuf,
}

impl Scene {
    fn new(name: &str) -> Option<Scene> {
        if !is_root() {
            skip("a launcher of root's takes root", true);
            return None;
        }
        let site = Site::new(Env::User);
        for (file, content) in FILES {
            write(&site.root.join(file), content);
        }
        fs::create_dir_all(site.work.join(".git/objects")).unwrap();
        fs::create_dir_all(site.work.join(".git/refs")).unwrap();
        write(&site.work.join(".git/HEAD"), "ref: refs/heads/main\n");
        site.settle();
        let roots = base().join(format!("roots-{name}-{}", std::process::id()));
        fs::create_dir_all(&roots).unwrap();
        for (file, _) in FILES {
            let file = Path::new(file).file_name().unwrap();
            fs::write(roots.join(file), SECRET).unwrap();
        }
        fs::set_permissions(&roots, fs::Permissions::from_mode(0o700)).unwrap();
        Some(Scene { site, roots })
    }

    /// As root, with every capability, and with the user's HOME, as sudo may leave it.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        self.site.prepare(&mut command);
        command.env("XDG_CONFIG_HOME", self.site.home.join(".config"));
        command
    }

    /// What reads this file, among others.
    fn launcher(&self, file: &str) -> Command {
        let program = gosandbox();
        let mut words = vec![program.to_str().unwrap()];
        if file == PROFILE {
            words.extend(["--profile", "theirs"]);
        }
        words.extend(["--dry-run", "--", "go", "test", "./..."]);
        self.command(&words)
    }

    /// Puts another thing in the place of a file, as its owner could.
    fn exchange(&self, place: &Path, other: Other) {
        let new = self.site.root.join("new");
        let _ = fs::remove_file(&new);
        match other {
            Other::Link => symlink(self.roots.join(place.file_name().unwrap()), &new).unwrap(),
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

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.roots);
    }
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

/// How many windows there are.
fn each_window(scene: &Scene, file: &str, other: Other) -> usize {
    let place = scene.site.root.join(file);
    let content = fs::read(&place).unwrap();
    let name = place.file_name().unwrap().to_str().unwrap();
    let windows = stepped::mentions(&mut scene.launcher(file), name);
    for number in windows.iter().copied().chain([0]) {
        let act = || scene.exchange(&place, other);
        let ended = match number {
            // The thing held in its place, from the start.
            0 => {
                act();
                stepped::acting_before(&mut scene.launcher(file), 1, || ())
            }
            number => stepped::acting_before(&mut scene.launcher(file), number, act),
        };
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            !said.contains("decoysecret"),
            "{file} {other:?} before call {number}: {ended:?}"
        );
        fs::remove_file(&place).unwrap();
        fs::write(&place, &content).unwrap();
        lchown(&place, Some(ORDINARY), Some(ORDINARY)).unwrap();
    }
    windows.len()
}

#[test]
fn a_file_exchanged_before_any_call_that_names_it_shows_nothing_of_roots() {
    let Some(scene) = Scene::new("files") else {
        return;
    };
    stepped::acting_before(&mut scene.launcher(""), usize::MAX, || ()).expect(0);
    for (file, _) in FILES {
        let windows = each_window(&scene, file, Other::Link);
        assert_ne!(windows, 0, "{file} is not read at all");
    }
}

#[test]
fn a_file_exchanged_for_what_never_ends_or_never_answers_is_not_waited_for() {
    let Some(scene) = Scene::new("streams") else {
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
    let Some(scene) = Scene::new("control") else {
        return;
    };
    let script = "test ! -h go.mod && exec cat go.mod";
    let naive = || scene.command(&["sh", "-c", script]);
    let place = scene.site.work.join("go.mod");
    let windows = stepped::mentions(&mut naive(), "go.mod");
    let last = *windows.last().unwrap();
    let act = || scene.exchange(&place, Other::Link);
    stepped::acting_before(&mut naive(), last, act).says("decoysecret");
}

/// A whole folder of the user's is exchanged, so that each path in it leads to root's.
#[test]
fn a_folder_exchanged_before_any_call_that_names_it_shows_nothing_of_roots() {
    let Some(scene) = Scene::new("folders") else {
        return;
    };
    let work = scene.site.work.clone();
    let aside = scene.site.root.join("aside");
    for number in stepped::mentions(&mut scene.launcher(""), "work") {
        let ended = stepped::acting_before(&mut scene.launcher(""), number, || {
            fs::rename(&work, &aside).unwrap();
            symlink(&scene.roots, &work).unwrap();
            lchown(&work, Some(ORDINARY), Some(ORDINARY)).unwrap();
        });
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            !said.contains("decoysecret"),
            "before call {number}: {ended:?}"
        );
        fs::remove_file(&work).unwrap();
        fs::rename(&aside, &work).unwrap();
    }
}
