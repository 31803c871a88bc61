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

/// Why no toolchain satisfies the project.
#[derive(Debug, Error)]
pub enum SelectError {
    /// A go or toolchain line that makes no sense.
    #[error("{place}: {source}")]
    Line {
        /// File and line.
        place: String,
        /// Why not.
        source: VersionError,
    },
    /// The toolchain is not at hand.
    #[error(
        "{place} asks for go{wanted}, and {} is go{found}: {remedy}",
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
        /// What to do.
        remedy: String,
    },
    /// The toolchain could be fetched.
    #[error(
        "{place} asks for go{wanted}, and {} is go{found}: {module} is not in the module cache",
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
        "{place} asks for go{wanted}, which is outside the policy's range {oldest} to {newest}: change [modules] toolchains in the profile, or that line"
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
    let missing = |remedy| SelectError::Missing {
        place: place.clone(),
        wanted: version.to_string(),
        found: request.found.version.to_string(),
        goroot: request.found.goroot.clone(),
        remedy,
    };
    if *request.wish == Wish::Local {
        return Err(missing(
            "GOTOOLCHAIN=local forbids another; install that Go, or unset GOTOOLCHAIN".to_owned(),
        ));
    }
    if version.is_language() {
        return Err(missing(format!(
            "no release is called {version}; write the release, such as {version}.0"
        )));
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
    if let Wish::Exactly(version) = request.wish {
        // Whether the project's lines are content with it, go itself says.
        return Ok((version != found).then(|| (version.clone(), "GOTOOLCHAIN".to_owned())));
    }
    let mut wanted: Option<(Version, String)> = None;
    let mut ask = |version: Version, place: String| {
        if version > *found && wanted.as_ref().is_none_or(|(w, _)| version > *w) {
            wanted = Some((version, place));
        }
    };
    if let Wish::AtLeast(version) = request.wish {
        ask(version.clone(), "GOTOOLCHAIN".to_owned());
    }
    if let Some(line) = &request.lines.go {
        let place = line.place("go");
        let version = line.text.parse().map_err(|source| SelectError::Line {
            place: place.clone(),
            source,
        })?;
        ask(version, place);
    }
    // Under GOTOOLCHAIN=local bare go leaves toolchain lines aside; `default` asks for nothing.
    if let (Some(line), true) = (&request.lines.toolchain, *request.wish != Wish::Local)
        && line.text != "default"
    {
        let place = line.place("toolchain");
        let version = Version::of_toolchain(&line.text).map_err(|source| SelectError::Line {
            place: place.clone(),
            source,
        })?;
        ask(version, place);
    }
    Ok(wanted)
}

