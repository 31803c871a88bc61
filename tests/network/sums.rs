//! A checksum database and an HTTPS proxy of the tests' own, as whole runs see them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;

use crate::database::Database;
use crate::modules::{Module, OLD, Tree};
use crate::proxy::{Answer, Proxy};
use crate::support::{ORDINARY, is_root};
use crate::{Ended, Env, Scene, write};

const DEP: (&str, &str) = ("example.test/dep", "v1.0.0");
const TIDY: [&str; 3] = ["go", "mod", "tidy"];

fn honest() -> Tree {
    let mut tree = Tree::default();
    tree.hello(DEP.0, DEP.1);
    tree
}

/// The same version with other content.
fn tampered() -> Tree {
    let mut tree = honest();
    tree.module(&Module {
        path: DEP.0,
        version: DEP.1,
        time: OLD,
        files: &[(
            "dep.go",
            "package dep\n\nfunc Hello() string { return \"evil\" }\n",
        )],
        requires: "",
    });
    tree
}

/// A project that imports the module, and caches in which nothing is known.
struct Imports {
    scene: Scene,
    caches: PathBuf,
    log: PathBuf,
}

impl Imports {
    fn new(env: Env, proxy: &Proxy, database: &Database, lines: &str) -> Imports {
        let scene = Scene::new(env);
        let ca = scene.site.root.join("ca.pem");
        fs::copy(&proxy.ca, &ca).unwrap();
        fs::set_permissions(&ca, fs::Permissions::from_mode(0o644)).unwrap();
        let text = format!(
            "extends = \"strict\"\n\n[modules]\nupstreams = \"{}\"\nca = [\"{}\"]\nchecksum-database = \"{}\"\n{lines}\n",
            proxy.address,
            ca.display(),
            database.verifier()
        );
        write(&scene.profile, &text);
        scene
            .site
            .file("go.mod", "module example.test/main\n\ngo 1.21\n");
        let main =
            "package main\n\nimport \"example.test/dep\"\n\nfunc main() { println(dep.Hello()) }\n";
        scene.site.file("main.go", main);
        let caches = scene.site.root.join("caches");
        fs::create_dir(&caches).unwrap();
        let log = scene.site.root.join("audit.jsonl");
        write(&log, "");
        scene.settle();
        if is_root() {
            let user = if env == Env::Root { 65534 } else { ORDINARY };
            chown(&caches, Some(user), Some(user)).unwrap();
            chown(&log, Some(scene.site.caller()), None).unwrap();
        }
        Imports { scene, caches, log }
    }

    fn run(&self, words: &[&str]) -> Ended {
        let options = [
            "--cache-dir",
            self.caches.to_str().unwrap(),
            "--audit-log",
            self.log.to_str().unwrap(),
        ];
        self.scene.run(&options, words)
    }

    /// The audit log's lines of one event.
    fn events(&self, event: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(&self.log).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let mut lines: Vec<serde_json::Value> = lines.collect();
        lines.retain(|line| line["kind"] == event);
        lines
    }

    fn has_fetched_zip(&self) -> bool {
        let zip = "mod/cache/download/example.test/dep/@v/v1.0.0.zip";
        self.caches.join(zip).exists()
    }
}

fn environments() -> impl Iterator<Item = Env> {
    Env::ALL.into_iter().filter(|env| env.is_here())
}

/// A proxy of a tree that passes a database on.
fn serve(mut tree: Tree, database: &Database) -> Proxy {
    database.add_to(&mut tree);
    Proxy::https(move |asked| tree.answer(asked))
}

#[test]
fn go_proves_what_it_fetches_by_the_profiles_own_database() {
    for env in environments() {
        let database = Database::new(&honest(), &[DEP]);
        let proxy = serve(honest(), &database);
        let project = Imports::new(env, &proxy, &database, "");
        project.run(&TIDY).expect(0);
        project.run(&["go", "mod", "verify"]).expect(0);
        let sums = fs::read_to_string(project.scene.site.work.join("go.sum")).unwrap();
        assert_eq!(sums, honest().sums(DEP.0, DEP.1), "{env:?}");
        let fetched = project.events("module-fetched");
        let zip = fetched.iter().find(|line| line["file"] == "zip").unwrap();
        assert_eq!(zip["module"], DEP.0);
        assert_eq!(zip["upstream"], proxy.address);
    }
}

#[test]
fn a_module_that_was_tampered_with_is_refused() {
    for env in environments() {
        let database = Database::new(&honest(), &[DEP]);
        let proxy = serve(tampered(), &database);
        let project = Imports::new(env, &proxy, &database, "");
        let ended = project.run(&TIDY).expect(1);
        ended.says("SECURITY ERROR").says("checksum mismatch");
        assert!(!project.has_fetched_zip(), "{env:?}");
        assert!(!project.scene.site.work.join("go.sum").exists());
    }
}

#[test]
fn what_go_sum_lacks_is_refused_where_the_database_is_down_and_that_is_written_down() {
    for env in environments() {
        let database = Database::new(&honest(), &[DEP]);
        let tree = honest();
        let proxy = Proxy::https(move |asked| match asked.path.starts_with("/sumdb/") {
            true => Answer::Status(500, "down".to_owned()),
            false => tree.answer(asked),
        });
        let project = Imports::new(env, &proxy, &database, "");
        project.run(&TIDY).expect(1);
        assert!(!project.scene.site.work.join("go.sum").exists(), "{env:?}");
        let refused = project.events("module-refused");
        let is_lookup = |line: &serde_json::Value| {
            let rule = line["rule"].as_str().unwrap_or_default();
            rule.starts_with("modules.checksum-database")
        };
        assert!(refused.iter().any(is_lookup), "{env:?}: {refused:#?}");
        // With the sums at hand nobody has to be asked.
        let sums = honest().sums(DEP.0, DEP.1);
        project.scene.site.file("go.sum", &sums);
        project.scene.settle();
        if is_root() {
            let user = if env == Env::Root { 65534 } else { ORDINARY };
            crate::support::give_tree(&project.caches, user);
            chown(&project.log, Some(project.scene.site.caller()), None).unwrap();
        }
        project.run(&TIDY).expect(0);
    }
}

#[test]
fn a_refusal_names_the_profiles_line() {
    for env in environments() {
        let database = Database::new(&honest(), &[DEP]);
        let proxy = serve(honest(), &database);
        for (line, key, said) in [
            (
                "deny = [\"example.test/dep\"]",
                "modules.deny",
                "modules.deny example.test/dep (",
            ),
            (
                "allow = [\"example.org/*\"]",
                "modules.allow",
                "modules.allow",
            ),
            ("min-age = \"30000d\"", "modules.min-age", "modules.min-age"),
        ] {
            let project = Imports::new(env, &proxy, &database, line);
            let ended = project
                .run(&["go", "mod", "download", "example.test/dep@v1.0.0"])
                .expect(1);
            let place = format!("{}:7", project.scene.profile.display());
            ended
                .says("403 refused by gosandbox: ")
                .says(said)
                .says(&place);
            assert!(!project.has_fetched_zip(), "{env:?} {line}");
            let refused = project.events("module-refused");
            let rule = refused[0]["rule"].as_str().unwrap();
            assert!(rule.starts_with(key) && rule.contains(&place), "{rule}");
        }
    }
}
