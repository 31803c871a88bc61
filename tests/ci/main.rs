//! What `ci/` has for CI services, run as such a service runs it, and the files that `gosandbox init` writes.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code)]
#[path = "../gateway/database.rs"]
mod database;
mod image;
mod init;
#[allow(dead_code)]
#[path = "../gateway/modules.rs"]
mod modules;
#[allow(dead_code)]
#[path = "../gateway/proxy.rs"]
mod proxy;
mod restored;
mod runner;
mod toolcache;

use std::fs;
use std::process::Command;

use runner::Runner;
use sha2::{Digest as _, Sha256};
use support::{Ended, Env, Site, checkout, confined, gosandbox};

/// A runner of Ubuntu 24.04, where AppArmor keeps an ordinary user from making namespaces, and one before that.
const RUNNERS: [Env; 2] = [Env::Restricted, Env::User];

fn sum() -> String {
    let digest = Sha256::digest(fs::read(gosandbox()).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_action_runs_commands_in_gosandbox_and_nothing_of_the_job_is_in_reach() {
    for env in RUNNERS {
        let mut runner = Runner::new(env);
        let commands = "# Tests.\n\ngo vet ./...\ngo test -count=1 -v ./...\n";
        let ended = runner.action(&[("run", commands)]).expect(0);
        let ended = ended
            .says("--- PASS: TestRunner")
            .says("::group::gosandbox: go vet");
        assert!(!ended.stdout.contains("REACHED"), "{env:?}: {ended:?}");
        // Without gosandbox the same test finds what it looks for.
        let bare = runner.bash("go test -count=1 ./...");
        assert_ne!(bare.status, 0, "{bare:?}");
        bare.says("REACHED GITHUB_TOKEN");
    }
}

#[test]
fn the_action_ends_with_the_status_of_the_first_command_that_fails() {
    let mut runner = Runner::new(Env::Restricted);
    let commands = "go test -count=1 -run TestNone ./...\ngo build ./missing\ngo vet ./...\n";
    let ended = runner.action(&[("run", commands)]).expect(1);
    let ended = ended.says("::group::gosandbox: go build ./missing");
    assert!(!ended.stdout.contains("go vet"), "{ended:?}");
    let options = "--env FAILS=1 --timeout '5m'";
    let inputs = [("run", "go test -count=1 ./..."), ("options", options)];
    runner.action(&inputs).expect(1).says("as asked");
    let inputs = [("run", "go test ./..."), ("options", "--no-such-option")];
    runner.action(&inputs).expect(125).says("option-unknown");
}

#[test]
fn what_a_workflow_gives_is_never_a_script() {
    let mut runner = Runner::new(Env::User);
    for hostile in [
        "go version; touch ran",
        "go version $(touch ran)",
        "go version `touch ran`",
        "go version && touch ran",
        "go version | tee ran",
        "go version > ran",
    ] {
        let ended = runner.action(&[("run", hostile)]);
        assert!(
            !runner.site.work.join("ran").exists(),
            "{hostile}: {ended:?}"
        );
        let inputs = [("run", "go version"), ("profile", hostile)];
        runner.action(&inputs).expect(125);
        let inputs = [("run", "go version"), ("directory", hostile)];
        runner.action(&inputs).expect(125);
        assert!(!runner.site.work.join("ran").exists(), "{hostile}");
    }
}

#[test]
fn the_action_takes_only_the_executable_that_the_workflow_names() {
    let mut runner = Runner::new(Env::User);
    let url = format!("file://{}", gosandbox().display());
    let run = ("run", "go version");
    runner
        .action(&[run, ("url", &url)])
        .expect(1)
        .says("::error::gosandbox: url needs sha256");
    let wrong = "0".repeat(64);
    runner
        .action(&[run, ("url", &url), ("sha256", &wrong)])
        .expect(1)
        .says("does not have the SHA-256");
    let installed = runner.temp().join("gosandbox-action/gosandbox");
    assert!(!installed.exists());
    let ended = runner.action(&[run, ("url", &url), ("sha256", &sum())]);
    ended.expect(0).says("go version go1.");
    assert!(installed.exists());
}

#[test]
fn the_action_leaves_a_go_for_the_steps_that_follow() {
    for env in RUNNERS {
        let mut runner = Runner::new(env);
        runner.action(&[("shim", "true")]).expect(0);
        let ended = runner.bash("go test -count=1 -v ./...").expect(0);
        let ended = ended.says("--- PASS: TestRunner");
        assert!(!ended.stdout.contains("REACHED"), "{env:?}: {ended:?}");
        let shim = runner.temp().join("gosandbox-shim/go");
        runner
            .bash("command -v go")
            .expect(0)
            .says(shim.to_str().unwrap());
    }
}

/// The lines of a job of the template, as GitLab's runner gives them to a shell of the image.
fn job(site: &Site, variables: &[(&str, &str)], script: &str) -> Ended {
    let text = fs::read_to_string(checkout().join("ci/gitlab/gosandbox.yml")).unwrap();
    let template: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    let job = &template[".gosandbox"];
    let before = job["before_script"].as_sequence().unwrap().iter();
    let mut lines: Vec<&str> = before.map(|line| line.as_str().unwrap()).collect();
    lines.push(script);
    let mut command = Command::new("sh");
    command.args(["-e", "-c", &lines.join("\n")]);
    site.prepare(&mut command);
    let bin = gosandbox().parent().unwrap().display();
    let go = support::goroot().join("bin");
    for (name, value) in job["variables"].as_mapping().unwrap() {
        command.env(name.as_str().unwrap(), value.as_str().unwrap());
    }
    command
        .env("PATH", format!("{}:{bin}:/usr/bin:/bin", go.display()))
        .env("CI", "true")
        .env("GITLAB_CI", "true")
        .env("CI_JOB_TOKEN", "glcbt-secret-of-the-job")
        .env("CI_PROJECT_DIR", &site.work)
        .env("GOCACHE", site.cache().join("go-build"))
        .envs(variables.iter().copied());
    confined::enter(&mut command, site.env, site.caller());
    Ended::of(&mut command)
}

#[test]
fn the_template_runs_go_in_gosandbox_in_a_container_and_on_a_shell_runner() {
    for env in [Env::Container, Env::User] {
        if !env.is_here() {
            continue;
        }
        let runner = Runner::new(env);
        let site = &runner.site;
        let script = "$GOSANDBOX --profile ci -- go test -count=1 -v ./...";
        let ended = job(site, &[], script).expect(0);
        let ended = ended.says("--- PASS: TestRunner");
        assert!(!ended.stdout.contains("REACHED"), "{env:?}: {ended:?}");
        let url = format!("file://{}", gosandbox().display());
        let named = [("GOSANDBOX_URL", url.as_str())];
        job(site, &named, script)
            .expect(1)
            .says("needs GOSANDBOX_SHA256");
        let wrong = "0".repeat(64);
        let named = [named[0], ("GOSANDBOX_SHA256", &wrong)];
        let ended = job(site, &named, script).expect(1);
        ended.says("does not have the SHA-256");
        let right = sum();
        let named = [named[0], ("GOSANDBOX_SHA256", &right)];
        job(site, &named, script).expect(0).says("PASS");
    }
}

#[test]
fn services_of_the_job_are_reached_where_the_workflow_names_them() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _gone = std::io::Write::write_all(&mut stream, b"ready\n");
        }
    });
    for env in RUNNERS {
        let mut runner = Runner::new(env);
        let test = include_str!("../fixtures/ci/service_test.go");
        runner.site.file("service_test.go", test);
        let address = format!("--env SERVICE=127.0.0.1:{port}");
        let run = ("run", "go test -count=1 -v -run TestService ./...");
        let named = format!("{address} --service {port}");
        let ended = runner.action(&[run, ("options", &named)]).expect(0);
        ended.says("SERVICE ready");
        runner
            .action(&[run, ("options", &address)])
            .expect(1)
            .says("SERVICE out of reach");
    }
}
