//! Modules that the tests make, and their sums.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};

use super::proxy::{Answer, Asked};

/// Files of a module proxy, by path.
#[derive(Clone, Debug, Default)]
pub struct Tree(pub BTreeMap<String, Vec<u8>>);

/// A module's version.
pub struct Module<'a> {
    pub path: &'a str,
    pub version: &'a str,
    pub time: &'a str,
    /// Its files but go.mod.
    pub files: &'a [(&'a str, &'a str)],
    /// Lines of its go.mod below `module` and `go`.
    pub requires: &'a str,
}

pub const OLD: &str = "2020-01-02T03:04:05Z";

impl Tree {
    /// Adds a module whose package says hello.
    pub fn hello(&mut self, path: &str, version: &str) -> &mut Tree {
        let name = path.rsplit('/').next().unwrap();
        let source =
            format!("package {name}\n\nfunc Hello() string {{ return \"{path} {version}\" }}\n");
        self.module(&Module {
            path,
            version,
            time: OLD,
            files: &[("hello.go", &source)],
            requires: "",
        })
    }

    pub fn module(&mut self, module: &Module<'_>) -> &mut Tree {
        self.module_for(module, "1.21")
    }

    /// Adds a module that needs this version of Go.
    pub fn module_for(&mut self, module: &Module<'_>, go: &str) -> &mut Tree {
        let Module { path, version, .. } = module;
        let gomod = format!("module {path}\n\ngo {go}\n{}", module.requires);
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        let files = module
            .files
            .iter()
            .copied()
            .chain([("go.mod", gomod.as_str())]);
        for (name, content) in files {
            zip.start_file(format!("{path}@{version}/{name}"), options)
                .unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        let info = format!(r#"{{"Version":"{version}","Time":"{}"}}"#, module.time);
        let base = format!("/{}/@v", escape(path));
        self.0.insert(format!("{base}/{version}.info"), info.into());
        self.0.insert(format!("{base}/{version}.mod"), gomod.into());
        let zip = zip.finish().unwrap().into_inner();
        self.0.insert(format!("{base}/{version}.zip"), zip);
        let list = self.0.entry(format!("{base}/list")).or_default();
        list.extend(format!("{version}\n").bytes());
        self
    }

    /// What a proxy of this tree answers.
    pub fn answer(&self, asked: &Asked) -> Answer {
        match self.0.get(&asked.path) {
            Some(body) => Answer::Whole(body.clone()),
            None => Answer::Status(404, "not found: no such thing here".to_owned()),
        }
    }

    /// Writes it into a folder.
    pub fn write(&self, folder: &Path) {
        for (path, body) in &self.0 {
            let file = folder.join(&path[1..]);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, body).unwrap();
        }
    }

    /// The lines of go.sum for a version: of its zip, and of its go.mod.
    pub fn sums(&self, path: &str, version: &str) -> String {
        let base = format!("/{}/@v/{version}", escape(path));
        let zip = &self.0[&format!("{base}.zip")];
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
        let mut lines = Vec::new();
        for at in 0..archive.len() {
            let mut file = archive.by_index(at).unwrap();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut content).unwrap();
            lines.push((file.name().to_owned(), content));
        }
        let gomod = vec![("go.mod".to_owned(), self.0[&format!("{base}.mod")].clone())];
        format!(
            "{path} {version} {}\n{path} {version}/go.mod {}\n",
            h1(lines),
            h1(gomod)
        )
    }
}

/// Go's hash of a folder.
fn h1(mut files: Vec<(String, Vec<u8>)>) -> String {
    files.sort();
    let mut all = Sha256::new();
    for (name, content) in files {
        all.update(format!("{}  {name}\n", hex(&Sha256::digest(content))));
    }
    format!("h1:{}", BASE64_STANDARD.encode(all.finalize()))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn escape(path: &str) -> String {
    let each = |c: char| match c.is_ascii_uppercase() {
        true => format!("!{}", c.to_ascii_lowercase()),
        false => c.to_string(),
    };
    path.chars().map(each).collect()
}
