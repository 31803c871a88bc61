//! The environment of programs, made of the go command's.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::Environment;
use crate::go::quoted;

/// The environment of code built from source: a build cache, HOME and TMPDIR of its own and no way to modules.
pub fn for_programs(
    environment: &Environment,
    program_cache: &Path,
    home: &Path,
    tmp: &Path,
) -> Environment {
    let mut set: BTreeMap<OsString, OsString> = environment.pairs.iter().cloned().collect();
    set.insert("GOCACHE".into(), program_cache.into());
    set.insert("HOME".into(), home.into());
    set.insert("TMPDIR".into(), tmp.into());
    set.insert("GOPROXY".into(), "off".into());
    // No stamping: it would run git, on what programs of the same cage may have written.
    const UNSTAMPED: &str = "-buildvcs=false";
    let flags = set
        .get(OsStr::new("GOFLAGS"))
        .map(|flags| flags.to_string_lossy().into_owned());
    let words = quoted::split(&flags.unwrap_or_default()).unwrap_or_default();
    let mut kept: Vec<String> = words
        .into_iter()
        .filter(|w| !is_exec(w) && w != UNSTAMPED)
        .collect();
    kept.push(UNSTAMPED.to_owned());
    let text = quoted::join(&kept).unwrap_or_else(|_| UNSTAMPED.to_owned());
    set.insert("GOFLAGS".into(), text.into());
    Environment {
        pairs: set.into_iter().collect(),
        dropped: environment.dropped.clone(),
    }
}

fn is_exec(word: &str) -> bool {
    let name = word
        .strip_prefix("--")
        .or_else(|| word.strip_prefix('-'))
        .unwrap_or(word);
    name == "exec" || name.starts_with("exec=")
}
