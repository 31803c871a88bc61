//! Who else could change the programs, libraries and caches that a build uses: owners, modes and set-id bits.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Found;
use super::machine::{Kind, Machine, Report, kind};
use super::start_up::{Origin, Setting};
use crate::files::look;
use crate::finding::FindingCode;
use crate::go::trust::{Trust, Untrusted};

/// How many entries of GOROOT are looked at. Go 1.26 has about 15,000.
const MOST_ENTRIES: usize = 200_000;
/// How many entries of one folder's tree are named; the rest are counted.
const MOST_NAMED: usize = 10;
const SET_ID: u32 = 0o6000;

/// Looks at the places.
pub(super) fn examine(machine: &Machine, settings: &[Setting], report: &Report) {
    let mut named = BTreeSet::new();
    let mut way = |path: &Path, what: &str| on_the_way(machine, report, path, what, &mut named);
    let path = machine
        .variable("PATH")
        .map(|path| path.to_string_lossy().into_owned());
    for entry in path.iter().flat_map(|path| path.split(':')) {
        if !entry.starts_with('/') {
            let message =
                format!("has {entry:?}, which is another folder wherever a command is run");
            report.add(Found::about(
                FindingCode::PathEntryRelative,
                "PATH",
                format!("PATH {message}"),
            ));
            continue;
        }
        way(Path::new(entry), "PATH");
    }
    for (path, what) in folders(machine, settings) {
        way(&path, what);
        if matches!(what, "GOBIN" | "GOPATH") {
            let bin = if what == "GOPATH" {
                path.join("bin")
            } else {
                path
            };
            set_ids(machine, report, &bin);
        }
    }
    if let Some(goroot) = &machine.goroot {
        way(goroot, "GOROOT");
        tree(machine, report, goroot, &named);
    }
}

/// The folders that the go command's settings name, as it finds them.
fn folders(machine: &Machine, settings: &[Setting]) -> Vec<(PathBuf, &'static str)> {
    let home = machine.home();
    let below = |name: &str| home.as_ref().map(|home| home.join(name));
    let named = |name: &str| {
        let all = settings
            .iter()
            .filter(|setting| setting.name == name && !setting.value.is_empty());
        let mut counts = all.filter(|setting| !matches!(setting.origin, Origin::File(..)));
        counts.next().map(|setting| setting.value.clone())
    };
    let gopath = named("GOPATH").or_else(|| Some(below("go")?.display().to_string()));
    let gopaths: Vec<PathBuf> = gopath
        .iter()
        .flat_map(|list| list.split(':'))
        .map(PathBuf::from)
        .collect();
    let cache = machine
        .variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| below(".cache"));
    let mut found: Vec<(PathBuf, &'static str)> = Vec::new();
    found.extend(gopaths.iter().map(|path| (path.clone(), "GOPATH")));
    found.extend(named("GOBIN").map(|path| (path.into(), "GOBIN")));
    let modules = named("GOMODCACHE").map(PathBuf::from);
    found.extend(
        modules
            .or_else(|| Some(gopaths.first()?.join("pkg/mod")))
            .map(|path| (path, "GOMODCACHE")),
    );
    let built = named("GOCACHE").map(PathBuf::from);
    found.extend(
        built
            .or_else(|| Some(cache?.join("go-build")))
            .map(|path| (path, "GOCACHE")),
    );
    found.extend(
        machine
            .config()
            .map(|config| (config.join("go/env"), "go env -w")),
    );
    found.retain(|(path, _)| path.is_absolute());
    found
}

