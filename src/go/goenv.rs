//! The files that `go env -w` and `$GOROOT/go.env` use: `NAME=VALUE` lines.
//!
//! The caller's own file is never put in force (`GOENV=off`); it is read only for where caches lie, and
//! to say what bare go would have used.

use std::ffi::OsString;
use std::path::Path;

use super::{LARGEST, read_plain};

/// What `go env -w` has written to the file that bare go would read; empty where there is none.
pub fn written(caller: &[(OsString, OsString)]) -> Vec<(String, String)> {
    let get = |name: &str| {
        caller
            .iter()
            .find(|(n, v)| n == name && !v.is_empty())
            .map(|(_, v)| Path::new(v))
    };
    let folder = |name| get(name).filter(|path| path.is_absolute());
    let file = match get("GOENV") {
        Some(file) if file == Path::new("off") => None,
        Some(file) => Some(file.to_owned()),
        None => folder("XDG_CONFIG_HOME")
            .map(|config| config.join("go/env"))
            .or_else(|| Some(folder("HOME")?.join(".config/go/env"))),
    };
    let content = file.and_then(|file| read_plain(&file, LARGEST).ok());
    let text = content.and_then(|content| String::from_utf8(content).ok());
    text.map(|text| parse(&text)).unwrap_or_default()
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
    use std::fs;

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
    fn the_callers_file_is_found_as_go_finds_it() {
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
        let names = |caller| written(caller).into_iter().map(|(name, _)| name);
        assert!(names(&caller).eq(["GOPRIVATE", "GOFLAGS", "GOOS"]));
        let named = pair("GOENV", &dir.path().join("go/env"));
        assert_eq!(names(&[named]).count(), 3);
        let off = pair("GOENV", Path::new("off"));
        assert_eq!(written(&[off, caller[1].clone()]), []);
        assert_eq!(written(&[pair("HOME", Path::new("relative"))]), []);
    }
}
