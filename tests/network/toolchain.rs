//! A toolchain that a project asks for: fetched, compared with a checksum database of the tests' own, and
//! compared again when it has changed.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::database::{Database, NAME};
use crate::modules::{OLD, Tree};
use crate::proxy::{Answer, Proxy};
use crate::support::confined::{self, NoListener};
use crate::support::{Lacks, ORDINARY, goroot, is_root, skip};
use tempfile::TempDir;

use crate::{Ended, Env, Scene, write};

pub const MODULE: &str = "golang.org/toolchain";

/// A Go that nobody has; it says what it is called with, and no more.
const GO: &str = "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc main() { fmt.Println(\"the other go\", os.Args[1:]) }\n";

pub fn version() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("v0.0.1-go1.98.7.linux-{architecture}")
}

/// The program, compiled once.
fn program() -> &'static [u8] {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("main.go");
        write(&source, GO);
        let built = Command::new(goroot().join("bin/go"))
            .args(["build", "-ldflags=-s -w", "-o"])
            .arg(folder.path().join("go"))
            .arg(&source)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-buildvcs=false")
            .status();
        assert!(built.unwrap().success());
        fs::read(folder.path().join("go")).unwrap()
    })
}

/// The files of it, with this text in one of them.
pub fn honest_files(text: &str) -> Vec<(String, Vec<u8>)> {
    let version = version();
    let (_, platform) = version.rsplit_once(".linux-").unwrap();
    let tool = format!("pkg/tool/linux_{platform}");
    let mut files = vec![
        ("VERSION".to_owned(), b"go1.98.7\n".to_vec()),
        ("bin/go".to_owned(), program().to_vec()),
        ("src/runtime/runtime.go".to_owned(), text.into()),
        ("src/go.mod".to_owned(), b"module std\n".to_vec()),
        ("go.env".to_owned(), b"# c\nGOTOOLCHAIN=auto\n".to_vec()),
    ];
    files.extend(
        ["asm", "compile", "link"].map(|name| (format!("{tool}/{name}"), program().into())),
    );
    files
}

/// The same under the names that the module has.
pub fn module_of(files: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let renamed = files.iter().map(|(name, content)| {
        let name = name.replace("go.mod", "_go.mod");
        (name, content.clone())
    });
    renamed.collect()
}

/// The module that holds it, with this text in a file of it.
fn tree(text: &str) -> Tree {
    tree_of(&module_of(&honest_files(text)))
}

