//! Real runs that are refused: the message, the report and the audit log have the code, and the
//! command that `help:` shows works.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use gosandbox::record::{EventKind, read};

use crate::support::{Ended, Env, Site, give_tree, goroot, write};

/// A run that is refused.
pub(super) struct Scene {
    pub(super) code: &'static str,
    /// What is done in the site before.
    pub(super) prepare: fn(&Site),
    pub(super) options: &'static [&'static str],
    pub(super) words: &'static [&'static str],
    /// Variables of the caller's.
    variables: &'static [(&'static str, &'static str)],
}

pub(super) const BUILD: &[&str] = &["go", "build", "./..."];

const fn scene(
    code: &'static str,
    prepare: fn(&Site),
    options: &'static [&'static str],
    words: &'static [&'static str],
) -> Scene {
    let variables = &[];
    Scene {
        code,
        prepare,
        options,
        words,
        variables,
    }
}

const fn variable(
    code: &'static str,
    variables: &'static [(&'static str, &'static str)],
    words: &'static [&'static str],
) -> Scene {
    Scene {
        variables,
        ..scene(code, nothing, &[], words)
    }
}

pub(super) fn nothing(_: &Site) {}

fn profile(site: &Site, text: &str) {
    write(&site.work.join("p.toml"), text);
}

pub(super) fn module(site: &Site, lines: &str) {
    site.file("go.mod", &format!("module example.test/m\n\n{lines}\n"));
}

