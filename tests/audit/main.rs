//! `gosandbox audit`: what is planted in an account is found, put right, and taken back to the byte.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use support::{Ended, Env, Lacks, Site, checkout, is_root, skip, write};

/// An account with faults, and the code of each.
const PLANTED: [(&str, &str, &str); 7] = [
    (
        ".config/go/env",
        "GOSUMDB=off\nGOTOOLCHAIN=local\n",
        "go-checksums-off",
    ),
    (
        ".bashrc",
        "alias x=y\nexport http_proxy=http://u:hunter2@old.example.com:3128\n",
        "proxy-set",
    ),
    (
        ".profile",
        "export GOINSECURE=git.example.com\n",
        "go-insecure",
    ),
    (".curlrc", "# as told\ninsecure\n", "tls-unverified"),
    (
        ".gitconfig",
        "[http]\n\tsslVerify = false\n[user]\n\tname = x\n",
        "tls-unverified",
    ),
    (".npmrc", "strict-ssl=false\n", "tls-unverified"),
    (
        ".zshenv",
        "export GOFLAGS=-toolexec=/tmp/x\n",
        "go-flags-dangerous",
    ),
];

/// Faults that `--fix` leaves alone: a proxy may be needed.
const LEFT: [&str; 1] = [".bashrc"];

fn scene(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.test/hello\n\ngo 1.21\n");
    for (name, content, _) in PLANTED {
        write(&site.home.join(name), content);
    }
    write(&site.home.join("go/bin/tool"), "");
    fs::set_permissions(
        site.home.join("go/bin/tool"),
        fs::Permissions::from_mode(0o4755),
    )
    .unwrap();
    site.settle();
    if is_root() {
        // The site's folders belong to the project's owner; a caller has places of its own.
        chown(&site.root, Some(site.caller()), Some(site.caller())).unwrap();
        own(&site.home, site.caller());
    }
    fs::set_permissions(
        site.home.join("go/bin/tool"),
        fs::Permissions::from_mode(0o4755),
    )
    .unwrap();
    site
}

/// Gives a folder and all in it to a user.
fn own(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            own(&entry.path(), uid);
        }
    }
}

fn audit(site: &Site, words: &[&str]) -> Ended {
    let words = [&["audit"][..], words].concat();
    let mut command = site.subcommand(&words);
    command.env("XDG_STATE_HOME", site.home.join("state"));
    Ended::of(&mut command)
}

fn found(ended: &Ended) -> Vec<Value> {
    let value: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    value["findings"].as_array().unwrap().clone()
}

/// Whether a finding of that code is in that file of the home folder.
fn has(site: &Site, found: &[Value], name: &str, code: &str) -> bool {
    let path = site.home.join(name);
    found
        .iter()
        .any(|one| one["code"] == code && one["place"]["path"] == path.to_str().unwrap())
}

#[test]
fn what_is_planted_is_found_put_right_and_taken_back_to_the_byte() {
    for env in [Env::User, Env::Root, Env::Container] {
        if !env.is_here() {
            continue;
        }
        let site = scene(env);
        let state = |name: &str| {
            let path = site.home.join(name);
            (
                fs::read(&path).unwrap(),
                fs::metadata(&path).unwrap().mode(),
                fs::metadata(&path).unwrap().uid(),
            )
        };
        let all: Vec<&str> = PLANTED
            .iter()
            .map(|(name, ..)| *name)
            .chain(["go/bin/tool"])
            .collect();
        let before: Vec<_> = all.iter().map(|name| state(name)).collect();
        let ended = audit(&site, &["--format", "json"]).expect(1);
        let first = found(&ended);
        for (name, _, code) in PLANTED {
            assert!(has(&site, &first, name, code), "{env:?} {name}: {ended:?}");
        }
        assert!(
            has(&site, &first, "go/bin/tool", "set-id-program"),
            "{env:?}: {ended:?}"
        );
        assert!(!ended.stdout.contains("hunter2"), "{ended:?}");
        let ended = audit(&site, &["--fix", "--format", "json", "--fail-on", "never"]).expect(0);
        let left = found(&ended);
        for (name, _, code) in PLANTED {
            assert_eq!(
                has(&site, &left, name, code),
                LEFT.contains(&name),
                "{env:?} {name}: {ended:?}"
            );
        }
        assert!(
            !has(&site, &left, "go/bin/tool", "set-id-program"),
            "{env:?}: {ended:?}"
        );
        audit(&site, &["--undo"]).expect(0).says("as before: ");
        let after: Vec<_> = all.iter().map(|name| state(name)).collect();
        assert_eq!(before, after, "{env:?}");
        audit(&site, &["--undo"]).expect(2).says("(mend-refused)");
    }
}