/// A module of these files.
pub fn tree_of(files: &[(String, Vec<u8>)]) -> Tree {
    let version = version();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in files {
        zip.start_file(format!("{MODULE}@{version}/{name}"), options)
            .unwrap();
        zip.write_all(content).unwrap();
    }
    let base = format!("/{MODULE}/@v/{version}");
    let info = format!(r#"{{"Version":"{version}","Time":"{OLD}"}}"#);
    let files = [
        ("info", info.into_bytes()),
        ("mod", format!("module {MODULE}\n").into_bytes()),
        ("zip", zip.finish().unwrap().into_inner()),
    ];
    let files = files.map(|(kind, content)| (format!("{base}.{kind}"), content));
    Tree(files.into())
}

pub fn database(tree: &Tree) -> Database {
    Database::new(tree, &[(MODULE, &version())])
}

/// A project that asks for it, with nothing to fetch from but these.
pub struct Asks {
    pub scene: Scene,
    /// The caches: where nobody but its owner and root can change the way to it.
    cache: TempDir,
}

impl Asks {
    /// `None`, said loudly, where no such folder can be made.
    fn new(env: Env, upstreams: &str, ca: Option<&Path>, database: &Database) -> Option<Asks> {
        let scene = Scene::new(env);
        let place = match is_root() {
            true => PathBuf::from("/var/cache"),
            false => PathBuf::from(std::env::var_os("HOME").unwrap_or("/tmp".into())),
        };
        let changes = |folder: &Path| folder.metadata().unwrap().permissions().mode() & 0o002 != 0;
        if place.ancestors().any(changes) {
            skip(
                Lacks::Root,
                &format!("others can change {}", place.display()),
            );
            return None;
        }
        let cache = tempfile::Builder::new()
            .prefix("gosandbox-tests-")
            .tempdir_in(place)
            .unwrap();
        if is_root() {
            let owner = if env == Env::Root {
                65534
            } else {
                scene.site.caller()
            };
            let owner = if env == Env::Container {
                ORDINARY
            } else {
                owner
            };
            chown(cache.path(), Some(owner), Some(owner)).unwrap();
        }
        let mut text = format!(
            "extends = \"strict\"\n\n[modules]\nupstreams = \"{upstreams}\"\nchecksum-database = \"{}\"\n",
            database.verifier()
        );
        if let Some(ca) = ca {
            let own = scene.site.root.join("ca.pem");
            fs::copy(ca, &own).unwrap();
            fs::set_permissions(&own, fs::Permissions::from_mode(0o644)).unwrap();
            text.push_str(&format!("ca = [\"{}\"]\n", own.display()));
        }
        write(&scene.profile, &text);
        fs::remove_file(scene.site.work.join("main.go")).unwrap();
        let go_mod = "module example.test/main\n\ngo 1.98.7\n";
        scene.site.file("go.mod", go_mod);
        scene.settle();
        Some(Asks { scene, cache })
    }

    pub fn of(env: Env, proxy: &Proxy, database: &Database) -> Option<Asks> {
        Asks::new(env, &proxy.address, Some(&proxy.ca), database)
    }

    /// `go version`, by a caller whose Go is not set up to stay what it is.
    fn command(&self, options: &[&str]) -> Command {
        let cache = ["--cache-dir", self.cache.path().to_str().unwrap()];
        let options = [&cache, options].concat();
        let mut command = self.scene.command(&options, &["go", "version"]);
        command.env("GOTOOLCHAIN", "auto");
        command
    }

    /// Another command.
    pub fn words(&self, words: &[&str]) -> Command {
        let cache = ["--cache-dir", self.cache.path().to_str().unwrap()];
        self.scene.command(&cache, words)
    }

    fn run(&self, options: &[&str]) -> Ended {
        Ended::of(&mut self.command(options))
    }

    /// Where it lies when it has been fetched.
    pub fn goroot(&self) -> PathBuf {
        let folder = format!("{MODULE}@{}", version());
        self.cache.path().join("mod").join(folder)
    }
}

pub fn honest() -> Tree {
    tree("package runtime\n")
}

/// A database that knows the module by the files of `known`, and these files together with it.
fn served(files: &Tree, known: &Tree) -> (Database, Tree) {
    let database = database(known);
    let mut served = files.clone();
    database.add_to(&mut served);
    (database, served)
}

pub fn serve(tree: Tree) -> Proxy {
    Proxy::https(move |asked| tree.answer(asked))
}

/// Writes to a file as whoever can write the module cache can, and leaves its length and mode.
fn poison(path: &Path, from: &str, to: &str) {
    let content = fs::read(path).unwrap();
    let mode = path.metadata().unwrap().permissions();
    let at = content
        .windows(from.len())
        .position(|part| part == from.as_bytes());
    let mut changed = content.clone();
    changed[at.unwrap()..][..to.len()].copy_from_slice(to.as_bytes());
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, changed).unwrap();
    fs::set_permissions(path, mode).unwrap();
}

#[test]
fn a_toolchain_is_fetched_once_and_refused_when_it_was_changed() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (database, served) = served(&honest(), &honest());
        let proxy = serve(served);
        let Some(asks) = Asks::of(env, &proxy, &database) else {
            return;
        };
        let first = asks.run(&[]).expect(0);
        assert_eq!(first.stdout, "the other go [version]\n", "{env:?}");
        let asked = proxy.paths();
        let looked_up = format!("/sumdb/{NAME}/lookup/{MODULE}@{}", version());
        assert!(asked.contains(&looked_up), "{env:?}: {asked:#?}");
        asks.run(&[]).expect(0).says("the other go");
        assert_eq!(proxy.paths(), asked, "{env:?}: it is known now");
        poison(
            &asks.goroot().join("bin/go"),
            "the other go",
            "an evil go!!",
        );
        let changed = asks.run(&[]).expect(125);
        assert_eq!(changed.stdout, "");
        changed.refused("toolchain-changed");
    }
}

