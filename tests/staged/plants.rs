//! What may not land: each plant is there after the same script without gosandbox, and in no work tree
//! after a run, which ends with status 125.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::{Ended, Env, Site, confined, content, gosandbox, needs_program};
use crate::{ENTRIES, site, staging};

/// A script that plants something, and the path at which it then is. `setup` makes what is there before.
struct Plant {
    name: &'static str,
    setup: &'static str,
    script: &'static str,
    path: &'static str,
    code: &'static str,
}

const REPOSITORY: &str = "repository() { mkdir -p \"$1/objects\" \"$1/refs\"; \
     printf '[core]\\n\\tbare = false\\n' > \"$1/config\"; echo ref: refs/heads/main > \"$1/HEAD\"; }\n";

const fn plant(
    name: &'static str,
    setup: &'static str,
    script: &'static str,
    path: &'static str,
    code: &'static str,
) -> Plant {
    Plant {
        name,
        setup,
        script,
        path,
        code,
    }
}

#[rustfmt::skip]
const PLANTS: &[Plant] = &[
    plant("a protected name", "", "mkdir .vscode; echo x > .vscode/tasks.json", ".vscode/tasks.json", "protected-path"),
    plant("a protected file", "", "echo x > .envrc", ".envrc", "protected-path"),
    plant("a protected name deep below", "", "mkdir -p a/b; echo x > a/b/.envrc", "a/b/.envrc", "protected-path"),
    plant("a protected name in node_modules", "", "mkdir -p node_modules/x/.github; echo x > node_modules/x/.github/w", "node_modules/x/.github/w", "protected-path"),
    plant("a protected name in vendor", "", "mkdir -p vendor/x; echo x > vendor/x/.envrc", "vendor/x/.envrc", "protected-path"),
    plant("other letter case", "", "mkdir .Git; echo x > .Git/config", ".Git/config", "protected-path"),
    plant("a repository", "", "repository a/.git", "a/.git/HEAD", "protected-path"),
    plant("a bare repository under any name", "", "repository a/data", "a/data/HEAD", "repository"),
    plant("a link named .git", "", "mkdir -p a z; echo x > z/HEAD; ln -s ../z a/.git", "a/.git", "protected-path"),
    plant("a folder closed to its owner", "", "mkdir -p a/b; repository a/b/r; chmod 0555 a/b; chmod 0311 a", "a/b/r/HEAD", "repository"),
    plant("a folder of mode 0", "", "mkdir -p a/b; echo x > a/b/.envrc; chmod 0 a/b", "a/b/.envrc", "protected-path"),
    plant("what makes a folder a repository", "mkdir -p fix/objects fix/refs; touch fix/objects/x fix/refs/x", "echo ref: refs/heads/main > fix/HEAD", "fix/HEAD", "repository"),
    plant("a repository that was there", "repository fix/there", "echo x >> fix/there/config", "fix/there/config+", "repository"),
    plant("a repository exchanged by the folder above", "repository fix/there", "cp -r fix other; rm -rf fix; mv other fix; echo '[core] fsmonitor=x' >> fix/there/config", "fix/there/config+", "repository"),
    plant("the end of a protected link", "mkdir tools; echo old > tools/envrc; ln -s tools/envrc .envrc", "echo new > tools/envrc", "tools/envrc+", ""),
    plant("a hook that the configuration leads to", "git init -q .; git config core.hooksPath hooks; mkdir hooks; echo x > hooks/README", "echo x > hooks/pre-commit", "hooks/pre-commit", ""),
    plant("a link out of the tree", "", "ln -s /etc/passwd a", "a", "link-leaves-tree"),
    plant("a link out of the tree by dots", "", "mkdir -p d; ln -s ../../outside d/a", "d/a", "link-leaves-tree"),
    plant("a link to something protected", "git init -q .", "ln -s .git/hooks a", "a", "link-to-protected"),
    plant("the longest name", "", "n=$(printf '%0251d' 0); mkdir $n; echo x > $n/.envrc", "", "protected-path"),
    plant("a thousand taken names", "", "for i in $(seq 0 1100); do touch gosandbox-quarantine-envrc-$i; done; echo x > .envrc", ".envrc", "protected-path"),
];

fn named(site: &Site, plant: &Plant) -> std::path::PathBuf {
    let path = match plant.path {
        "" => format!("{}/.envrc", "0".repeat(251)),
        path => path.trim_end_matches('+').to_owned(),
    };
    site.work.join(path)
}

fn made(env: Env, plant: &Plant) -> Site {
    let site = site(env, &format!("{REPOSITORY}{}\n", plant.script));
    site.settle();
    let setup = format!("{REPOSITORY}{}", plant.setup);
    Ended::of(&mut site.bare(&["sh", "-c", &setup])).expect(0);
    site.settle();
    site
}

fn is_planted(path: &Path, was: Option<&Vec<u8>>) -> bool {
    // An ordinary user cannot look into a folder of mode 0.
    if let Some(folder) = path.parent().filter(|folder| folder.is_dir()) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let now = path.symlink_metadata().is_ok();
    let content = fs::read(path).ok();
    now && (was.is_none() || content.as_ref() != was)
}

#[test]
fn without_gosandbox_each_is_planted() {
    for plant in PLANTS {
        let site = made(Env::User, plant);
        let path = named(&site, plant);
        let was = fs::read(&path).ok();
        Ended::of(&mut site.bare(&["sh", "script.sh"])).expect(0);
        assert!(is_planted(&path, was.as_ref()), "{}", plant.name);
    }
}

