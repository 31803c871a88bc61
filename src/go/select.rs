//! Which toolchain a project asks for, and where it is.
//!
//! The go command would switch toolchains by itself (`GOTOOLCHAIN=auto`: one from PATH, then a
//! download). Here the launcher decides beforehand, from the go and toolchain lines, within the
//! policy's range, and runs what it found, or has fetched, with `GOTOOLCHAIN=local`.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::host_arch;
use super::toolchain::{self, Toolchain, ToolchainError};
use super::trust::Trust;
use super::version::{Version, VersionError};
use super::workspace::Lines;
use super::{shown, visible};
use crate::files::look;

/// What the caller's GOTOOLCHAIN (its own, or that of `$GOROOT/go.env`) asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// Whatever the project's lines ask for.
    #[default]
    Auto,
    /// The toolchain that was found and no other.
    Local,
    /// This one and no other (`go1.26.1`).
    Exactly(Version),
    /// This one, or a newer one where the lines ask for it (`go1.26.1+auto`).
    AtLeast(Version),
}

impl Wish {
    /// Reads a GOTOOLCHAIN value; `path` means `auto`, since nothing is ever taken from PATH.
    pub fn parse(value: &str) -> Result<Wish, SelectError> {
        let (name, suffix) = value.split_once('+').unwrap_or((value, ""));
        match (name, suffix) {
            ("" | "auto" | "path", _) | ("local", "auto" | "path") => Ok(Wish::Auto),
            ("local", "") => Ok(Wish::Local),
            _ => {
                let version = Version::of_toolchain(name).map_err(|source| SelectError::Line {
                    place: "GOTOOLCHAIN".to_owned(),
                    source,
                })?;
                Ok(if suffix.is_empty() {
                    Wish::Exactly(version)
                } else {
                    Wish::AtLeast(version)
                })
            }
        }
    }
}

/// Why no other toolchain than the one found can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoOther {
    /// What is asked for is a language version.
    #[error("no release has this name")]
    NoRelease,
}

/// Why no toolchain satisfies the project.
#[derive(Debug, Error)]
pub enum SelectError {
    /// A go or toolchain line that makes no sense.
    #[error("cannot read {place}: {source}")]
    Line {
        /// File and line.
        place: String,
        /// Why not.
        source: VersionError,
    },
    /// The toolchain is not at hand.
    #[error(
        "cannot use the Go in {}: {place} asks for go{wanted}, it is go{found}, and {why}",
        shown(goroot)
    )]
    Missing {
        /// Who asks.
        place: String,
        /// The version asked for.
        wanted: String,
        /// The version found.
        found: String,
        /// Where that is.
        goroot: PathBuf,
        /// Why no other can be used.
        why: NoOther,
    },
    /// The toolchain could be fetched.
    #[error(
        "cannot use the Go in {}: {place} asks for go{wanted}, it is go{found}, and {module} is not in the module cache",
        shown(goroot)
    )]
    Absent {
        /// Who asks.
        place: String,
        /// The version asked for.
        wanted: String,
        /// The version found.
        found: String,
        /// Where that is.
        goroot: PathBuf,
        /// The module that holds it, as `path@version`.
        module: String,
    },
    /// The policy does not let it.
    #[error(
        "cannot use go{wanted}, which {place} asks for: the policy's range is {oldest} to {newest}"
    )]
    OutOfRange {
        /// Who asks.
        place: String,
        /// The version asked for.
        wanted: String,
        /// The policy's oldest.
        oldest: String,
        /// The policy's newest.
        newest: String,
    },
    /// The toolchain in the module cache is not to be relied on.
    #[error("cannot use the toolchain in the module cache")]
    Toolchain(#[from] ToolchainError),
}

