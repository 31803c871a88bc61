//! The files that `go env -w` and `$GOROOT/go.env` use: `NAME=VALUE` lines.
//!
//! The caller's own file is never put in force (`GOENV=off`); it is read only to say which of
//! its settings bare go would have used.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The file of `go env -w` that bare go would read, and the names it sets.
///
/// These do not count in the sandbox; a launcher that is asked why its result differs names them.
pub fn ignored(caller: &[(OsString, OsString)]) -> Option<(PathBuf, Vec<String>)> {
    let get = |name: &str| {
        caller
            .iter()
            .rev()
            .find(|(n, v)| n == name && !v.is_empty())
            .map(|(_, v)| Path::new(v))
    };
    let path = match (get("GOENV"), get("XDG_CONFIG_HOME"), get("HOME")) {
        (Some(off), _, _) if off == Path::new("off") => return None,
        (Some(path), _, _) => path.to_owned(),
        (None, Some(config), _) => config.join("go/env"),
        (None, None, home) => home?.join(".config/go/env"),
    };
    let mut names: Vec<String> = parse(&fs::read_to_string(&path).ok()?)
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, _)| super::visible(&name))
        .collect();
    names.sort();
    (!names.is_empty()).then_some((path, names))
}

/// The settings in `text`, as `cmd/go/internal/cfg` reads them: the last one of a name counts,
/// a line that does not begin with a name is left out, nothing is unquoted.
pub fn parse(text: &str) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.trim_end_matches('\r').split_once('=') else {
            continue;
        };
        if !name.bytes().next().is_some_and(|b| b.is_ascii_uppercase()) {
            continue;
        }
        settings.retain(|(n, _)| n != name);
        settings.push((name.to_owned(), value.to_owned()));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_noise_are_left_out() {
        let text = "# GOFLAGS=-x\nGOFLAGS=-v\nnoise\n=x\nGOFLAGS=-trimpath\r\nGOPROXY=a=b\n";
        let pairs = [("GOFLAGS", "-trimpath"), ("GOPROXY", "a=b")];
        assert_eq!(
            parse(text),
            pairs.map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
    }

    #[test]
    fn the_callers_file_is_named_but_not_used() {
        let dir = tempfile::tempdir().expect("tempdir");
        fs::create_dir_all(dir.path().join("go")).expect("folder");
        fs::write(
            dir.path().join("go/env"),
            "GOPRIVATE=x\nGOFLAGS=-mod=mod\nGOOS=\n",
        )
        .expect("file");
        let pair = |n: &str, v: &Path| (OsString::from(n), v.as_os_str().to_owned());
        let caller = [
            pair("HOME", Path::new("/nonexistent")),
            pair("XDG_CONFIG_HOME", dir.path()),
        ];
        let (path, names) = ignored(&caller).expect("found");
        assert_eq!(
            (path, names),
            (
                dir.path().join("go/env"),
                vec!["GOFLAGS".to_owned(), "GOPRIVATE".to_owned()]
            )
        );
        assert_eq!(ignored(&[pair("GOENV", Path::new("off"))]), None);
    }
}
