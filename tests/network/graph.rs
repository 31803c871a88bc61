//! A module with hundreds of others behind it, from the proxy that this machine reaches.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::support::{Lacks, base, goroot, is_root, skip};
use crate::{Ended, scenes, write};

/// A module with a small program, and a graph of hundreds of modules.
const LARGE: &str = "github.com/spf13/cobra@v1.3.0";

/// The upstream that this machine's Go is set up for, and the module's source; `None`, said loudly,
/// where it cannot be reached.
fn large() -> Option<(String, PathBuf)> {
    let go = goroot().join("bin/go");
    let asked = Command::new(&go).args(["env", "GOPROXY"]).output().unwrap();
    let upstream = String::from_utf8(asked.stdout).unwrap();
    let upstream = upstream.split([',', '|']).next().unwrap().trim().to_owned();
    let cache = base().join(format!("large-{}", std::process::id()));
    let fetched = Command::new(&go)
        .args(["mod", "download", "-json", "-modcacherw", LARGE])
        .env("GOMODCACHE", &cache)
        .env("GOFLAGS", "")
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&fetched.stdout);
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
    match answer["Dir"].as_str() {
        Some(folder) if fetched.status.success() => Some((upstream, folder.into())),
        _ => {
            let reason = format!("no module proxy can be reached: {said}");
            skip(Lacks::Internet, &reason);
            None
        }
    }
}

/// A file of a module: its place below `cache/download`, how long it is, its SHA-256. Of a `.info` the go
/// command keeps what it has read of it, in words of its own, so that only its place can be compared.
type Fetched = (String, Option<(u64, String)>);

fn file(place: String, bytes: u64, hash: String) -> Fetched {
    let same = !place.ends_with(".info");
    (place, same.then_some((bytes, hash)))
}

/// What the log lists.
fn fetched(log: &Path) -> BTreeSet<Fetched> {
    let text = fs::read_to_string(log).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &serde_json::Value| line["kind"] == "module-fetched")
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            let place = format!("{}/@v/{}.{}", text("module"), text("version"), text("file"));
            let bytes = line["bytes"].as_u64().unwrap();
            file(escaped(&place), bytes, text("sha256"))
        })
        .collect()
}

/// A capital letter is a small one after an exclamation mark.
fn escaped(path: &str) -> String {
    let each = |c: char| match c.is_ascii_uppercase() {
        true => format!("!{}", c.to_ascii_lowercase()),
        false => c.to_string(),
    };
    path.chars().map(each).collect()
}

/// What the go command has kept of what it fetched.
fn kept(module_cache: &Path) -> BTreeSet<Fetched> {
    let root = module_cache.join("cache/download");
    let mut found = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.extension().and_then(|kind| kind.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if matches!(kind, Some("info" | "mod" | "zip")) {
                let content = fs::read(&path).unwrap();
                let hash = Sha256::digest(&content);
                let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                let place = path.strip_prefix(&root).unwrap().to_str().unwrap();
                found.insert(file(place.to_owned(), content.len() as u64, hash));
            }
        }
    }
    found
}

#[test]
fn a_module_with_a_large_graph_is_built_and_tested_as_bare() {
    let Some((upstream, source)) = large() else {
        return;
    };
    for scene in scenes() {
        let env = scene.site.env;
        fs::remove_file(scene.site.work.join("main.go")).unwrap();
        scene.site.copy(&source);
        write(
            &scene.profile,
            &format!("extends = \"strict\"\n\n[modules]\nupstreams = \"{upstream}\"\n"),
        );
        scene.settle();
        let log = scene.site.root.join("audit.jsonl");
        write(&log, "");
        scene.settle();
        let is_callers = |path: &Path| chown(path, Some(scene.site.caller()), None);
        if is_root() {
            is_callers(&log).unwrap();
            is_callers(&scene.profile).unwrap();
        }
        let options = ["--audit-log", log.to_str().unwrap()];
        let build = ["go", "build", "-buildvcs=false", "-o", "program", "./cobra"];
        scene.run(&options, &build).expect(0);
        let boxed = fs::read(scene.site.work.join("program")).unwrap();
        // The same folder of modules, so that the paths in the program are the same.
        let mut bare = scene.site.bare(&build);
        bare.env("CGO_ENABLED", "0")
            .env("GOMODCACHE", scene.module_cache());
        Ended::of(&mut bare).expect(0);
        let same = boxed == fs::read(scene.site.work.join("program")).unwrap();
        assert!(same, "{env:?}: other bytes than bare");
        let test = ["go", "test", "-buildvcs=false", ".", "./doc"];
        let tested = scene.run(&options, &test).expect(0);
        assert_eq!(tested.stdout.matches("ok  ").count(), 2, "{tested:?}");
        let (listed, kept) = (fetched(&log), kept(&scene.module_cache()));
        assert!(kept.len() > 300, "{env:?}: {}", kept.len());
        let unlisted: Vec<_> = kept.difference(&listed).collect();
        assert!(
            unlisted.is_empty(),
            "{env:?}: not in the log: {unlisted:#?}"
        );
        let elsewhere: Vec<_> = listed.difference(&kept).collect();
        assert!(
            elsewhere.is_empty(),
            "{env:?}: only in the log: {elsewhere:#?}"
        );
    }
    fs::remove_dir_all(source.ancestors().nth(3).unwrap()).unwrap();
}