/// What a program that could write the module cache would do: a zip, what was extracted from it and the
/// sum of both say the same.
#[test]
fn a_toolchain_whose_sum_was_exchanged_too_is_refused_by_the_database() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (database, served) = served(&honest(), &honest());
        let proxy = serve(served);
        let Some(asks) = Asks::of(env, &proxy, &database) else {
            return;
        };
        asks.run(&[]).expect(0);
        exchange(&asks);
        let changed = asks.run(&[]).expect(125);
        assert_eq!(changed.stdout, "", "{env:?}");
        changed.refused("toolchain-changed");
    }
}

fn exchange(asks: &Asks) {
    let goroot = asks.goroot();
    poison(&goroot.join("src/runtime/runtime.go"), "package", "pancake");
    let module = format!("{MODULE}@{}", version());
    let sum = gosandbox::go::dirhash::h1(&goroot, &module).unwrap();
    let known = asks.cache.path().join(format!(
        "mod/cache/download/{MODULE}/@v/{}.ziphash",
        version()
    ));
    let old = fs::read_to_string(&known).unwrap();
    poison(&known, &old, &sum);
}

#[test]
fn a_toolchain_that_the_database_knows_by_another_sum_is_never_executed() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let (database, served) = served(&tree("package pancake\n"), &honest());
        let proxy = serve(served);
        let Some(asks) = Asks::of(env, &proxy, &database) else {
            return;
        };
        let ended = asks.run(&[]).expect(125).says("checksum mismatch");
        assert_eq!(ended.stdout, "", "{env:?}");
        assert!(!asks.goroot().exists());
    }
}

#[test]
fn a_toolchain_is_refused_where_the_database_is_down_and_that_is_written_down() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let honest = honest();
        let database = database(&honest);
        let proxy = Proxy::https(move |asked| match asked.path.starts_with("/sumdb/") {
            true if asked.path.ends_with("/supported") => Answer::Whole(Vec::new()),
            true => Answer::Status(500, "down".to_owned()),
            false => honest.answer(asked),
        });
        let Some(asks) = Asks::of(env, &proxy, &database) else {
            return;
        };
        let log = asks.scene.site.root.join("audit.jsonl");
        write(&log, "");
        if is_root() {
            chown(&log, Some(asks.scene.site.caller()), None).unwrap();
        }
        let options = ["--audit-log", log.to_str().unwrap()];
        let ended = asks.run(&options).expect(125).refused("toolchain-missing");
        assert_eq!(ended.stdout, "", "{env:?}");
        let text = fs::read_to_string(&log).unwrap();
        let rule = "\"rule\":\"modules.checksum-database";
        let refused = |line: &str| line.contains(rule) && line.contains(MODULE);
        assert!(text.lines().any(refused), "{env:?}: {text}");
    }
}

/// Where the profile has no checksum database, go takes a toolchain from a folder that is the only proxy. A
/// module cache that says everywhere the same lie is not to be believed for it.
#[test]
fn without_the_gateway_no_folder_vouches_for_a_toolchain() {
    for env in [Env::Restricted, Env::Container]
        .into_iter()
        .filter(|env| env.is_here())
    {
        let (database, served) = served(&honest(), &honest());
        let proxy = serve(served.clone());
        let Some(asks) = Asks::of(env, &proxy, &database) else {
            return;
        };
        asks.run(&[]).expect(0);
        let without = || {
            let mut command = asks.command(&[]);
            confined::without_listener(&mut command, NoListener::Another);
            Ended::of(&mut command)
        };
        // It was compared before, and is what it was.
        without().expect(0).says("the other go");
        let folder = asks.scene.site.root.join("proxy");
        served.write(&folder);
        exchange(&asks);
        let text = fs::read_to_string(&asks.scene.profile).unwrap();
        let upstream = format!("file://{}", folder.display());
        let text = text.replace(&proxy.address, &upstream);
        let database = database.verifier();
        for database_is in [database.as_str(), "off"] {
            write(&asks.scene.profile, &text.replace(&database, database_is));
            asks.scene.settle();
            let changed = without().expect(125);
            assert_eq!(changed.stdout, "", "{env:?} {database_is}");
            changed.refused("toolchain-changed");
        }
    }
}
