//! Outputs that flags name are granted, and nothing that a repository puts in their way is.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Ended, Env, Site, goroot, write};

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("main.go", "package main\n\nfunc main() {}\n");
    site.file(
        "main_test.go",
        "package main\n\nimport \"testing\"\n\nfunc TestNothing(t *testing.T) {}\n",
    );
    site.file(".git/HEAD", "ref: refs/heads/main\n");
    site.file(".git/config", "");
    site.file(".git/hooks/README", "");
    site.file(".git/objects/README", "");
    site.file(".git/refs/README", "");
    write(&site.outside.join("profile"), "the user's own\n");
    site
}

#[test]
fn a_link_of_the_repository_does_not_choose_where_an_output_goes() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        for words in [
            &["go", "test", "-coverprofile=c.out", "."][..],
            &["go", "test", "-cpuprofile=c.out", "."],
            &["go", "build", "-o", "c.out", "."],
            &["go", "build", "-o", "folder/profile", "."],
        ] {
            let site = site(env);
            symlink("../outside/profile", site.work.join("c.out")).unwrap();
            symlink("../outside", site.work.join("folder")).unwrap();
            site.settle();
            let ended = site.run(&[], words);
            let text = fs::read_to_string(site.outside.join("profile"));
            assert!(
                text.as_ref().is_ok_and(|text| text == "the user's own\n"),
                "{env:?} {words:?}: {ended:?}"
            );
        }
    }
}

#[test]
fn no_output_is_written_to_a_protected_path() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        for place in [
            ".git/hooks/post-checkout",
            ".github/workflows/x.yml",
            ".envrc",
            ".vscode/x",
            "./.git/../.git/config",
        ] {
            let site = site(env);
            site.file(".github/workflows/y.yml", "");
            site.settle();
            let flag = format!("-coverprofile={place}");
            for words in [
                &["go", "build", "-o", place, "."][..],
                &["go", "test", &flag, "."],
            ] {
                let before = site.listing();
                let ended = site.run(&[], words);
                assert_ne!(ended.status, 0, "{env:?} {words:?}: {ended:?}");
                let now: Vec<_> = site
                    .listing()
                    .into_iter()
                    .filter(|path| !path.to_string_lossy().contains("quarantine"))
                    .collect();
                assert_eq!(now, before, "{env:?} {words:?}");
                assert_eq!(
                    fs::read_to_string(site.work.join(".git/config")).unwrap(),
                    "",
                    "{env:?} {words:?}"
                );
            }
        }
    }
}

#[test]
fn no_output_is_written_to_the_toolchain_or_a_cache() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        site.settle();
        let places = [
            goroot().join("gosandbox-attack"),
            site.cache().join("go-build/00/gosandbox-attack"),
            site.cache().join("mod/gosandbox-attack"),
        ];
        for place in places {
            let flag = format!("-cpuprofile={}", place.display());
            for words in [
                &["go", "build", "-o", place.to_str().unwrap(), "."][..],
                &["go", "test", "-count=1", &flag, "."],
            ] {
                let ended = site.run(&[], words);
                let is_there = place.exists();
                fs::remove_file(&place).ok();
                assert!(
                    !is_there && ended.status != 0,
                    "{env:?} {words:?}: {ended:?}"
                );
            }
        }
    }
}

/// A program that `go run` and `go tool` have left in GOCACHE is executed again, by whatever go comes next.
#[test]
fn a_link_named_as_the_program_does_not_have_go_write_a_cache() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let cached = site.cache().join("go-build/00-gosandbox-attack");
        fs::create_dir_all(cached.parent().unwrap()).unwrap();
        fs::copy("/bin/true", &cached).unwrap();
        let before = fs::read(&cached).unwrap();
        let owner = fs::metadata(site.cache()).unwrap();
        use std::os::unix::fs::MetadataExt;
        if crate::support::is_root() {
            std::os::unix::fs::chown(&cached, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        fs::create_dir(site.work.join("bin")).unwrap();
        let link = site.work.join("m");
        for (link, words) in [
            (link.clone(), &["go", "build"][..]),
            (
                site.work.join("bin/m"),
                &["go", "build", "-o", "bin/", "./..."],
            ),
            (site.work.join("m.test"), &["go", "test", "-c"]),
        ] {
            symlink(&cached, &link).unwrap();
            site.settle();
            let ended = site.run(&[], words);
            let after = fs::read(&cached).unwrap();
            assert!(before == after, "{env:?} {words:?}: {ended:?}");
            ended.expect(125).refused("link-redirects-write");
            fs::remove_file(&link).unwrap();
        }
        fs::remove_file(&cached).unwrap();
        symlink(&cached, &link).unwrap();
        // As it is for go.sum, and for what is not there yet.
        fs::remove_file(&link).unwrap();
        symlink(&cached, site.work.join("go.sum")).unwrap();
        site.run(&[], &["go", "mod", "tidy"]).expect(125);
        assert!(!cached.exists());
    }
}

