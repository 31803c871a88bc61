//! A work tree, a stage, and operations that are done plainly or through an overlay mount.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gosandbox::changes::{Keep, Landed, Record, Rules, Stage};
use serde::{Deserialize, Serialize};

use crate::support::reachable::again;
use crate::support::{in_child, is_root};

/// Something that a program does in its work tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    Write(PathBuf, String),
    Append(PathBuf, String),
    Mkdir(PathBuf),
    Remove(PathBuf),
    RemoveAll(PathBuf),
    Rename(PathBuf, PathBuf),
    Symlink(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Chmod(PathBuf, u32),
    Touch(PathBuf, u32),
    Fifo(PathBuf),
    /// Sets an extended attribute.
    Mark(PathBuf, String, String),
}

/// Does the operations in a folder. What fails is passed over: it fails alike on both sides.
pub fn act(folder: &Path, ops: &[Op]) {
    for (number, op) in ops.iter().enumerate() {
        let at = |path: &Path| folder.join(path);
        let time = 1_600_000_000 + number as i64 * 10;
        let done = match op {
            Op::Write(path, content) => is_plain(&at(path))
                .and_then(|()| fs::write(at(path), content))
                .and_then(|()| touch(&at(path), time)),
            Op::Append(path, content) => is_plain(&at(path))
                .and_then(|()| File::options().append(true).open(at(path)))
                .and_then(|mut file| io::Write::write_all(&mut file, content.as_bytes()))
                .and_then(|()| touch(&at(path), time)),
            Op::Mkdir(path) => fs::create_dir(at(path)),
            Op::Remove(path) => fs::remove_file(at(path)).or_else(|_| fs::remove_dir(at(path))),
            Op::RemoveAll(path) => fs::remove_dir_all(at(path)),
            // Folders of the lower layer cannot be renamed, and programs are told so.
            Op::Rename(from, to) => is_plain(&at(from)).and_then(|()| fs::rename(at(from), at(to))),
            Op::Symlink(target, path) => symlink(target, at(path)),
            Op::Link(from, to) => fs::hard_link(at(from), at(to)),
            Op::Chmod(path, mode) => is_plain(&at(path))
                .or_else(|error| at(path).is_dir().then_some(()).ok_or(error))
                .and_then(|()| fs::set_permissions(at(path), Permissions::from_mode(*mode))),
            Op::Touch(path, seconds) => {
                is_plain(&at(path)).and_then(|()| touch(&at(path), i64::from(*seconds)))
            }
            Op::Mark(path, name, value) => {
                let flags = rustix::fs::XattrFlags::empty();
                rustix::fs::lsetxattr(at(path), name.as_str(), value.as_bytes(), flags)
                    .map_err(Into::into)
            }
            Op::Fifo(path) => rustix::fs::mknodat(
                rustix::fs::CWD,
                at(path),
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::RWXU,
                0,
            )
            .map_err(Into::into),
        };
        let _alike_on_both_sides = done;
    }
}

/// A regular file, or nothing: links to folders behave as their targets.
fn is_plain(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => Err(io::ErrorKind::Other.into()),
        _ => Ok(()),
    }
}

fn touch(path: &Path, seconds: i64) -> io::Result<()> {
    let time = rustix::fs::Timespec {
        tv_sec: seconds,
        tv_nsec: 5,
    };
    let times = rustix::fs::Timestamps {
        last_access: time,
        last_modification: time,
    };
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    Ok(rustix::fs::utimensat(rustix::fs::CWD, path, &times, flags)?)
}

/// A work tree with a folder for its stages, removed with the value.
pub struct Place {
    pub root: tempfile::TempDir,
    pub base: PathBuf,
    pub tree: PathBuf,
    _elsewhere: Option<tempfile::TempDir>,
}

impl Place {
    /// With the stage on the work tree's file system.
    pub fn new() -> Place {
        Place::with_base(None)
    }

    /// With the stage on another file system, where there is one.
    pub fn across() -> Place {
        Place::with_base(Some(tempfile::tempdir_in("/dev/shm").unwrap()))
    }

    fn with_base(elsewhere: Option<tempfile::TempDir>) -> Place {
        let root = tempfile::tempdir_in(crate::support::base()).unwrap();
        let top = root.path().canonicalize().unwrap();
        let base = match &elsewhere {
            Some(elsewhere) => elsewhere.path().join("base"),
            None => top.join("base"),
        };
        let tree = top.join("tree");
        for folder in [&base, &tree, &top.join("merged")] {
            fs::create_dir(folder).unwrap();
        }
        Place {
            root,
            base,
            tree,
            _elsewhere: elsewhere,
        }
    }

    pub fn rules(&self) -> Rules {
        Rules {
            keep: Keep::All,
            outputs: Vec::new(),
            protected_names: [".git", "git~1", ".github", ".envrc"]
                .map(PathBuf::from)
                .to_vec(),
            protected_paths: Vec::new(),
        }
    }

    pub fn record(&self, rules: Rules) -> Record {
        let found = self.tree.metadata().unwrap();
        // Files that were there before are older than the run. Since Linux 6.13 their times can be of the
        // fine clock (multigrain timestamps), which is ahead of the one by which a run begins.
        use rustix::time::{ClockId, clock_gettime};
        let before = clock_gettime(ClockId::Realtime);
        let mut now = clock_gettime(ClockId::RealtimeCoarse);
        while now <= before {
            std::thread::sleep(Duration::from_millis(1));
            now = clock_gettime(ClockId::RealtimeCoarse);
        }
        Record {
            schema: Record::SCHEMA,
            run: format!("{:016x}", u64::from(now.tv_nsec as u32)),
            tree: self.tree.clone(),
            tree_identity: (found.dev(), found.ino()),
            started: (now.tv_sec, now.tv_nsec as u32),
            command: vec!["go".to_owned(), "test".to_owned()],
            profile: "ci".to_owned(),
            rules,
            identity: None,
            owned_by_root: false,
            keep_for: 60 * 60,
        }
    }

