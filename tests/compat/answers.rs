//! What go answers or refuses itself is left to it, in its own words.

use super::*;

/// Without gosandbox and inside, with this environment: what differs is a failure.
#[track_caller]
fn alike(site: &Site, environment: &[(&str, &str)], words: &[&str]) -> Ended {
    let run =
        |command: &mut std::process::Command| Ended::of(command.envs(environment.iter().copied()));
    let without = run(&mut site.bare(words));
    let within = run(&mut site.gosandbox(&[], words));
    assert_eq!(
        (within.status, &within.stdout, &within.stderr),
        (without.status, &without.stdout, &without.stderr),
        "{:?} {words:?}",
        site.env
    );
    without
}

#[test]
fn the_place_of_go_mod_is_told_by_any_go() {
    for site in sites() {
        site.file("go.mod", "module example.com/m\n\ngo 1.700\n");
        site.settle();
        let local = [("GOTOOLCHAIN", "auto")];
        let told = alike(&site, &local, &["go", "env", "GOMOD"]).expect(0);
        assert!(told.stdout.ends_with("/go.mod\n"), "{told:?}");
        alike(&site, &local, &["go", "env", "GOWORK"]).expect(0);
        // Everything else needs that Go.
        let mut refused = site.gosandbox(&[], &["go", "env", "GOVERSION"]);
        let refused = Ended::of(refused.env("GOTOOLCHAIN", "auto"));
        assert_eq!(refused.status, 125, "{refused:?}");
    }
}

#[test]
fn what_cannot_be_set_and_a_missing_folder_are_named_by_go() {
    for site in sites() {
        site.file("go.mod", MODULE);
        site.file("m.go", "package m\n");
        site.settle();
        for words in [
            &["go", "env", "-w", "GOWORK=off"][..],
            &["go", "env", "-w", "GODEBUG=x=1"],
            &["go", "list", "-C", "none", "."],
            &["go", "-C", "none", "build", "."],
            &["go", "-C", "go.mod", "build", "."],
            &["go", "build", "-C=none/deeper", "."],
        ] {
            let said = alike(&site, &[], words);
            assert_ne!(said.status, 0, "{said:?}");
        }
        // What it could set is refused by gosandbox.
        let refused = site.run(&[], &["go", "env", "-w", "GOFLAGS=-v"]);
        assert_eq!(refused.status, 125, "{refused:?}");
    }
}

#[test]
fn packages_are_listed_as_cgo_enabled_asks() {
    for site in sites() {
        site.file("go.mod", MODULE);
        site.file("m.go", "package m\n");
        site.file("c.go", "package m\n\nimport \"C\"\n");
        site.settle();
        let list = ["go", "list", "-f", "{{.GoFiles}} {{.CgoFiles}}", "."];
        let with = alike(&site, &[("CGO_ENABLED", "1")], &list).expect(0);
        assert_eq!(with.stdout, "[m.go] [c.go]\n");
        let without = alike(&site, &[("CGO_ENABLED", "0")], &list).expect(0);
        assert_eq!(without.stdout, "[m.go] []\n");
        // What is compiled is without cgo, as ever.
        let mut compiled =
            site.gosandbox(&[], &["go", "list", "-export", "-f", "{{.CgoFiles}}", "."]);
        let compiled = Ended::of(compiled.env("CGO_ENABLED", "1")).expect(0);
        assert_eq!(compiled.stdout, "[]\n");
    }
}

#[test]
fn a_go_mod_right_in_the_temporary_folder_is_no_project() {
    for site in sites() {
        site.file("go.mod", MODULE);
        site.file("sub/m.go", "package m\n");
        site.settle();
        let temp = site.work.to_str().unwrap().to_owned();
        let mut tidy = site.gosandbox(&[], &["go", "mod", "tidy"]);
        let said = Ended::of(tidy.env("TMPDIR", &temp).current_dir(site.work.join("sub")));
        assert_eq!(said.status, 1, "{said:?}");
        // Without namespaces it is there, and cannot be read.
        let expected = match site.env.has_namespaces() {
            true => "go.mod file not found",
            false => "go.mod: permission denied",
        };
        assert!(said.stderr.contains(expected), "{said:?}");
        let mut bare = site.bare(&["go", "mod", "tidy"]);
        let bare = Ended::of(bare.env("TMPDIR", &temp).current_dir(site.work.join("sub")));
        assert_eq!(bare.status, 1, "{bare:?}");
        // With another temporary folder it is one.
        let mut list = site.gosandbox(&[], &["go", "list", "-m"]);
        Ended::of(list.current_dir(site.work.join("sub"))).expect(0);
    }
}
