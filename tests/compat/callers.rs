//! Places as the caller names them: through the system's links, and where plain go would install.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;

/// A home and a project behind a link, as on systems where `/home` is one; the project by the link and by its real path.
fn behind_link(site: &Site) -> (PathBuf, PathBuf) {
    let real = site.work.join("var/u/p");
    copy_tree(&checkout().join("examples/hello"), &real);
    symlink("var", site.work.join("home")).unwrap();
    age(&real);
    site.settle();
    (site.work.join("home/u/p"), real)
}

#[test]
fn a_project_behind_the_systems_link_is_built_as_without_gosandbox() {
    // Root follows no link of another user's where it writes.
    let envs = [Env::User, Env::Restricted, Env::Root];
    for env in envs.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        let (linked, real) = behind_link(&site);
        let program = linked.join("app");
        let profile = linked.parent().unwrap().join("cover.out");
        let source = linked.join("main.go");
        let package = linked.join("greeting");
        let [program, profile, source, package] =
            [program, profile, source, package].map(|path| path.display().to_string());
        let cover = format!("-coverprofile={profile}");
        let lines: [&[&str]; 5] = [
            &["go", "build", "-o", &program, "."],
            &["go", "test", &cover, "./greeting"],
            &["go", "run", &source],
            &["go", "vet", &package],
            &["go", "list", "-f", "{{.Dir}}", "./..."],
        ];
        for words in lines {
            let run = |mut command: std::process::Command| {
                command.current_dir(&real).env("PWD", &linked);
                Ended::of(command.env("GOFLAGS", "-buildvcs=false"))
            };
            let within = run(site.gosandbox(&[], words)).expect(0);
            let mut plain = site.bare(words);
            plain.env("CGO_ENABLED", "0");
            if words[1] == "list" {
                assert_eq!(within.stdout, run(plain).stdout, "{env:?}");
            }
            let bytes = fs::read(real.join("app")).unwrap();
            if words[1] == "build" {
                let mut plain = site.bare(words);
                plain.env("CGO_ENABLED", "0");
                run(plain).expect(0);
                assert!(bytes == fs::read(real.join("app")).unwrap(), "{env:?}");
            }
        }
        assert!(real.parent().unwrap().join("cover.out").is_file());
    }
}

/// A link of the repository's own shows nothing, whatever the command line says.
#[test]
fn a_link_of_the_work_tree_leads_nowhere() {
    let site = hello(Env::User);
    let secret = site.outside.join("secret");
    write(&secret.join("x.txt"), "decoysecret");
    symlink(&secret, site.work.join("docs")).unwrap();
    let file = site.work.join("docs/x.txt").display().to_string();
    let read = ["sh", "-c", "cat \"$1\"", "sh", &file];
    // Without gosandbox the link is followed.
    assert_eq!(
        Ended::of(&mut site.bare(&read)).expect(0).stdout,
        "decoysecret"
    );
    let within = site.run(&[], &["cat", &file]);
    assert!(
        within.status != 0 && !within.stdout.contains("decoy"),
        "{within:?}"
    );
    let linked = site.outside.join("link");
    symlink(&secret, &linked).unwrap();
    // Nor does a link outside it show what is not granted.
    let file = linked.join("x.txt").display().to_string();
    let within = site.run(&[], &["cat", &file]);
    assert!(
        within.status != 0 && !within.stdout.contains("decoy"),
        "{within:?}"
    );
}

#[test]
fn go_install_puts_programs_where_the_callers_own_go_would() {
    for env in [Env::User, Env::Restricted, Env::Root]
        .into_iter()
        .filter(|env| env.is_here())
    {
        let site = hello(env);
        let gopath = site.home.join("gopath");
        let installed = gopath.join("bin/hello");
        let mut command = site.gosandbox(&[], &["go", "install", "."]);
        Ended::of(command.env("GOPATH", &gopath)).expect(0);
        assert!(installed.is_file(), "{env:?}");
        let mut command = site.gosandbox(&[], &["go", "install", "."]);
        Ended::of(command.env("GOBIN", "relative"))
            .expect(1)
            .says("GOBIN must be an absolute path");
        let mut command = site.gosandbox(&[], &["go", "build", "."]);
        Ended::of(command.env("GOPATH", "relative"))
            .expect(125)
            .refused("cache-unusable");
    }
}

