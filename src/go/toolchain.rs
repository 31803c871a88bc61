//! Finding Go without running it: the `go` that `PATH` or `--goroot` names, and its GOROOT.
//!
//! The path to it and to GOROOT is judged step by step ([`super::trust`]). An inherited GOROOT
//! variable counts for nothing, and neither does a `go` of the project itself.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::trust::{Trust, Untrusted};
use super::version::{Version, VersionError};
use super::{host_arch, shown};
use crate::files::look;

/// A Go distribution that was found and looked at.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The real path of the go command.
    pub go: PathBuf,
    /// The real path of GOROOT.
    pub goroot: PathBuf,
    /// What its VERSION file says.
    pub version: Version,
    /// The real path of `$GOROOT/pkg/tool/linux_ARCH`.
    pub tool_dir: PathBuf,
    /// Real targets, outside GOROOT, of symbolic links in GOROOT: Debian keeps `src` and `test`
    /// under /usr/share.
    pub linked: Vec<PathBuf>,
    /// The settings of `$GOROOT/go.env`, which `GOENV=off` does not switch off.
    pub settings: Vec<(String, String)>,
    /// Whether the go command or a tool of it needs the system's libraries, as those of some distributions do.
    pub is_dynamic: bool,
    /// Where its files lie, if they are only shown at GOROOT: the same Go at its own place.
    pub copy: Option<Box<Toolchain>>,
}

/// The first Go whose `go tool` builds tools that are not there.
const BUILDS_TOOLS: &str = "1.25";

impl Toolchain {
    /// This Go, shown at another place than its own.
    pub fn shown_at(self, goroot: &Path) -> Toolchain {
        let moved = |path: &Path| match path.strip_prefix(&self.goroot) {
            Ok(inner) => goroot.join(inner),
            Err(_) => path.to_owned(),
        };
        Toolchain {
            go: moved(&self.go),
            goroot: goroot.to_owned(),
            version: self.version.clone(),
            tool_dir: moved(&self.tool_dir),
            linked: self.linked.clone(),
            settings: self.settings.clone(),
            is_dynamic: self.is_dynamic,
            copy: Some(Box::new(self)),
        }
    }

    /// This Go where its files lie.
    pub fn on_disk(&self) -> &Toolchain {
        self.copy.as_deref().unwrap_or(self)
    }

    /// Whether a tool is there, built.
    pub fn has_built(&self, tool: &OsStr) -> bool {
        look::exists(self.on_disk().tool_dir.join(tool))
    }

    /// Whether `go tool` builds a tool, from GOROOT's source.
    pub fn builds(&self, tool: &OsStr) -> bool {
        let first = BUILDS_TOOLS.parse::<Version>();
        let source = look::read_dir(self.on_disk().goroot.join("src/cmd").join(tool));
        let mut files = source.into_iter().flatten();
        first.is_ok_and(|first| self.version >= first)
            && files.any(|file| file.path().extension().is_some_and(|it| it == "go"))
    }
}

/// What to look for, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// `--goroot`.
    pub goroot: Option<&'a Path>,
    /// The caller's PATH.
    pub path: Option<&'a OsStr>,
    /// For whom ownership is judged.
    pub trust: Trust<'a>,
    /// The project, in which no toolchain may lie.
    pub work_tree: Option<&'a Path>,
}