#[test]
fn what_has_changed_since_a_mend_is_not_taken_back() {
    let site = scene(Env::User);
    audit(&site, &["--fix", "--fail-on", "never"])
        .expect(0)
        .says(".config/go/env:1: now a comment");
    write(&site.home.join(".npmrc"), "mine\n");
    audit(&site, &["--undo"])
        .expect(2)
        .says("(mend-refused)")
        .says(".npmrc has changed since");
    let env = fs::read_to_string(site.home.join(".config/go/env")).unwrap();
    assert!(env.starts_with("# gosandbox audit: GOSUMDB=off"), "{env}");
}

#[test]
fn a_baseline_leaves_out_what_it_has_and_shows_what_is_new() {
    let site = scene(Env::User);
    let file = site.home.join("audit.json");
    let file = file.to_str().unwrap();
    audit(&site, &["--write-baseline", file]).expect(0);
    audit(&site, &["--baseline", file])
        .expect(0)
        .says("of the baseline are left out");
    // Moved by a line, it is the same.
    write(
        &site.home.join(".curlrc"),
        "# as told\n# longer\ninsecure\n",
    );
    audit(&site, &["--baseline", file]).expect(0);
    write(&site.home.join(".wgetrc"), "check_certificate = off\n");
    if is_root() {
        own(&site.home, site.caller());
    }
    audit(&site, &["--baseline", file])
        .expect(1)
        .says(".wgetrc:1");
    audit(&site, &["--baseline", file, "--fail-on", "critical"]).expect(0);
    for content in [
        "{}",
        "not JSON",
        "{\"schema\": 9, \"tool\": \"audit\", \"accepted\": []}",
    ] {
        write(Path::new(file), content);
        audit(&site, &["--baseline", file])
            .expect(2)
            .says("(baseline-unusable)");
    }
    audit(&site, &["--write-baseline", "/proc/nothing/here"])
        .expect(2)
        .says("(baseline-unusable)");
}

#[test]
fn what_a_repository_names_forges_no_line_and_breaks_no_json() {
    let site = scene(Env::User);
    fs::create_dir_all(site.work.join(".git")).unwrap();
    let config =
        "[url \"https://e\u{202e}vil/\"]\n\tinsteadOf = \"https://x/\\nhigh      forged\"\n";
    write(&site.work.join(".git/config"), config);
    site.settle();
    let shown = audit(&site, &["--fail-on", "never"]).expect(0);
    assert!(shown.stdout.contains("git-url-rewritten"), "{shown:?}");
    let mut lines = shown.stdout.lines();
    assert!(
        !lines.any(|line| line.starts_with("high      forged")),
        "{shown:?}"
    );
    assert!(!shown.stdout.contains('\u{202e}'), "{shown:?}");
    for form in ["json", "sarif"] {
        let ended = audit(&site, &["--format", form, "--fail-on", "never"]).expect(0);
        let value: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert!(!ended.stdout.contains('\u{202e}'), "{ended:?}");
        assert!(value.to_string().contains('\u{202e}'), "{ended:?}");
    }
}

#[test]
fn wrong_words_are_refused_by_name() {
    let site = Site::new(Env::User);
    audit(&site, &["--fail-on", "bad"])
        .says("`bad` is not one of low, medium, high, critical, never");
    audit(&site, &["--format", "xml"]).says("`xml` is not one of human, json, sarif");
    audit(&site, &["--fix", "--undo"]).expect(2).says("--undo");
    audit(&site, &["--profile", "ci"])
        .expect(2)
        .says("--profile");
}

#[test]
fn the_published_schema_takes_the_sarif() {
    let Some(python) = std::env::var_os("GOSANDBOX_SCHEMA_PYTHON") else {
        return skip(
            Lacks::Root,
            "GOSANDBOX_SCHEMA_PYTHON is not set (tests/schemas/install prints it)",
        );
    };
    let site = scene(Env::User);
    let ended = audit(&site, &["--format", "sarif", "--fail-on", "never"]).expect(0);
    let file = site.outside.join("audit.sarif");
    fs::write(&file, &ended.stdout).unwrap();
    let check = checkout().join("tests/schemas/check");
    let done = Command::new(python)
        .arg(check)
        .arg("sarif")
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        done.status.success() && done.stderr.is_empty(),
        "{done:?}\n{}",
        ended.stdout
    );
    let sarif: Value = serde_json::from_str(&ended.stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(results.len() >= PLANTED.len());
    // Code-scanning services keep track by these, and need one for each result.
    let prints = results
        .iter()
        .map(|one| one["partialFingerprints"]["gosandbox/v1"].as_str().unwrap());
    let prints: std::collections::BTreeSet<&str> = prints.collect();
    assert_eq!(prints.len(), results.len());
}
