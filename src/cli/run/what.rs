//! What is to be run: the go command, gofmt or another program; and whether git stamps it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::caches::Caches;
use super::{NotFound, Session};
use crate::cli::{args, warn};
use crate::go::command::{self, GoCommand};
use crate::go::toolchain::Toolchain;
use crate::go::vcs::{self, Stamping};
use crate::go::workspace::Workspace;
use crate::policy::compilers::is_compiler;
use crate::policy::{Cage, Policy};

/// What is to be run.
pub(super) enum What {
    /// The go command.
    Go(GoCommand),
    /// gofmt, GOROOT's own.
    Gofmt,
    /// Anything else, by its canonical path.
    Other(PathBuf),
}

/// Finds out what a command line asks for.
///
/// # Errors
/// A go command line that the policy refuses, a program that is not there, or a compiler.
pub(super) fn what(
    session: &Session<'_>,
    policy: &Policy,
    toolchain: &Toolchain,
    arguments: &args::Command,
    caches: &Caches,
    tree: Option<&Path>,
) -> anyhow::Result<What> {
    let program = Path::new(&arguments.program);
    if program.file_name().is_some_and(|name| name == "go") {
        let gobin = session
            .variable("GOBIN")
            .map(PathBuf::from)
            .unwrap_or_else(|| caches.gopath.join("bin"));
        return Ok(What::Go(command::classify(&command::Call {
            words: &arguments.arguments,
            cwd: &session.folder,
            root: tree,
            allow_flags: &policy.programs.allow_flags,
            gobin: Some(&gobin),
            gocoverdir: session.variable("GOCOVERDIR").map(OsString::as_os_str),
            tool_dir: Some(&toolchain.tool_dir),
        })?));
    }
    if program == Path::new("gofmt") {
        return Ok(What::Gofmt);
    }
    let path = look_up(program, session, &toolchain.goroot)?;
    if is_compiler(&path) {
        bail!(
            "refusing to run {}: no C compiler, assembler or linker runs inside",
            path.display()
        );
    }
    Ok(What::Other(path))
}

/// Where a command is found: by its path, else in the PATH that holds inside, and then in the caller's, as
/// what `go install` has put into `~/go/bin`. Only the command is: what it runs finds nothing there.
fn look_up(program: &Path, session: &Session<'_>, goroot: &Path) -> anyhow::Result<PathBuf> {
    if program.components().count() > 1 {
        let path = session.folder.join(program);
        return path
            .canonicalize()
            .map_err(|error| NotFound(format!("{}: {error}", path.display())).into());
    }
    let folders = [
        goroot.join("bin"),
        "/usr/local/bin".into(),
        "/usr/bin".into(),
        "/bin".into(),
    ];
    let callers = session.variable("PATH").map(std::env::split_paths);
    let callers = callers.into_iter().flatten().filter(|it| it.is_absolute());
    let found = folders
        .iter()
        .cloned()
        .chain(callers)
        .map(|folder| folder.join(program))
        .find_map(|path| path.canonicalize().ok().filter(|path| path.is_file()));
    found.ok_or_else(|| {
        let looked = folders
            .map(|folder| folder.display().to_string())
            .join(", ");
        let program = program.display();
        NotFound(format!("{program} is in none of {looked}, nor in PATH")).into()
    })
}

/// Whether git stamps, and the flags that switch it off where it must not.
pub(super) fn stamping(
    session: &Session<'_>,
    workspace: &Workspace,
    policy: &Policy,
    what: &What,
) -> (Stamping, Vec<String>) {
    let off = || vec!["-buildvcs=false".to_owned()];
    // In the program cage git would run on what the cage's own programs write.
    let What::Go(go) = what else {
        return (Stamping::None, off());
    };
    let (true, Some(repository)) = (go.stamps, &workspace.repository) else {
        return (Stamping::None, Vec::new());
    };
    if go.cage == Cage::Program || !policy.programs.stamping {
        return (Stamping::None, off());
    }
    if flags_say_no(session) {
        return (Stamping::None, Vec::new());
    }
    match vcs::stamping(repository) {
        Stamping::Unsafe { reason } => {
            if !go.buildvcs_given {
                warn(
                    session.args.verbosity,
                    &format!("no version control stamping: {reason}"),
                );
            }
            (Stamping::None, off())
        }
        stamping => (stamping, Vec::new()),
    }
}

/// Whether the caller's GOFLAGS switch stamping off.
fn flags_say_no(session: &Session<'_>) -> bool {
    let flags = session
        .variable("GOFLAGS")
        .map(|flags| flags.to_string_lossy().into_owned());
    flags.is_some_and(|flags| {
        flags
            .split_whitespace()
            .any(|flag| flag.trim_start_matches('-') == "buildvcs=false")
    })
}