/// Deep in the tree, and where there are no mounts, go may write there. Within one file system it renames, which
/// replaces the link: the folder for what it builds is on another.
#[test]
fn a_link_named_as_the_program_does_not_have_go_write_a_protected_path() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        for place in [
            ".git/hooks/post-checkout",
            "sub/.git/hooks/post-checkout",
            ".envrc",
        ] {
            let site = site(env);
            site.file("sub/.git/hooks/README", "");
            fs::create_dir(site.work.join("bin")).unwrap();
            let place = site.work.join(place);
            for (name, words) in [
                ("m", &["go", "build"][..]),
                ("bin/m", &["go", "build", "-o", "bin", "."]),
                ("go.sum", &["go", "mod", "tidy"]),
            ] {
                let link = site.work.join(name);
                symlink(&place, &link).unwrap();
                site.settle();
                let mut command = site.gosandbox(&[], words);
                let ended = Ended::of(command.env("GOTMPDIR", "/dev/shm"));
                assert!(!place.exists(), "{env:?} {words:?}: {ended:?}");
                ended.expect(125).refused("link-redirects-write");
                fs::remove_file(&link).unwrap();
            }
        }
    }
}

/// What go writes at a name that the command line gives is judged by where the name leads in the end: over links that
/// lead to what is missing, in a folder that is a link, and `..` behind one.
#[test]
fn an_output_behind_links_does_not_come_to_a_protected_path() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        site.file("sub/.git/hooks/README", "");
        site.file("sub/.git/refs/heads/README", "");
        site.file("bin/README", "");
        site.file("vendored/README", "");
        let hooks = "sub/.git/hooks";
        for (to, name) in [
            ("../sub/.git/hooks/post-checkout", "bin/app"),
            ("chain", "bin/chained"),
            ("second", "bin/chain"),
            ("../sub/.git/hooks/post-merge", "bin/second"),
            ("../sub/.git/hooks", "bin/folder"),
            ("../sub/.git/refs/heads", "bin/up"),
            ("../sub/.git/new", "bin/new"),
        ] {
            symlink(to, site.work.join(name)).unwrap();
        }
        site.settle();
        let before = site.listing();
        let profile = |flag: &str, name: &str| format!("-{flag}=bin/{name}");
        let mut commands: Vec<Vec<String>> = Vec::new();
        let mut add =
            |words: &[&str]| commands.push(words.iter().map(|it| it.to_string()).collect());
        for name in [
            "bin/app",
            "bin/chained",
            "bin/folder/post-commit",
            "bin/folder/",
            "bin/up/../../hooks/pre-push",
            "sub/.GIT/hooks/pre-push",
            "bin/new",
        ] {
            add(&["go", "build", "-o", name, "."]);
            add(&["go", "test", "-c", "-o", name, "."]);
        }
        for flag in ["coverprofile", "cpuprofile", "trace", "blockprofile"] {
            for name in ["app", "chained", "folder/post-commit"] {
                add(&["go", "test", &profile(flag, name), "."]);
            }
        }
        add(&[
            "go",
            "test",
            "-outputdir=bin/folder",
            "-cpuprofile=pre-push",
            ".",
        ]);
        add(&[
            "go",
            "test",
            "-cpuprofile=post-checkout",
            "-outputdir",
            hooks,
            ".",
        ]);
        add(&["go", "mod", "vendor", "-o", "bin/folder"]);
        add(&["go", "mod", "vendor", "-o", "bin/new"]);
        add(&["go", "tool", "compile", "-o", "bin/app", "main.go"]);
        add(&[
            "go", "tool", "compile", "-p=main", "-o=m.a", "-asmhdr", "bin/app", "main.go",
        ]);
        add(&["go", "tool", "asm", "-o=bin/app", "main.go"]);
        add(&["go", "tool", "pack", "c", "bin/app", "main.go"]);
        add(&["go", "build", "-debug-trace=bin/app", "."]);
        let gobin = |site: &Site| site.work.join("bin/folder");
        for words in &commands {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ended = site.run(&[], &words);
            // What go leaves beside them is no harm.
            for name in ["m.a", "m.test", "main.o"] {
                let _ = fs::remove_file(site.work.join(name));
            }
            assert_eq!(site.listing(), before, "{env:?} {words:?}: {ended:?}");
            ended.expect(125);
        }
        let mut install = site.gosandbox(&[], &["go", "install", "."]);
        let ended = Ended::of(install.env("GOBIN", gobin(&site)));
        assert_eq!(site.listing(), before, "{env:?} GOBIN: {ended:?}");
        ended.expect(125);
        let mut covered = site.gosandbox(&[], &["go", "test", "-cover", "."]);
        let ended = Ended::of(covered.env("GOCOVERDIR", gobin(&site)));
        assert_eq!(site.listing(), before, "{env:?} GOCOVERDIR: {ended:?}");
    }
}