#[rustfmt::skip]
pub(super) const SCENES: [Scene; 28] = [
    scene("profile-unknown", nothing, &["--profile", "nosuch"], BUILD),
    scene("profile-unreadable", nothing, &["--profile", "./p.toml"], BUILD),
    scene("profile-invalid", |site| profile(site, "[files]\nraed = []\n"), &["--profile", "./p.toml"], BUILD),
    scene("profile-loop", |site| profile(site, "extends = \"./p.toml\"\n"), &["--profile", "./p.toml"], BUILD),
    scene("profile-untrusted", |site| {
        profile(site, "");
        fs::set_permissions(site.work.join("p.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    }, &["--profile", "./p.toml"], BUILD),
    scene("profile-loosens", |site| {
        site.file(".gosandbox.toml", "network.programs = true\n");
    }, &[], BUILD),
    scene("project-unreadable", |site| module(site, "require \"x"), &[], BUILD),
    scene("folder-unusable", nothing, &["-C", "missing"], BUILD),
    scene("outside-repository", |site| {
        module(site, "go 1.21\n\nrequire example.test/lib v0.0.0\n\nreplace example.test/lib => ../outside/lib");
        write(&site.outside.join("lib/go.mod"), "module example.test/lib\n\ngo 1.21\n");
    }, &[], BUILD),
    scene("goroot-writable", |site| {
        let go = site.outside.join("go/bin/go");
        write(&go, "");
        fs::set_permissions(go, fs::Permissions::from_mode(0o777)).unwrap();
    }, &["--goroot", "../outside/go"], BUILD),
    scene("goroot-unusable", nothing, &["--goroot", "/etc"], BUILD),
    variable("toolchain-version", &[("GOTOOLCHAIN", "/opt/go")], BUILD),
    Scene {
        variables: &[("GOTOOLCHAIN", "auto")],
        ..scene("toolchain-out-of-range", |site| {
            module(site, "go 1.99.0");
            profile(site, "modules.toolchains = [\"1.21\", \"1.22\"]\n");
        }, &["--profile", "./p.toml"], BUILD)
    },
    scene("not-found", nothing, &[], &["no-such-command"]),
    scene("not-executable", |site| drop(site.file("text", "text")), &[], &["./text"]),
    scene("flag-refused", nothing, &[], &["go", "build", "-toolexec=x", "-overlay=y", "."]),
    scene("go-command-refused", nothing, &[], &["go", "env", "-w", "GOFLAGS=-v"]),
    scene("compiler-refused", |site| drop(site.file("gcc", "")), &[], &["./gcc"]),
    scene("variable-refused", nothing, &["--env", "LD_PRELOAD=/x"], BUILD),
    scene("user-refused", nothing, &["--user", "1234"], BUILD),
    scene("grant-missing", nothing, &["--ro", "/no/such", "--rw", "/nor/this"], BUILD),
    scene("grant-refused", nothing, &["--rw", "/", "--ro", "/no/such"], BUILD),
    scene("output-refused", nothing, &[], &["go", "build", "-o", "/etc/gosandbox-no-such", "."]),
    scene("output-refused", nothing, &[], &["go", "test", "-coverprofile", "missing/cover.out", "."]),
    scene("label-unusable", |site| profile(site, "layers.apparmor = \"gosandbox-no-such\"\n"), &["--profile", "./p.toml"], &["true"]),
    variable("go-not-found", &[("PATH", "/no/such/folder")], BUILD),
    variable("goflags-unreadable", &[("GOFLAGS", "nonsense")], BUILD),
    variable("go-work-refused", &[("GOWORK", "relative.work")], BUILD),
];

pub(super) fn site(prepare: fn(&Site)) -> Site {
    let site = Site::new(Env::User);
    site.file("go.mod", "module example.test/m\n\ngo 1.21\n");
    site.file("main.go", "package main\n\nfunc main() {}\n");
    prepare(&site);
    site.settle();
    site
}

fn run(site: &Site, scene: &Scene, more: &[&str]) -> Ended {
    let options = [more, scene.options].concat();
    let mut command = site.gosandbox_apart(&options, scene.words);
    Ended::of(command.envs(scene.variables.iter().copied()))
}

fn reported(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn message_report_and_audit_log_have_the_code_and_what_helps() {
    for scene in &SCENES {
        let site = site(scene.prepare);
        let code = scene.code;
        let files = ["report.json", "audit.log"].map(|name| site.home.join(name));
        let [report, log] = files.each_ref().map(|path| path.to_str().unwrap());
        let ended = run(&site, scene, &["--report", report, "--audit-log", log]);
        let status = ended.status;
        ended.refused(code);

        let value = reported(&files[0]);
        assert_eq!(value["refused"]["code"], code, "{value:#}");
        assert_eq!(value["status"], status, "{code}");
        assert!(!value["refused"]["remedies"].as_array().unwrap().is_empty());
        let words: Vec<_> = value["command"].as_array().unwrap().iter().collect();
        assert_eq!(words, scene.words, "{code}");

        let lines = fs::read(&files[1]).unwrap();
        let lines: Vec<_> = read(lines.as_slice()).map(Result::unwrap).collect();
        // What the kernel says of the command itself is no refusal of the launcher's.
        if code == "not-executable" {
            assert!(lines.is_empty());
            continue;
        }
        let [line] = &lines[..] else {
            panic!("{code}: {lines:?}");
        };
        assert_eq!(line.event.kind, EventKind::RunRefused, "{code}");
        assert_eq!(line.event.code.map(|code| code.word()), Some(code));
        assert!(line.event.remedy.is_some() && line.event.subject.is_some());
        assert_eq!(line.run.len(), 16, "{code}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_refused_and_so_is_a_log() {
    let site = site(nothing);
    for (option, code) in [
        ("--report", "report-refused"),
        ("--audit-log", "audit-log-refused"),
    ] {
        let ended = site.run(&[option, "no/such/folder/file"], &["true"]);
        ended.expect(125).refused(code);
    }
}

#[test]
fn subcommands_have_codes_too() {
    let site = site(nothing);
    for (words, status, code) in [
        (&["--nonsense", "--", "true"][..], 125, "option-unknown"),
        (&["--profile"], 125, "option-value"),
        (&["doctor", "--ro", "x"], 2, "option-misplaced"),
        (&[], 125, "command-unclear"),
        (&["make"], 125, "command-unclear"),
        (&["profile", "nonsense"], 125, "format-unknown"),
        (&["changes", "show", "no-such-run"], 125, "changes-unknown"),
        (
            &["policy", "show", "--profile", "nosuch"],
            125,
            "profile-unknown",
        ),
    ] {
        let ended = Ended::of(&mut site.subcommand(words));
        ended.expect(status).refused(code);
    }
}

#[test]
fn everything_that_is_wrong_of_a_kind_is_named_at_once() {
    let site = site(nothing);
    let words = ["go", "build", "-toolexec=x", "-overlay=y", "-race", "."];
    let ended = site.run(&[], &words).expect(125).refused("flag-refused");
    ended.says("-toolexec ").says("-overlay ").says("-race ");
    let ended = site.run(&["--ro", "/no/such", "--rw", "/nor/this"], &["true"]);
    ended
        .refused("grant-missing")
        .says("/no/such")
        .says("/nor/this");
}

#[test]
fn changes_of_a_run_are_in_the_audit_log() {
    let site = site(nothing);
    let log = site.home.join("audit.log");
    let script = "echo new >notes.txt; mkdir -p .github; echo x >.github/ci.yml";
    let options = ["--audit-log", log.to_str().unwrap()];
    site.run(&options, &["sh", "-c", script]).expect(125);
    let lines = fs::read(&log).unwrap();
    let lines: Vec<_> = read(lines.as_slice()).map(Result::unwrap).collect();
    let found = |kind| {
        let of_kind = lines.iter().filter(move |line| line.event.kind == kind);
        let told = of_kind.map(|line| (line.event.subject.clone(), line.event.code));
        told.collect::<Vec<_>>()
    };
    assert_eq!(
        found(EventKind::ChangeApplied),
        [(Some("notes.txt".to_owned()), None)]
    );
    let protected = gosandbox::refusal::Code::ProtectedPath;
    assert_eq!(
        found(EventKind::ChangeRefused),
        [(Some(".github".to_owned()), Some(protected))]
    );
    // The name that `gosandbox changes` knows.
    let listed = Ended::of(&mut site.subcommand(&["changes", "list"]));
    listed.says(&lines[0].run);
}

#[test]
fn a_report_of_a_run_that_is_not_refused_says_so() {
    let site = site(nothing);
    let report = site.home.join("report.json");
    let options = ["--report", report.to_str().unwrap()];
    site.run(&options, &["true"]).expect(0);
    let value = reported(&report);
    assert_eq!(
        (&value["refused"], &value["status"]),
        (&serde_json::Value::Null, &0.into())
    );
}

#[test]
fn what_another_environment_is_needed_for_has_codes_too() {
    let work = |env| {
        let site = Site::new(env);
        site.file("go.mod", "module example.test/m\n\ngo 1.21\n");
        site.settle();
        site
    };
    let restricted = work(Env::Restricted);
    let ended = restricted.run(&["--stage", "review"], &["true"]);
    ended.expect(125).refused("stage-unavailable");
    if Env::Root.is_here() {
        let root = work(Env::Root);
        let ended = root.run(&["--user", "no-such-user"], &["true"]);
        ended.expect(125).refused("user-unknown");
        let ended = root.run(&["--user", "0"], &["true"]);
        ended.expect(125);
    }
    if Env::Container.is_here() {
        let container = work(Env::Container);
        give_tree(&container.work, 0);
        let caches = container.root.join("caches");
        fs::create_dir(&caches).unwrap();
        chown(&caches, Some(65534), Some(65534)).unwrap();
        let options = ["--cache-dir", caches.to_str().unwrap()];
        let ended = container.run_apart(&options, &["go", "mod", "tidy"]);
        ended.expect(125).refused("tree-of-root");
        fs::set_permissions(&container.root, fs::Permissions::from_mode(0o700)).unwrap();
        chown(&container.root, Some(0), Some(0)).unwrap();
        let ended = container.run_apart(&options, &["true"]);
        ended.expect(125).refused("path-unreachable");
    }
    let user = work(Env::User);
    let mut home = user.gosandbox_apart(&[], BUILD);
    let ended = Ended::of(home.env("HOME", &user.work));
    ended.expect(125).refused("work-tree-too-wide");
    let temporary = user.home.join("tmp");
    write(&temporary.join(format!("gosandbox-{}", user.caller())), "");
    user.settle();
    let mut command = user.gosandbox_apart(&[], &["true"]);
    let ended = Ended::of(command.env("TMPDIR", &temporary));
    ended.expect(125).refused("temporary-unusable");
    let install = Ended::of(&mut user.subcommand(&["profile", "auto", "--install"]));
    let has_guard = !install.stderr.contains("(guard-missing)");
    install.expect(125).refused(match has_guard {
        true => "root-needed",
        false => "guard-missing",
    });
    let folder = goroot();
    let ended = user.run(&["--rw", folder.to_str().unwrap()], BUILD);
    ended.expect(125).refused("grant-refused");
}