/// Why there is no toolchain.
#[derive(Debug, Error)]
pub enum ToolchainError {
    /// No `go` in PATH.
    #[error("cannot find go: looked in {looked}")]
    NotFound {
        /// The folders that were looked in.
        looked: String,
    },
    /// The first `go` of PATH was found by a relative entry.
    #[error(
        "cannot use {}: it was found by the entry {entry:?} of PATH, which is not absolute",
        shown(go)
    )]
    RelativeEntry {
        /// What was found.
        go: PathBuf,
        /// The entry.
        entry: String,
    },
    /// Someone else could change it.
    #[error("cannot use {}: {source}", shown(path))]
    Untrusted {
        /// What was asked for.
        path: PathBuf,
        /// Why not.
        source: Untrusted,
    },
    /// It belongs to the project.
    #[error(
        "cannot use {}: it lies inside the work tree {}",
        shown(go),
        shown(tree)
    )]
    InWorkTree {
        /// What was found.
        go: PathBuf,
        /// The work tree.
        tree: PathBuf,
    },
    /// It is a script or something else that is no program.
    #[error("cannot use {}: it is {what}, not the go command itself", shown(go))]
    NotElf {
        /// What was found.
        go: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It does not lie in a GOROOT.
    #[error("cannot use {} as GOROOT: it has no {missing}{hint}", shown(goroot))]
    NotGoroot {
        /// The folder above its `bin`.
        goroot: PathBuf,
        /// The first thing missing.
        missing: String,
        /// What it may be instead.
        hint: String,
    },
    /// Its VERSION file makes no sense.
    #[error("cannot read the version of {}: {source}", shown(goroot))]
    Version {
        /// GOROOT.
        goroot: PathBuf,
        /// Why not.
        source: VersionError,
    },
    /// A file of it cannot be read.
    #[error("cannot read {}: {source}", shown(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Finds the toolchain that `choice` names.
pub fn discover(choice: &Choice<'_>) -> Result<Toolchain, ToolchainError> {
    let go = match choice.goroot {
        Some(goroot) => goroot.join("bin/go"),
        None => in_path(choice.path.unwrap_or_default())?,
    };
    let toolchain = open(&go, &choice.trust)?;
    match choice.work_tree {
        Some(tree) if toolchain.goroot.starts_with(tree) || go.starts_with(tree) => {
            Err(ToolchainError::InWorkTree {
                go,
                tree: tree.to_owned(),
            })
        }
        _ => Ok(toolchain),
    }
}

/// The first `go` of PATH. As in `os/exec`, one that a relative entry finds is an error rather
/// than passed over for a later one.
fn in_path(path: &OsStr) -> Result<PathBuf, ToolchainError> {
    let mut looked = Vec::new();
    for entry in std::env::split_paths(path) {
        let go = entry.join("go");
        let found =
            look::metadata(&go).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
        if entry.is_absolute() {
            if found {
                return Ok(go);
            }
            looked.push(shown(&entry));
        } else if found {
            let entry = shown(&entry);
            return Err(ToolchainError::RelativeEntry { go, entry });
        }
    }
    let looked = if looked.is_empty() {
        "PATH, which has no absolute entry".to_owned()
    } else {
        looked.join(", ")
    };
    Err(ToolchainError::NotFound { looked })
}

/// Judges the go command at `go` and the GOROOT around it.
pub fn open(go: &Path, trust: &Trust<'_>) -> Result<Toolchain, ToolchainError> {
    let refuse = |path: &Path, source: Untrusted| match source {
        Untrusted::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            not_goroot(go, path)
        }
        source => ToolchainError::Untrusted {
            path: path.to_owned(),
            source,
        },
    };
    let go = trust.resolve(go).map_err(|source| refuse(go, source))?;
    let mut is_dynamic = check_elf(&go)?;
    let goroot = go
        .parent()
        .filter(|bin| bin.ends_with("bin"))
        .and_then(Path::parent)
        .ok_or_else(|| not_goroot(&go, Path::new("bin/go")))?;
    // The way to GOROOT was judged with the way to its go command.
    let resolve = |path: &Path| {
        let known = if path.starts_with(goroot) {
            goroot
        } else {
            Path::new("/")
        };
        trust
            .resolve_below(known, path)
            .map_err(|source| refuse(path, source))
    };
    let missing = |part: &str| not_goroot(&go, &goroot.join(part));
    let version_path = goroot.join("VERSION");
    if !look::exists(&version_path) {
        return Err(missing("VERSION"));
    }
    let version = read_version(goroot, &resolve(&version_path)?)?;
    let tool_dir = resolve(&goroot.join(format!("pkg/tool/linux_{}", host_arch())))?;
    for tool in ["compile", "link", "asm"] {
        is_dynamic |= check_elf(&resolve(&tool_dir.join(tool))?)?;
    }
    resolve(&goroot.join("src/runtime"))?;
    let mut linked = linked(goroot, &resolve)?;
    if !tool_dir.starts_with(goroot) && !linked.iter().any(|l| tool_dir.starts_with(l)) {
        linked.push(tool_dir.clone());
        linked.sort();
    }
    Ok(Toolchain {
        settings: settings(goroot, &resolve)?,
        goroot: goroot.to_owned(),
        go,
        version,
        tool_dir,
        linked,
        is_dynamic,
        copy: None,
    })
}

