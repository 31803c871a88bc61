//! A throwaway project with decoys, and gosandbox run in it as in each of the environments.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub mod caches;
pub mod confined;
pub mod held;
pub mod killed;
pub mod modules;
pub mod mounts;
pub mod ports;
#[path = "../reachable/mod.rs"]
pub mod reachable;
pub mod stages;
pub mod user_project;

#[allow(unused_imports)]
pub use reachable::{
    Lacks, folder as base, goroot, gosandbox, needs_program, needs_root, skip, wait,
    write_executable,
};

/// The ordinary user that tests become where they run as root.
pub const ORDINARY: u32 = 1000;

/// Where gosandbox is to hold what it promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Env {
    /// An ordinary user, with user namespaces.
    User,
    /// An ordinary user, to whom user namespaces are refused.
    Restricted,
    /// Root with every capability, on a work tree of root's.
    Root,
    /// Root in a container with the default seccomp filter, on a work tree of another user's.
    Container,
    /// An ordinary user with user namespaces, on a kernel without Landlock.
    NoLandlock,
}

impl Env {
    pub const ALL: [Env; 4] = [Env::User, Env::Restricted, Env::Root, Env::Container];

    pub fn is_root(self) -> bool {
        matches!(self, Env::Root | Env::Container)
    }

    pub fn has_namespaces(self) -> bool {
        matches!(self, Env::User | Env::Root | Env::NoLandlock)
    }

    /// Whether it can be had here; says so loudly where not.
    pub fn is_here(self) -> bool {
        !self.is_root() || needs_root(&format!("{self:?} needs root"))
    }
}

