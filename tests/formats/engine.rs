//! How an engine is told to run the container.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gosandbox::generate::{self, Model};

use crate::{folder, policy, render, site, support};

/// The script, in a folder, beside an engine that says what it is told. `info` answers every question so.
fn script_in(folder: &Path, info: &str) {
    let (policy, site) = (policy(), site(Path::new("/work")));
    let model = Model::new(&policy, &site).unwrap();
    let files = generate::backend("container")
        .unwrap()
        .render(&model)
        .unwrap();
    let script = files.iter().find(|file| file.executable).unwrap();
    let engine =
        format!("#!/bin/sh\n[ \"$1\" != info ] || exec echo {info}\nprintf '%s\\n' \"$@\"\n");
    for (name, text) in [("engine", &engine), ("run-container", &script.content)] {
        support::write_executable(&folder.join(name), text);
    }
}

/// Runs the script in the folder.
fn told(folder: &Path, options: &str) -> Output {
    Command::new(folder.join("run-container"))
        .args(["go", "test", "-run", "a b"])
        .env("ENGINE", "./engine")
        .env("OPTIONS", options)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn the_script_hands_the_engine_every_option_whatever_its_folder_is_called() {
    let folder = folder("engine");
    let odd = folder.join("a b $(id) \"'*");
    fs::create_dir(&odd).unwrap();
    script_in(&odd, "false");
    let done = told(&odd, "--network none");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let said = String::from_utf8(done.stdout).unwrap();
    let words: Vec<&str> = said.lines().collect();
    let (seccomp, volume) = (
        format!("seccomp={}/gosandbox-seccomp.json", odd.display()),
        format!("{}:/work", odd.display()),
    );
    for wanted in [
        &["--read-only"][..],
        &["--user", "65532:65532"],
        &["--cap-drop", "ALL"],
        &["--security-opt", "no-new-privileges"],
        &["--security-opt", &seccomp],
        &["--volume", &volume],
        &["--memory", "1073741824"],
        &["--pids-limit", "500"],
        &["--network", "none", "gosandbox-go"],
        &["gosandbox-go", "go", "test", "-run", "a b"],
    ] {
        assert!(
            words.windows(wanted.len()).any(|found| found == wanted),
            "{wanted:?}: {said}"
        );
    }
    assert!(!said.contains("userns"), "{said}");
    fs::remove_dir_all(folder).unwrap();
}

/// Else the tree is another user's inside, and nothing can be written to it.
#[test]
fn an_engine_without_root_has_the_caller_be_the_user_of_the_image() {
    let folder = folder("rootless");
    script_in(&folder, "true");
    let said = String::from_utf8(told(&folder, "").stdout).unwrap();
    let mapping = "\n--userns=keep-id:uid=65532,gid=65532\n";
    assert!(said.contains(mapping), "{said}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_work_tree_with_a_colon_is_refused_before_an_engine_reads_it() {
    let folder = folder("colon");
    let odd = folder.join("a:b");
    fs::create_dir(&odd).unwrap();
    script_in(&odd, "false");
    let done = told(&odd, "");
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(125), "{said}");
    assert!(said.contains("a:b") && done.stdout.is_empty(), "{said}");
    fs::remove_dir_all(folder).unwrap();
}

/// A change of mode after the copy is a second copy, of a quarter of a gigabyte.
#[test]
fn goroot_is_made_read_only_before_it_is_copied() {
    let file = render("container", None, Path::new("/work")).unwrap();
    let (made, copied) = (
        file.find("RUN chmod -R a-w,a+rX /usr/local/go").unwrap(),
        file.find("COPY --from=go").unwrap(),
    );
    assert!(made < copied, "{file}");
    let after = &file[copied..];
    assert!(after.contains("chmod a-w /usr/local/go"), "{file}");
    assert!(!after.contains("chmod -R"), "{file}");
}

/// By a file, as `--profile` tells it from a name: it lies in the image under a name of its own.
#[test]
fn an_image_has_the_profile_that_its_entry_point_names() {
    let site = site(Path::new("/work"));
    for (name, is_file) in [("strict", false), ("mine.toml", true), ("./mine", true)] {
        let mut policy = policy();
        policy.name = name.to_owned();
        let model = Model::new(&policy, &site).unwrap();
        let file = generate::backend("container")
            .unwrap()
            .render(&model)
            .unwrap()
            .remove(0);
        let there = "/etc/gosandbox/profile.toml";
        let named = format!("\"--profile\", \"{}\"", if is_file { there } else { name });
        assert!(file.content.contains(&named), "{name}: {}", file.content);
        let copied = format!("COPY --chown=0:0 --chmod=0644 profile.toml {there}");
        assert_eq!(file.content.contains(&copied), is_file, "{name}");
    }
    let plain = render("container", None, Path::new("/work")).unwrap();
    assert!(!plain.contains("profile.toml"));
}
