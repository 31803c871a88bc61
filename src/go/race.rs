//! `-race`: whether a command line asks for it, and the go command that compiles Go's own packages with it beforehand.
//!
//! The race detector needs cgo. Of Go's own packages a few have C code ([`PACKAGES`]). Once they are in the build cache, the
//! go command compiles no C for a project without cgo files of its own.

use std::ffi::OsString;

use super::flags::{Given, Parsed};

/// Go's own packages that have cgo files and that a program may import, or links with `-race` whatever it imports.
pub const PACKAGES: [&str; 5] = ["net", "os/user", "plugin", "runtime/cgo", "runtime/race"];

/// Commands that build with `-race`.
pub fn builds(command: &str) -> bool {
    matches!(
        command,
        "build" | "install" | "list" | "run" | "test" | "vet"
    )
}

/// Whether a command builds with `-race`.
pub fn is_asked_for(command: &str, flags: &Parsed) -> bool {
    builds(command) && flags.is_set("race")
}

/// The words after `go` that compile [`PACKAGES`] with the same flags, and say of each package with C code where in the build
/// cache it lies: `ACTION/… FILE`.
pub fn words(flags: &Parsed) -> Vec<OsString> {
    const FORMAT: &str =
        "-f={{if and .Standard .CgoFiles}}{{.BuildID}} {{.Export}} {{.ImportPath}}{{end}}";
    let fixed = [
        "list",
        "-race",
        "-export",
        "-compiled",
        "-deps",
        "-buildvcs=false",
        FORMAT,
    ];
    let mut words: Vec<OsString> = fixed.map(OsString::from).into();
    words.extend(flags.flags.iter().filter_map(of_every_package));
    words.push("--".into());
    words.extend(PACKAGES.map(OsString::from));
    words
}

/// A flag that changes how Go's own packages are compiled, as one word.
fn of_every_package(flag: &Given) -> Option<OsString> {
    let value = flag.value.as_deref();
    let text = value.unwrap_or_default().to_string_lossy();
    let counts = match flag.name.as_str() {
        "trimpath" | "tags" | "installsuffix" | "p" => true,
        // `-gcflags=-N` is for the packages that are named, and a pattern such as ./... for those of a folder.
        "gcflags" | "asmflags" => !text.trim().starts_with(['-', '.']),
        _ => false,
    };
    let mut word = OsString::from(format!("-{}", flag.name));
    if let Some(value) = value {
        word.push("=");
        word.push(value);
    }
    counts.then_some(word)
}

/// What the go command has said of a package with C code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The first letters of the name that its entry in the build cache has, in hexadecimal digits.
    pub entry: String,
    /// Where it lies.
    pub file: std::path::PathBuf,
    /// Its import path.
    pub package: String,
}

/// Reads what [`words`] has said. Nothing where a line is another.
pub fn compiled(text: &str) -> Option<Vec<Compiled>> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (id, rest) = line.split_once(' ')?;
            let (file, package) = rest.rsplit_once(' ')?;
            Some(Compiled {
                entry: entry(id.split('/').next()?)?,
                file: file.into(),
                package: package.to_owned(),
            })
        })
        .collect()
}

/// The beginning of an entry's name: an action ID is 15 bytes of its 32 in URL-safe base64.
fn entry(action: &str) -> Option<String> {
    let mut bits = 0_u32;
    let mut count = 0;
    let mut hex = String::new();
    for byte in action.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            hex += &format!("{:02x}", bits >> count & 0xff);
        }
    }
    (hex.len() == 30).then_some(hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::flags;

    fn asked(line: &str, goflags: &str) -> bool {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let (command, words) = words.split_first().unwrap();
        let command = command.to_str().unwrap();
        is_asked_for(command, &flags::parse_with(command, words, goflags))
    }

    #[test]
    fn the_command_line_counts_more_than_goflags() {
        assert!(asked("test -race ./...", ""));
        assert!(asked("test ./...", "-race"));
        assert!(asked("test ./... -race=1", "-race=0"));
        assert!(asked("build -trimpath .", "-tags=a -race"));
        assert!(!asked("test -race=false ./...", "-race"));
        assert!(!asked("test ./...", "-race=false"));
        assert!(!asked("run . -race", ""));
        assert!(!asked("test ./... -args -race", ""));
        assert!(!asked("mod tidy", "-race"));
        assert!(!asked("env", "-race"));
    }

    #[test]
    fn what_changes_gos_own_packages_is_handed_on() {
        let line =
            "-race -trimpath -tags a,b -gcflags=-N -gcflags=all=-l -asmflags ./...=-e -o x .";
        let given: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let words = words(&flags::parse_with(
            "build",
            &given,
            "-gcflags=std=-d=x -count=1",
        ));
        let own = &words[7..words.len() - 6];
        assert_eq!(
            own,
            [
                "-gcflags=std=-d=x",
                "-trimpath",
                "-tags=a,b",
                "-gcflags=all=-l"
            ]
        );
    }

    #[test]
    fn entries_of_the_build_cache_are_found() {
        let text = "AAECAwQFBgcICQoLDA0O/Xfzc7U6KM_Swm8sjkI_i /c/27/2754-d os/user\n\n";
        let found = compiled(text).unwrap();
        assert_eq!(found[0].entry, "000102030405060708090a0b0c0d0e");
        assert_eq!(found[0].file, std::path::Path::new("/c/27/2754-d"));
        assert_eq!(found[0].package, "os/user");
        assert_eq!(compiled("x\n"), None);
        assert_eq!(compiled("a!/b /c d\n"), None);
    }
}