/// Makes a test of a function for each environment, so that they run beside each other.
#[allow(unused_macros)]
macro_rules! in_environments {
    ($body:ident) => {
        $crate::support::in_environments!(
            $body: user User, restricted Restricted, root Root, container Container
        );
    };
    ($body:ident: $($test:ident $env:ident),+) => {
        mod $body {
            use $crate::support::Env;

            $(#[test]
            fn $test() {
                if Env::$env.is_here() {
                    super::$body(Env::$env);
                }
            })+
        }
    };
}
#[allow(unused_imports)]
pub(crate) use in_environments;

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The checkout, which `tests/as-user` copies.
pub fn checkout() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or(env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// A new folder of the tests' own user beside the sites. Whoever makes it removes it.
pub fn root_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = base().join(format!("root-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A throwaway project, removed with the value.
pub struct Site {
    pub env: Env,
    pub root: PathBuf,
    pub work: PathBuf,
    pub home: PathBuf,
    pub outside: PathBuf,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Site {
    pub fn new(env: Env) -> Site {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = base().join(format!("site-{}-{number}", std::process::id()));
        let site = Site {
            env,
            work: root.join("work"),
            home: root.join("home"),
            outside: root.join("outside"),
            root,
        };
        for folder in [&site.work, &site.home, &site.outside] {
            fs::create_dir_all(folder).unwrap();
        }
        site.give(&site.root);
        site
    }

    /// The user that the launcher is started as.
    pub fn caller(&self) -> u32 {
        match is_root() {
            true if self.env.is_root() => 0,
            true => ORDINARY,
            false => rustix::process::geteuid().as_raw(),
        }
    }

    /// The owner of the project.
    fn owner(&self) -> u32 {
        match (is_root(), self.env) {
            (true, Env::Root) => 0,
            (true, _) => ORDINARY,
            (false, _) => rustix::process::geteuid().as_raw(),
        }
    }

    /// Writes a file of the project, with the folders above it.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.work.join(name);
        write(&path, content);
        path
    }

    /// The same of a program.
    pub fn program(&self, name: &str, content: &str) -> PathBuf {
        let path = self.work.join(name);
        write_executable(&path, content);
        path
    }

    /// Copies a folder into the project.
    pub fn copy(&self, from: &Path) {
        copy_tree(from, &self.work);
    }

    /// Hands everything to the project's owner.
    pub fn settle(&self) -> &Site {
        if is_root() {
            give_tree(&self.root, self.owner());
        }
        self
    }

    /// Hands one file to the project's owner.
    pub fn give(&self, path: &Path) {
        if is_root() {
            chown(path, Some(self.owner()), Some(self.owner())).unwrap();
        }
    }

    /// A profile of the caller's, to be called once the site is settled.
    pub fn profile(&self, text: &str) -> PathBuf {
        let profile = self.outside.join("profile.toml");
        write(&profile, text);
        if is_root() {
            give_tree(&profile, self.caller());
        }
        profile
    }

    /// `gosandbox OPTIONS -- WORDS` in the work tree, in the site's environment.
    pub fn gosandbox(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new(gosandbox());
        self.warm_for(words);
        command.arg("--cache-dir").arg(self.cache());
        command.args(options).arg("--").args(words);
        self.prepare(&mut command);
        confined::enter(&mut command, self.env, self.caller());
        command
    }

    /// The same words without gosandbox, by the same user, with every capability that the user has.
    pub fn bare(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        self.prepare(&mut command);
        self.set_plain_caches(&mut command, words);
        confined::enter(&mut command, caches::plain(self.env), self.caller());
        command
    }

    pub fn prepare(&self, command: &mut Command) {
        command
            .env_clear()
            .env("HOME", &self.home)
            .env("USER", "tester")
            .env("LANG", "C.UTF-8")
            .env(
                "PATH",
                format!(
                    "{}:/usr/local/bin:/usr/bin:/bin",
                    goroot().join("bin").display()
                ),
            )
            .current_dir(&self.work)
            .stdin(Stdio::null());
        let temporary = self.temporary();
        if temporary.exists() {
            command.env("TMPDIR", temporary);
        }
    }

    /// As [`Site::run`], with no cache but what the options name.
    pub fn run_apart(&self, options: &[&str], words: &[&str]) -> Ended {
        Ended::of(&mut self.gosandbox_apart(options, words))
    }

    /// As [`Site::gosandbox`], with no cache but what options and variables name.
    pub fn gosandbox_apart(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new(gosandbox());
        command.args(options).arg("--").args(words);
        self.prepare(&mut command);
        confined::enter(&mut command, self.env, self.caller());
        command
    }

    /// `gosandbox WORDS`, which runs no command, in the work tree and the site's environment.
    pub fn subcommand(&self, words: &[&str]) -> Command {
        let mut command = Command::new(gosandbox());
        command.args(words);
        self.prepare(&mut command);
        confined::enter(&mut command, self.env, self.caller());
        command
    }

    /// Runs and returns what came of it.
    pub fn run(&self, options: &[&str], words: &[&str]) -> Ended {
        Ended::of(&mut self.gosandbox(options, words))
    }

    /// What is in the project, by path, sorted.
    pub fn listing(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        list(&self.work, &mut found);
        found.sort();
        found
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::env::var_os("GOSANDBOX_KEEP").is_none() {
            self.remove_own_caches();
            for folder in [&self.root, &self.temporary()] {
                let _ = fs::remove_dir_all(folder);
            }
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(command: &mut Command) -> Ended {
        Ended::from(
            command
                .output()
                .unwrap_or_else(|error| panic!("{command:?}: {error}")),
        )
    }

    /// Fails the test unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: i32) -> Ended {
        assert_eq!(
            self.status, status,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Fails the test unless gosandbox refused with this code, and said what helps. The code ends
    /// the message on standard error: that line is there for every subcommand, and also where a
    /// refusal comes before the place of a report is settled.
    #[track_caller]
    pub fn refused(self, code: &str) -> Ended {
        let end = format!(" ({code})");
        let mut lines = self.stderr.lines();
        let is_message = |line: &str| line.starts_with("gosandbox: ") && line.ends_with(&end);
        let found = lines.by_ref().any(is_message);
        // Between them stand the paths that it is about, each on a line of its own.
        let helps = lines.find(|line| !line.starts_with("  "));
        let helps = helps.is_some_and(|line| line.starts_with("help: "));
        assert!(found && helps, "not refused with {code}: {self:?}");
        assert!([2, 125, 126, 127].contains(&self.status), "{self:?}");
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Ended {
        let all = format!("{}{}", self.stdout, self.stderr);
        assert!(all.contains(text), "{text:?} is not in:\n{all}");
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        use std::os::unix::process::ExitStatusExt;
        let status = output.status;
        Ended {
            status: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Follows links. By another process: what is executable may be executed next.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let mut copier = Command::new("cp");
    copier.arg("-rL").arg(from.join(".")).arg(to);
    assert!(copier.status().unwrap().success(), "{}", from.display());
}

pub fn give_tree(path: &Path, owner: u32) {
    std::os::unix::fs::lchown(path, Some(owner), Some(owner)).unwrap();
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_tree(&entry.unwrap().path(), owner);
        }
    }
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        found.push(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(&entry.path(), found);
        }
    }
}

/// Adds something to be done in the child, before the command is executed.
#[allow(unsafe_code)]
pub fn in_child(
    command: &mut Command,
    act: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: every caller's closure makes only system calls and uses memory allocated before.
    unsafe { command.pre_exec(act) };
}

/// Every path of a tree, with its mode, its modification time and what it holds or says.
pub fn content(tree: &Path) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let held = match metadata.file_type() {
                kind if kind.is_symlink() => {
                    let target = path.read_link().unwrap();
                    target.into_os_string().into_encoded_bytes()
                }
                kind if kind.is_file() => fs::read(&path).unwrap(),
                _ => Vec::new(),
            };
            let is_folder = metadata.is_dir();
            if is_folder {
                folders.push(path.clone());
            }
            let time = if is_folder { 0 } else { metadata.mtime() };
            found.insert(path, (metadata.mode(), time, held));
        }
    }
    found
}

/// go does not cache the result of a test that reads what changed within the last two seconds.
pub fn age(folder: &Path) {
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        }
        fs::File::open(&path).unwrap().set_modified(then).unwrap();
    }
}
