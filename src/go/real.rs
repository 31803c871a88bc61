//! Checks against the go command and git of this machine, where there are any.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::environment::{Inputs, rebuild};
use super::toolchain::{Choice, Toolchain, ToolchainError, discover};
use super::trust::Trust;
use super::vcs::{Stamping, stamping};
use crate::policy;

/// The toolchain of PATH; nothing where there is none, or none that this user may rely on.
fn toolchain() -> Option<Toolchain> {
    let path = std::env::var_os("PATH")?;
    let (uid, gid) = (
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    );
    let choice = Choice {
        goroot: None,
        path: Some(&path),
        trust: Trust::new(uid, gid),
        work_tree: None,
    };
    match discover(&choice) {
        Ok(found) => Some(found),
        Err(ToolchainError::NotFound { .. } | ToolchainError::Untrusted { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn environment(
    toolchain: &Toolchain,
    caller: &[(&str, &str)],
    cache: &Path,
) -> Vec<(OsString, OsString)> {
    let caller: Vec<(OsString, OsString)> =
        caller.iter().map(|(n, v)| (n.into(), v.into())).collect();
    let modules = policy::Modules {
        upstreams: String::new(),
        ..policy::Modules::closed()
    };
    let made = rebuild(&Inputs {
        caller: &caller,
        toolchain,
        build_cache: cache,
        module_cache: cache,
        gopath: cache,
        home: cache,
        tmp: cache,
        user: "u",
        proxy: "off",
        hosts: None,
        modules: &modules,
        policy: &policy::Environment::default(),
        command: "env",
        allow_flags: &[],
        race: false,
        vendor: false,
        add_flags: &["-ldflags=-X 'a.b=c d'".to_owned()],
        stamping: &Stamping::None,
    });
    made.expect("made").pairs
}

#[test]
fn the_version_found_is_the_one_that_go_says() {
    let Some(toolchain) = toolchain() else { return };
    let said = Command::new(&toolchain.go)
        .arg("version")
        .output()
        .expect("go version")
        .stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(
        said.contains(&format!("go{}", toolchain.version)),
        "{said} is not {}",
        toolchain.version
    );
}

#[test]
fn the_go_command_takes_the_environment_as_it_is_meant() {
    let Some(toolchain) = toolchain() else { return };
    let dir = tempfile::tempdir().expect("tempdir");
    fs::create_dir_all(dir.path().join(".config/go")).expect("folder");
    fs::write(
        dir.path().join(".config/go/env"),
        "GOPRIVATE=*\nGOFLAGS=-mod=mod\n",
    )
    .expect("file");
    let caller = [
        ("GOPROXY", "direct"),
        ("GOFLAGS", "'-tags=a b' -v"),
        ("CGO_ENABLED", "1"),
        ("GOARCH", "arm64"),
    ];
    let output = Command::new(&toolchain.go)
        .args([
            "env",
            "GOPROXY",
            "GOPRIVATE",
            "CGO_ENABLED",
            "GOARCH",
            "GOTOOLCHAIN",
            "GOENV",
            "GOFLAGS",
            "GOROOT",
        ])
        .env_clear()
        .envs(environment(&toolchain, &caller, dir.path()))
        .current_dir(dir.path())
        .output()
        .expect("go env");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    let goroot = toolchain.goroot.display().to_string();
    // With GOENV=off the go command names no file.
    assert_eq!(
        lines[..6],
        ["off", "", "0", "arm64", "local", ""],
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(lines[6], "'-tags=a b' -v \"-ldflags=-X 'a.b=c d'\"");
    assert_eq!(lines[7], goroot);
}

/// A repository with a hook, and the marker that it leaves.
fn repository(dir: &Path) -> Option<PathBuf> {
    let git = |args: &[&str]| {
        Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@example.com"])
            .args(args)
            .current_dir(dir)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .ok()
            .filter(|o| o.status.success())
    };
    git(&["init", "-q"])?;
    fs::write(dir.join("file"), "x").expect("file");
    git(&["add", "file"])?;
    git(&["commit", "-qm", "x"])?;
    let marker = dir.join(".git/ran");
    let hook = dir.join(".git/hooks/post-index-change");
    fs::create_dir_all(dir.join(".git/hooks")).expect("folder");
    // By another process: a child of another test would have this one's descriptor for writing, and git could not
    // execute it (ETXTBSY, execve(2)).
    let script = dir.join("hook");
    fs::write(&script, format!("#!/bin/sh\n: > {}\n", marker.display())).expect("hook");
    let mut install = Command::new("install");
    install.args(["-m", "755"]).arg(&script).arg(&hook);
    assert!(install.status().expect("install").success());
    Some(marker)
}

fn status(dir: &Path, environment: &[(OsString, OsString)]) -> bool {
    // A changed time makes git refresh the index, which is what runs the hook.
    fs::write(dir.join("file"), "x").expect("file");
    Command::new("git")
        .args(["status", "--porcelain"])
        .current_dir(dir)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(environment.iter().map(|(n, v)| (n, v)))
        .output()
        .is_ok_and(|o| o.status.success())
}

#[test]
fn no_hook_runs_with_the_environment_for_stamping() {
    let dir = tempfile::tempdir().expect("tempdir");
    let Some(marker) = repository(dir.path()) else {
        return;
    };
    let Stamping::Safe { environment, .. } = stamping(dir.path()) else {
        panic!("{:?}", stamping(dir.path()));
    };
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(status(dir.path(), &environment));
    assert!(!marker.exists(), "the hook ran");
    // The same without it, so that the test does not pass for another reason.
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(status(
        dir.path(),
        &[(
            OsString::from("HOME"),
            OsStr::new("/nonexistent").to_owned()
        )]
    ));
    assert!(marker.exists(), "the control did not run the hook");
}
