//! A hosted tool cache: everybody may write all of it, and the Go of the job lies in it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::RUNNERS;
use crate::database::Database;
use crate::modules::{OLD, Tree};
use crate::proxy::Proxy;
use crate::runner::Runner;
use crate::support::{goroot, write};

const MODULE: &str = "golang.org/toolchain";

/// A copy of this machine's Go, and a checksum database that knows it as a release.
struct ToolCache {
    folder: TempDir,
    proxy: Proxy,
    database: Database,
}

impl ToolCache {
    fn new() -> ToolCache {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let go = folder.path().join("go/1/x64");
        let version = fs::read_to_string(goroot().join("VERSION")).unwrap();
        let (version, _) = version.split_once('\n').unwrap();
        let platform = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let version = format!("v0.0.1-{version}.linux-{platform}");
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        copy(&go);
        for name in files(&go) {
            let published = match name.strip_suffix("go.mod") {
                Some(folder) => format!("{folder}_go.mod"),
                None => name.clone(),
            };
            zip.start_file(format!("{MODULE}@{version}/{published}"), options)
                .unwrap();
            zip.write_all(&read(&go.join(&name))).unwrap();
        }
        let base = format!("/{MODULE}/@v/{version}");
        let info = format!(r#"{{"Version":"{version}","Time":"{OLD}"}}"#);
        let mut tree = Tree::default();
        for (kind, content) in [
            ("info", info.into_bytes()),
            ("mod", format!("module {MODULE}\n").into_bytes()),
            ("zip", zip.finish().unwrap().into_inner()),
        ] {
            tree.0.insert(format!("{base}.{kind}"), content);
        }
        let database = Database::new(&tree, &[(MODULE, &version)]);
        // Nothing is fetched: the Go is there, and only its hash is asked for.
        let mut served = Tree::default();
        database.add_to(&mut served);
        ToolCache {
            folder,
            proxy: Proxy::https(move |asked| served.answer(asked)),
            database,
        }
    }

    /// A profile that asks this database, which the workflow has made.
    fn profile(&self, runner: &Runner) -> PathBuf {
        let ca = runner.temp().join("ca.pem");
        fs::copy(&self.proxy.ca, &ca).unwrap();
        let profile = runner.temp().join("profile.toml");
        let text = format!(
            "extends = \"ci\"\n\n[modules]\nupstreams = \"{}\"\nca = [\"{}\"]\nchecksum-database = \"{}\"\n",
            self.proxy.address,
            ca.display(),
            self.database.verifier()
        );
        write(&profile, &text);
        profile
    }
}

/// Copies what builds of the project need of this machine's Go. Another process writes it, since it is executed.
fn copy(to: &Path) {
    fs::create_dir_all(to).unwrap();
    let script = "tar -C \"$1\" --exclude src/cmd --exclude testdata --exclude '*_test.go' --exclude 'pkg/tool/*/cgo' --exclude 'pkg/tool/*/fix' \
                  -c VERSION go.env bin lib pkg/include pkg/tool src | tar -C \"$2\" -x && chmod -R 777 \"$3\"";
    let mut command = Command::new("sh");
    command
        .args(["-e", "-c", script, "sh"])
        .arg(goroot())
        .arg(to);
    let top = to.parent().unwrap().parent().unwrap();
    assert!(
        command
            .arg(top.parent().unwrap())
            .status()
            .unwrap()
            .success()
    );
}

/// The files below a folder, by their names from there.
fn files(top: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let place = entry.unwrap().path();
            match place.is_dir() {
                true => folders.push(place),
                false => {
                    let name = place.strip_prefix(top).unwrap();
                    found.push(name.to_str().unwrap().to_owned());
                }
            }
        }
    }
    found
}

fn read(place: &Path) -> Vec<u8> {
    fs::read(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()))
}

#[test]
fn a_go_in_a_tool_cache_that_everybody_may_write_is_verified_and_used() {
    let cache = ToolCache::new();
    let bin = cache.folder.path().join("go/1/x64/bin");
    for env in RUNNERS {
        let mut runner = Runner::new(env);
        runner.adds_to_path(&bin);
        let main = "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.test/hello\"\n)\n\n\
                    func main() { fmt.Println(hello.Word()) }\n";
        runner.site.file("cmd/hello/main.go", main);
        // Without namespaces the copy is not where the original is.
        let build = match env.has_namespaces() {
            true => "go build -buildvcs=false -o",
            false => "go build -buildvcs=false -trimpath -o",
        };
        let profile = cache.profile(&runner);
        let profile = ("profile", profile.to_str().unwrap());
        let commands = format!(
            "go env GOROOT\n{build} inside ./cmd/hello\ngo test -count=1 -run TestWord ./..."
        );
        let ended = runner.action(&[("run", &commands), profile]).expect(0);
        let ended = ended.says("warning: a verified copy of the Go in ");
        if env.has_namespaces() {
            // Where it is for the steps that follow.
            assert!(
                ended
                    .stdout
                    .contains(bin.parent().unwrap().to_str().unwrap())
            );
        }
        runner
            .bash(&format!("CGO_ENABLED=0 {build} plain ./cmd/hello"))
            .expect(0);
        let work = &runner.site.work;
        assert!(
            read(&work.join("inside")) == read(&work.join("plain")),
            "{env:?}: other bytes than without gosandbox"
        );
        // The statuses of commands that fail are the same too.
        for failing in [
            "go build ./missing",
            "go vet -nonsense ./...",
            "go tool nonsense",
        ] {
            let plain = runner.bash(failing).status;
            assert_ne!(plain, 0);
            runner.action(&[("run", failing), profile]).expect(plain);
        }
    }
}