fn not_goroot(go: &Path, missing: &Path) -> ToolchainError {
    let goroot = go.parent().and_then(Path::parent).unwrap_or(go);
    let hint = if go.file_name().is_some_and(|n| n == "snap") {
        "; the go in PATH is the snap launcher"
    } else if go.file_name().is_some_and(|n| n != "go") {
        "; what was found stands in for the go command"
    } else {
        "; a wrapper of golang.org/dl keeps its toolchain in ~/sdk"
    };
    let missing = shown(missing.strip_prefix(goroot).unwrap_or(missing));
    ToolchainError::NotGoroot {
        goroot: goroot.to_owned(),
        missing,
        hint: hint.to_owned(),
    }
}

/// Makes sure that it is a program. Whether it is linked dynamically.
fn check_elf(go: &Path) -> Result<bool, ToolchainError> {
    let mut start = [0; 4096];
    let read = |source| ToolchainError::Read {
        path: go.to_owned(),
        source,
    };
    let got = look::open(go)
        .and_then(|mut f| f.read(&mut start))
        .map_err(read)?;
    let what = match &start[..got] {
        [0x7f, b'E', b'L', b'F', ..] => return Ok(has_interpreter(&start[..got])),
        [b'#', b'!', ..] => "a script",
        _ => "no ELF program",
    };
    Err(ToolchainError::NotElf {
        go: go.to_owned(),
        what,
    })
}

/// Whether the start of a 64-bit ELF file asks for a dynamic loader (elf(5): PT_INTERP).
fn has_interpreter(start: &[u8]) -> bool {
    const INTERP: u64 = 3;
    let number = |at: usize, length: usize| {
        let bytes = start.get(at..at.checked_add(length)?)?;
        let bytes = bytes.iter().rev();
        Some(bytes.fold(0, |number: u64, byte| number << 8 | u64::from(*byte)))
    };
    let found = || {
        let table = usize::try_from(number(0x20, 8)?).ok()?;
        let size = usize::try_from(number(0x36, 2)?).ok()?;
        let count = usize::try_from(number(0x38, 2)?).ok()?;
        let kind = |entry: usize| number(table.checked_add(entry * size)?, 4);
        Some((0..count).any(|entry| kind(entry) == Some(INTERP)))
    };
    found().unwrap_or(false)
}

fn read_version(goroot: &Path, path: &Path) -> Result<Version, ToolchainError> {
    let text = look::read_to_string(path).map_err(|source| ToolchainError::Read {
        path: path.to_owned(),
        source,
    })?;
    let first = text.lines().next().unwrap_or_default().trim();
    Version::of_toolchain(first).map_err(|source| ToolchainError::Version {
        goroot: goroot.to_owned(),
        source,
    })
}

/// Folders of GOROOT in which distributions have links: Debian has `src` and `pkg/include` below /usr/share.
const WITH_LINKS: [&str; 7] = ["", "bin", "lib", "pkg", "pkg/include", "pkg/tool", "src"];

fn linked(
    goroot: &Path,
    resolve: &dyn Fn(&Path) -> Result<PathBuf, ToolchainError>,
) -> Result<Vec<PathBuf>, ToolchainError> {
    let mut linked = Vec::new();
    for folder in WITH_LINKS {
        let folder = goroot.join(folder);
        let Ok(entries) = look::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            // A link that leads nowhere (documentation that is not installed) grants nothing.
            if entry.kind().is_symlink() && look::exists(entry.path()) {
                let target = resolve(&entry.path())?;
                if !target.starts_with(goroot) {
                    linked.push(target);
                }
            }
        }
    }
    linked.sort();
    linked.dedup();
    Ok(linked)
}

fn settings(
    goroot: &Path,
    resolve: &dyn Fn(&Path) -> Result<PathBuf, ToolchainError>,
) -> Result<Vec<(String, String)>, ToolchainError> {
    let path = goroot.join("go.env");
    if look::symlink_metadata(&path).is_err() {
        return Ok(Vec::new());
    }
    let path = resolve(&path)?;
    let text =
        look::read_to_string(&path).map_err(|source| ToolchainError::Read { path, source })?;
    Ok(super::goenv::parse(&text))
}

#[cfg(test)]
mod tests;
