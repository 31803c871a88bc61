//! Commands that turn out to need a newer Go, which is fetched, compared and run instead.

use std::process::Command;

use crate::database::Database;
use crate::modules::{Module, OLD, Tree};
use crate::toolchain::{Asks, MODULE, honest, serve, version};
use crate::{Ended, Env};

const NEWER: (&str, &str) = ("example.test/newer", "v1.0.0");

/// The toolchain's module, and one that needs it.
fn served() -> (Database, Tree) {
    let mut tree = honest();
    let module = Module {
        path: NEWER.0,
        version: NEWER.1,
        time: OLD,
        files: &[("main.go", "package main\n\nfunc main() {}\n")],
        requires: "",
    };
    tree.module_for(&module, "1.98.7");
    let database = Database::new(&tree, &[(MODULE, &version()), NEWER]);
    database.add_to(&mut tree);
    (database, tree)
}

/// In a project that is content with the Go at hand.
fn asks(env: Env, proxy: &crate::proxy::Proxy, database: &Database, lines: &str) -> Option<Asks> {
    let asks = Asks::of(env, proxy, database)?;
    let site = &asks.scene.site;
    site.file("go.mod", "module example.test/main\n\ngo 1.21\n");
    let text = std::fs::read_to_string(&asks.scene.profile).unwrap();
    crate::write(&asks.scene.profile, &format!("{text}{lines}"));
    asks.scene.settle();
    Some(asks)
}

fn ended(mut command: Command, toolchain: &str) -> Ended {
    Ended::of(command.env("GOTOOLCHAIN", toolchain))
}

#[test]
fn a_command_that_needs_a_newer_go_runs_again_with_it() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (database, served) = served();
        let proxy = serve(served);
        let Some(asks) = asks(env, &proxy, &database, "") else {
            return;
        };
        let named = format!("{}@{}", NEWER.0, NEWER.1);
        for words in [["get", &named], ["install", &named]] {
            let words = [&["go"], &words[..]].concat();
            let ran = ended(asks.words(&words), "auto").expect(0);
            let said = format!("the other go [{}]\n", words[1..].join(" "));
            assert_eq!(ran.stdout, said, "{env:?} {words:?}: {ran:?}");
        }
    }
}

/// Who wants no other Go, by GOTOOLCHAIN or by the profile, has go's own error or a refusal.
#[test]
fn no_other_go_runs_where_none_may() {
    let env = Env::User;
    if !env.is_here() {
        return;
    }
    let (database, served) = served();
    let proxy = serve(served);
    let named = format!("{}@{}", NEWER.0, NEWER.1);
    let words = ["go", "get", &named];
    {
        let Some(asks) = asks(env, &proxy, &database, "") else {
            return;
        };
        let local = ended(asks.words(&words), "local").expect(1);
        assert!(local.stderr.contains("requires go >= 1.98.7"), "{local:?}");
        assert!(!asks.goroot().exists());
        // What fails for another reason fails once.
        let before = proxy.paths().len();
        let absent = ["go", "get", "example.test/absent@v1.0.0"];
        ended(asks.words(&absent), "auto").expect(1);
        assert!(proxy.paths().len() > before);
    }
    let range = "toolchains = [\"1.21\", \"1.90\"]\n";
    let Some(asks) = asks(env, &proxy, &database, range) else {
        return;
    };
    let refused = ended(asks.words(&words), "auto").expect(125);
    assert!(refused.stderr.contains("1.90"), "{refused:?}");
    assert!(!asks.goroot().exists());
}