/// What the choice is made from.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What discovery found.
    pub found: &'a Toolchain,
    /// The project's go and toolchain lines.
    pub lines: &'a Lines,
    /// What GOTOOLCHAIN asks for.
    pub wish: &'a Wish,
    /// GOMODCACHE.
    pub module_cache: Option<&'a Path>,
    /// For whom ownership is judged.
    pub trust: Trust<'a>,
    /// The policy's oldest and newest version.
    pub range: Option<&'a (String, String)>,
}

/// The toolchain to run: the one found, or another from the module cache.
pub fn select(request: &Request<'_>) -> Result<Toolchain, SelectError> {
    let Some((version, place)) = wanted(request)? else {
        return Ok(request.found.clone());
    };
    check_range(&version, &place, request.range)?;
    let missing = |why: NoOther| SelectError::Missing {
        place: place.clone(),
        wanted: version.to_string(),
        found: request.found.version.to_string(),
        goroot: request.found.goroot.clone(),
        why,
    };
    if version.is_language() {
        return Err(missing(NoOther::NoRelease));
    }
    let module = format!(
        "golang.org/toolchain@v0.0.1-go{version}.linux-{}",
        host_arch()
    );
    match request
        .module_cache
        .map(|cache| cache.join(&module).join("bin/go"))
    {
        Some(go) if look::exists(&go) => Ok(toolchain::open(&go, &request.trust)?),
        _ => Err(SelectError::Absent {
            place: place.clone(),
            wanted: version.to_string(),
            found: request.found.version.to_string(),
            goroot: request.found.goroot.clone(),
            module,
        }),
    }
}

/// The version that is asked for and is not the one found, and who asks.
fn wanted(request: &Request<'_>) -> Result<Option<(Version, String)>, SelectError> {
    let found = &request.found.version;
    let named = |version: &Version| (version.clone(), "GOTOOLCHAIN".to_owned());
    let mut wanted = match request.wish {
        // Whether the project's lines are content with it, go itself says.
        Wish::Local => return Ok(None),
        Wish::Exactly(version) => return Ok((version != found).then(|| named(version))),
        Wish::Auto => None,
        // Also one that is older than the one found.
        Wish::AtLeast(version) => Some(named(version)),
    };
    let mut ask = |version: Version, place: String| {
        let least = wanted.as_ref().map_or(found, |(version, _)| version);
        if version > *least {
            wanted = Some((version, place));
        }
    };
    if let Some(line) = &request.lines.go {
        let place = line.place("go");
        let version = line.text.parse().map_err(|source| SelectError::Line {
            place: place.clone(),
            source,
        })?;
        ask(version, place);
    }
    // `default` asks for nothing.
    if let Some(line) = &request.lines.toolchain
        && line.text != "default"
    {
        let place = line.place("toolchain");
        let version = Version::of_toolchain(&line.text).map_err(|source| SelectError::Line {
            place: place.clone(),
            source,
        })?;
        ask(version, place);
    }
    Ok(wanted.filter(|(version, _)| version != found))
}

/// Whether the policy lets a version be used.
///
/// # Errors
/// It does not.
pub fn check_range(
    version: &Version,
    place: &str,
    range: Option<&(String, String)>,
) -> Result<(), SelectError> {
    let Some((oldest, newest)) = range else {
        return Ok(());
    };
    let line = |text: &str| {
        text.parse::<Version>().map_err(|source| SelectError::Line {
            place: "[modules] toolchains".to_owned(),
            source,
        })
    };
    let (low, high) = (line(oldest)?, line(newest)?);
    // `1.27` as the newest means every release of 1.27.
    let below = *version <= high
        || (high.is_language()
            && version.as_str().starts_with(high.as_str())
            && same_language(version, &high));
    if *version >= low && below {
        return Ok(());
    }
    Err(SelectError::OutOfRange {
        place: place.to_owned(),
        wanted: version.to_string(),
        oldest: visible(oldest),
        newest: visible(newest),
    })
}

fn same_language(version: &Version, language: &Version) -> bool {
    let rest = &version.as_str()[language.as_str().len()..];
    !rest.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests;
