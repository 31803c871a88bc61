//! Tokens that checkouts leave in the configuration of git's, which code of the source may read.

use std::path::Path;

use crate::support::{Ended, Env, Site};

const TOKEN: &str = "T0KEN-decoy";

/// As actions/checkout, `git config url.*.insteadOf` and runners of other services leave it.
const SECRETS: &str = "[http \"https://github.com/\"]\n\textraheader = AUTHORIZATION: basic T0KEN-decoy\n\
    [url \"https://x:T0KEN-decoy@github.com/\"]\n\tinsteadOf = git@github.com:\n\
    [remote \"origin\"]\n\turl = https://user:T0KEN-decoy@host.example/o/r\n\
    \tfetch = +refs/heads/*:refs/remotes/origin/*\n\
    [credential]\n\thelper = store --file T0KEN-decoy\n";

const PROGRAM: &str = "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc main() {\n\
    \tfor _, path := range []string{\".git/config\", \".git/config.worktree\", \".git/modules/s/config\", \"other/.git/config\"} {\n\
    \t\ttext, err := os.ReadFile(path)\n\t\tfmt.Println(path, string(text), err)\n\t}\n}\n";

const TEST: &str = "package main\n\nimport \"testing\"\n\nfunc TestShow(t *testing.T) { main() }\n";

fn git(site: &Site, words: &[&str]) {
    let name = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
    let words = [&["git"], &name[..], words].concat();
    Ended::of(&mut site.bare(&words)).expect(0);
}

/// A repository with one commit and tokens.
fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("main.go", PROGRAM);
    site.file("main_test.go", TEST);
    site.settle();
    git(&site, &["init", "-q", "-b", "main"]);
    git(&site, &["add", "."]);
    git(&site, &["commit", "-q", "-m", "first"]);
    git(&site, &["tag", "-a", "v1.0.0", "-m", "first"]);
    add(&site, ".git/config", SECRETS);
    site.file(".git/config.worktree", SECRETS);
    site.file(".git/modules/s/HEAD", "ref: refs/heads/main\n");
    site.file(".git/modules/s/config", SECRETS);
    site.file("other/.git/HEAD", "ref: refs/heads/main\n");
    site.file("other/.git/config", SECRETS);
    site.settle();
    site
}

fn add(site: &Site, file: &str, text: &str) {
    let before = std::fs::read_to_string(site.work.join(file)).unwrap();
    site.file(file, &(before + text));
}

const WAYS: [&[&str]; 4] = [
    &["go", "run", "."],
    &["go", "test", "-count=1", "-v", "."],
    &[
        "sh",
        "-c",
        "cat .git/config .git/config.worktree .git/modules/s/config other/.git/config",
    ],
    &[
        "sh",
        "-c",
        "git config --list; git remote -v; git config --list --show-origin",
    ],
];

fn shows(ended: &Ended) -> bool {
    format!("{ended:?}").contains(TOKEN)
}

#[test]
fn code_of_the_source_sees_no_token_and_git_works() {
    let has_view = |env: &Env| env.is_here() && env.has_namespaces();
    for env in Env::ALL.into_iter().filter(has_view) {
        let site = site(env);
        for words in WAYS {
            for stage in ["apply", "direct"] {
                let ended = site.run(&["--stage", stage], words);
                assert!(!shows(&ended), "{env:?} {words:?} {stage}: {ended:?}");
                ended.expect(0).says("repositoryformatversion");
            }
        }
        let script = "git status --porcelain --untracked-files=no && git log --oneline && git describe && \
            git rev-parse HEAD && git remote -v && git diff HEAD --stat";
        let ended = site.run(&[], &["sh", "-c", script]);
        ended
            .expect(0)
            .says("https://host.example/o/r")
            .says("v1.0.0")
            .says("first");
        // What is on disk stays as it is, and go's own git sees what it needs.
        let text = std::fs::read_to_string(site.work.join(".git/config")).unwrap();
        assert!(text.ends_with(SECRETS), "{env:?}: {text}");
        site.run(&[], &["go", "build", "-o", "out", "."]).expect(0);
        let ended = site.run(
            &[],
            &[
                "sh",
                "-c",
                "echo x >> .git/config; mv .git/config .git/c; cat .git/c",
            ],
        );
        assert!(!shows(&ended), "{env:?}: {ended:?}");
    }
}

#[test]
fn a_link_or_a_file_in_the_place_of_git_hides_nothing() {
    let has_view = |env: &Env| env.is_here() && env.has_namespaces();
    for env in Env::ALL.into_iter().filter(has_view) {
        let site = site(env);
        let to = |from: &str, to: &str| {
            std::fs::rename(site.work.join(from), site.work.join(to)).unwrap();
        };
        to(".git/config", "own-config");
        std::os::unix::fs::symlink("../own-config", site.work.join(".git/config")).unwrap();
        site.settle();
        let show = ["sh", "-c", "cat .git/config own-config; git log --oneline"];
        let ended = site.run(&[], &show);
        assert!(!shows(&ended), "{env:?}: {ended:?}");
        ended.expect(0).says("first");
        std::fs::remove_file(site.work.join(".git/config")).unwrap();
        to("own-config", ".git/config");
        to(".git", "store");
        site.file(".git", "gitdir: store\n");
        site.settle();
        let show = ["sh", "-c", "cat store/config; git log --oneline"];
        let ended = site.run(&[], &show);
        assert!(!shows(&ended), "{env:?}: {ended:?}");
        ended.expect(0).says("first");
    }
}

#[test]
fn results_of_tests_that_read_the_configuration_stay_cached() {
    let site = site(Env::User);
    // Go caches no result that depends on a file which has just been changed.
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(600);
    for file in [
        ".git/config",
        ".git/config.worktree",
        ".git/modules/s/config",
        "other/.git/config",
    ] {
        let file = std::fs::File::options()
            .append(true)
            .open(site.work.join(file));
        file.unwrap().set_modified(past).unwrap();
    }
    let words = ["go", "test", "."];
    site.run(&[], &words).expect(0);
    site.run(&[], &words).expect(0).says("(cached)");
}

#[test]
fn code_of_the_source_sees_tokens_without_gosandbox() {
    let site = site(Env::User);
    for words in WAYS {
        let ended = Ended::of(&mut site.bare(words));
        assert!(shows(&ended), "{words:?}: {ended:?}");
    }
    assert!(Path::new(&site.work).join(".git/config").exists());
}
