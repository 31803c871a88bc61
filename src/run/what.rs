//! What is to be run: the go command, gofmt or another program; and whether git stamps it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::caches::{self, Caches};
use super::{Command, Session};
use crate::files::look;
use crate::go;
use crate::go::command::{self, GoCommand, Programs};
use crate::go::toolchain::Toolchain;
use crate::go::vcs::{self, Stamping};
use crate::go::workspace::Workspace;
use crate::plan::inputs::leads_out;
use crate::policy::compilers::is_compiler;
use crate::policy::{Cage, Policy};
use crate::refusal::{Code, Help, Refuse, Refused};

/// A command that is not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot find the command: {0}")]
pub struct NotFound(String);

impl Refuse for NotFound {
    fn code(&self) -> Code {
        Code::NotFound
    }

    fn help(&self) -> Vec<Help> {
        vec![Help::Words(
            "name the command by its path, or put its folder into PATH".to_owned(),
        )]
    }
}

/// What is to be run.
pub(super) enum What {
    /// The go command.
    Go(GoCommand),
    /// gofmt, GOROOT's own.
    Gofmt,
    /// The C compiler, which says who it is.
    Compiler(PathBuf),
    /// Anything else, by its canonical path.
    Other(PathBuf),
}

impl What {
    /// The go command, if it is that.
    pub fn go(&self) -> Option<&GoCommand> {
        match self {
            What::Go(go) => Some(go),
            _ => None,
        }
    }

    /// Whether a command in the program cage is likely to build with the go command: it is known to, or it is a shell that is
    /// told to. What a script does is not looked at.
    pub fn runs_go(&self, arguments: &[OsString]) -> bool {
        const SHELLS: [&str; 5] = ["ash", "bash", "dash", "sh", "zsh"];
        const KNOWN: [&str; 17] = [
            "air",
            "dlv",
            "ginkgo",
            "gmake",
            "golangci-lint",
            "gopls",
            "goreleaser",
            "gotestsum",
            "just",
            "ko",
            "mage",
            "make",
            "mockery",
            "ninja",
            "revive",
            "staticcheck",
            "task",
        ];
        let program = match self {
            What::Go(_) => return true,
            What::Gofmt | What::Compiler(_) => return false,
            What::Other(program) => program.file_name().and_then(OsStr::to_str),
        };
        program.is_some_and(|name| match SHELLS.contains(&name) {
            true => arguments
                .iter()
                .any(|word| calls_go(&word.to_string_lossy())),
            false => KNOWN.contains(&name),
        })
    }

    /// The cage that it runs in.
    pub fn cage(&self) -> Cage {
        match self {
            What::Go(go) => go.cage,
            What::Gofmt | What::Compiler(_) => Cage::Tool,
            What::Other(_) => Cage::Program,
        }
    }
}

/// Finds out what a command line asks for.
///
/// # Errors
/// A go command line that the policy refuses, a program that is not there, or a compiler; or it needs a cache that cannot
/// be had.
pub(super) fn what(
    session: &Session<'_>,
    policy: &Policy,
    toolchain: &Toolchain,
    arguments: &Command,
    caches: &Caches,
    tree: Option<&Path>,
) -> anyhow::Result<What> {
    let what = find(session, policy, toolchain, arguments, caches, tree)?;
    caches.check(&what)?;
    if what.go().is_some_and(|go| go.cleans_modules.is_some()) {
        caches.check_modules(session)?;
    }
    Ok(what)
}

fn find(
    session: &Session<'_>,
    policy: &Policy,
    toolchain: &Toolchain,
    arguments: &Command,
    caches: &Caches,
    tree: Option<&Path>,
) -> anyhow::Result<What> {
    let program = Path::new(&arguments.program);
    if program.file_name().is_some_and(|name| name == "go") {
        let gobin = gobin(session, caches);
        let go = command::classify(&command::Call {
            words: &arguments.arguments,
            cwd: &session.folder,
            root: tree,
            allow_flags: &policy.programs.allow_flags,
            race: policy.programs.race,
            pins_mod: policy.modules.mod_flag.is_some(),
            gobin: Some(&gobin),
            goflags: session.variable("GOFLAGS").map(OsString::as_os_str),
            gocoverdir: session.variable("GOCOVERDIR").map(OsString::as_os_str),
            toolchain: Some(toolchain),
        })?;
        for path in executed(session, &go, &toolchain.goroot, tree, &[]) {
            refuse_compiler(&path)?;
        }
        return Ok(What::Go(go));
    }
    if program == Path::new("gofmt") {
        return Ok(What::Gofmt);
    }
    if session.compiler == Some(program) {
        return Ok(What::Compiler(program.to_owned()));
    }
    let path = look_up(program, session, &toolchain.goroot)?;
    refuse_compiler(&path)?;
    Ok(What::Other(path))
}

