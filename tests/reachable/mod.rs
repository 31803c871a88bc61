//! What every test binary needs: executables where each user can execute them, since a checkout may lie
//! where only its owner can go, and a way to say that a test did not run.

use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

#[path = "../support/again.rs"]
mod again;
#[path = "../support/seed.rs"]
pub mod seed;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/wait.rs"]
pub mod wait;

#[allow(unused_imports)]
pub use skip::{Lacks, needs_program, needs_root, skip};

/// Runs one ignored test of this binary, in a process with no other test, by whatever user.
#[allow(dead_code)]
pub fn again(test: &str) -> std::process::Command {
    again::again(this_test(), test)
}

/// A folder of this user's tests, open to others for reading, that stays from one run of them to the next.
#[allow(dead_code)]
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let uid = rustix::process::geteuid().as_raw();
        // Never in the checkout: its repository would be that of every project made here.
        let folder = match std::env::var_os("GOSANDBOX_TEST_ROOT") {
            Some(root) => Path::new(&root).join("cages"),
            None => Path::new("/var/tmp").join(format!("gosandbox-tests-{uid}")),
        };
        fs::create_dir_all(&folder).expect("a folder for the tests");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("a mode");
        folder.canonicalize().expect("the folder for the tests")
    })
}

/// A copy of an executable, made once for this process. Exchanged, not rewritten: another process may
/// be executing the one that is there.
fn copy(of: &Path, name: &str) -> PathBuf {
    // Each test binary of each checkout has its own: a grant holds for the file that was there, not for its name.
    let mut hasher = std::hash::DefaultHasher::new();
    of.hash(&mut hasher);
    let own = format!("bin-{}-{:016x}", env!("CARGO_CRATE_NAME"), hasher.finish());
    let folder = folder().join(own);
    fs::create_dir_all(&folder).expect("a folder for the tests");
    let place = folder.join(name);
    let new = folder.join(format!("{name}.{}", std::process::id()));
    copy_executable(of, &new);
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::rename(&new, &place).expect("in its place");
    place
}

/// Copies an executable by another process. A child that is started at this moment would have this process's
/// descriptor for writing, and nobody could execute the file (ETXTBSY, execve(2)).
#[allow(dead_code)]
pub fn copy_executable(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp").arg(from).arg(to).status();
    assert!(done.expect("cp").success(), "cp {}", to.display());
}

/// Writes a file that is to be executed, mode 0755, by another process, for the reason above.
#[allow(dead_code)]
pub fn write_executable(path: &Path, content: impl AsRef<[u8]>) {
    use std::io::Write as _;
    let folder = path.parent().expect("a folder");
    fs::create_dir_all(folder).expect("its folder");
    let mut writer = std::process::Command::new("sh")
        .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("sh");
    let mut input = writer.stdin.take().expect("its input");
    input.write_all(content.as_ref()).expect("the content");
    drop(input);
    assert!(writer.wait().expect("sh").success(), "{}", path.display());
}

/// gosandbox.
#[allow(dead_code)]
pub fn gosandbox() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        // A test that starts itself again hands on its copy, which another one would take the place of.
        if let Some(copied) = std::env::var_os("GOSANDBOX_TEST_COPIED") {
            return copied.into();
        }
        let named = std::env::var_os("GOSANDBOX_TEST_BINARY").map(PathBuf::from);
        let built = named.unwrap_or_else(|| env!("CARGO_BIN_EXE_gosandbox").into());
        copy(&built, "gosandbox")
    })
}

/// This test's own executable.
#[allow(dead_code)]
pub fn this_test() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let own = std::env::current_exe().expect("this test");
        let name = own
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        copy(&own, &name)
    })
}

/// GOROOT of the go command that the tests use.
#[allow(dead_code)]
pub fn goroot() -> &'static Path {
    static GOROOT: OnceLock<PathBuf> = OnceLock::new();
    GOROOT.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.push("/usr/local/go/bin".into());
        let go = folders.iter().find_map(|folder| {
            let real = folder.join("go").canonicalize().ok()?;
            let root = real.parent()?.parent()?.to_owned();
            root.join("VERSION").exists().then_some(root)
        });
        go.expect("the tests need a go command in PATH")
    })
}
