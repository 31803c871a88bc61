//! Names that something outside executes without being asked: editors, agents, hook managers, build machines.

use crate::support::{Env, Site};

/// What is planted at the top and in a folder.
const PLANTS: [&str; 12] = [
    ".zed/tasks.json",
    ".nvim.lua",
    ".codex/config.toml",
    "AGENTS.md",
    "lefthook.yml",
    "Jenkinsfile",
    "x.code-workspace",
    ".cargo/config.toml",
    ".GITHUB/workflows/x.yml",
    ".\u{17f}vn/x",
    ".envrc.local",
    ".golangci.yml",
];
/// What generators may write.
const KEPT: [&str; 4] = ["Makefile", "gen.go", ".cargo/registry", ".env"];

const PLANT: &str = "for f in $PLANTS; do for d in own own/deep; do \
    mkdir -p $(dirname $d/$f); echo planted >> $d/$f; done; done; \
    mkdir -p own/linked/real; echo planted > own/linked/real/config.toml; ln -s real own/linked/.cargo; true";

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("own/deep/README", "");
    site.file("made/README", "");
    site.file("own/Jenkinsfile", "kept\n");
    site.file("own/there/.cargo/config.toml", "kept\n");
    site.settle();
    site
}

fn script(plants: &[&str]) -> String {
    format!("PLANTS='{}'; {PLANT}", plants.join(" "))
}

/// The planted files that stand under a protected name.
fn planted(site: &Site) -> Vec<String> {
    let is_planted = |path: &std::path::Path| {
        let text = std::fs::read_to_string(site.work.join(path));
        text.is_ok_and(|text| text.contains("planted"))
    };
    let mut found = Vec::new();
    for name in PLANTS {
        for folder in ["own", "own/deep", ""] {
            let path = std::path::Path::new(folder).join(name);
            found.extend(is_planted(&path).then(|| path.display().to_string()));
        }
    }
    found.extend(is_planted("own/linked/.cargo/config.toml".as_ref()).then(|| "link".to_owned()));
    found
}

#[test]
fn nothing_that_is_executed_later_lands() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        for stage in ["apply", "direct"] {
            if stage == "apply" && !env.has_namespaces() {
                continue;
            }
            let site = site(env);
            let ended = site.run(&["--stage", stage], &["sh", "-c", &script(&PLANTS)]);
            let found = planted(&site);
            assert!(found.is_empty(), "{env:?} {stage}: {found:?} {ended:?}");
            ended.expect(125);
            let text = std::fs::read_to_string(site.work.join("own/Jenkinsfile")).unwrap();
            assert_eq!(text, "kept\n", "{env:?} {stage}");
        }
    }
}

#[test]
fn what_generators_write_lands_and_a_profile_can_make_exceptions() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        let words = format!(
            "for f in {} .air.toml; do mkdir -p $(dirname made/$f); echo x > made/$f; done",
            KEPT.join(" ")
        );
        let profile = site.profile("[files]\nprotected = { remove = [\".air.toml\"] }\n");
        let options = ["--profile", profile.to_str().unwrap()];
        site.run(&options, &["sh", "-c", &words]).expect(0);
        for name in KEPT.into_iter().chain([".air.toml"]) {
            assert!(
                site.work.join("made").join(name).is_file(),
                "{env:?} {name}"
            );
        }
        site.file("own/there/x", "");
        site.settle();
        let change =
            "echo planted > own/there/.cargo/config.toml; mv own/there/.cargo own/there/c; true";
        site.run(&[], &["sh", "-c", change]);
        let text = std::fs::read_to_string(site.work.join("own/there/.cargo/config.toml"));
        assert_eq!(text.ok().as_deref(), Some("kept\n"), "{env:?}");
    }
}

#[test]
fn all_of_it_lands_without_gosandbox() {
    let site = site(Env::User);
    crate::support::Ended::of(&mut site.bare(&["sh", "-c", &script(&PLANTS)])).expect(0);
    assert_eq!(planted(&site).len(), PLANTS.len() * 2 + 1);
}