#[test]
fn an_output_behind_links_comes_to_a_protected_path_without_gosandbox() {
    let site = site(Env::User);
    site.file("sub/.git/hooks/README", "");
    site.file("bin/README", "");
    symlink("chain", site.work.join("bin/app")).unwrap();
    symlink(
        "../sub/.git/hooks/post-checkout",
        site.work.join("bin/chain"),
    )
    .unwrap();
    site.settle();
    let words = ["go", "test", "-coverprofile=bin/app", "."];
    Ended::of(&mut site.bare(&words)).expect(0);
    assert!(site.work.join("sub/.git/hooks/post-checkout").exists());
}

#[test]
fn links_that_lead_to_what_may_be_written_are_no_reason_to_refuse() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        site.file("build/README", "");
        symlink("build", site.work.join("bin")).unwrap();
        symlink("build/late", site.work.join("early")).unwrap();
        site.settle();
        for words in [
            &["go", "build", "-o", "bin/app", "."][..],
            &["go", "build", "-o", "early", "."],
            &["go", "test", "-coverprofile=bin/c.out", "."],
            &["go", "build", "-o", "bin/../app", "."],
        ] {
            site.run(&[], words).expect(0);
        }
        assert!(site.work.join("build/app").exists() && site.work.join("build/c.out").exists());
    }
}

#[test]
fn links_to_texts_in_protected_folders_are_no_reason_to_refuse() {
    let site = site(Env::User);
    site.file(".github/README.md", "read me\n");
    symlink(".github/README.md", site.work.join("README.md")).unwrap();
    symlink(".github", site.work.join("folder")).unwrap();
    site.settle();
    site.run(&[], &["go", "build"]).expect(0);
    assert!(site.work.join("m").exists());
}

#[test]
fn go_writes_through_such_a_link_without_gosandbox() {
    let site = site(Env::User);
    let other = site.outside.join("program");
    fs::copy("/bin/true", &other).unwrap();
    let before = fs::read(&other).unwrap();
    symlink(&other, site.work.join("m")).unwrap();
    site.settle();
    Ended::of(site.bare(&["go", "build"]).env("GOTMPDIR", "/dev/shm")).expect(0);
    let link = fs::symlink_metadata(site.work.join("m")).unwrap();
    let is_written = fs::read(&other).unwrap() != before;
    // Within one file system go renames, which replaces the link.
    assert!(is_written || !link.is_symlink());
}

/// It is a variable that has named it, and tests get it as a whole.
#[test]
fn a_folder_for_coverage_that_holds_something_else_is_not_handed_to_tests() {
    const TEST: &str = "package main\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestKey(t *testing.T) {\n\tkey, _ := os.ReadFile(os.Getenv(\"GOCOVERDIR\") + \"/key\")\n\tt.Log(string(key))\n}\n";
    let words = ["go", "test", "-count=1", "-v", "."];
    let make = |env: Env| {
        let site = site(env);
        site.file("key_test.go", TEST);
        write(&site.outside.join("keys/key"), "decoykey\n");
        write(&site.outside.join("cover/covmeta.0"), "");
        site.settle();
        site
    };
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = make(env);
        let run = |options: &[&str], folder: &str| {
            let mut command = site.gosandbox(options, &words);
            Ended::of(command.env("GOCOVERDIR", site.outside.join(folder)))
        };
        let ended = run(&[], "keys");
        assert!(!ended.stdout.contains("decoykey"), "{env:?}: {ended:?}");
        ended.expect(125).refused("output-refused").says("--rw");
        run(&[], "cover").expect(0);
        let keys = site.outside.join("keys");
        run(&["--rw", keys.to_str().unwrap()], "keys").expect(0);
    }
    let site = make(Env::User);
    let mut bare = site.bare(&words);
    Ended::of(bare.env("GOCOVERDIR", site.outside.join("keys"))).says("decoykey");
}
