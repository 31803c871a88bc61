//! The files that a go command line names, to be written or read.
//!
//! Relative names are resolved as the go command resolves them: against its folder after `-C`,
//! and test profiles against `-outputdir`.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use super::command::{Call, Kind, Output};
use super::flags::Parsed;
use crate::files::look;
use crate::paths::clean;
use crate::policy::is_device;

/// A command line at its place.
pub(super) struct Place<'a> {
    pub call: &'a Call<'a>,
    pub name: &'a str,
    pub parsed: &'a Parsed,
    pub cwd: &'a Path,
    pub own_tool: bool,
}

const PROFILES: [(&str, &str); 6] = [
    ("blockprofile", "-blockprofile"),
    ("coverprofile", "-coverprofile"),
    ("cpuprofile", "-cpuprofile"),
    ("memprofile", "-memprofile"),
    ("mutexprofile", "-mutexprofile"),
    ("trace", "-trace"),
];

const DEBUG: [(&str, &str); 3] = [
    ("debug-actiongraph", "-debug-actiongraph"),
    ("debug-runtime-trace", "-debug-runtime-trace"),
    ("debug-trace", "-debug-trace"),
];

struct Sink<'a> {
    cwd: &'a Path,
    outputs: Vec<Output>,
}

impl Sink<'_> {
    fn add(&mut self, base: &Path, value: &OsStr, kind: Kind, flag: &'static str) {
        // Device files are there already, and need no grant of their own.
        if !value.is_empty() && !is_device(Path::new(value)) {
            let path = base.join(value);
            self.outputs.push(Output {
                // What comes before `..` may be a link, and then the kernel goes elsewhere than the words say.
                path: match goes_back(value) {
                    true => path,
                    false => clean(&path),
                },
                kind,
                flag,
            });
        }
    }

    /// `-o`: a folder where it ends in a slash or is one.
    fn add_binary(&mut self, value: &OsStr, file: Kind) {
        let folder = value.as_encoded_bytes().ends_with(b"/") || look::is_dir(self.cwd.join(value));
        let kind = if folder { Kind::Folder } else { file };
        self.add(self.cwd, value, kind, "-o");
    }
}

/// Whether a path has a name before `..`.
fn goes_back(value: &OsStr) -> bool {
    let mut parts = Path::new(value).components();
    parts.any(|part| matches!(part, Component::Normal(_)))
        && parts.any(|part| part == Component::ParentDir)
}

/// Everything that is to be written by name.
pub(super) fn outputs(place: &Place<'_>) -> Vec<Output> {
    let mut sink = Sink {
        cwd: place.cwd,
        outputs: Vec::new(),
    };
    let parsed = place.parsed;
    match place.name {
        "build" | "test" => parsed
            .value("o")
            .into_iter()
            .for_each(|v| sink.add_binary(v, Kind::Program)),
        "mod vendor" | "work vendor" => {
            parsed
                .value("o")
                .into_iter()
                .for_each(|v| sink.add(place.cwd, v, Kind::Folder, "-o"));
        }
        "install" => install(place, &mut sink),
        "clean" if parsed.is_set("i") => install(place, &mut sink),
        "tool" if place.own_tool => tool(place, &mut sink),
        "mod edit" | "work edit" if !parsed.is_set("json") && !parsed.is_set("print") => {
            let is_outside = |file: &&OsString| {
                let path = clean(&place.cwd.join(file));
                place.call.root.is_none_or(|root| !path.starts_with(root))
            };
            let files = parsed.arguments.iter().filter(is_outside);
            files.for_each(|file| sink.add(place.cwd, file, Kind::File, "go edit"));
        }
        _ => {}
    }
    // With -c nothing runs, and no flag of the test binary's has anything written.
    let is_run = place.name == "run" || place.name == "test" && !parsed.is_set("c");
    if place.name == "test" && is_run {
        test(place, &mut sink);
    }
    if is_run && let Some(folder) = place.call.gocoverdir {
        sink.add(place.cwd, folder, Kind::Coverage, "GOCOVERDIR");
    }
    for (name, flag) in DEBUG {
        parsed
            .value(name)
            .into_iter()
            .for_each(|v| sink.add(place.cwd, v, Kind::File, flag));
    }
    sink.outputs.sort();
    sink.outputs.dedup();
    sink.outputs
}