/// # Errors
/// The program is a C compiler.
fn refuse_compiler(path: &Path) -> Result<(), Refused> {
    if !is_compiler(path) {
        return Ok(());
    }
    let text = format!(
        "cannot run {}: no C compiler, assembler or linker runs inside",
        path.display()
    );
    Err(Refused::new(Code::CompilerRefused, text)
        .words("gosandbox -- go build ./... needs none: cgo is off"))
}

/// The programs that flags have the go command execute, by their canonical paths. What is not there go itself names.
/// None that a link of the work tree's chooses, unless it is one of those that may be read (`read`).
pub(super) fn executed(
    session: &Session<'_>,
    go: &GoCommand,
    goroot: &Path,
    tree: Option<&Path>,
    read: &[PathBuf],
) -> Vec<PathBuf> {
    let folder = go.changed_dir.as_ref().unwrap_or(&session.folder);
    let found = go.executes.iter().map(Path::new).filter_map(|program| {
        let path = match program.components().count() > 1 {
            true => folder.join(program),
            false => find_in_path(program, session, goroot)?,
        };
        let real = look::canonicalize(&path).ok()?;
        let is_led = tree.is_some_and(|tree| leads_out(&path, &real, tree));
        (!is_led || read.contains(&real)).then_some(real)
    });
    found.collect()
}

/// Where `go install` puts programs: where the caller's own go would, also if the sandbox user has another GOPATH.
fn gobin(session: &Session<'_>, caches: &Caches) -> PathBuf {
    if let Some(named) = session.go_variable("GOBIN") {
        return named.into();
    }
    // That of the sandbox user, or of --cache-dir, is not where the caller looks for programs.
    let is_other = session.host.is_root() || session.request.cache_dir.is_some();
    let own = is_other.then(|| caches::own_gopath(session));
    let gopath = own.flatten().filter(|_| !is_cross(session));
    gopath.as_ref().unwrap_or(&caches.gopath).join("bin")
}

/// Whether go builds for another platform than this one. Such programs go installs below GOPATH alone.
fn is_cross(session: &Session<'_>) -> bool {
    let is_other = |name: &str, here: &str| session.variable(name).is_some_and(|it| it != here);
    is_other("GOOS", "linux") || is_other("GOARCH", go::host_arch())
}

/// Where a command is found: by its path, else in the PATH that holds inside, and then in the caller's, as
/// what `go install` has put into `~/go/bin`. Only the command is: what it runs finds nothing there.
fn look_up(program: &Path, session: &Session<'_>, goroot: &Path) -> anyhow::Result<PathBuf> {
    if program.components().count() > 1 {
        let path = session.folder.join(program);
        return look::canonicalize(&path)
            .map_err(|error| NotFound(format!("{}: {error}", path.display())).into());
    }
    let found = find_in_path(program, session, goroot);
    let found = found.and_then(|path| look::canonicalize(path).ok());
    found.ok_or_else(|| {
        let looked = path_inside(goroot)
            .map(|folder| folder.display().to_string())
            .join(", ");
        let program = program.display();
        NotFound(format!("{program} is in none of {looked}, nor in PATH")).into()
    })
}

/// The folders of PATH inside.
fn path_inside(goroot: &Path) -> [PathBuf; 4] {
    [
        goroot.join("bin"),
        "/usr/local/bin".into(),
        "/usr/bin".into(),
        "/bin".into(),
    ]
}

