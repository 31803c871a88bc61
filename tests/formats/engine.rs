//! How an engine is told to run the container.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use gosandbox::generate::{self, Model};

use crate::{folder, policy, render, site, support};

#[test]
fn the_script_hands_the_engine_every_option_whatever_its_folder_is_called() {
    let folder = folder("engine");
    let odd = folder.join("a b $(id) \"'*");
    fs::create_dir(&odd).unwrap();
    let (policy, site) = (policy(), site(Path::new("/work")));
    let model = Model::new(&policy, &site).unwrap();
    let files = generate::backend("container")
        .unwrap()
        .render(&model)
        .unwrap();
    let script = files.iter().find(|file| file.executable).unwrap();
    for (name, text) in [
        ("engine", "#!/bin/sh\nprintf '%s\\n' \"$@\"\n"),
        (&script.name, &script.content),
    ] {
        support::write(&odd.join(name), text);
        fs::set_permissions(odd.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let done = Command::new(odd.join(&script.name))
        .args(["go", "test", "-run", "a b"])
        .env("ENGINE", "./engine")
        .current_dir(&odd)
        .output()
        .unwrap();
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
        &["gosandbox-go", "go", "test", "-run", "a b"],
    ] {
        assert!(
            words.windows(wanted.len()).any(|found| found == wanted),
            "{wanted:?}: {said}"
        );
    }
    fs::remove_dir_all(folder).unwrap();
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
