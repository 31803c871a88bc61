//! How a test says that it did not run.

/// What a test lacks here.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// Root's rights. An ordinary user may skip, since CI runs the tests as root too.
    Root,
    /// A server on the internet. The tests may not depend on it.
    Internet,
    /// The kernel feature that is attacked. Without it there is nothing to refuse.
    Target,
    /// A program, file system or kernel feature that CI has.
    Host,
}

/// Says that a test did not run. Under `GOSANDBOX_REQUIRE_KERNEL=1` it fails, unless the lack is
/// excused.
#[allow(dead_code)]
#[track_caller]
pub fn skip(lacks: Lacks, reason: &str) {
    eprintln!("SKIPPED: {reason}");
    let is_excused = match lacks {
        Lacks::Root => !rustix::process::geteuid().is_root(),
        Lacks::Internet | Lacks::Target => true,
        Lacks::Host => false,
    };
    let is_required = std::env::var_os("GOSANDBOX_REQUIRE_KERNEL").is_some_and(|it| it == "1");
    assert!(
        is_excused || !is_required,
        "may not be skipped here: {reason}"
    );
}

/// Whether this is root. Skips loudly where it is not.
#[allow(dead_code)]
#[track_caller]
pub fn needs_root(reason: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip(Lacks::Root, reason);
    }
    is_root
}

/// Whether a program is there, also where only root's PATH leads. Skips loudly where it is not.
#[allow(dead_code)]
#[track_caller]
pub fn needs_program(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let is_there = folders.any(|folder| folder.join(program).exists());
    if !is_there {
        let reason = format!("{program} is not installed (package {package})");
        skip(Lacks::Host, &reason);
    }
    is_there
}