/// A file of this name in the PATH that holds inside, else in the caller's.
fn find_in_path(program: &Path, session: &Session<'_>, goroot: &Path) -> Option<PathBuf> {
    let callers = session.variable("PATH").map(std::env::split_paths);
    let callers = callers.into_iter().flatten().filter(|it| it.is_absolute());
    let mut paths = path_inside(goroot)
        .into_iter()
        .chain(callers)
        .map(|folder| folder.join(program));
    paths.find(|path| look::is_file(path))
}

/// Whether git stamps, and the flags that switch it off where it must not.
///
/// # Errors
/// The command line asks for it by name (`-buildvcs`), which no variable takes back, where it must not.
pub(super) fn stamping(
    session: &Session<'_>,
    workspace: &Workspace,
    policy: &Policy,
    what: &What,
) -> anyhow::Result<(Stamping, Vec<String>)> {
    let off = vec!["-buildvcs=false".to_owned()];
    // In the program cage git would run on what the cage's own programs write.
    let What::Go(go) = what else {
        return Ok((Stamping::None, off));
    };
    // GOFLAGS are for commands that load packages.
    let flags = session.variable("GOFLAGS").filter(|_| go.fetches);
    let by_flags = || command::buildvcs_in_goflags(&flags?.to_string_lossy());
    let asked = go.buildvcs.or_else(by_flags);
    let asked = asked.unwrap_or(go.stamps);
    // Go works in the real one, whatever the way to it that -C names.
    let changed = go.changed_dir.as_ref();
    let changed = changed.and_then(|folder| look::canonicalize(folder).ok());
    let folder = changed.as_ref().unwrap_or(&session.folder);
    let (true, Some(checkout)) = (asked, vcs::checkout(folder)) else {
        return Ok((Stamping::None, Vec::new()));
    };
    if go.cage == Cage::Program {
        return Ok((Stamping::None, off));
    }
    let stamping = if !policy.programs.stamping {
        Stamping::Unsafe {
            reason: format!("profile {} has it off", policy.name),
        }
    } else if go.programs != Programs::None {
        Stamping::Unsafe {
            reason: "git would run where all that the source brings along can be executed"
                .to_owned(),
        }
    } else {
        match workspace.repository.as_deref() {
            Some(repository) if repository == checkout => vcs::stamping(repository),
            Some(repository) if checkout.starts_with(repository) => Stamping::Unsafe {
                reason: format!(
                    "{} is a repository within {}",
                    checkout.display(),
                    repository.display()
                ),
            },
            // A submodule's, whose own .git is a file; or that of a home folder, which is none of a project.
            _ => Stamping::Unsafe {
                reason: format!(
                    "{} is a repository around the project's, and is not shown inside",
                    checkout.display()
                ),
            },
        }
    };
    let Stamping::Unsafe { reason } = stamping else {
        return Ok((stamping, Vec::new()));
    };
    if go.buildvcs == Some(true) {
        let text = format!("cannot stamp as -buildvcs asks: {reason}");
        return Err(Refused::new(Code::StampingRefused, text)
            .words("leave out -buildvcs, or give -buildvcs=false")
            .into());
    }
    if policy.programs.stamping {
        session
            .console
            .warn(&format!("no version control stamping: {reason}"));
    }
    Ok((Stamping::None, off))
}

/// Whether a shell's words call make, or the go command to build something.
fn calls_go(script: &str) -> bool {
    const BUILDS: [&str; 7] = ["build", "generate", "install", "list", "run", "test", "vet"];
    let ends = |byte: char| byte.is_whitespace() || ";&|()".contains(byte);
    let words: Vec<&str> = script.split(ends).filter(|word| !word.is_empty()).collect();
    let calls = |pair: &[&str]| pair[0] == "go" && BUILDS.contains(&pair[1]);
    words.contains(&"make") || words.windows(2).any(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_that_is_told_to_build_calls_go() {
        for script in [
            "go build .",
            "cd x && go test ./...",
            "(go vet);",
            "true; make -j2",
            "make",
        ] {
            assert!(calls_go(script), "{script}");
        }
        for script in [
            "",
            "echo go",
            "until [ -e out/go ]; do :; done",
            "go version",
            "cmake .",
            "./go build",
            "sh go",
        ] {
            assert!(!calls_go(script), "{script}");
        }
    }
}
