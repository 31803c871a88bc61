//! Settings of git that are known to be harmless, by two questions.
//!
//! `is_data`: is the value no command line and no path? What is not known to be data is protected.
//! `runs_nothing`: does git run nothing for it under the commands that go uses? What is not known to
//! run nothing is refused. The tables that both share come first.

use super::gitconfig::Setting;

/// Sections whose settings are data and run nothing.
const SECTIONS: &[&str] = &[
    "advice",
    "branch",
    "color",
    "column",
    "feature",
    "fetch",
    "index",
    "maintenance",
    "pack",
    "pull",
    "push",
    "rerere",
    "status",
    "url",
    "user",
    "versionsort",
];
/// Keys of `remote`: the same.
const REMOTE: &[&str] = &[
    "fetch",
    "followremotehead",
    "gh-resolved",
    "mirror",
    "prune",
    "prunetags",
    "push",
    "pushurl",
    "skipdefaultupdate",
    "skipfetchall",
    "tagopt",
    "url",
];
/// Keys of `core`: the same.
const CORE: &[&str] = &[
    "abbrev",
    "autocrlf",
    "bare",
    "eol",
    "filemode",
    "repositoryformatversion",
];

/// Sections whose settings are data.
const SECTIONS_OF_DATA: &[&str] = &["author", "committer", "extensions", "safe"];
/// Keys of `remote` that are data.
const REMOTE_DATA: &[&str] = &["promisor", "proxy"];
/// Keys of `submodule` that are data.
const SUBMODULE_DATA: &[&str] = &[
    "active",
    "branch",
    "fetchrecursesubmodules",
    "ignore",
    "path",
    "url",
];

/// Sections whose settings run nothing under the commands that go uses.
const SECTIONS_RUN_NOTHING: &[&str] = &[
    "commit", "gc", "gui", "http", "init", "lfs", "rebase", "tag",
];
/// Keys of `core` that run nothing. `hookspath` is overridden from outside.
const CORE_RUNS_NOTHING: &[&str] = &[
    "bigfilethreshold",
    "checkstat",
    "commentchar",
    "commitgraph",
    "compression",
    "deltabasecachelimit",
    "fscache",
    "fsync",
    "fsyncmethod",
    "fsyncobjectfiles",
    "hookspath",
    "ignorecase",
    "ignorestat",
    "logallrefupdates",
    "longpaths",
    "loosecompression",
    "multipackindex",
    "packedgitlimit",
    "packedgitwindowsize",
    "precomposeunicode",
    "preloadindex",
    "protecthfs",
    "protectntfs",
    "quotepath",
    "safecrlf",
    "sharedrepository",
    "sparsecheckout",
    "sparsecheckoutcone",
    "splitindex",
    "symlinks",
    "trustctime",
    "untrackedcache",
    "usereplacerefs",
    "whitespace",
];
/// Keys of `diff` that run nothing.
const DIFF_RUNS_NOTHING: &[&str] = &[
    "algorithm",
    "colormoved",
    "context",
    "mnemonicprefix",
    "noprefix",
    "renamelimit",
    "renames",
    "submodule",
];
/// Keys of `extensions` that run nothing.
const EXTENSIONS_RUN_NOTHING: &[&str] = &[
    "noop",
    "objectformat",
    "preciousobjects",
    "refstorage",
    "relativeworktrees",
    "worktreeconfig",
];

/// Whether a setting is no command line and no path, whatever it says.
pub(super) fn is_data(setting: &Setting) -> bool {
    let key = setting.key.as_str();
    match setting.section.as_str() {
        "core" => CORE.contains(&key) || key == "worktree",
        "remote" => REMOTE.contains(&key) || REMOTE_DATA.contains(&key),
        "submodule" => SUBMODULE_DATA.contains(&key),
        section => SECTIONS.contains(&section) || SECTIONS_OF_DATA.contains(&section),
    }
}

/// Whether git runs nothing for a setting under the commands that go uses.
pub(super) fn runs_nothing(setting: &Setting) -> bool {
    let key = setting.key.as_str();
    let value = setting.value.as_deref();
    match (setting.section.as_str(), setting.subsection.is_empty()) {
        // The built-in daemon; overridden from outside. A program's path is not let through.
        ("core", true) if key == "fsmonitor" => {
            matches!(value, None | Some(b"true" | b"false" | b""))
        }
        ("core", true) => CORE.contains(&key) || CORE_RUNS_NOTHING.contains(&key),
        ("diff", true) => DIFF_RUNS_NOTHING.contains(&key),
        ("log", true) => key != "showsignature" || value == Some(b"false"),
        ("extensions", true) => EXTENSIONS_RUN_NOTHING.contains(&key),
        ("remote", false) => REMOTE.contains(&key),
        ("submodule", _) => key != "update" || value.is_some_and(|v| !v.starts_with(b"!")),
        (section, _) => SECTIONS.contains(&section) || SECTIONS_RUN_NOTHING.contains(&section),
    }
}
