//! What `help:` lines say works when it is copied, and grants nothing that a hostile source wants.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::scenes::{BUILD, SCENES, module, nothing, site};
use crate::support::{Ended, Site, give_tree, write};

/// What a `help:` line shows that starts so.
fn help<'e>(ended: &'e Ended, starts: &str) -> &'e str {
    let mut helps = ended
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("help: "));
    let line = helps.find(|line| line.starts_with(starts));
    line.unwrap_or_else(|| panic!("no help starts with {starts:?}: {ended:?}"))
}

/// Runs what is copied into a shell, with the gosandbox that is tested.
fn paste(site: &Site, line: &str) -> Ended {
    let shell = format!("gosandbox() {{ \"$GOSANDBOX\" \"$@\"; }}\n{line}");
    let mut command = site.bare(&["sh", "-c", &shell]);
    let binary = site.gosandbox_apart(&[], &["true"]);
    command.env("GOSANDBOX", binary.get_program());
    Ended::of(&mut command)
}

/// Runs what a `help:` line shows.
fn follow(site: &Site, ended: &Ended, starts: &str) -> Ended {
    paste(site, help(ended, starts))
}

#[test]
fn a_command_that_help_shows_works_when_it_is_copied() {
    let scene = |code| SCENES.iter().find(|scene| scene.code == code).unwrap();
    for (code, starts) in [
        ("outside-repository", "gosandbox --ro "),
        ("user-refused", "gosandbox go "),
        ("variable-refused", "gosandbox go "),
        ("folder-unusable", "gosandbox go "),
    ] {
        let scene = scene(code);
        let site = site(scene.prepare);
        let words = [scene.options, scene.words].concat();
        let ended = Ended::of(&mut site.subcommand(&words));
        let after = follow(&site, &ended, starts);
        assert_eq!(after.status, 0, "{code}: {ended:?}: {after:?}");
    }
}

#[test]
fn a_command_of_gos_own_is_run_with_go_before_it() {
    let site = site(nothing);
    let words = ["--stage", "discard", "build", "-o", "out", "."];
    let ended = Ended::of(&mut site.subcommand(&words)).expect(125);
    let ended = ended.refused("command-unclear");
    follow(&site, &ended, "gosandbox --stage discard go build ").expect(0);
    assert!(site.work.join("out").exists());
    let ended = Ended::of(&mut site.subcommand(&["sh", "-c", "exit 7"])).expect(125);
    let ended = ended.refused("command-unclear");
    follow(&site, &ended, "gosandbox -- sh -c 'exit 7'").expect(7);
}

#[test]
fn gosandbox_alone_shows_what_can_be_run() {
    let site = site(nothing);
    let ended = Ended::of(&mut site.subcommand(&[])).expect(125);
    for start in [
        "gosandbox go test ",
        "gosandbox go build ",
        "gosandbox doctor ",
        "gosandbox --help",
    ] {
        follow(&site, &ended, start).expect(0);
    }
}

#[test]
fn a_report_does_not_mix_with_what_the_command_prints() {
    let site = site(nothing);
    let words = ["--report", "-", "--", "true"];
    let ended = Ended::of(&mut site.subcommand(&words)).expect(125);
    let ended = ended.refused("report-refused");
    assert_eq!(ended.stdout, "");
    follow(&site, &ended, "gosandbox --report ").expect(0);
    assert!(site.home.join("report.json").exists());
    let plan =
        Ended::of(&mut site.subcommand(&["--dry-run", "--report", "-", "--", "true"])).expect(0);
    assert!(plan.stdout.starts_with('{'));
}

#[test]
fn a_folder_that_help_makes_is_there_afterwards() {
    let site = site(nothing);
    let words = ["go", "test", "-coverprofile", "new/folder/cover.out", "."];
    let ended = Ended::of(&mut site.subcommand(&words));
    follow(&site, &ended, "mkdir ").expect(0);
    Ended::of(&mut site.subcommand(&words)).expect(0);
}

#[test]
fn a_profile_line_that_help_shows_works_when_it_is_copied() {
    let site = site(nothing);
    site.file("o.json", "{\"Replace\": {}}");
    site.settle();
    let words = ["go", "build", "-overlay=o.json", "."];
    let ended = site.run(&[], &words).expect(125).refused("flag-refused");
    let start = "help: in a profile of your own: ";
    let line = ended
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix(start))
        .unwrap();
    let profile = site.profile(&format!("extends = \"strict\"\n{line}\n"));
    site.run(&["--profile", profile.to_str().unwrap()], &words)
        .expect(0);
}

