//! `gosandbox shim`: a `go` that is gosandbox, and that nobody else can turn to something else.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Ended, Env, Site, confined, goroot, is_root, needs_root, write};

fn scene(env: Env) -> (Site, PathBuf) {
    let site = Site::new(env);
    site.file("go.mod", "module example.test/hello\n\ngo 1.21\n");
    site.file("hello.go", "package hello\n");
    site.settle();
    // The site's folders belong to the project's owner; a caller has places of its own.
    let folder = site.home.join("shims");
    fs::create_dir(&folder).unwrap();
    if is_root() {
        for path in [&site.root, &site.home, &folder] {
            chown(path, Some(site.caller()), Some(site.caller())).unwrap();
        }
    }
    (site, folder)
}

fn shim(site: &Site, words: &[&str]) -> Ended {
    let words = [&["shim"][..], words].concat();
    Ended::of(&mut site.subcommand(&words))
}

/// Calls a program of the shim's folder by its name.
fn call(site: &Site, folder: &Path, words: &[&str]) -> Ended {
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\"", "sh"]).args(words);
    site.prepare(&mut command);
    let own = goroot().join("bin");
    let path = format!("{}:{}:/usr/bin:/bin", folder.display(), own.display());
    command
        .env("PATH", path)
        .env("GOCACHE", site.cache().join("go-build"));
    confined::enter(&mut command, site.env, site.caller());
    Ended::of(&mut command)
}

#[test]
fn a_shim_runs_go_in_gosandbox_and_is_taken_away_again() {
    for env in [Env::User, Env::Restricted, Env::Root] {
        if !env.is_here() {
            continue;
        }
        let (site, folder) = scene(env);
        let place = folder.to_str().unwrap();
        shim(&site, &["install", "--profile", "dev", place])
            .expect(0)
            .says("export PATH=");
        call(&site, &folder, &["go", "version"])
            .expect(0)
            .says("go version go1.");
        // Inside, and not beside it.
        let ended = call(&site, &folder, &["go", "env", "-w", "GOFLAGS=-v"]).expect(125);
        ended.refused("go-command-refused");
        let text = fs::read_to_string(folder.join("go")).unwrap();
        assert!(text.contains(" --profile dev --goroot /"), "{text}");
        // Again, from where the shim itself comes first: it does not find itself.
        let again = ["gosandbox", "shim", "install", place];
        let again = again.map(|word| match word {
            "gosandbox" => support::gosandbox().to_str().unwrap(),
            word => word,
        });
        call(&site, &folder, &again).expect(0);
        let text = fs::read_to_string(folder.join("go")).unwrap();
        assert!(
            !text.contains("--profile") && !text.contains("shims/go"),
            "{text}"
        );
        call(&site, &folder, &["go", "list", "-m"])
            .expect(0)
            .says("example.test/hello");
        shim(&site, &["remove", place]).expect(0);
        assert!(!folder.join("go").exists());
        shim(&site, &["remove", place])
            .expect(125)
            .refused("shim-refused");
    }
}

#[test]
fn only_what_it_has_written_is_replaced_or_removed() {
    let (site, folder) = scene(Env::User);
    let place = folder.to_str().unwrap();
    shim(&site, &["install", place]).expect(0);
    let own = fs::read_to_string(folder.join("go")).unwrap();
    let victim = site.home.join("victim");
    write(&victim, &own);
    site.give(&victim);
    let go = folder.join("go");
    let is_left_alone = || {
        for word in ["remove", "install"] {
            shim(&site, &[word, place])
                .expect(125)
                .refused("shim-refused");
        }
    };
    for content in [
        "#!/bin/sh\nexec go \"$@\"\n".to_owned(),
        own.replace("exec ", "touch ran; exec "),
        format!("{own}touch ran\n"),
        own.replace("#!/bin/sh", "#!/bin/bash"),
        String::new(),
    ] {
        write(&go, &content);
        site.give(&go);
        is_left_alone();
        assert_eq!(fs::read_to_string(&go).unwrap(), content);
    }
    fs::remove_file(&go).unwrap();
    symlink(&victim, &go).unwrap();
    is_left_alone();
    assert_eq!(fs::read_to_string(&victim).unwrap(), own);
    assert!(fs::symlink_metadata(&go).unwrap().is_symlink());
    fs::remove_file(&go).unwrap();
    // One of another user's, whatever it says.
    if needs_root("a file of another user's") {
        write(&go, &own);
        chown(&go, Some(12345), None).unwrap();
        is_left_alone();
    }
}

#[test]
fn a_shim_lies_where_nobody_else_can_change_it() {
    let (site, folder) = scene(Env::User);
    let inside = site.work.join("bin");
    let refused = shim(&site, &["install", inside.to_str().unwrap()]).expect(125);
    refused.refused("shim-refused").says("in the project");
    assert!(!inside.exists());
    // By a link, too.
    let link = site.home.join("link");
    symlink(&site.work, &link).unwrap();
    let refused = shim(&site, &["install", link.join("bin").to_str().unwrap()]).expect(125);
    refused.refused("shim-refused");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = shim(&site, &["install", folder.to_str().unwrap()]).expect(125);
    refused.refused("shim-refused").says("chmod go-w");
    assert!(!folder.join("go").exists());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    for words in [&["install"][..], &["remove"], &[], &["list", "x"]] {
        shim(&site, words).expect(125).refused("command-unclear");
    }
    let place = folder.to_str().unwrap();
    shim(&site, &["install", "--profile", "no-such", place])
        .expect(125)
        .refused("profile-unknown");
    shim(&site, &["remove", "--profile", "dev", place])
        .expect(2)
        .refused("option-misplaced");
    assert!(!folder.join("go").exists());
}

#[test]
fn odd_names_of_folders_are_words_of_the_shell() {
    let (site, folder) = scene(Env::User);
    let odd = folder.join("a 'b' \"c\" $(touch ran) `d`");
    shim(&site, &["install", odd.to_str().unwrap()]).expect(0);
    call(&site, &odd, &["go", "version"])
        .expect(0)
        .says("go version go1.");
    assert!(!site.work.join("ran").exists());
    shim(&site, &["remove", odd.to_str().unwrap()]).expect(0);
}
