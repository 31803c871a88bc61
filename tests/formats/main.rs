//! `gosandbox profile`: containers, systemd, Kubernetes and bubblewrap, each read by who loads it.
#![allow(clippy::unwrap_used)]

#[path = "../bpf/mod.rs"]
mod bpf;
#[path = "../support/mod.rs"]
mod support;

mod admission;
mod engine;
mod filter;
mod lower;
mod odd;
mod run;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use gosandbox::generate::{self, Mode, Model, Point, Site};
use gosandbox::policy::{Access, Policy, TreeAccess};
use gosandbox::refusal::{Code, Refuse as _};

use support::{Lacks, reachable, skip};

fn policy() -> Policy {
    let mut policy = Policy::closed();
    policy.name = "strict".to_owned();
    policy.limits.memory = Some(1 << 30);
    policy.limits.pids = Some(500);
    policy.limits.timeout = Some(600);
    policy
}

fn site(tree: &Path) -> Site {
    Site {
        goroot: "/usr/local/go".into(),
        gocache: "/home/user/.cache/go-build".into(),
        gomodcache: "/home/user/go/pkg/mod".into(),
        program_cache: "/home/user/.cache/gosandbox/programs".into(),
        tree: tree.to_owned(),
        home: "/home/user".into(),
        user: Some("builder".to_owned()),
        launcher: "/usr/local/bin/gosandbox".into(),
        system: vec![("/usr/bin/sh".into(), Access::Execute, false)],
        ..Site::default()
    }
}

/// The first file of a format.
fn render(format: &str, form: Option<&str>, tree: &Path) -> Result<String, generate::Error> {
    let (policy, site) = (policy(), site(tree));
    let mut model = Model::new(&policy, &site)?;
    model.form = form.map(str::to_owned);
    let backend = generate::backend(format).unwrap();
    Ok(backend.render(&model)?.remove(0).content)
}

