//! Runs beside each other in one tree, beside its user, and launchers that are killed.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Stdio};

use crate::support::wait::found;
use crate::support::{Ended, Env, Site, content};
use crate::{site, staging};

const MAKEFILE: &str = "all:\n\t@mkdir -p made && echo made > made/out.txt\n";

fn project(env: Env) -> Site {
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
            // Meanwhile the tree holds nothing of gosandbox's, and its user can work in it.
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

#[test]
fn a_user_can_work_in_the_tree_while_a_staged_run_lasts() {
    for env in staging() {
        for words in [&["sh", "script.sh"][..], &["go", "run", "."]] {
            let site = site(
                env,
                "echo started; until [ -e seen ]; do sleep 0.05; done; echo x > ran.txt",
            );
            site.settle();
            let (child, _output) = started(&site, words);
            fs::create_dir(site.work.join(".vscode")).unwrap();
            site.file(".vscode/tasks.json", "mine");
            site.file(".envrc", "mine");
            site.file("seen", "");
            let ended = Ended::from(child.wait_with_output().unwrap());
            assert_eq!(ended.status, 0, "{env:?} {words:?}: {ended:?}");
            for name in [".vscode/tasks.json", ".envrc"] {
                let text = fs::read_to_string(site.work.join(name)).unwrap();
                assert_eq!(text, "mine", "{env:?} {words:?} {name}");
            }
            assert!(site.work.join("ran.txt").exists());
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
            let listed = found("it is interrupted", || {
                let listed = Ended::of(&mut site.subcommand(&["changes", "list"]));
                listed.stdout.contains("interrupted").then_some(listed)
            });
            assert_eq!(listed.status, 0);
            Ended::of(&mut site.subcommand(&["changes", "drop"])).expect(0);
        }
    }
}

/// The environments in which programs write the work tree itself, below the folders that are there.
fn direct() -> impl Iterator<Item = Env> {
    [Env::Restricted, Env::Container]
        .into_iter()
        .filter(|env| env.is_here())
}

fn project_of_folders(env: Env, script: &str) -> Site {
    let site = site(env, script);
    site.file(
        "Makefile",
        "all:\n\t@mkdir -p own/made && echo made > own/made/out.txt\n",
    );
    site.file("own/README", "");
    site.settle();
    site
}

/// Runs do not take each other's names for an attack, where there are no namespaces either.
#[test]
fn runs_at_once_in_a_tree_that_is_not_staged_end_as_they_would_alone() {
    for env in direct() {
        let site = project_of_folders(env, "echo ran > own/ran.txt");
        let before = site.listing();
        let commands: [(&[&str], &[&str]); 4] = [
            (&[], &["go", "run", "."]),
            (&[], &["make"]),
            (&["--profile", "ci"], &["go", "test", "-count=1", "."]),
            (&[], &["go", "build", "-o", "own/app", "."]),
        ];
        let mut running = Vec::new();
        for (options, words) in commands.iter().cycle().take(12) {
            let mut command = site.gosandbox(options, words);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            running.push((words, command.spawn().unwrap()));
        }
        for (words, child) in running {
            let ended = Ended::from(child.wait_with_output().unwrap());
            assert_eq!(ended.status, 0, "{env:?} {words:?}: {ended:?}");
        }
        let mut made = site.listing();
        made.retain(|path| !before.contains(path));
        let expected = ["own/app", "own/made", "own/made/out.txt", "own/ran.txt"];
        assert_eq!(made, expected.map(|name| site.work.join(name)), "{env:?}");
    }
}

/// Starts a command that says so, and returns it with its output.
fn started(site: &Site, words: &[&str]) -> (Child, ChildStdout) {
    let mut command = site.gosandbox(&[], words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut bytes = [0; 8];
    std::io::Read::read_exact(&mut output, &mut bytes).unwrap();
    assert_eq!(&bytes, b"started\n");
    (child, output)
}

/// Whether the user or the program has made it cannot be told there: it may be moved, and is not
/// lost.
#[test]
fn what_a_user_makes_during_a_run_that_is_not_staged_is_kept() {
    for env in direct() {
        for place in [".vscode", "own/.vscode"] {
            let site = project_of_folders(env, "");
            let script = format!("echo started; until [ -e {place}/mine ]; do sleep 0.05; done");
            let (child, _output) = started(&site, &["sh", "-c", &script]);
            site.file(&format!("{place}/mine"), "mine");
            let ended = Ended::from(child.wait_with_output().unwrap());
            let kept = content(&site.work).into_iter();
            let mut kept = kept.filter(|(_, (_, _, held))| held == b"mine");
            let (path, _) = kept.next().unwrap();
            let folder = path.parent().unwrap();
            let is_in_place = folder.ends_with(place);
            let relative = folder.strip_prefix(&site.work).unwrap();
            let is_told = ended.status == 125 && ended.stderr.contains(relative.to_str().unwrap());
            assert!(is_in_place || is_told, "{env:?} {place}: {ended:?}");
        }
    }
}

#[test]
fn a_killed_launcher_leaves_nothing_in_a_tree_that_is_not_staged() {
    for env in direct() {
        let site = project_of_folders(env, "echo started; sleep 600");
        let before = content(&site.work);
        for words in [&["sh", "script.sh"][..], &["go", "run", "."]] {
            let (mut child, mut output) = started(&site, words);
            assert!(content(&site.work) == before, "{env:?}: while it runs");
            child.kill().unwrap();
            child.wait().unwrap();
            std::io::Read::read_to_end(&mut output, &mut Vec::new()).unwrap();
            assert!(content(&site.work) == before, "{env:?}: after the kill");
            site.run(&[], &["true"]).expect(0);
            assert!(content(&site.work) == before, "{env:?}: after the next run");
        }
    }
}

/// A repository whose configuration has git execute something, in `own/bare`.
const REPOSITORY: &str = "mkdir -p own/bare/objects own/bare/refs; echo ref: refs/heads/main > own/bare/HEAD; \
     printf '[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = \"touch ../../executed;false\"\n' \
     > own/bare/config\n";

/// Without namespaces it is there until the run has ended.
#[test]
fn a_planted_repository_is_not_live_while_a_staged_run_lasts() {
    let script = format!("{REPOSITORY}echo started; until [ -e own/seen ]; do sleep 0.05; done");
    let is_executed = |site: &Site| {
        Ended::of(&mut site.bare(&["git", "-C", "own/bare", "status"]));
        site.work.join("executed").exists()
    };
    for env in staging() {
        for words in [&["sh", "script.sh"][..], &["go", "run", "."]] {
            let site = project_of_folders(env, &script);
            let (child, _output) = started(&site, words);
            assert!(!is_executed(&site), "{env:?} {words:?}: while it runs");
            site.file("own/seen", "");
            let ended = Ended::from(child.wait_with_output().unwrap());
            assert!(!is_executed(&site), "{env:?} {words:?}: {ended:?}");
            ended.expect(125).says("makes-repository");
        }
    }
    let site = project_of_folders(Env::User, REPOSITORY);
    Ended::of(&mut site.bare(&["sh", "script.sh"])).expect(0);
    assert!(is_executed(&site), "without gosandbox");
}