/// Who could swap what a path leads to.
fn on_the_way(
    machine: &Machine,
    report: &Report,
    path: &Path,
    what: &str,
    named: &mut BTreeSet<PathBuf>,
) {
    let noted = RefCell::new(Vec::new());
    let trust = Trust::new(machine.who.uid, machine.who.gid);
    // A path that is not there has been judged as far as it goes.
    let _end = trust
        .noting(&noted)
        .resolve_below(&machine.root, &machine.at(path));
    for untrusted in noted.into_inner() {
        let Ok(below) = untrusted.path().strip_prefix(&machine.root) else {
            continue;
        };
        let real = Path::new("/").join(below);
        let Some((code, how)) = change(&untrusted) else {
            continue;
        };
        if named.insert(real.clone()) {
            let message = format!("{how}, and {what} leads through it");
            report.add(Found::at(code, &real, None, message));
        }
    }
}

/// Who can change what was judged.
fn change(untrusted: &Untrusted) -> Option<(FindingCode, String)> {
    match untrusted {
        Untrusted::WorldWritable { mode, .. } => Some((
            FindingCode::WritableByOthers,
            format!("is writable by every user (mode {mode:o})"),
        )),
        Untrusted::GroupWritable { mode, gid, .. } => Some((
            FindingCode::WritableByOthers,
            format!("is writable by group {gid} (mode {mode:o})"),
        )),
        Untrusted::Owner { owner, .. } => Some((
            FindingCode::WrongOwner,
            format!("belongs to user {owner}, who is neither root nor you"),
        )),
        Untrusted::Unreadable { .. } | Untrusted::Loop(_) => None,
    }
}

/// What is wrong with one file or folder by itself.
fn wrong(machine: &Machine, found: &Metadata) -> Option<(FindingCode, String)> {
    let mode = found.mode() & 0o7777;
    let is = kind(found.mode());
    if is == Kind::Other {
        return None;
    }
    if is == Kind::File && mode & SET_ID != 0 {
        return Some((
            FindingCode::SetIdProgram,
            format!("has a set-id bit (mode {mode:o}): it runs as its owner or group"),
        ));
    }
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        return Some((
            FindingCode::WritableByOthers,
            format!("is writable by every user (mode {mode:o})"),
        ));
    }
    let owner = found.uid();
    if owner != 0 && owner != machine.who.uid {
        return Some((
            FindingCode::WrongOwner,
            format!("belongs to user {owner}, who is neither root nor you"),
        ));
    }
    None
}

/// Each entry of GOROOT but those that were named on the way to something.
fn tree(machine: &Machine, report: &Report, goroot: &Path, named: &BTreeSet<PathBuf>) {
    let mut folders = vec![goroot.to_owned()];
    let (mut seen, mut more) = (0, 0);
    let mut all = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(mut entries) = look::read_dir(machine.at(&folder)) else {
            continue;
        };
        // The same ones are named each time.
        entries.sort_by_key(look::Entry::file_name);
        for entry in entries {
            seen += 1;
            if seen > MOST_ENTRIES {
                let message =
                    format!("has more than {MOST_ENTRIES} entries: the rest was not looked at");
                report.add(Found::at(FindingCode::Unreadable, goroot, None, message));
                folders.clear();
                break;
            }
            let path = folder.join(entry.file_name());
            let Ok(found) = look::symlink_metadata(machine.at(&path)) else {
                continue;
            };
            if let Some((code, message)) = wrong(machine, &found).filter(|_| !named.contains(&path))
            {
                match all.len() < MOST_NAMED {
                    true => all.push(Found::at(code, &path, None, message)),
                    false => more += 1,
                }
            }
            if kind(found.mode()) == Kind::Folder {
                folders.push(path);
            }
        }
    }
    if let Some(last) = all.last_mut().filter(|_| more > 0) {
        last.message.push_str(&format!(
            "; {more} more below {} are like these",
            goroot.display()
        ));
    }
    for found in all {
        report.add(found);
    }
}

/// Programs with a set-id bit in a folder where the go command installs.
fn set_ids(machine: &Machine, report: &Report, folder: &Path) {
    for file in report.files(machine, folder, "") {
        let Ok(found) = look::symlink_metadata(machine.at(&file)) else {
            continue;
        };
        if let Some((code, message)) = wrong(machine, &found) {
            report.add(Found::at(code, &file, None, message));
        }
    }
}