/// `gosandbox WORDS` in a folder, as the user of the site's environment.
fn launcher(site: &support::Site, folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(reachable::gosandbox());
    command
        .arg("--cache-dir")
        .arg(site.cache())
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("HOME", &site.home)
        .env(
            "PATH",
            format!("{}/bin:/usr/bin:/bin", support::goroot().display()),
        );
    support::confined::enter(&mut command, support::Env::User, site.caller());
    command.output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = format!("formats-{name}-{}-{number}", std::process::id());
    let folder = reachable::folder().join(folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_published_schemas_take_the_files() {
    let Some(python) = std::env::var_os("GOSANDBOX_SCHEMA_PYTHON") else {
        return skip(
            Lacks::Root,
            "GOSANDBOX_SCHEMA_PYTHON is not set (tests/schemas/install prints it)",
        );
    };
    let check = support::checkout().join("tests/schemas/check");
    let folder = folder("schemas");
    let (policy, site) = (policy(), site(Path::new("/work")));
    for form in [None, Some("apparmor"), Some("selinux"), Some("plain")] {
        let mut model = Model::new(&policy, &site).unwrap();
        model.form = form.map(str::to_owned);
        let mut files = generate::backend("kubernetes")
            .unwrap()
            .render(&model)
            .unwrap();
        model.form = None;
        files.extend(
            generate::backend("oci-seccomp")
                .unwrap()
                .render(&model)
                .unwrap(),
        );
        for file in files {
            let kind = match file.name.as_str() {
                "pod.yaml" | "admission.yaml" => "kubernetes",
                "task.yaml" => "tekton",
                "profiles.yaml" => "operator",
                _ => "oci",
            };
            let path = folder.join(&file.name);
            fs::write(&path, &file.content).unwrap();
            let done = Command::new(&python)
                .arg(&check)
                .arg(kind)
                .arg(&path)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{} as {form:?}: {said}", file.name);
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_rule_that_a_format_cannot_hold_is_in_every_file() {
    let (mut policy, site) = (policy(), site(Path::new("/work")));
    policy.files.test = TreeAccess::Testdata;
    policy.network.allow = vec!["example.com".to_owned()];
    policy.network.services = vec!["5432".to_owned()];
    policy.network.publish = vec!["8080".to_owned()];
    policy.files.read = vec!["/srv/data".into()];
    assert!(Point::ALL.iter().all(|point| point.is_used(&policy)));
    for backend in generate::BACKENDS {
        let forms = backend.forms().iter().map(|form| Some((*form).to_owned()));
        for (form, mode) in std::iter::once(None)
            .chain(forms)
            .flat_map(|form| [(form.clone(), Mode::Enforce), (form, Mode::Complain)])
        {
            let mut model = Model::new(&policy, &site).unwrap();
            (model.form, model.mode) = (form, mode);
            for file in backend.render(&model).unwrap() {
                for (point, fit) in model.losses(backend) {
                    let said = format!("{}: {fit}", point.word());
                    // In a comment as it is, in JSON with its quotes escaped.
                    let escaped = said.replace('"', "\\\"");
                    assert!(
                        [&said, &escaped]
                            .iter()
                            .any(|it| file.content.contains(*it)),
                        "{} of {} as {:?}: {said}",
                        file.name,
                        backend.format(),
                        model.form
                    );
                }
            }
        }
    }
}

#[test]
fn a_rule_that_a_format_cannot_hold_is_a_warning() {
    let tree = support::Site::new(support::Env::User);
    tree.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    tree.settle();
    let (policy, site) = (policy(), site(Path::new("/work")));
    let model = Model::new(&policy, &site).unwrap();
    for backend in generate::BACKENDS {
        let done = launcher(&tree, &tree.work, &["profile", backend.format()]);
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{told}");
        for (point, fit) in model.losses(backend) {
            // This policy's own; what is run has the built-in profile.
            if point == Point::Limits {
                continue;
            }
            assert!(told.contains(point.word()), "{}: {told}", point.word());
            // And how, in what is made.
            let line = format!("{}: {fit}", point.word());
            let made = String::from_utf8_lossy(&done.stdout);
            let head = serde_json::to_string(&line).unwrap();
            assert!(
                made.contains(&line) || made.contains(&head),
                "{line}: {made}"
            );
        }
        // Three kinds, where the whole is, and which other files there are.
        assert!(told.lines().count() <= 5, "{told}");
    }
}

#[test]
fn what_is_not_utf_8_is_refused_by_name() {
    use std::os::unix::ffi::OsStrExt;
    let tree = Path::new(std::ffi::OsStr::from_bytes(b"/work/\xff"));
    for format in ["systemd", "bwrap", "apparmor"] {
        let error = render(format, None, tree).unwrap_err();
        assert_eq!(error.code(), Code::FormatCannotHold);
        let error = error.to_string();
        assert!(error.contains(format) && error.contains("\\xFF"), "{error}");
    }
    // These hold the image's own paths alone.
    for format in ["kubernetes", "container", "oci-seccomp"] {
        render(format, None, tree).unwrap();
    }
}

/// A deployment is made once, before or after the first run.
#[test]
fn what_is_generated_is_the_same_before_the_first_run_and_after_it() {
    let site = support::Site::new(support::Env::User);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("main.go", "package main\n\nfunc main() {}\n");
    site.settle();
    let generated = || {
        let formats = generate::BACKENDS.map(|backend| {
            let made = launcher(&site, &site.work, &["profile", backend.format()]);
            assert!(made.status.success(), "{made:?}");
            made.stdout
        });
        formats.to_vec()
    };
    let before = generated();
    let run = ["--", "go", "build", "-o", "/dev/null", "."];
    let run = launcher(&site, &site.work, &run);
    assert!(run.status.success(), "{run:?}");
    let sumdb = site.cache().join("pkg/sumdb");
    assert!(sumdb.is_dir(), "the run has made {}", sumdb.display());
    assert_eq!(generated(), before);
}
