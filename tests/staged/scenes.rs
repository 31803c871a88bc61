//! Runs beside a user who puts a link in the place of what they use, and what that link leads to.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::support::{Ended, Env, ORDINARY, Site, base, give_tree, gosandbox, is_root, needs_root};
use crate::support::{confined, held};

/// Who the sandbox is where root owns the work tree.
const NOBODY: u32 = 65534;

/// Who starts the launcher, and what it could be made to change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Launcher {
    /// In an environment, on a work tree that an ordinary user can change.
    In(Env),
    /// Root with every capability, on an ordinary user's work tree.
    Root,
}

impl Launcher {
    pub fn is_here(self) -> bool {
        match self {
            Launcher::In(env) => env.is_here(),
            Launcher::Root => needs_root("a launcher that runs as root"),
        }
    }

    pub fn env(self) -> Env {
        match self {
            Launcher::In(env) => env,
            Launcher::Root => Env::Container,
        }
    }
}

/// A folder that links lead to: root's, or the caller's own outside the work tree.
pub struct Victim {
    pub folder: PathBuf,
    before: Vec<(PathBuf, u32, u32, u32, Vec<u8>)>,
}

impl Victim {
    fn new(launcher: Launcher) -> Victim {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = base().join(format!("victim-{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("own")).unwrap();
        fs::create_dir_all(folder.join("deep")).unwrap();
        for file in [
            "changed",
            "gone",
            "mode",
            "report.json",
            "audit.log",
            "go.mod",
            "own/file",
        ] {
            fs::write(folder.join(file), "decoysecret\n").unwrap();
        }
        let su = folder.join("su");
        fs::write(&su, "").unwrap();
        if is_root() && !launcher.env().is_root() {
            give_tree(&folder, ORDINARY);
        }
        fs::set_permissions(&su, fs::Permissions::from_mode(0o4755)).unwrap();
        // Root's is closed to the other user, so that what is done there is done with root's
        // rights.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let before = state(&folder);
        Victim { folder, before }
    }

    pub fn changed(&self) -> Vec<String> {
        let now = state(&self.folder);
        let differs = now.iter().filter(|entry| !self.before.contains(entry));
        let gone = self.before.iter().filter(|entry| !now.contains(entry));
        differs
            .chain(gone)
            .map(|entry| format!("{entry:?}"))
            .collect()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// Every path, with owner, group, mode and content.
fn state(folder: &Path) -> Vec<(PathBuf, u32, u32, u32, Vec<u8>)> {
    let mut found = Vec::new();
    let mut paths = vec![folder.to_owned()];
    while let Some(path) = paths.pop() {
        let about = fs::symlink_metadata(&path).unwrap();
        let content = match about.is_file() {
            true => fs::read(&path).unwrap(),
            false => Vec::new(),
        };
        if about.is_dir() {
            paths.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        found.push((path, about.uid(), about.gid(), about.mode(), content));
    }
    found.sort();
    found
}

/// A run that is made again and again, and the place that is exchanged for a link meanwhile.
pub struct Scene {
    pub name: &'static str,
    options: &'static [&'static str],
    pub words: &'static [&'static str],
    /// Below the site's folder.
    place: &'static str,
    /// What root would do by paths, with the place in `$PLACE`.
    pub naive: &'static [&'static str],
}

pub const SCENES: [Scene; 6] = [
    Scene {
        name: "cache",
        options: &[],
        words: &["go", "build", "."],
        place: "cache/go-build",
        naive: &["mkdir", "-p", "$PLACE/00"],
    },
    Scene {
        name: "caches",
        options: &[],
        words: &["go", "build", "."],
        place: "cache",
        naive: &["mkdir", "-p", "$PLACE/go-build/00"],
    },
    Scene {
        name: "tree",
        options: &[],
        words: &[
            "sh",
            "-c",
            "pwd -P; echo x > planted; echo x >> own/file; cat changed; true",
        ],
        place: "work",
        naive: &[
            "cp",
            "--remove-destination",
            "/etc/hostname",
            "$PLACE/changed",
        ],
    },
    Scene {
        name: "report",
        options: &["--report", "own/report.json"],
        words: &["true"],
        place: "work/own",
        naive: &["cp", "/etc/hostname", "$PLACE/report.json"],
    },
    Scene {
        name: "audit",
        options: &["--audit-log", "../logs/audit.log"],
        words: &["true"],
        place: "logs",
        naive: &["cp", "/etc/hostname", "$PLACE/audit.log"],
    },
    Scene {
        name: "apply",
        options: &[],
        words: &["sh", "-c", SCRIPT],
        place: "work/d",
        naive: &["chmod", "-R", "0777", "$PLACE/deep"],
    },
];

/// What is applied, refused and, without namespaces, moved away.
const SCRIPT: &str = "cd d; mkdir -p new/deep; echo x > new/deep/file; echo x > deep/file; echo x > changed; \
    rm -f gone; chmod 0755 mode; mkdir .vscode; echo x > .envrc; echo x > deep/.envrc; chmod 0555 .; true";

pub struct Set<'s> {
    pub scene: &'s Scene,
    pub launcher: Launcher,
    pub site: Site,
    pub victim: Victim,
    pub place: PathBuf,
    link: PathBuf,
}

impl<'s> Set<'s> {
    pub fn new(scene: &'s Scene, launcher: Launcher) -> Set<'s> {
        let site = Site::new(launcher.env());
        site.stage_apart();
        let place = site.root.join(scene.place);
        let set = Set {
            victim: Victim::new(launcher),
            link: place.with_file_name("link"),
            place,
            scene,
            launcher,
            site,
        };
        for folder in ["cache/go-build", "logs"] {
            fs::create_dir_all(set.site.root.join(folder)).unwrap();
        }
        set.reset();
        set
    }

    /// Has an ordinary user able to remove what a run leaves.
    pub fn open(&self) {
        for path in [&self.place, &self.link] {
            if path.is_dir() && !path.is_symlink() {
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
    }

    /// The work tree as it is before each run, with the link beside the place.
    pub fn reset(&self) {
        let site = &self.site;
        self.open();
        if self.place.is_symlink() {
            self.exchange().unwrap();
        }
        for entry in fs::read_dir(&site.work).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() && !path.is_symlink() {
                true => fs::remove_dir_all(path).unwrap(),
                false => fs::remove_file(path).unwrap(),
            }
        }
        site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
        site.file("m.go", "package m\n");
        for name in [
            "changed",
            "own/file",
            "d/changed",
            "d/gone",
            "d/mode",
            "d/deep/README",
        ] {
            site.file(name, "old\n");
        }
        if !self.link.is_symlink() {
            symlink(&self.victim.folder, &self.link).unwrap();
        }
        site.settle();
        if is_root() {
            give_tree(&site.root.join("cache"), self.user());
            lchown(&self.link, Some(self.user()), Some(self.user())).unwrap();
        }
    }

    pub fn command(&self) -> Command {
        let cache = self.site.root.join("cache");
        let options = ["--cache-dir", cache.to_str().unwrap()];
        self.gosandbox(&[&options, self.scene.options, &["--"], self.scene.words].concat())
    }

    /// gosandbox, started as the scene has it.
    pub fn gosandbox(&self, words: &[&str]) -> Command {
        match self.launcher {
            Launcher::In(_) => self.site.subcommand(words),
            Launcher::Root => {
                let mut command = Command::new(gosandbox());
                command.args(words);
                self.site.prepare(&mut command);
                command
            }
        }
    }

    /// As the user whose place it is.
    fn exchange(&self) -> rustix::io::Result<()> {
        let mut done = Ok(());
        confined::as_user(self.user(), || {
            done = renameat_with(CWD, &self.place, CWD, &self.link, RenameFlags::EXCHANGE);
        });
        done
    }

    pub fn user(&self) -> u32 {
        match self.launcher {
            _ if !is_root() => rustix::process::geteuid().as_raw(),
            Launcher::In(Env::Root) => NOBODY,
            _ => ORDINARY,
        }
    }

    /// As [`Set::held`], in a work tree as it is before a run.
    pub fn run(&self, command: Command, window: Option<usize>, back: bool) -> (Ended, Vec<String>) {
        self.reset();
        self.held(command, window, back)
    }

    /// A run in which the place is a link from one call on, or, if it is put `back`, for that call
    /// alone.
    pub fn held(
        &self,
        mut command: Command,
        window: Option<usize>,
        back: bool,
    ) -> (Ended, Vec<String>) {
        let place = Path::new(self.site.root.file_name().unwrap()).join(self.scene.place);
        let mut windows = Vec::new();
        let mut last = None;
        let ended = held::run(&mut command, |call| {
            if !call.comes_through(&place) {
                return;
            }
            // A look at many names is one window.
            let look = (call.process, call.number);
            let is_another = last.replace(look) == Some(look) && call.only_looks();
            if is_another {
                return;
            }
            let number = windows.len();
            windows.push(format!("{call:?}"));
            if window == Some(number) || back && window.map(|at| at + 1) == Some(number) {
                self.exchange().unwrap();
            }
        });
        self.open();
        (ended, windows)
    }
}