fn install(place: &Place<'_>, sink: &mut Sink<'_>) {
    // Go itself refuses one that is not absolute.
    if let Some(gobin) = place.call.gobin.filter(|gobin| gobin.is_absolute()) {
        sink.add(place.cwd, gobin.as_os_str(), Kind::Folder, "GOBIN");
    }
}

fn test(place: &Place<'_>, sink: &mut Sink<'_>) {
    let given = |name: &str| {
        place
            .parsed
            .value(name)
            .or_else(|| place.parsed.value(&format!("test.{name}")))
    };
    let folder = given("outputdir").filter(|v| !v.is_empty());
    let base = folder.map_or_else(|| place.cwd.to_owned(), |f| clean(&place.cwd.join(f)));
    // The go command itself writes a coverage profile, and needs no more than the file.
    let is_one_file = place.parsed.program.is_empty()
        && PROFILES
            .iter()
            .all(|(name, _)| given(name).is_some() == (*name == "coverprofile"));
    if let Some(folder) = folder.filter(|_| !is_one_file) {
        sink.add(place.cwd, folder, Kind::Folder, "-outputdir");
    }
    for (name, flag) in PROFILES {
        given(name)
            .into_iter()
            .for_each(|v| sink.add(&base, v, Kind::File, flag));
    }
    if place.parsed.is_set("artifacts") || place.parsed.is_set("test.artifacts") {
        let name = OsStr::new("_artifacts");
        sink.add(&base, name, Kind::Artifacts, "-artifacts");
    }
    // Given to the test binary itself, which knows them under their long names only.
    for word in &place.parsed.program {
        let Some((name, value)) = word
            .to_str()
            .and_then(|w| w.trim_start_matches('-').split_once('='))
        else {
            continue;
        };
        let Some(name) = name.strip_prefix("test.") else {
            continue;
        };
        let value = OsStr::new(value);
        match name {
            "gocoverdir" => sink.add(place.cwd, value, Kind::Folder, "-test.gocoverdir"),
            "outputdir" => sink.add(place.cwd, value, Kind::Folder, "-outputdir"),
            _ => {
                if let Some((_, flag)) = PROFILES.iter().find(|(p, _)| *p == name) {
                    sink.add(&base, value, Kind::File, flag);
                }
            }
        }
    }
}

/// Flags of Go's own tools that name a file to write.
const TOOL_FILES: [(&str, &str); 10] = [
    ("asmhdr", "-asmhdr"),
    ("blockprofile", "-blockprofile"),
    ("cpuprofile", "-cpuprofile"),
    ("dynout", "-dynout"),
    ("exportheader", "-exportheader"),
    ("linkobj", "-linkobj"),
    ("memprofile", "-memprofile"),
    ("mutexprofile", "-mutexprofile"),
    ("benchmarkprofile", "-benchmarkprofile"),
    ("traceprofile", "-traceprofile"),
];

/// Flags of Go's own tools that name a folder to write in.
const TOOL_FOLDERS: [(&str, &str); 3] = [
    ("capturehostobjs", "-capturehostobjs"),
    ("objdir", "-objdir"),
    ("tmpdir", "-tmpdir"),
];

