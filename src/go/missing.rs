//! What of a project's modules is not in GOMODCACHE, told from go.mod and go.sum alone.
//!
//! A cheap look before a command that runs without any network: it may say that something is missing
//! which go would not need, and go is then asked in vain; it starts nothing and fetches nothing.

use std::path::{Component, Path, PathBuf};

use super::modfile::ModFile;
use super::version::Version;
use super::workspace::Workspace;
use super::{LARGEST, read_plain, visible};
use crate::files::look;
use crate::paths::escape_module;

/// The first Go whose go.mod lists every module that builds need.
const COMPLETE: &str = "1.17";

/// One module of the project that is not there, as `path@version`; `None` where all are.
pub fn first(workspace: &Workspace, module_cache: &Path) -> Option<String> {
    let mut all = asked_for(workspace).into_iter();
    let missing = all.find(|(module, version)| !is_there(module_cache, module, version));
    missing.map(|(module, version)| visible(&format!("{module}@{version}")))
}

/// Whether a module that holds a package is there in the version that is named (`example.com/cmd/x@v1.2.3`).
pub fn has_package(module_cache: &Path, package: &str) -> bool {
    let Some((path, version)) = package.split_once('@') else {
        return false;
    };
    // What `latest` or `v1` stand for is asked anew.
    let is_exact = version.starts_with('v') && version.split('.').count() >= 3;
    let mut modules = Path::new(path).ancestors();
    is_exact
        && modules.any(|module| {
            let module = module.to_str().filter(|module| !module.is_empty());
            module.is_some_and(|module| is_there(module_cache, module, version))
        })
}

/// The modules of the project that are there: each as `path@version`, with its folder. And whether all are.
pub fn extracted(workspace: &Workspace, module_cache: &Path) -> (Vec<(String, PathBuf)>, bool) {
    let all = asked_for(workspace);
    let there = all
        .iter()
        .filter(|(module, version)| is_there(module_cache, module, version));
    let found: Vec<_> = there
        .map(|(module, version)| {
            let place = format!("{}@{}", escape_module(module), escape_module(version));
            (format!("{module}@{version}"), module_cache.join(place))
        })
        .collect();
    let is_complete = found.len() == all.len();
    (found, is_complete)
}

/// The modules that the project may need, with their versions: those whose content go.sum knows.
fn asked_for(workspace: &Workspace) -> Vec<(String, String)> {
    if workspace.vendor {
        return Vec::new();
    }
    let modules = module_files(workspace);
    let sums: Vec<PathBuf> = modules
        .iter()
        .map(|file| file.with_extension("sum"))
        .chain(
            workspace
                .go_work
                .iter()
                .map(|file| file.with_extension("work.sum")),
        )
        .collect();
    let parsed: Vec<ModFile> = modules.iter().filter_map(|file| read_mod(file)).collect();
    let is_asked_for = |module: &str, version: &str| {
        parsed.iter().any(|file| {
            !lists_all(file)
                || file
                    .requires
                    .iter()
                    .any(|r| r.module == module && r.version == version)
                || file.replaces.iter().any(|r| !r.local && r.target == module)
        })
    };
    // What a link leads to outside is the user's, and a line of it is not to be shown.
    let is_own =
        |file: &&PathBuf| look::canonicalize(file).is_ok_and(|real| workspace.holds(&real));
    let texts = || sums.iter().filter(is_own).filter_map(|file| read(file));
    let texts: Vec<_> = look::with_rights_of(&workspace.root, || texts().collect());
    let lines = texts.iter().flat_map(|text| text.lines().filter_map(entry));
    lines
        .filter(|(module, version)| is_asked_for(module, version))
        .map(|(module, version)| (module.to_owned(), version.to_owned()))
        .collect()
}

/// The go.mod files of the modules that the project consists of.
fn module_files(workspace: &Workspace) -> Vec<PathBuf> {
    let Some(work) = &workspace.go_work else {
        return workspace.go_mod.iter().cloned().collect();
    };
    let folder = work.parent().unwrap_or(Path::new("/"));
    let uses = read_mod(work).map(|file| file.uses).unwrap_or_default();
    uses.iter()
        .map(|word| folder.join(&word.text).join("go.mod"))
        .collect()
}

fn read_mod(path: &Path) -> Option<ModFile> {
    ModFile::parse(read(path)?.as_bytes()).ok()
}

fn read(path: &Path) -> Option<String> {
    String::from_utf8(read_plain(path, LARGEST).ok()?).ok()
}

fn lists_all(file: &ModFile) -> bool {
    let line = file
        .go
        .as_ref()
        .and_then(|go| go.text.parse::<Version>().ok());
    let complete = COMPLETE.parse::<Version>();
    matches!((line, complete), (Some(line), Ok(complete)) if line >= complete)
}

