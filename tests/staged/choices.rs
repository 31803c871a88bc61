//! `--stage`, and `gosandbox changes`.

use std::fs;

use crate::support::{Ended, content};
use crate::{ENTRIES, site, staging};

const WRITE: &str = "echo new > out.txt; mkdir -p gen/deep; echo x > gen/deep/file; rm -f old.txt; \
     printf changed > kept.txt; chmod 0755 kept.txt";

#[test]
fn changes_are_applied_as_plain_writing_would_have_made_them() {
    for env in staging() {
        for (options, words) in ENTRIES {
            let site = site(env, WRITE);
            site.file("old.txt", "old");
            site.file("kept.txt", "kept");
            site.settle();
            site.run(options, words).expect(0);
            let read = |name: &str| fs::read_to_string(site.work.join(name)).unwrap_or_default();
            assert_eq!(read("out.txt"), "new\n", "{env:?} {words:?}");
            assert_eq!(read("gen/deep/file"), "x\n", "{env:?} {words:?}");
            assert_eq!(read("kept.txt"), "changed", "{env:?} {words:?}");
            assert!(!site.work.join("old.txt").exists(), "{env:?} {words:?}");
            let plain = self::site(env, WRITE);
            plain.file("old.txt", "old");
            plain.file("kept.txt", "kept");
            plain.settle();
            Ended::of(&mut plain.bare(&["sh", "script.sh"])).expect(0);
            let names = |work: &std::path::Path| {
                let found = content(work).into_iter();
                let found = found.map(|(path, (mode, _, held))| {
                    (path.strip_prefix(work).unwrap().to_owned(), mode, held)
                });
                found.collect::<Vec<_>>()
            };
            assert_eq!(names(&site.work), names(&plain.work), "{env:?} {words:?}");
        }
    }
}

#[test]
fn discarded_changes_leave_the_tree_as_it_was() {
    for env in staging() {
        let site = site(env, WRITE);
        site.file("old.txt", "old");
        site.settle();
        let before = content(&site.work);
        for (options, words) in ENTRIES {
            let options = [options, &["--stage", "discard"]].concat();
            site.run(&options, words).expect(0);
            assert!(content(&site.work) == before, "{env:?} {words:?}");
        }
    }
}

#[test]
fn changes_for_review_stay_staged_until_they_are_applied() {
    for env in staging() {
        let site = site(env, WRITE);
        site.file("old.txt", "old");
        site.settle();
        let before = content(&site.work);
        let ended = site.run(&["--stage", "review"], &["sh", "script.sh"]);
        let ended = ended.expect(0);
        assert!(
            ended.stderr.contains("gosandbox changes apply"),
            "{ended:?}"
        );
        assert!(content(&site.work) == before, "{env:?}");
        let changes =
            |words: &[&str]| Ended::of(&mut site.subcommand(&[&["changes"], words].concat()));
        changes(&["list"])
            .expect(0)
            .says("review")
            .says("sh script.sh");
        changes(&["show"]).expect(0).says("out.txt");
        changes(&["apply"]).expect(0);
        assert_eq!(
            fs::read_to_string(site.work.join("out.txt")).unwrap(),
            "new\n"
        );
        assert!(!site.work.join("old.txt").exists(), "{env:?}");
    }
}

#[test]
fn changes_of_a_failed_command_land_too() {
    for env in staging() {
        let site = site(env, "echo new > out.txt; exit 7");
        site.settle();
        site.run(&[], &["sh", "script.sh"]).expect(7);
        assert!(site.work.join("out.txt").exists(), "{env:?}");
        // On a slow machine a short time runs out before there is a change, which shows nothing.
        let has_changed = ["2s", "16s", "128s"].into_iter().any(|time| {
            let site = self::site(env, "echo new > out.txt; echo changed; sleep 600");
            site.settle();
            let ended = site
                .run(&["--timeout", time], &["sh", "script.sh"])
                .expect(137);
            let has_changed = ended.stdout.contains("changed");
            assert!(
                site.work.join("out.txt").exists() || !has_changed,
                "{env:?}"
            );
            has_changed
        });
        assert!(has_changed, "{env:?}");
    }
}

#[test]
fn a_strict_test_keeps_testdata_and_what_flags_name() {
    const SCRIPT: &str = "echo x > golden.txt; echo x > testdata/new.txt; mkdir -p sub/testdata; \
         echo x > sub/testdata/file; rm script.sh";
    for env in staging() {
        let site = site(env, SCRIPT);
        site.settle();
        let words = ["go", "test", "-count=1", "-cpuprofile", "cpu.out", "."];
        site.run(&[], &words).expect(0);
        for (name, lands) in [
            ("golden.txt", false),
            ("testdata/new.txt", true),
            ("sub/testdata/file", true),
            ("script.sh", true),
            ("cpu.out", true),
        ] {
            assert_eq!(site.work.join(name).exists(), lands, "{env:?} {name}");
        }
    }
}

/// Both a folder elsewhere and one in the staged work tree are written as they are.
#[test]
fn what_rw_names_is_written_while_the_run_lasts() {
    for env in staging() {
        for (options, words) in ENTRIES {
            let site = site(env, "");
            let given = site.root.join("given");
            fs::create_dir_all(given.join("x")).unwrap();
            fs::create_dir(site.work.join("out")).unwrap();
            let script = format!(
                "touch {0}/new out/new && test -e out/new && sleep 0",
                given.display()
            );
            site.file("script.sh", &script);
            site.settle();
            let paths = [given.to_str().unwrap(), "out"];
            let options = [options, &["--rw", paths[0], "--rw", paths[1]]].concat();
            // Nothing of it is staged, so that nothing is lost where changes are discarded.
            let options = [&options[..], &["--stage", "discard"]].concat();
            site.run(&options, words).expect(0);
            assert!(given.join("new").exists(), "{env:?} {words:?}");
            assert!(site.work.join("out/new").exists(), "{env:?} {words:?}");
        }
    }
}