fn check_range(
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
mod tests {
    use super::*;
    use crate::go::workspace::Line;

    struct Scene {
        found: Toolchain,
        lines: Lines,
        wish: Wish,
        range: Option<(String, String)>,
        cache: Option<PathBuf>,
        below: PathBuf,
    }

    impl Scene {
        fn new(go: Option<&str>, toolchain: Option<&str>) -> Scene {
            let line = |text: &str| Line {
                file: PathBuf::from("/p/go.mod"),
                line: 3,
                text: text.to_owned(),
            };
            Scene {
                found: Toolchain {
                    go: PathBuf::from("/go/bin/go"),
                    goroot: PathBuf::from("/go"),
                    version: "1.26.8".parse().expect("version"),
                    tool_dir: PathBuf::from("/go/pkg/tool"),
                    linked: Vec::new(),
                    settings: Vec::new(),
                },
                lines: Lines {
                    go: go.map(line),
                    toolchain: toolchain.map(line),
                },
                wish: Wish::Auto,
                range: None,
                cache: None,
                below: PathBuf::from("/"),
            }
        }

        fn select(&self) -> Result<Toolchain, SelectError> {
            let uid = std::os::unix::fs::MetadataExt::uid(
                &std::fs::metadata("/proc/self").expect("self"),
            );
            select(&Request {
                found: &self.found,
                lines: &self.lines,
                wish: &self.wish,
                module_cache: self.cache.as_deref(),
                trust: Trust {
                    uid,
                    gid: u32::MAX,
                    below: &self.below,
                },
                range: self.range.as_ref(),
            })
        }
    }

    #[test]
    fn an_older_or_equal_line_keeps_the_toolchain_found() {
        for (go, toolchain) in [
            (None, None),
            (Some("1.21"), Some("go1.26.8")),
            (Some("1.26.8"), Some("default")),
            (Some("1.26"), None),
        ] {
            assert_eq!(
                Scene::new(go, toolchain).select().expect("selected").goroot,
                Path::new("/go")
            );
        }
    }

    #[test]
    fn a_newer_line_is_taken_from_the_module_cache_or_says_how_to_get_it() {
        let mut scene = Scene::new(Some("1.26"), Some("go1.27.3"));
        let error = scene.select().expect_err("missing").to_string();
        assert!(
            error.contains("/p/go.mod:3")
                && error.contains("golang.org/toolchain@v0.0.1-go1.27.3.linux-"),
            "{error}"
        );

        let dir = tempfile::tempdir().expect("tempdir");
        let base = dir.path().canonicalize().expect("real path");
        let goroot = base.join(format!(
            "golang.org/toolchain@v0.0.1-go1.27.3.linux-{}",
            host_arch()
        ));
        let tools = goroot.join(format!("pkg/tool/linux_{}", host_arch()));
        for folder in [
            goroot.join("bin"),
            goroot.join("src/runtime"),
            tools.clone(),
        ] {
            std::fs::create_dir_all(folder).expect("folders");
        }
        for file in [
            goroot.join("bin/go"),
            tools.join("compile"),
            tools.join("link"),
            tools.join("asm"),
        ] {
            std::fs::write(file, "\x7fELF").expect("file");
        }
        std::fs::write(goroot.join("VERSION"), "go1.27.3\n").expect("file");
        scene.cache = Some(base.clone());
        scene.below = base;
        assert_eq!(scene.select().expect("selected").version.as_str(), "1.27.3");
    }

    #[test]
    fn the_range_of_the_policy_holds() {
        let mut scene = Scene::new(Some("1.27.3"), None);
        scene.range = Some(("1.21".to_owned(), "1.26.9".to_owned()));
        assert!(matches!(
            scene.select(),
            Err(SelectError::OutOfRange { .. })
        ));
        for newest in ["1.27.3", "1.27", "1.28"] {
            scene.range = Some(("1.21".to_owned(), newest.to_owned()));
            assert!(
                matches!(scene.select(), Err(SelectError::Absent { .. })),
                "{newest}"
            );
        }
    }

    #[test]
    fn under_local_a_toolchain_line_counts_for_nothing_and_a_newer_go_line_fails() {
        let mut scene = Scene::new(Some("1.26"), Some("go1.27.3"));
        scene.wish = Wish::parse("local").expect("wish");
        assert!(scene.select().is_ok());
        scene.lines.go.as_mut().expect("line").text = "1.27.0".to_owned();
        assert!(matches!(scene.select(), Err(SelectError::Missing { .. })));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        assert!(matches!(
            Scene::new(Some("1.x"), None).select(),
            Err(SelectError::Line { .. })
        ));
        assert!(matches!(
            Scene::new(None, Some("go/../../x")).select(),
            Err(SelectError::Line { .. })
        ));
        assert!(Wish::parse("/tmp/go").is_err());
    }

    #[test]
    fn a_toolchain_named_by_the_caller_is_that_one() {
        let mut scene = Scene::new(Some("1.21"), Some("go1.27.3"));
        scene.wish = Wish::parse("go1.26.8").expect("wish");
        assert!(scene.select().is_ok());
        for older in ["go1.25.1", "go1.26.9+auto"] {
            scene.wish = Wish::parse(older).expect("wish");
            assert!(
                matches!(scene.select(), Err(SelectError::Absent { .. })),
                "{older}"
            );
        }
        scene.wish = Wish::parse("go1.25.1+auto").expect("wish");
        scene.lines = Lines::default();
        assert!(scene.select().is_ok());
    }
}