/// Module and version of a line for a module's content; lines for its go.mod alone are left out.
fn entry(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_ascii_whitespace();
    let (module, version) = (words.next()?, words.next()?);
    (!version.ends_with("/go.mod")).then_some((module, version))
}

/// Whether a module is there, extracted: the command that runs next cannot write GOMODCACHE.
fn is_there(module_cache: &Path, module: &str, version: &str) -> bool {
    let (module, version) = (escape_module(module), escape_module(version));
    let place = PathBuf::from(format!("{module}@{version}"));
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !place.components().all(plain) {
        // No module is called so; go says it.
        return true;
    }
    let download = module_cache.join("cache/download").join(&module).join("@v");
    let partial = download.join(format!("{version}.partial"));
    look::is_dir(module_cache.join(place)) && !look::exists(&partial)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Scene {
        folder: tempfile::TempDir,
        workspace: Workspace,
    }

    impl Scene {
        fn new(go_mod: &str, go_sum: &str) -> Scene {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("go.mod");
            fs::write(&path, go_mod).expect("go.mod");
            fs::write(folder.path().join("go.sum"), go_sum).expect("go.sum");
            let workspace = Workspace {
                root: folder.path().to_owned(),
                go_mod: Some(path),
                ..Workspace::default()
            };
            Scene { folder, workspace }
        }

        fn fetch(&self, place: &str) {
            fs::create_dir_all(self.folder.path().join("cache").join(place)).expect("a module");
        }

        fn first(&self) -> Option<String> {
            first(&self.workspace, &self.folder.path().join("cache"))
        }
    }

    const SUM: &str = "a.example/Up v1.0.0 h1:x\na.example/Up v1.0.0/go.mod h1:x\n\
                       b.example/b v0.9.0 h1:x\nb.example/b v1.0.0/go.mod h1:x\n";

    #[test]
    fn what_go_mod_requires_and_go_sum_knows_must_be_there_extracted() {
        let require = "go 1.21\nrequire (\n\ta.example/Up v1.0.0\n\tb.example/b v1.0.0\n)\n";
        let scene = Scene::new(require, SUM);
        assert_eq!(scene.first().as_deref(), Some("a.example/Up@v1.0.0"));
        scene.fetch("a.example/!up@v1.0.0");
        // An entry of a version that is not required any more asks for nothing.
        assert_eq!(scene.first(), None);
        scene.fetch("cache/download/a.example/!up/@v");
        let partial = "cache/cache/download/a.example/!up/@v/v1.0.0.partial";
        fs::write(scene.folder.path().join(partial), "").expect("a mark");
        assert!(scene.first().is_some());
    }

    #[test]
    fn an_old_go_mod_does_not_list_everything() {
        let scene = Scene::new("go 1.16\nrequire a.example/Up v1.0.0\n", SUM);
        scene.fetch("a.example/!up@v1.0.0");
        assert_eq!(scene.first().as_deref(), Some("b.example/b@v0.9.0"));
    }

    #[test]
    fn a_replacement_is_asked_for_and_a_folder_is_not() {
        let replaced =
            "go 1.21\nrequire x.example/x v1.0.0\nreplace x.example/x => b.example/b v0.9.0\n";
        let scene = Scene::new(replaced, SUM);
        assert_eq!(scene.first().as_deref(), Some("b.example/b@v0.9.0"));
        let local = "go 1.21\nrequire a.example/x v1.0.0\nreplace a.example/x => ../x\n";
        assert_eq!(Scene::new(local, SUM).first(), None);
    }

    #[test]
    fn vendored_and_nonsensical_projects_ask_for_nothing() {
        let mut scene = Scene::new("go 1.21\nrequire a.example/Up v1.0.0\n", SUM);
        scene.workspace.vendor = true;
        assert_eq!(scene.first(), None);
        let climbing = "go 1.16\nrequire ../../etc v1\n";
        assert_eq!(Scene::new(climbing, "../../etc v1 h1:x\n").first(), None);
    }

    #[test]
    fn what_never_ends_is_not_read() {
        let require = "go 1.21\nrequire a.example/Up v1.0.0\n";
        let scene = Scene::new(require, "");
        let sum = scene.folder.path().join("go.sum");
        fs::remove_file(&sum).expect("go.sum");
        std::os::unix::fs::symlink("/dev/zero", &sum).expect("a link");
        assert_eq!(scene.first(), None);
        fs::remove_file(&sum).expect("the link");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &sum, kind, mode, 0).expect("a FIFO");
        assert_eq!(scene.first(), None);
    }
}
