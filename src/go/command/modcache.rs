//! `go clean -modcache`, which the go command cannot do inside: its module cache is a mount point there, and without
//! namespaces Landlock grants nothing of the folder around it. The launcher removes the cache once the command has ended.
//!
//! What else the command line asks for, and every error in it, is go's. Called by [`super::classify`].

use std::ffi::{OsStr, OsString};

use super::super::flags::{Parsed, as_flag, takes_value};

/// What is left of `go clean -modcache` for the go command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanModules {
    /// The words after `go`, without `-modcache`. There are as many of them.
    pub words: Vec<OsString>,
    /// Whether GOCACHE must be `off`: go has nothing else to remove, and is told to remove the build cache, since `go clean`
    /// without any cache would load and clean the packages of the current folder.
    pub without_build_cache: bool,
    /// Whether what is removed is said (`-x`).
    pub is_said: bool,
}

/// Whether a command line has go remove the module cache. `words`: those after `go`; the flags begin at `start`. `flags`:
/// those of GOFLAGS as well.
///
/// `None` also where go removes nothing: with `-n` it says what it would do, and beside packages it refuses the flag.
pub(super) fn of(words: &[OsString], start: usize, flags: &Parsed) -> Option<CleanModules> {
    let has = |name: &str| flags.is_set(name);
    if !has("modcache") || has("n") || !flags.arguments.is_empty() {
        return None;
    }
    let without_build_cache = ["cache", "fuzzcache", "i", "r", "testcache"]
        .iter()
        .all(|other| !has(other));
    let mut left = words.to_owned();
    let mut at = start;
    while let Some((name, value)) = words.get(at).and_then(|word| as_flag(word)) {
        let value = value.as_deref();
        left[at] = match name.as_str() {
            "modcache" if is_true(value) && without_build_cache => "-cache".into(),
            "modcache" if is_true(value) => "-modcache=false".into(),
            "cache" if without_build_cache && parsed_false(value) => "-cache".into(),
            _ => left[at].clone(),
        };
        at += 1 + usize::from(value.is_none() && takes_value("clean", &name));
    }
    Some(CleanModules {
        words: left,
        without_build_cache,
        is_said: has("x"),
    })
}

/// As `strconv.ParseBool`. Another word stays where it is, and go refuses it.
fn is_true(value: Option<&OsStr>) -> bool {
    let words = ["1", "t", "T", "TRUE", "true", "True"];
    value.is_none_or(|value| words.iter().any(|word| value == *word))
}

fn parsed_false(value: Option<&OsStr>) -> bool {
    let words = ["0", "f", "F", "FALSE", "false", "False"];
    value.is_some_and(|value| words.iter().any(|word| value == *word))
}

#[cfg(test)]
mod tests {
    use super::super::super::flags;
    use super::*;

    fn left(line: &str, goflags: &str) -> Option<(String, bool, bool)> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let flags = flags::parse_with("clean", &words[1..], goflags);
        let found = of(&words, 1, &flags)?;
        assert_eq!(found.words.len(), words.len(), "{line}");
        let words: Vec<_> = found
            .words
            .iter()
            .map(|word| word.to_string_lossy())
            .collect();
        Some((words.join(" "), found.without_build_cache, found.is_said))
    }

    /// Line, GOFLAGS, what go is left, whether without the build cache, whether it is said.
    type Row = (&'static str, &'static str, &'static str, bool, bool);

    #[rustfmt::skip]
    const LEFT: [Row; 17] = [
        ("clean -modcache", "", "clean -cache", true, false),
        ("clean --modcache=1", "-modcacherw", "clean -cache", true, false),
        ("clean -x -modcache", "", "clean -x -cache", true, true),
        ("clean -modcache", "-x", "clean -cache", true, true),
        ("clean -modcache -x=false", "-x", "clean -cache -x=false", true, false),
        ("clean -modcache -n=0", "-n", "clean -cache -n=0", true, false),
        ("clean -modcache -cache=f", "", "clean -cache -cache", true, false),
        ("clean -cache -modcache", "", "clean -cache -modcache=false", false, false),
        ("clean -r -modcache", "", "clean -r -modcache=false", false, false),
        ("clean -modcache -testcache", "", "clean -modcache=false -testcache", false, false),
        ("clean -modcache -fuzzcache", "", "clean -modcache=false -fuzzcache", false, false),
        // The value of another flag is none.
        ("clean -tags -modcache -modcache", "", "clean -tags -modcache -cache", true, false),
        ("clean -modcache=false -modcache", "", "clean -modcache=false -cache", true, false),
        ("clean -modcache -modcache", "", "clean -cache -cache", true, false),
        // go says what is wrong with these, and ends with an error.
        ("clean -modcache=maybe", "", "clean -modcache=maybe", true, false),
        ("clean -modcache -frob", "", "clean -cache -frob", true, false),
        ("clean -modcache --", "", "clean -cache --", true, false),
    ];

    #[test]
    fn go_is_left_what_it_can_do() {
        for (line, goflags, words, without_build_cache, is_said) in LEFT {
            let expected = Some((words.to_owned(), without_build_cache, is_said));
            assert_eq!(left(line, goflags), expected, "{line:?} {goflags:?}");
        }
    }

    #[test]
    fn what_removes_no_module_cache_is_gos_alone() {
        for (line, goflags) in [
            ("clean", ""),
            ("clean -cache", ""),
            ("clean -modcache=false", ""),
            ("clean -modcache -modcache=0", ""),
            ("clean -modcache -n", ""),
            ("clean -modcache", "-n"),
            ("clean -modcache .", ""),
            ("clean -modcache -- .", ""),
            ("clean -- -modcache", ""),
            ("clean . -modcache", ""),
            ("clean -p -modcache", ""),
        ] {
            assert_eq!(left(line, goflags), None, "{line:?} {goflags:?}");
        }
    }
}
