//! A program with a large graph of modules, fetched once and kept, and the folder that serves them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::reachable;

/// 209 modules in its build list, 790 in its graph.
const MODULE: &str = "github.com/golangci/golangci-lint/v2@v2.1.6";

/// A project, and what a module proxy has for it.
pub struct Graph {
    pub project: PathBuf,
    pub proxy: PathBuf,
}

impl Graph {
    /// `Err` with the reason where no module proxy can be reached.
    pub fn fetch(folder: &Path) -> Result<Graph, String> {
        let cache = folder.join("fetched");
        let download = |at: &Path, words: &[&str]| {
            let go = reachable::goroot().join("bin/go");
            let mut command = Command::new(go);
            command.args(words).current_dir(at);
            command
                .env("GOMODCACHE", &cache)
                .env("GOFLAGS", "-modcacherw");
            let ended = command.output().map_err(|error| error.to_string())?;
            match ended.status.success() {
                true => Ok(ended.stdout),
                false => Err(String::from_utf8_lossy(&ended.stderr).into_owned()),
            }
        };
        let found = download(Path::new("/"), &["mod", "download", "-json", MODULE])?;
        let found: serde_json::Value =
            serde_json::from_slice(&found).map_err(|error| error.to_string())?;
        let source = Path::new(found["Dir"].as_str().ok_or("go names no folder")?);
        let project = folder.join("project");
        fs::create_dir_all(&project).map_err(|error| error.to_string())?;
        for name in ["go.mod", "go.sum"] {
            fs::copy(source.join(name), project.join(name)).map_err(|error| error.to_string())?;
        }
        // Packages that need a good part of the graph, and one that is soon compiled.
        let main = "package main\n\nimport _ \"github.com/spf13/viper\"\n\nfunc main() {}\n";
        fs::write(project.join("main.go"), main).map_err(|error| error.to_string())?;
        download(&project, &["mod", "download"])?;
        download(&project, &["list", "-m", "all"])?;
        Ok(Graph {
            project,
            proxy: cache.join("cache/download"),
        })
    }
}