/// A source whose own file allows more gets no line that makes that file the caller's profile.
#[test]
fn no_help_trusts_the_sources_own_profile() {
    for text in ["network.programs = true\n", "extends = \"dev\"\n"] {
        let site = site(nothing);
        site.file(".gosandbox.toml", text);
        site.settle();
        let ended = site.run(&[], BUILD).expect(125).refused("profile-loosens");
        assert!(!ended.stderr.contains("--profile"), "{text}: {ended:?}");
    }
}

/// A source that asks for the place of secrets gets no line that gives it to it.
#[test]
fn no_help_grants_what_holds_secrets() {
    const GO: &str = "go 1.21\n\nrequire example.test/x v0.0.0\n\n";
    type Prepare = fn(&Site, &Path);
    let scenes: [(Prepare, &[&str]); 3] = [
        (
            |site, keys| {
                module(
                    site,
                    &format!("{GO}replace example.test/x => {}", keys.display()),
                )
            },
            BUILD,
        ),
        (
            |site, keys| {
                std::os::unix::fs::symlink(keys.join("go.mod"), site.work.join("x.pgo")).unwrap()
            },
            &["go", "build", "-pgo=x.pgo", "."],
        ),
        (
            |site, keys| {
                let work = format!("go 1.21\n\nuse (\n\t.\n\t{}\n)\n", keys.display());
                drop(site.file("go.work", &work));
            },
            BUILD,
        ),
    ];
    for (number, (prepare, words)) in scenes.into_iter().enumerate() {
        for (name, grants) in [(".ssh", false), ("lib", true)] {
            let site = site(nothing);
            let keys = site.home.join(name);
            write(&keys.join("go.mod"), "module example.test/x\n\ngo 1.21\n");
            prepare(&site, &keys);
            site.settle();
            let ended = Ended::of(&mut site.gosandbox_apart(&[], words));
            let ended = ended.refused("outside-repository");
            let is_granted = ended.stderr.contains("help: gosandbox --ro ");
            assert_eq!(is_granted, grants, "{number} {name}: {ended:?}");
        }
    }
}

/// Each line by itself, for a go.work apart from the project and for one that is to be made.
#[test]
fn every_help_about_go_work_works_when_it_is_copied() {
    for (gowork, words, grants) in [
        ("ws/go.work", &["go", "list", "-m"][..], "gosandbox --ro "),
        ("ws/go.work", &["go", "work", "use", "."], "gosandbox --rw "),
        ("ws/new.work", &["go", "work", "init"], "gosandbox --rw "),
        ("wide/go.work", &["go", "list", "-m"], "gosandbox --ro "),
    ] {
        for starts in [grants, "export GOWORK=off"] {
            let site = site(nothing);
            let path = site.outside.join(gowork);
            write(&site.outside.join("ws/go.work"), "go 1.21\n");
            write(&site.outside.join("wide/go.work"), "go 1.21\n");
            give_tree(&site.outside, site.caller());
            if gowork.starts_with("wide/") {
                let mode = fs::Permissions::from_mode(0o1777);
                fs::set_permissions(path.parent().unwrap(), mode).unwrap();
            }
            let mut command = site.subcommand(words);
            let ended = Ended::of(command.env("GOWORK", &path)).expect(125);
            let ended = ended.refused("go-work-refused");
            let line = help(&ended, starts);
            let again = words.join(" ");
            let line = match starts == grants {
                true => format!("export GOWORK={}; {line}", path.display()),
                false => format!("{line}; gosandbox {again}"),
            };
            // Without a workspace there is none to add a module to.
            let fails = starts != grants && words[2] == "use";
            let after = paste(&site, &line);
            assert_eq!(after.status, i32::from(fails), "{line}: {after:?}");
            if words[2] == "init" {
                assert_eq!(path.exists(), starts == grants, "{line}");
            }
        }
    }
}

#[test]
fn a_package_whose_folder_is_a_link_out_of_the_project_is_granted_as_help_says() {
    let site = site(nothing);
    write(&site.outside.join("lib/lib.go"), "package lib\n");
    std::os::unix::fs::symlink("../outside/lib", site.work.join("lib")).unwrap();
    give_tree(&site.outside, site.caller());
    let ended = Ended::of(&mut site.subcommand(&["go", "vet", "./lib"])).expect(125);
    let ended = ended.refused("outside-repository");
    follow(&site, &ended, "gosandbox --ro ").expect(0);
    // A program's own argument is no package.
    Ended::of(&mut site.subcommand(&["go", "run", ".", "./lib"])).expect(0);
}
