//! The project that a command is run in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::audit::Audit;
use super::{Command, Session, grants, request};
use crate::files::look;
use crate::go::command;
use crate::go::workspace::{self, Workspace};
use crate::policy::{Modules, Policy, pattern};
use crate::profile::{self, Overrides};
use crate::refusal::{Code, Refused};
use crate::text;

/// What every start of a run has in common: that of the command, and those that fetch for it.
#[derive(Clone, Copy)]
pub(super) struct Project<'a> {
    pub session: &'a Session<'a>,
    pub workspace: &'a Workspace,
    pub policy: &'a Policy,
    pub audit: Option<&'a Audit>,
}

impl<'a> Project<'a> {
    /// The work tree, where there is one.
    pub fn tree(&self) -> Option<&'a Path> {
        (!self.workspace.none).then_some(self.workspace.root.as_path())
    }
}

/// The project that a command is run in, and the policy for it. `first` is done with the work tree before a
/// profile of its own is read.
pub(super) fn resolve(
    session: &Session<'_>,
    overrides: &Overrides,
    command: &Command,
    first: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<(Workspace, Policy)> {
    let real = |path: &PathBuf| look::canonicalize(path).unwrap_or_else(|_| path.clone());
    let written: Vec<PathBuf> = overrides.write.iter().map(real).collect();
    let read: Vec<PathBuf> = overrides.read.iter().map(real).collect();
    let granted = [read, written.clone()].concat();
    let temp = session.variable("TMPDIR").filter(|value| !value.is_empty());
    let temp = temp.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let workspace = workspace::discover(&workspace::Start {
        cwd: &go_folder(session, command)?,
        gowork: session.variable("GOWORK").map(OsString::as_os_str),
        writes_work: is_go(command) && command::writes_work(&command.arguments),
        home: session.home.as_deref(),
        temp: Some(&temp),
        granted: &granted,
        written: &written,
    })?;
    if !workspace.none {
        first(&workspace.root)?;
    }
    let mut policy = profile::policy(&profile::Request {
        profile: &session.request.profile,
        work_tree: Some(&workspace.root),
        overrides,
        caller: &request::caller(Some(&workspace)),
    })?;
    withhold(session, &mut policy.modules)?;
    let tree = (!workspace.none).then_some(workspace.root.as_path());
    grants::settle(&mut policy, overrides, tree)?;
    Ok((workspace, policy))
}

/// Takes over which modules the caller's own Go keeps from proxies and the checksum database. That only
/// tightens, so that it may come from the environment.
///
/// # Errors
/// A pattern that cannot be read: it would withhold nothing, and its names would be told.
fn withhold(session: &Session<'_>, modules: &mut Modules) -> Result<(), Refused> {
    for variable in ["GOPRIVATE", "GONOPROXY"] {
        let value = session.go_variable(variable).unwrap_or_default();
        let value = value.to_string_lossy();
        let patterns = value.split(',').map(str::trim);
        for pattern in patterns.filter(|pattern| !pattern.is_empty()) {
            if !pattern::is_well_formed(pattern) {
                let text = format!("cannot use {variable}: `{pattern}` is no pattern of modules");
                return Err(Refused::new(Code::ModuleWithheld, text)
                    .words(format!("export {variable}='git.example.com/*'")));
            }
            let withheld = modules.withheld.entry(pattern.to_owned());
            withheld.or_insert_with(|| variable.to_owned());
        }
    }
    Ok(())
}

/// `no such file or directory`
fn in_gos_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn is_go(command: &Command) -> bool {
    let name = Path::new(&command.program).file_name();
    name.is_some_and(|name| name == "go")
}

/// The folder that the go command works in: `-C` of its own may change it.
fn go_folder(session: &Session<'_>, command: &Command) -> anyhow::Result<PathBuf> {
    let changes = |word: &OsString| {
        let word = word.to_string_lossy();
        word.trim_start_matches('-').starts_with('C') && word.starts_with('-')
    };
    if !is_go(command) || !command.arguments.iter().take(2).any(changes) {
        return Ok(session.folder.clone());
    }
    let changed = command::changed_dir(&command.arguments, &session.folder);
    let folder = changed.unwrap_or_else(|| session.folder.clone());
    // That there is no such folder go says itself, from where it is.
    let is_no_folder = look::exists(&folder) && !look::is_dir(&folder);
    if is_no_folder {
        return Ok(session.folder.clone());
    }
    look::canonicalize_folder(&folder).or_else(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return Ok(session.folder.clone());
        }
        let given = command::given_dir(&command.arguments).unwrap_or_default();
        let text = format!(
            "cannot enter {}, which -C names: chdir {}: {}",
            folder.display(),
            text::visible(&given.to_string_lossy()),
            in_gos_words(&error)
        );
        Err(Refused::new(Code::FolderUnusable, text).into())
    })
}
