//! Grants by name arrive or are refused, and links that the source could have made grant nothing.

use std::fs;
use std::path::PathBuf;

use crate::grants::site;
use crate::support::Env;

/// What both options name is there inside, or the run is refused by name: never anything between.
#[test]
fn each_grant_arrives_or_is_refused_by_name() {
    const READ: &str = r#"if [ -d "$1" ]; then ls "$1" > /dev/null && echo there
        elif [ -f "$1" ]; then cat "$1" > /dev/null && echo there; else [ -e "$1" ] && echo there; fi"#;
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let outside = |name: &str| site.outside.join(name).to_string_lossy().into_owned();
        std::os::unix::fs::symlink("folder", site.outside.join("link")).unwrap();
        std::os::unix::fs::symlink("link/inner", site.outside.join("link-to-link")).unwrap();
        site.settle();
        let own = ["link", "link/inner", "link-to-link", "."].map(outside);
        let of_host = [
            "/etc",
            "/etc/hostname",
            "/etc/os-release",
            "/etc/passwd",
            "/etc/resolv.conf",
            "/etc/shells",
            "/etc/ssl/certs",
            "/dev",
            "/dev/full",
            "/dev/null",
            "/dev/pts",
            "/dev/shm",
            "/dev/stdin",
            "/sys",
            "/sys/class/net",
            "/proc",
            "/proc/self",
            "/proc/meminfo",
            "/proc/1",
            "/bin/sh",
            "/lib",
            "/run",
            "/var/run",
            "/usr/share",
            "/usr/bin/env",
        ];
        let paths = own.iter().map(String::as_str).chain(of_host);
        for path in paths.chain([".", "..", "go.mod"]) {
            if !site.work.join(path).exists() {
                continue;
            }
            let ended = site.run(&["--ro", path], &["sh", "-c", READ, "sh", path]);
            let is_refused = ended.status == 125 && ended.stderr.contains("(grant-refused)");
            let is_there = ended.status == 0 && ended.stdout == "there\n";
            assert!(is_refused || is_there, "{env:?} --ro {path}: {ended:?}");
            // The real path is named, and with it the one that was asked for.
            let name = std::path::Path::new(path.trim_start_matches('.')).file_name();
            let name = name.map_or("", |name| name.to_str().unwrap());
            assert!(is_there || ended.stderr.contains(name), "{path}: {ended:?}");
        }
        for path in &own[..3] {
            // By a link that the caller has made outside the tree, and by its own name there. In the container root is
            // the caller, and the link is another user's.
            if env == Env::Container {
                site.run(&["--ro", path], &["true"])
                    .expect(125)
                    .refused("grant-refused");
                continue;
            }
            site.run(&["--ro", path], &["sh", "-c", READ, "sh", path])
                .expect(0)
                .says("there");
        }
        if env.has_namespaces() {
            for path in ["/etc/shells", "/etc/os-release", "/sys/class/net", "/lib"] {
                site.run(&["--ro", path], &["sh", "-c", READ, "sh", path])
                    .expect(0)
                    .says("there");
            }
            // The host's own, not the one that the view makes.
            let passwd = site
                .run(&["--ro", "/etc/passwd"], &["cat", "/etc/passwd"])
                .expect(0);
            assert_eq!(
                passwd.stdout,
                fs::read_to_string("/etc/passwd").unwrap(),
                "{env:?}"
            );
        }
    }
}

#[test]
fn a_link_that_the_source_could_have_made_grants_nothing() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let file = site.outside.join("folder/inner");
        let real = site.outside.join("folder");
        let link = |at: PathBuf| std::os::unix::fs::symlink(&real, at).unwrap();
        link(site.work.join("link"));
        fs::create_dir(site.outside.join("written")).unwrap();
        link(site.outside.join("written/link"));
        site.settle();
        let written = site.outside.join("written");
        let through = written.join("link");
        let cases: [(&[&str], &str); 3] = [
            (&["--ro", "link"], "--ro"),
            (&["--rw", "link/inner"], "--rw"),
            (
                &[
                    "--rw",
                    written.to_str().unwrap(),
                    "--ro",
                    through.to_str().unwrap(),
                ],
                "--ro",
            ),
        ];
        for (options, option) in cases {
            let ended = site
                .run(options, &["cat", file.to_str().unwrap()])
                .expect(125);
            let end = if options[1].ends_with("inner") {
                &file
            } else {
                &real
            };
            ended
                .refused("grant-refused")
                .says(&format!("{option} {}", end.display()));
        }
        // Control: its target may be granted.
        site.run(
            &["--ro", real.to_str().unwrap()],
            &["cat", file.to_str().unwrap()],
        )
        .expect(0);
    }
}

#[test]
fn another_users_link_does_not_choose_what_root_grants() {
    if !Env::Root.is_here() {
        return;
    }
    let site = site(Env::Root);
    let theirs = site.outside.join("theirs");
    fs::create_dir(&theirs).unwrap();
    let secret = site.outside.join("secret");
    crate::support::write(&secret, "text\n");
    std::os::unix::fs::symlink(&secret, theirs.join("link")).unwrap();
    crate::support::write(&theirs.join("file"), "text\n");
    crate::support::give_tree(&theirs, crate::support::ORDINARY);
    let link = theirs.join("link").to_string_lossy().into_owned();
    for option in ["--ro", "--rw"] {
        let ended = site.run(&[option, &link], &["true"]).expect(125);
        ended
            .refused("grant-refused")
            .says(secret.to_str().unwrap());
    }
    // Control: what is really there may be granted.
    let file = theirs.join("file").to_string_lossy().into_owned();
    site.run(&["--ro", &file], &["cat", &file])
        .expect(0)
        .says("text");
}

#[test]
fn a_folder_above_the_tree_lets_nothing_write_protected_paths() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        site.file(".git/HEAD", "ref: refs/heads/main\n");
        fs::create_dir_all(site.work.join(".git/objects")).unwrap();
        fs::create_dir_all(site.work.join(".git/refs")).unwrap();
        site.file(".git/hooks/sample", "");
        site.settle();
        let write = "echo x > .git/hooks/pre-commit";
        for option in ["--ro", "--rw"] {
            let ended = site.run(&[option, ".."], &["sh", "-c", write]);
            assert!(
                !site.work.join(".git/hooks/pre-commit").exists(),
                "{env:?} {option}: {ended:?}"
            );
        }
        for option in ["--ro", "--rw"] {
            site.run(&[option, "."], &["true"])
                .expect(125)
                .refused("grant-refused");
        }
    }
}