/// Where the tree is staged, with and without Landlock.
fn planting() -> impl Iterator<Item = Env> {
    staging().chain([Env::NoLandlock])
}

fn best_effort(env: Env) -> &'static [&'static str] {
    match env {
        Env::NoLandlock => &["--best-effort"],
        _ => &[],
    }
}

#[test]
fn nothing_of_them_lands_and_the_run_says_so() {
    let mut wrong = Vec::new();
    for env in planting() {
        for (index, plant) in PLANTS.iter().enumerate() {
            // Each plant by the shell, and by one of the others in turn.
            let entries = [0, 1 + index % 3];
            // Landlock has no part in what lands.
            let entries = if env == Env::NoLandlock {
                &entries[..1]
            } else {
                &entries
            };
            for entry in entries {
                let (options, words) = ENTRIES[*entry];
                let options = &[options, best_effort(env)].concat();
                let site = made(env, plant);
                let path = named(&site, plant);
                let was = fs::read(&path).ok();
                let ended = site.run(options, words);
                let place = format!("{env:?} {}: {words:?}", plant.name);
                if is_planted(&path, was.as_ref()) {
                    wrong.push(format!("{place}: it landed"));
                }
                if !plant.code.is_empty()
                    && (ended.status != 125 || !ended.stderr.contains(plant.code))
                {
                    wrong.push(format!("{place}: {ended:?}"));
                }
                if plant.code.is_empty() && ended.status == 0 {
                    wrong.push(format!("{place}: {ended:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A strict test writes where it likes, and all of it but `testdata` is gone in the end.
#[test]
fn what_a_strict_test_plants_is_dropped_without_a_word() {
    for env in staging() {
        for plant in PLANTS {
            let site = made(env, plant);
            let before = content(&site.work);
            let ended = site.run(&[], &["go", "test", "-count=1", "./..."]);
            // A hook is in a folder that is mounted read-only: the script itself fails.
            if plant.code.is_empty() {
                continue;
            }
            let ended = ended.expect(0);
            assert_eq!(ended.stderr, "", "{env:?} {}", plant.name);
            let after = content(&site.work);
            assert!(before == after, "{env:?} {}", plant.name);
        }
    }
}

/// Deeper than a path can be long.
#[test]
fn a_plant_beyond_the_longest_path_does_not_land() {
    const DEEP: &str = r#"package main

import (
	"os"
	"strings"
)

func main() {
	name := strings.Repeat("d", 200)
	for i := 0; i < 40; i++ {
		if os.Mkdir(name, 0o755) != nil || os.Chdir(name) != nil {
			os.Exit(3)
		}
	}
	if os.WriteFile(".envrc", nil, 0o644) != nil {
		os.Exit(4)
	}
}
"#;
    let deep = |env| {
        let site = site(env, "");
        fs::remove_file(site.work.join("main_test.go")).unwrap();
        site.file("main.go", DEEP);
        site.settle();
        site
    };
    let find = |site: &Site| {
        let found = Ended::of(&mut site.bare(&["find", ".", "-name", ".envrc"]));
        found.stdout.lines().count()
    };
    for env in planting() {
        let site = deep(env);
        let ended = site.run(best_effort(env), &["go", "run", "."]).expect(125);
        assert!(ended.stderr.contains("protected-path"), "{ended:?}");
        assert_eq!(find(&site), 0, "{env:?}");
    }
    let bare = deep(Env::User);
    Ended::of(&mut bare.bare(&["go", "run", "."])).expect(0);
    assert_eq!(find(&bare), 1);
}

/// Each listing of a folder by the launcher fails once. What it could not see does not land.
#[test]
fn a_plant_does_not_land_where_a_folder_cannot_be_listed() {
    const SCRIPT: &str =
        "mkdir a a/b; echo x > a/.envrc; echo x > a/b/.envrc; echo x > plain; echo ended";
    if !needs_program("strace", "strace") {
        return;
    }
    for env in planting() {
        for when in 1.. {
            let site = site(env, SCRIPT);
            site.settle();
            let trace = site.outside.join("trace");
            fs::write(&trace, "").unwrap();
            fs::set_permissions(&trace, fs::Permissions::from_mode(0o666)).unwrap();
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-o"]).arg(&trace);
            command.args(["-e", "trace=getdents64,execve"]);
            command.args(["-e", &format!("inject=getdents64:error=EIO:when={when}")]);
            command
                .arg(gosandbox())
                .arg("--cache-dir")
                .arg(site.cache());
            command
                .args(best_effort(env))
                .args(["--", "sh", "script.sh"]);
            site.prepare(&mut command);
            confined::enter(&mut command, env, site.caller());
            let ended = Ended::of(&mut command);
            let trace = fs::read_to_string(&trace).unwrap();
            assert!(
                trace.contains("execve("),
                "{env:?}: nothing was traced: {ended:?}"
            );
            let found = Ended::of(&mut site.bare(&["find", ".", "-name", ".envrc"]));
            assert_eq!(found.stdout, "", "{env:?}, listing {when}: {ended:?}");
            assert_eq!(ended.status, 125, "{env:?}, listing {when}: {ended:?}");
            // No process lists as often.
            if !trace.contains("(INJECTED)") {
                assert!(
                    when > 3 && ended.stdout == "ended\n",
                    "{env:?} {when}: {ended:?}"
                );
                assert!(
                    ended.stderr.contains("protected-path"),
                    "{env:?}: {ended:?}"
                );
                break;
            }
        }
    }
}