/// Files that a command line names in the work tree are written like the rest of it.
#[test]
fn files_that_the_command_line_names_are_written() {
    const WIDE: &str = "package main\nfunc main(){println(1)}\n";
    const NARROW: &str = "package main\n\nfunc main() { println(1) }\n";
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        // Without mounts root's files cannot be shown as the sandbox user's.
        let site = Site::new(env);
        site.file("go.mod", MODULE);
        site.file(
            "other.mod",
            "module example.com/m\n\ngo 1.21\n\nrequire example.com/x v1.0.0\n",
        );
        site.file("main.go", WIDE);
        fs::create_dir(site.work.join("sub")).unwrap();
        site.settle();
        let read = |name: &str| fs::read_to_string(site.work.join(name)).unwrap();
        site.run(&[], &["go", "fmt", "main.go"]).expect(0);
        assert_eq!(read("main.go"), NARROW, "{env:?}");
        let tidy = ["go", "mod", "tidy", "-modfile=other.mod"];
        site.run(&[], &tidy).expect(0);
        assert_eq!(read("other.mod"), MODULE, "{env:?}");
        let mut init = site.gosandbox(&[], &["go", "work", "init", ".."]);
        Ended::of(init.current_dir(site.work.join("sub"))).expect(0);
        assert!(read("sub/go.work").contains("use .."), "{env:?}");
    }
}

/// As in `docker run -u`: the user has no home that can be written, and variables name the caches.
#[test]
fn a_home_that_cannot_be_written_is_not_needed_where_variables_name_the_caches() {
    for env in [Env::User, Env::Restricted] {
        let site = hello(env);
        let run = |home: &str, names: bool| {
            let mut command = site.gosandbox_apart(&[], &["go", "run", "."]);
            command.env("HOME", home).env("GOFLAGS", "-buildvcs=false");
            if names {
                command.env("GOPATH", site.home.join("go"));
                command.env("GOCACHE", site.home.join("build"));
            }
            Ended::of(&mut command)
        };
        for home in ["/", "/nonexistent"] {
            if run("/", false).status == 0 {
                // Whoever may write / has a home there.
                continue;
            }
            let refused = run(home, false).expect(125).refused("cache-unusable");
            refused.says("--cache-dir /var/tmp/");
            let plain = Ended::of(&mut site.bare(&["go", "run", "."]));
            assert_eq!(run(home, true).expect(0).stdout, plain.stdout, "{env:?}");
        }
    }
}

#[test]
fn programs_find_the_second_folder_for_temporary_files() {
    for env in [Env::User, Env::Root]
        .into_iter()
        .filter(|env| env.is_here())
    {
        let site = hello(env);
        // The tests' own sites lie in /var/tmp, which is then what the view shows there.
        let folder = Path::new("/tmp").join(site.root.file_name().unwrap());
        fs::create_dir(&folder).unwrap();
        if crate::support::is_root() {
            std::os::unix::fs::chown(&folder, Some(site.caller()), None).unwrap();
        }
        let cache = folder.join("cache").display().to_string();
        let words = ["sh", "-c", "echo x >/var/tmp/made && cat $TMPDIR/made"];
        let mut command = site.gosandbox_apart(&["--cache-dir", &cache], &words);
        command.current_dir(&folder).env("HOME", &folder);
        let ended = Ended::of(&mut command);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(ended.stdout, "x\n", "{env:?}: {ended:?}");
        assert!(!Path::new("/var/tmp/made").exists());
    }
}
