//! Releases of the go command with known vulnerabilities that code of the source, or a proxy, can use at build time.
//!
//! As known on 30 November 2026, from the Go vulnerability database. Vulnerabilities of the standard library are those of
//! the programs that are built, and `govulncheck` knows them.

use super::Found;
use super::machine::{Machine, Report};
use crate::finding::FindingCode;
use crate::go::version::Version;

/// A vulnerability of the go command's: the first releases without it, oldest first, and what it gives away.
struct Flaw {
    names: &'static str,
    fixed: &'static [&'static str],
    what: &'static str,
}

const FLAWS: [Flaw; 10] = [
    Flaw {
        names: "CVE-2020-28366, CVE-2020-28367",
        fixed: &["1.14.12", "1.15.5"],
        what: "#cgo lines run code while a package is built",
    },
    Flaw {
        names: "CVE-2021-3115",
        fixed: &["1.14.14", "1.15.7"],
        what: "a compiler is taken from the current folder",
    },
    Flaw {
        names: "CVE-2023-29402, CVE-2023-29404, CVE-2023-29405",
        fixed: &["1.19.10", "1.20.5"],
        what: "#cgo lines and file names run code while a package is built",
    },
    Flaw {
        names: "CVE-2023-39320",
        fixed: &["1.21.1"],
        what: "a toolchain line of go.mod runs a program of the module's",
    },
    Flaw {
        names: "CVE-2023-39323",
        fixed: &["1.20.9", "1.21.2"],
        what: "//line directives let #cgo lines run code while a package is built",
    },
    Flaw {
        names: "CVE-2023-45285",
        fixed: &["1.20.12", "1.21.5"],
        what: "modules of a host without https are fetched without TLS",
    },
    Flaw {
        names: "CVE-2025-4674",
        fixed: &["1.23.11", "1.24.5"],
        what: "a repository's files of another version control system run code",
    },
    Flaw {
        names: "CVE-2025-61731, CVE-2025-68119",
        fixed: &["1.24.12", "1.25.6"],
        what: "#cgo pkg-config lines write files, and version control systems run code of a module path's",
    },
    Flaw {
        names: "CVE-2026-27140",
        fixed: &["1.25.9", "1.26.2"],
        what: "names of SWIG files run code while a package is built",
    },
    Flaw {
        names: "CVE-2026-42501",
        fixed: &["1.25.10", "1.26.3"],
        what: "a module proxy passes by the checksum database, for toolchains too",
    },
];

/// Judges the release that a run would use.
pub(super) fn examine(machine: &Machine, report: &Report) {
    let Some(name) = &machine.release else {
        return;
    };
    let Ok(version) = Version::of_toolchain(name) else {
        return;
    };
    for flaw in FLAWS.iter().filter(|flaw| is_open(&version, flaw.fixed)) {
        let newest = flaw.fixed.last().copied().unwrap_or_default();
        let message = format!(
            "{name} has {}: {}; fixed in Go {newest}",
            flaw.names, flaw.what
        );
        report.add(Found::about(
            FindingCode::GoReleaseVulnerable,
            flaw.names,
            message,
        ));
    }
}

/// Whether a release has a flaw that was fixed in these, the newest of which is of the newest line that had it.
fn is_open(version: &Version, fixed: &[&str]) -> bool {
    let fixed: Vec<Version> = fixed.iter().filter_map(|text| text.parse().ok()).collect();
    // The fix of the release's own line, else of the oldest line above it.
    let line = |version: &Version| {
        let text = version.as_str();
        let mut parts = text.split('.');
        let (major, minor) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let digits: String = minor.chars().take_while(char::is_ascii_digit).collect();
        (
            major.parse().unwrap_or(0_u32),
            digits.parse().unwrap_or(0_u32),
        )
    };
    let own = fixed.iter().find(|one| line(one) >= line(version));
    own.is_some_and(|own| version < own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_judged_by_the_fix_of_its_own_line() {
        let fixed = ["1.24.12", "1.25.6"];
        for (release, expected) in [
            ("1.23.99", true),
            ("1.24.11", true),
            ("1.24.12", false),
            ("1.25rc1", true),
            ("1.25.5", true),
            ("1.25.6", false),
            ("1.26.0", false),
            ("1.27rc1", false),
        ] {
            let version: Version = release.parse().unwrap();
            assert_eq!(is_open(&version, &fixed), expected, "{release}");
        }
    }
}
