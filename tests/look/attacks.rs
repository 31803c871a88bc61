//! What hid from the look, stopped it, or broke it.

use crate::support::in_environments;
use crate::support::{Ended, Env};
use crate::{DIRECT, WAYS, planted, site};
use gosandbox::record::EventKind;

struct Attack {
    name: &'static str,
    /// A file that is there before, below the folder that is written.
    before: &'static [&'static str],
    script: &'static str,
}

const ATTACKS: [Attack; 9] = [
    Attack {
        name: "a link beside its target",
        before: &[],
        script: "mkdir a z; ln -s ../z a/.git",
    },
    Attack {
        name: "a link in a circle",
        before: &[],
        script: "mkdir a; ln -s .git a/.git",
    },
    Attack {
        name: "a folder that cannot be written",
        before: &[],
        script: "mkdir -p c/.git d/.git; chmod 0555 c",
    },
    Attack {
        name: "folders that cannot be listed",
        before: &[],
        script: "mkdir -p shut/in/.git; chmod 0311 shut/in shut",
    },
    Attack {
        name: "taken quarantine names",
        before: &[],
        script: "i=0; while [ $i -lt 1100 ]; do : > gosandbox-quarantine-git-$i; i=$((i+1)); done; mkdir .git",
    },
    Attack {
        name: "paths that are too long",
        before: &[],
        script: "n=$(printf 'd%.0s' 1 2 3 4 5 6 7 8 9 10); n=$n$n$n$n$n$n$n$n$n$n$n$n$n$n$n$n$n$n$n$n; i=0; \
            while [ $i -lt 40 ]; do mkdir $n && cd -P $n || exit 8; i=$((i+1)); done; mkdir .git",
    },
    Attack {
        name: "folders of dependencies",
        before: &[],
        script: "mkdir -p node_modules/x/.git vendor/y/.git",
    },
    Attack {
        name: "a known repository, by the folder above",
        before: &[
            "fixture/repo/HEAD",
            "fixture/repo/objects/x",
            "fixture/repo/refs/x",
        ],
        script: "mv fixture away; mkdir -p fixture/repo/objects fixture/repo/refs; \
            echo planted > fixture/repo/HEAD",
    },
    Attack {
        name: "very many, and in each other",
        before: &[],
        script: "i=0; while [ $i -lt 50 ]; do mkdir -p $i/.git/.git/.git; i=$((i+1)); done",
    },
];

fn scene(env: Env, attack: &Attack, folder: &str) -> crate::support::Site {
    let site = site(env, attack.script);
    for file in attack.before {
        site.file(&format!("{folder}/{file}"), "kept\n");
    }
    site.settle();
    site
}

fn nothing_that_was_planted_stays(env: Env) {
    for (words, folder) in WAYS {
        for attack in &ATTACKS {
            let name = attack.name;
            let site = scene(env, attack, folder);
            let ended = site.run(&DIRECT, words);
            let found = planted(&site);
            assert!(
                found.is_empty(),
                "{env:?} {words:?} {name}: {found:?} {ended:?}"
            );
            // Without namespaces, nothing beside a protected path can be written at all.
            let is_refused = !env.has_namespaces() && !attack.before.is_empty();
            if !is_refused {
                ended.expect(125).refused("protected-path");
            }
            for file in attack.before {
                let places = [
                    format!("{folder}/{file}"),
                    format!("{folder}/away/{}", &file[8..]),
                ];
                let mut texts = places
                    .iter()
                    .filter_map(|it| std::fs::read_to_string(site.work.join(it)).ok());
                let is_head = file.ends_with("HEAD");
                assert!(
                    is_head || texts.any(|text| text == "kept\n"),
                    "{env:?} {file}"
                );
            }
        }
    }
}

in_environments!(nothing_that_was_planted_stays);

#[test]
fn all_of_it_stays_without_gosandbox() {
    for (words, folder) in WAYS {
        for attack in &ATTACKS {
            let site = scene(Env::User, attack, folder);
            Ended::of(&mut site.bare(words)).expect(0);
            assert!(!planted(&site).is_empty(), "{words:?} {}", attack.name);
        }
    }
}

/// Otherwise each run would move away what the one before it has left.
fn a_second_run_finds_nothing_more(env: Env) {
    for attack in ATTACKS.iter().filter(|attack| attack.before.is_empty()) {
        let site = scene(env, attack, "own");
        site.run(&DIRECT, WAYS[0].0).expect(125);
        let ended = site.run(&DIRECT, &["true"]).expect(0);
        assert_eq!(ended.stderr, "", "{env:?} {}", attack.name);
    }
}

in_environments!(a_second_run_finds_nothing_more);

#[test]
fn report_and_audit_log_name_it() {
    for env in [Env::User, Env::Restricted] {
        let site = scene(env, &ATTACKS[6], "own");
        let [report, log] = ["report.json", "audit.log"].map(|name| site.outside.join(name));
        let options = [
            &DIRECT[..],
            &[
                "--report",
                report.to_str().unwrap(),
                "--audit-log",
                log.to_str().unwrap(),
            ],
        ]
        .concat();
        site.run(&options, WAYS[0].0).expect(125);
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
        let protected = &report["protected"];
        assert_eq!(protected["code"], "protected-path", "{env:?}");
        let moved = protected["moved"].as_array().unwrap();
        let mut paths: Vec<_> = moved
            .iter()
            .map(|one| one["path"].as_str().unwrap())
            .collect();
        paths.sort();
        assert_eq!(
            paths,
            ["own/node_modules/x/.git", "own/vendor/y/.git"],
            "{env:?}"
        );
        assert_eq!(protected["stayed"].as_array().unwrap().len(), 0);
        let log = std::fs::read(log).unwrap();
        let lines = gosandbox::record::read(log.as_slice()).map(Result::unwrap);
        let refused = lines.map(|line| line.event).filter(|event| {
            let word = event.code.map(|code| code.word());
            event.kind == EventKind::ChangeRefused && word == Some("protected-path")
        });
        let mut subjects: Vec<_> = refused.filter_map(|event| event.subject).collect();
        subjects.sort();
        assert_eq!(subjects, paths, "{env:?}");
    }
}
