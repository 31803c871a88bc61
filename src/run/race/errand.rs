//! The run that compiles Go's own packages. It sees GOROOT and the system, and nothing of the user's: no work tree, no
//! modules, no variable of the user's but those that say for which processor, and no network.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;

use super::super::captured::captured;
use super::super::plan::Prepared;
use super::super::{Command, Project, Session, identity, scratch, start};
use super::compiler::{Compiler, install};
use super::known::{Known, files, made_by};
use crate::files::look;
use crate::go::race;
use crate::go::toolchain::Toolchain;
use crate::go::workspace::Workspace;
use crate::host::Host;
use crate::plan::compiler::Answer;
use crate::policy::{Environment, Policy};
use crate::refusal::{Code, Refused};

/// What go asks of a compiler, in the order in which it does.
const WHO: [&str; 5] = ["-###", "-x", "c", "-c", "-"];
/// What Go's linker asks, behind an argument for the processor.
const LIBRARY: &str = "--print-libgcc-file-name";

/// Compiles them.
///
/// # Errors
/// The compiler fails, or the run cannot be started.
pub(super) fn compile(
    project: &Project<'_>,
    host: &mut Host,
    toolchain: &Toolchain,
    compiler: &Compiler,
    words: &[OsString],
) -> anyhow::Result<Known> {
    project.session.console.note(&format!(
        "compiling Go's own C code for -race with {}, once",
        compiler.path.display()
    ));
    let session = Session {
        folder: "/".into(),
        run: project.session.run.clone(),
        host: project.session.host.clone(),
        environment: variables(project.session),
        written: project.session.written.clone(),
        home: project.session.home.clone(),
        compiler: Some(&compiler.path),
        held: Default::default(),
        ..*project.session
    };
    let nowhere = Workspace {
        root: "/".into(),
        none: true,
        ..Workspace::default()
    };
    let mut cage = Cage {
        policy: policy(project, host)?,
        session: &session,
        workspace: &nowhere,
        project,
        toolchain,
        host,
    };
    let mut known = Known {
        made_by: made_by(compiler, toolchain)?,
        ..Known::default()
    };
    let library: Vec<String> = processor()
        .iter()
        .copied()
        .chain([LIBRARY])
        .map(str::to_owned)
        .collect();
    for arguments in [WHO.map(str::to_owned).to_vec(), library] {
        let words: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        // Go reads both streams of the one, and the linker standard output of the other.
        let said = cage.run(compiler.path.as_os_str().to_owned(), &words)?;
        let output = match arguments.last().is_some_and(|last| last == LIBRARY) {
            true => said.0,
            false => said.0 + &said.1,
        };
        known.answers.push(Answer { arguments, output });
    }
    if let Some(answer) = known.answers.last_mut() {
        known.library = look::canonicalize(answer.output.trim()).ok();
        if let Some(library) = &known.library {
            answer.output = format!("{}\n", library.display());
        }
    }
    let (text, _) = cage.run("go".into(), words)?;
    let compiled = race::compiled(&text).filter(|all| !all.is_empty());
    for one in compiled.context("cannot read what go list says of Go's own packages")? {
        // Without it they are looked at again by the next run.
        known
            .files
            .extend(files(&one.entry, &one.file).unwrap_or_default());
    }
    Ok(known)
}

/// What Go's linker calls the compiler with first.
fn processor() -> &'static [&'static str] {
    match crate::go::host_arch() {
        "amd64" => &["-m64"],
        _ => &[],
    }
}

/// Variables that say for which processor, and where the caches lie.
fn variables(session: &Session<'_>) -> Vec<(OsString, OsString)> {
    const LEFT_OUT: [&str; 4] = ["GOFLAGS", "GOWORK", "GOCOVERDIR", "GOBIN"];
    let mut all = session.environment.clone();
    all.retain(|(name, _)| LEFT_OUT.iter().all(|left| name != left));
    all
}

/// The run's, without what the user grants.
fn policy(project: &Project<'_>, host: &Host) -> anyhow::Result<Policy> {
    let mut policy = project.policy.clone();
    if host.is_root() {
        let who = identity::choose(project.session, project.policy, project.tree())?;
        policy.identity.user = Some(format!("{}:{}", who.identity.uid, who.identity.gid));
    }
    policy.files.read.clear();
    policy.files.write.clear();
    policy.files.links.clear();
    policy.programs.execute.clear();
    policy.network = Default::default();
    policy.environment = Environment::default();
    policy.modules.upstreams = "off".to_owned();
    policy.modules.mod_flag = None;
    Ok(policy)
}

/// Where the compiler runs.
struct Cage<'a, 'h> {
    policy: Policy,
    session: &'a Session<'a>,
    workspace: &'a Workspace,
    project: &'a Project<'a>,
    toolchain: &'a Toolchain,
    host: &'h mut Host,
}

impl Cage<'_, '_> {
    /// What a command says, on standard output and on standard error.
    fn run(&mut self, program: OsString, words: &[OsString]) -> anyhow::Result<(String, String)> {
        let alone = Project {
            session: self.session,
            workspace: self.workspace,
            policy: &self.policy,
            audit: self.project.audit,
        };
        let command = Command {
            program,
            arguments: words.to_vec(),
        };
        let who = identity::choose(self.session, &self.policy, None)?;
        let mut prepared = Prepared::new(
            self.session,
            self.workspace,
            &self.policy,
            who,
            self.toolchain,
            &command,
            &scratch::name()?,
        )?;
        let host = &mut *self.host;
        let said = captured(|| {
            let (_, ended) = start(&alone, host, &mut prepared, None)?;
            Ok(ended.context("cannot start the sandbox")?.outcome.status)
        })?;
        match said.status {
            0 => Ok((said.stdout, said.stderr)),
            status => Err(failed(Path::new(&command.program), status, &said.stderr).into()),
        }
    }
}

fn failed(program: &Path, status: i32, errors: &str) -> Refused {
    const LINES: usize = 3;
    let lines = errors.lines().filter(|line| !line.starts_with('#'));
    let lines: Vec<&str> = lines.take(LINES).map(str::trim).collect();
    let text = format!(
        "cannot prepare -race: compiling Go's own C code, {} ended with status {status}: {}",
        program.display(),
        lines.join("; ")
    );
    Refused::new(Code::RaceUnavailable, text).words(install())
}