/// Go's own tools write where `-o` or `-output` says, and a few other flags; `pack` where its second word does.
fn tool(place: &Place<'_>, sink: &mut Sink<'_>) {
    let words = &place.parsed.arguments;
    let file = match words.first() {
        Some(tool) if tool == "link" => Kind::Program,
        _ => Kind::File,
    };
    if let [tool, operation, archive, ..] = words.as_slice()
        && tool == "pack"
        && operation
            .as_encoded_bytes()
            .iter()
            .any(|it| b"cr".contains(it))
    {
        sink.add(place.cwd, archive, Kind::File, "go tool pack");
    }
    for (i, word) in words.iter().enumerate() {
        let Some(word) = word.to_str() else { continue };
        let flag = word
            .strip_prefix("--")
            .or_else(|| word.strip_prefix('-'))
            .unwrap_or_default();
        let (flag, value) = match flag.split_once('=') {
            Some((flag, value)) => (flag, Some(OsStr::new(value))),
            None => (flag, words.get(i + 1).map(OsString::as_os_str)),
        };
        let Some(value) = value else { continue };
        if matches!(flag, "o" | "output") {
            sink.add_binary(value, file);
        }
        let named = |known: &[(&str, &'static str)]| {
            let found = known.iter().find(|(name, _)| *name == flag);
            found.map(|(_, shown)| *shown)
        };
        if let Some(shown) = named(&TOOL_FILES) {
            sink.add(place.cwd, value, Kind::File, shown);
        } else if let Some(shown) = named(&TOOL_FOLDERS) {
            sink.add(place.cwd, value, Kind::Folder, shown);
        }
    }
}

/// Commands whose arguments are packages.
const PACKAGES: [&str; 6] = ["build", "fix", "install", "list", "test", "vet"];

/// Whether an argument is a folder of the project by its words.
fn is_folder_within(place: &Place<'_>, word: &OsStr) -> bool {
    let is_path = ["./", "../", "/"].iter().any(|start| {
        let word = word.as_encoded_bytes();
        word.starts_with(start.as_bytes())
    });
    let path = clean(&place.cwd.join(word));
    let root = place.call.root.filter(|root| path.starts_with(root));
    is_path && root.is_some() && look::is_dir(&path)
}

/// Everything that is to be read by name, beside the packages of the project.
pub(super) fn inputs(place: &Place<'_>, executes: &[OsString]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut add = |value: &OsStr| found.push(clean(&place.cwd.join(value)));
    for name in ["modfile", "overlay", "pgo", "reuse"] {
        match place.parsed.value(name) {
            Some(value) if name == "pgo" && (value == "auto" || value == "off") => {}
            Some(value) => add(value),
            None => {}
        }
    }
    // A folder is no program, and is not shown for it.
    let by_path = |program: &&OsString| {
        let is_path = program.as_encoded_bytes().contains(&b'/');
        is_path && look::is_file(place.cwd.join(program))
    };
    executes.iter().filter(by_path).for_each(|it| add(it));
    let is_source = |word: &OsStr| Path::new(word).extension().is_some_and(|e| e == "go");
    let arguments = &place.parsed.arguments;
    // A package's folder may be a link.
    let packages = match place.name {
        // What follows the package is its program's.
        "run" => arguments.get(..1).unwrap_or_default(),
        name if PACKAGES.contains(&name) => arguments.as_slice(),
        _ => &[],
    };
    let within = packages.iter().filter(|word| is_folder_within(place, word));
    within.for_each(|word| add(word));
    match place.name {
        "run" => arguments
            .iter()
            .take_while(|a| is_source(a))
            .for_each(|a| add(a)),
        "version" | "mod edit" | "work edit" => arguments.iter().for_each(|a| add(a)),
        // With -r it looks for modules anywhere below.
        "work use" if place.parsed.is_set("r") => arguments.iter().for_each(|a| add(a)),
        "work use" | "work init" => arguments
            .iter()
            .for_each(|a| add(Path::new(a).join("go.mod").as_os_str())),
        "tool" if place.own_tool => {
            for word in arguments.iter().skip(1) {
                let value = match word.to_str().and_then(|w| w.split_once('=')) {
                    Some((flag, value)) if flag.starts_with('-') => OsStr::new(value),
                    _ => word.as_os_str(),
                };
                if look::exists(place.cwd.join(value)) {
                    add(value);
                }
            }
        }
        _ => arguments
            .iter()
            .filter(|a| is_source(a))
            .for_each(|a| add(a)),
    }
    found.sort();
    found.dedup();
    found
}
