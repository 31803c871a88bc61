//! Runs beside each other in one tree, beside its user, and launchers that are killed.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Ended, Site, content};
use crate::{site, staging};

const MAKEFILE: &str = "all:\n\t@mkdir -p made && echo made > made/out.txt\n";

fn project(env: crate::support::Env) -> Site {
    let site = site(env, "echo ran > ran.txt");
    site.file("Makefile", MAKEFILE);
    site.settle();
    site
}

/// Names that gosandbox would have left or made.
fn litter(site: &Site) -> Vec<std::path::PathBuf> {
    const EXPECTED: [&str; 12] = [
        "go.mod",
        "main.go",
        "main_test.go",
        "script.sh",
        "testdata",
        "README",
        "Makefile",
        "made",
        "out.txt",
        "ran.txt",
        ".vscode",
        "app",
    ];
    let mut found = site.listing();
    found.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        !EXPECTED.contains(&name.as_str())
    });
    found
}

fn rounds() -> usize {
    std::env::var("GOSANDBOX_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(3)
}

#[test]
fn runs_at_once_end_as_they_would_alone() {
    for env in staging() {
        let site = project(env);
        let commands: [(&[&str], &[&str]); 5] = [
            (&[], &["go", "run", "."]),
            (&[], &["make"]),
            (&["--profile", "ci"], &["go", "test", "-count=1", "."]),
            (&[], &["go", "build", "-o", "app", "."]),
            (&[], &["go", "mod", "tidy"]),
        ];
        for round in 0..rounds() {
            let mut running = Vec::new();
            for (options, words) in commands {
                let times = if words[0] == "make" || words[1] != "build" && words[1] != "mod" {
                    4
                } else {
                    1
                };
                for _ in 0..times {
                    let mut command = site.gosandbox(options, words);
                    command.stdout(Stdio::piped()).stderr(Stdio::piped());
                    running.push((words, command.spawn().unwrap()));
                }
            }
            // The tree holds nothing of gosandbox's meanwhile, and its user can work in it.
            let made = fs::create_dir(site.work.join(".vscode"));
            let seen = litter(&site);
            for (words, child) in running {
                let ended = Ended::from(child.wait_with_output().unwrap());
                assert_eq!(
                    ended.status, 0,
                    "{env:?} round {round} {words:?}: {ended:?}"
                );
            }
            made.unwrap();
            assert!(seen.is_empty(), "{env:?}: {seen:?}");
            fs::remove_dir(site.work.join(".vscode")).unwrap();
            assert!(litter(&site).is_empty(), "{env:?}: {:?}", litter(&site));
            assert_eq!(
                fs::read_to_string(site.work.join("ran.txt")).unwrap(),
                "ran\n"
            );
            assert_eq!(
                fs::read_to_string(site.work.join("made/out.txt")).unwrap(),
                "made\n"
            );
        }
    }
}

/// What is planted is not live while the run lasts, either, and a killed launcher leaves the tree as it was.
#[test]
fn a_killed_launcher_leaves_the_tree_as_it_was() {
    for env in staging() {
        let site = site(
            env,
            "echo x > .envrc; echo x > plain.txt; echo started; sleep 600",
        );
        site.settle();
        let before = content(&site.work);
        for words in [&["sh", "script.sh"][..], &["go", "run", "."]] {
            let mut command = site.gosandbox(&[], words);
            let mut child = command
                .stdout(Stdio::piped())
                .process_group(0)
                .spawn()
                .unwrap();
            let mut output = child.stdout.take().unwrap();
            let mut bytes = [0; 8];
            std::io::Read::read_exact(&mut output, &mut bytes).unwrap();
            assert_eq!(&bytes, b"started\n");
            assert!(content(&site.work) == before, "{env:?}: while it runs");
            child.kill().unwrap();
            child.wait().unwrap();
            // The end of its output: nothing runs inside any more.
            std::io::Read::read_to_end(&mut output, &mut Vec::new()).unwrap();
            assert!(content(&site.work) == before, "{env:?}: after the kill");
            let listed = wait_for(|| {
                let listed = Ended::of(&mut site.subcommand(&["changes", "list"]));
                listed.stdout.contains("interrupted").then_some(listed)
            });
            assert_eq!(listed.status, 0);
            Ended::of(&mut site.subcommand(&["changes", "drop"])).expect(0);
        }
    }
}

/// Bounded: a launcher's end is seen at once, that of its namespaces a moment later.
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it does not come"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
