//! Starts gosandbox in each of the settings that a behaviour must hold in.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use crate::support::wait::{eventually, found, wait_for_file};

/// An ordinary user's number, for tests that run as root.
pub const ORDINARY: u32 = 4711;

/// Who starts gosandbox, and what the host lets it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub root: bool,
    pub namespaces: bool,
}

/// All settings that can be had here.
pub fn settings() -> Vec<Setting> {
    let both = |root| [true, false].map(|namespaces| Setting { root, namespaces });
    let mut settings = both(false).to_vec();
    if is_root() {
        settings.extend(both(true));
    }
    settings
}

pub fn is_root() -> bool {
    // SAFETY: no preconditions.
    unsafe { libc::geteuid() == 0 }
}

/// A work tree of its own, and the way to run something in it.
pub struct Place {
    folder: tempfile::TempDir,
    pub setting: Setting,
}

impl Place {
    pub fn new(setting: Setting) -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tree")).unwrap();
        // Without namespaces nothing can be made beside protected paths, only in folders that are there.
        fs::create_dir(folder.path().join("tree/out")).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        fs::write(
            folder.path().join("tree/go.mod"),
            "module example.com/life\n\ngo 1.24\n",
        )
        .unwrap();
        // Root's own tree would need an id-mapped mount, and so namespaces.
        let given: &[&str] = match (is_root(), setting.root) {
            (true, false) => &["", "tree", "tree/go.mod", "tree/out", "tmp"],
            (true, true) => &["tree", "tree/go.mod", "tree/out"],
            _ => &[],
        };
        for path in given {
            let path = folder.path().join(path);
            std::os::unix::fs::chown(path, Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
        if setting.root {
            use std::os::unix::fs::PermissionsExt;
            let open = fs::Permissions::from_mode(0o755);
            fs::set_permissions(folder.path(), open).unwrap();
        }
        Place { folder, setting }
    }

    pub fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// The TMPDIR of its runs.
    pub fn tmp(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// `gosandbox OPTIONS -- COMMAND`, in a process group of its own.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(crate::reachable::gosandbox());
        // What tests outside wait for is written there: the rest of the tree is staged.
        command.arg("--rw").arg(self.tree().join("out"));
        command.args(words).process_group(0);
        self.settle(&mut command);
        command
    }

    /// Gives any command the setting's user, environment and filter.
    pub fn settle(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir(self.tree())
            .env_clear()
            .env("PATH", format!("{path}:/usr/local/go/bin"))
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env("GOCACHE", cache(self.setting))
            .env("SECRET", "in-the-environment");
        if is_root() && !self.setting.root {
            command.uid(ORDINARY).gid(ORDINARY);
        }
        if self.setting.root {
            command.env("HOME", self.folder.path().join("tmp"));
        }
        // A shell has what it starts in the background ignore them, the tests too.
        // SAFETY: system calls only.
        unsafe {
            command.pre_exec(|| {
                for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
                    libc::signal(signal, libc::SIG_DFL);
                }
                Ok(())
            })
        };
        if !self.setting.namespaces {
            // SAFETY: refuse_namespaces makes system calls only.
            unsafe { command.pre_exec(refuse_namespaces) };
        }
    }

    pub fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null());
        command.spawn().unwrap()
    }

    /// A file that scripts inside wait for, in a folder that is not staged.
    pub fn let_go(&self) {
        fs::write(self.tree().join("out/go"), "").unwrap();
    }

    /// Until a script inside says that it is ready.
    #[track_caller]
    pub fn wait_until_ready(&self) {
        wait_for_file(&self.tree().join("out/ready"));
    }

    pub fn output(&self, words: &[&str]) -> Output {
        self.start(words).wait_with_output().unwrap()
    }

    /// Whether there is a folder for runs, and it is empty: everything was removed.
    pub fn is_clean(&self) -> bool {
        let is_empty = |own: fs::DirEntry| fs::read_dir(own.path()).unwrap().next().is_none();
        let mut own = fs::read_dir(self.tmp()).unwrap().flatten().peekable();
        own.peek().is_some() && own.all(is_empty)
    }
}

/// A warm GOCACHE, for the user who runs inside: the tests are not about building `runtime`.
fn cache(setting: Setting) -> PathBuf {
    let user = if is_root() { ORDINARY } else { 0 };
    let name = format!("gosandbox-lifecycle-cache-{user}-{}", setting.root);
    let folder = std::env::temp_dir().join(name);
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _held = LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    crate::reachable::seed::seed(&folder, is_root().then_some(ORDINARY));
    folder
}

/// As the default filter of container runtimes: clone(2) and unshare(2) with CLONE_NEW* get EPERM,
/// clone3(2) gets ENOSYS.
fn refuse_namespaces() -> io::Result<()> {
    const NEW: u32 = 0x7e02_0080;
    let op = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let any = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    let ret = libc::BPF_RET | libc::BPF_K;
    let filter = [
        op(load, 0, 0, 0),
        op(equal, 5, 0, libc::SYS_clone3 as u32),
        op(equal, 1, 0, libc::SYS_clone as u32),
        op(equal, 0, 2, libc::SYS_unshare as u32),
        op(load, 0, 0, 16),
        op(any, 2, 0, NEW),
        op(ret, 0, 0, libc::SECCOMP_RET_ALLOW),
        op(ret, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        op(ret, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the program lives until the calls return; integers else.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Shell words that wait for [`Place::let_go`].
pub const UNTIL_LET_GO: &str = "until [ -e out/go ]; do sleep 0.02; done";

/// Waits until a process has taken every signal that was sent to it: it deals with the next one after these.
pub fn has_taken_its_signals(pid: i32) {
    eventually("no signal is pending", || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mut pending = status.lines().filter_map(|line| {
            let (name, mask) = line.split_once(":\t")?;
            ["SigPnd", "ShdPnd"].contains(&name).then_some(mask)
        });
        pending.all(|mask| mask.bytes().all(|digit| digit == b'0'))
    });
}

/// The one process that another has started.
pub fn child_of(pid: i32) -> i32 {
    let children = format!("/proc/{pid}/task/{pid}/children");
    found("it has one child", || {
        let list = fs::read_to_string(&children).unwrap();
        list.trim().parse().ok()
    })
}

pub fn kill(pid: i32, signal: i32) {
    // SAFETY: integers only.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "kill {pid}");
}

/// A number of seconds that no other test sleeps, to be found again by.
pub fn marked_sleep(n: u32, setting: Setting) -> String {
    let tag = u32::from(setting.root) * 2 + u32::from(setting.namespaces);
    format!("{}.{}", 3000 + n * 10 + tag, std::process::id())
}