    pub fn stage(&self, rules: Rules) -> Stage {
        self.stage_with(self.record(rules), None)
    }

    pub fn stage_with(&self, record: Record, owner: Option<(u32, u32)>) -> Stage {
        let tree = File::open(&self.tree).unwrap();
        let folder = self.base.join(format!("{}.stage", record.run));
        Stage::create(&folder, record, tree.into(), owner).unwrap()
    }

    /// Has a process do the operations in the work tree as programs of a run see it.
    pub fn run(&self, stage: &Stage, ops: &[Op]) {
        let merged = self.root.path().join("merged");
        let file = self.root.path().join("ops.json");
        fs::write(&file, serde_json::to_vec(ops).unwrap()).unwrap();
        let mut command = again("overlay::inside");
        command
            .env("GOSANDBOX_OPS", &file)
            .env("GOSANDBOX_OPS_IN", &merged);
        mount_in(&mut command, &self.tree, stage, &merged);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// A run from its beginning to its end.
    pub fn whole(&self, rules: Rules, ops: &[Op]) -> Landed {
        let stage = self.stage(rules);
        self.run(&stage, ops);
        stage.apply().unwrap()
    }
}

/// The process that [`Place::run`] starts.
#[test]
#[ignore = "other tests start it"]
fn inside() {
    let [file, folder] =
        ["GOSANDBOX_OPS", "GOSANDBOX_OPS_IN"].map(|it| std::env::var_os(it).unwrap());
    let ops: Vec<Op> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    act(Path::new(&folder), &ops);
}

fn mount_in(command: &mut Command, tree: &Path, stage: &Stage, merged: &Path) {
    let text = |text: String| CString::new(text).unwrap();
    let options = text(format!(
        "userxattr,volatile,index=off,lowerdir={},upperdir={},workdir={}",
        tree.display(),
        stage.upper().display(),
        stage.work().display()
    ));
    let merged = CString::new(merged.as_os_str().as_bytes()).unwrap();
    let namespaces = private_mounts();
    in_child(command, move || {
        namespaces()?;
        let kind = c"overlay".as_ptr();
        // SAFETY: the strings live until the call returns.
        check(unsafe { libc::mount(kind, merged.as_ptr(), kind, 0, options.as_ptr().cast()) })?;
        Ok(())
    });
}

/// Gives a child that is about to execute mounts of its own: as an ordinary user with a user namespace.
pub fn private_mounts() -> impl Fn() -> io::Result<()> + Send + Sync + 'static {
    let is_root = is_root();
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    let maps = [
        (c"/proc/self/setgroups", "deny".to_owned()),
        (c"/proc/self/uid_map", format!("{0} {0} 1", uid.as_raw())),
        (c"/proc/self/gid_map", format!("{0} {0} 1", gid.as_raw())),
    ];
    move || {
        let namespaces = libc::CLONE_NEWNS | if is_root { 0 } else { libc::CLONE_NEWUSER };
        // SAFETY: these take integers and strings that live until they return.
        unsafe {
            check(libc::unshare(namespaces))?;
            if !is_root {
                for (path, text) in &maps {
                    let file = check(libc::open(path.as_ptr(), libc::O_WRONLY))?;
                    let length = libc::write(file, text.as_ptr().cast(), text.len());
                    check(length as i32)?;
                    libc::close(file);
                }
            }
            let (none, private) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
            check(libc::mount(none, c"/".as_ptr(), none, private, none.cast()))?;
        }
        Ok(())
    }
}

fn check(value: i32) -> io::Result<i32> {
    match value {
        0.. => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What a tree holds: kinds, modes, contents, link targets, and the times of files.
pub fn contents(tree: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        let mode = fs::metadata(&folder).unwrap().mode();
        let name = folder.strip_prefix(tree).unwrap().to_owned();
        found.insert(name, format!("folder {:o}", mode & 0o7777));
        // A folder without permissions is opened for the look. A chmod counts as a change.
        if !is_root() && mode & 0o700 != 0o700 {
            fs::set_permissions(&folder, Permissions::from_mode(mode | 0o700)).unwrap();
        }
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(tree).unwrap().to_owned();
            let about = fs::symlink_metadata(&path).unwrap();
            if about.is_dir() {
                folders.push(path);
            } else if about.is_symlink() {
                found.insert(
                    name,
                    format!("link {}", fs::read_link(&path).unwrap().display()),
                );
            } else if about.is_file() {
                let mode = about.mode() & 0o7777;
                if !is_root() && mode & 0o400 == 0 {
                    fs::set_permissions(&path, Permissions::from_mode(mode | 0o400)).unwrap();
                }
                let content = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                let time = (about.mtime(), about.mtime_nsec());
                let shared = format!("{time:?} {:?}", content.get(..40).unwrap_or(&content));
                found.insert(name, format!("file {mode:o} {} {shared}", content.len()));
            } else {
                found.insert(name, "other".to_owned());
            }
        }
    }
    found
}

/// Extended attributes of the overlay's in a tree.
pub fn marks(tree: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let mut names = [0; 4096];
            let length = rustix::fs::llistxattr(&path, &mut names[..]).unwrap_or(0);
            if names[..length]
                .windows(13)
                .any(|part| part == b"user.overlay.")
            {
                found.push(path.clone());
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            }
        }
    }
    found
}
