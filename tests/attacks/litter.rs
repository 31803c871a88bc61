//! Refusals leave nothing behind, and nothing that was not there before a run is there after it.

use crate::support::{Ended, Env, Site};

const MODULE: &str = "module example.com/m\n\ngo 1.21\n";

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", MODULE);
    site.file("m.go", "package main\n\nfunc main() {}\n");
    site.file(
        "m_test.go",
        "package main\n\nimport \"testing\"\n\nfunc TestNothing(t *testing.T) {}\n",
    );
    site.settle();
    site
}

#[test]
fn runs_leave_no_litter_in_the_work_tree() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        let before = site.listing();
        site.run(&[], &["go", "vet", "./..."]).expect(0);
        site.run(&[], &["go", "test", "./..."]).expect(0);
        site.run(&[], &["go", "run", "."]).expect(0);
        site.run(&[], &["go", "list", "./..."]).expect(0);
        site.run(
            &[],
            &[
                "sh",
                "-c",
                "mkdir .git .github .claude .circleci 2>/dev/null; echo x > .envrc; echo x > .mcp.json; true",
            ],
        );
        let litter: Vec<_> = site
            .listing()
            .into_iter()
            .filter(|path| !before.contains(path))
            .collect();
        let kept: Vec<_> = litter
            .iter()
            .filter(|path| !path.to_string_lossy().contains("gosandbox-quarantine"))
            .collect();
        assert!(kept.is_empty(), "{env:?}: {litter:?}");
    }
}

#[test]
fn a_refused_command_line_makes_nothing() {
    let site = site(Env::User);
    let before = site.listing();
    for words in [
        &["go", "build", "-toolexec=/bin/true", "."][..],
        &["go", "build", "-overlay=o.json", "."],
        &["go", "test", "-exec=/bin/true", "."],
        &["go", "nonsense"],
        &["/nonexistent/program"],
    ] {
        let ended = site.run(&[], words);
        assert_ne!(ended.status, 0, "{words:?}");
        assert_eq!(site.listing(), before, "{words:?}");
    }
}

#[test]
fn what_stands_in_for_protected_paths_is_nothing_to_git() {
    for env in Env::ALL
        .into_iter()
        .filter(|env| env.is_here() && env.has_namespaces())
    {
        let site = site(env);
        let git = |words: &[&str]| Ended::of(&mut site.bare(&[&["git"], words].concat())).expect(0);
        git(&["init", "-q"]);
        git(&["add", "."]);
        let script =
            "test -S .envrc || exit 3; git status --porcelain --untracked-files=all | grep '^??'";
        let ended = site.run(&["--stage", "direct"], &["sh", "-c", script]);
        ended.expect(1);
    }
}
