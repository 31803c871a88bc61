//! Go toolchain versions and their order, as Go's `internal/gover` has them.
//!
//! Not semantic versions: `1.21` (the language) < `1.21rc1` < `1.21.0`, while `1.20` is `1.20.0`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A text that is no Go version.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is not a Go version such as 1.26.8 or 1.27rc1")]
pub struct VersionError(pub String);

/// A well-formed Go version, without the `go` in front.
#[derive(Clone, Debug)]
pub struct Version {
    text: String,
    major: String,
    minor: String,
    patch: String,
    kind: String,
    pre: String,
}

impl Version {
    /// The version in a toolchain's name: `go1.26.8`, `go1.26.8-custom`, `go1.26.8 X:exp`,
    /// `devel go1.27-abcdef Mon …`.
    pub fn of_toolchain(name: &str) -> Result<Version, VersionError> {
        let wrong = || VersionError(name.to_owned());
        let rest = name.strip_prefix("devel ").unwrap_or(name);
        let rest = rest.strip_prefix("go").ok_or_else(wrong)?;
        let end = rest.find(['-', ' ', '+', '\t']).unwrap_or(rest.len());
        rest[..end].parse().map_err(|_| wrong())
    }

    /// Whether this names the language (`1.21`) rather than one release of it (`1.21.0`).
    pub fn is_language(&self) -> bool {
        self.patch.is_empty() && self.kind.is_empty() && self.pre.is_empty()
    }

    /// The text it was parsed from.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Version, VersionError> {
        parse(text).ok_or_else(|| VersionError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Version> {
    let mut version = Version {
        text: text.to_owned(),
        major: String::new(),
        minor: String::new(),
        patch: String::new(),
        kind: String::new(),
        pre: String::new(),
    };
    let (major, rest) = cut_number(text)?;
    version.major = major.to_owned();
    if rest.is_empty() {
        version.minor = "0".to_owned();
        version.patch = "0".to_owned();
        return Some(version);
    }
    let (minor, rest) = cut_number(rest.strip_prefix('.')?)?;
    version.minor = minor.to_owned();
    if rest.is_empty() {
        // Since Go 1.21 a missing patch is the language version, before any release of it.
        if compare_numbers(minor, "21") == Ordering::Less {
            version.patch = "0".to_owned();
        }
        return Some(version);
    }
    if let Some(rest) = rest.strip_prefix('.') {
        let (patch, rest) = cut_number(rest)?;
        version.patch = patch.to_owned();
        return rest.is_empty().then_some(version);
    }
    let end = rest
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (kind, pre) = rest.split_at(end);
    if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    version.kind = kind.to_owned();
    if !pre.is_empty() {
        let (number, rest) = cut_number(pre)?;
        version.pre = number.to_owned();
        return rest.is_empty().then_some(version);
    }
    Some(version)
}

/// The decimal number in front of `text`, without a needless zero, and the rest.
fn cut_number(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    if end == 0 || (text.starts_with('0') && end != 1) {
        return None;
    }
    Some(text.split_at(end))
}

/// Numbers stay decimal texts, so that none is too long.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        compare_numbers(&self.major, &other.major)
            .then_with(|| compare_numbers(&self.minor, &other.minor))
            .then_with(|| compare_numbers(&self.patch, &other.patch))
            .then_with(|| self.kind.cmp(&other.kind))
            .then_with(|| compare_numbers(&self.pre, &other.pre))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_in_go() {
        // The well-formed rows of internal/gover's compareTests.
        for (a, b, order) in [
            ("1", "1.1", -1),
            ("1.5", "1.6", -1),
            ("1.5", "1.10", -1),
            ("1.6", "1.6.1", -1),
            ("1.19", "1.19.0", 0),
            ("1.19rc1", "1.19", -1),
            ("1.20", "1.20.0", 0),
            ("1.20rc1", "1.20", -1),
            ("1.21", "1.21.0", -1),
            ("1.21", "1.21rc1", -1),
            ("1.21rc1", "1.21.0", -1),
            ("1.6", "1.19", -1),
            ("1.19", "1.19.1", -1),
            ("1.19rc1", "1.19.1", -1),
            ("1.19rc1", "1.19rc2", -1),
            ("1.19.0", "1.19.1", -1),
            ("1.19rc1", "1.19.0", -1),
            ("1.19alpha3", "1.19beta2", -1),
            ("1.19beta2", "1.19rc1", -1),
            ("1.1", "1.99999999999999998", -1),
            ("1.99999999999999998", "1.99999999999999999", -1),
        ] {
            let (x, y): (Version, Version) = (a.parse().expect(a), b.parse().expect(b));
            assert_eq!(x.cmp(&y) as i32, order, "{a} {b}");
            assert_eq!(y.cmp(&x) as i32, -order, "{b} {a}");
        }
    }

    #[test]
    fn malformed_versions_are_refused() {
        for text in [
            "",
            "x",
            "1.",
            "1.600+auto",
            "01.2",
            "1.02",
            "1.21.3rc1",
            "1.21RC1",
            "1.2.3.4",
            "go1.2",
            "1.21rc1x",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn language_versions_are_told_from_releases() {
        for (text, language) in [
            ("1.22", true),
            ("1.21", true),
            ("1.20", false),
            ("1.2rc3", false),
            ("1.22.0", false),
            ("1", false),
        ] {
            assert_eq!(
                text.parse::<Version>().expect(text).is_language(),
                language,
                "{text}"
            );
        }
    }

    #[test]
    fn toolchain_names_give_their_version() {
        for (name, text) in [
            ("go1.26.8", "1.26.8"),
            ("go1.22.1 X:boringcrypto", "1.22.1"),
            ("go1.22.1-custom", "1.22.1"),
            ("devel go1.27-abc Mon", "1.27"),
        ] {
            assert_eq!(Version::of_toolchain(name).expect(name).as_str(), text);
        }
        assert!(Version::of_toolchain("1.26").is_err());
    }
}
