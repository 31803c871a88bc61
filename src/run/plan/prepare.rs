//! The look at the project and the command, before anything is decided.

use std::cell::OnceCell;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::super::caches::{self, Caches, Missing};
use super::super::identity::Who;
use super::super::what::{What, stamping, what};
use super::super::{
    Command, Session, git, identity, led, links, protected, scratch, stage, tools, way,
};
use super::compiler::Cgo;
use super::{Prepared, is_roots, written};
use crate::files::Judged;
use crate::files::look;
use crate::go::command::{self, GoCommand};
use crate::go::gitlinked;
use crate::go::toolchain::Toolchain;
use crate::go::vcs::Stamping;
use crate::go::workspace::Workspace;
use crate::plan::inputs::{Project, Protected};
use crate::plan::outputs::{self, Outputs};
use crate::policy::{Policy, is_device};
use crate::refusal::{Code, Refused};

impl<'a> Prepared<'a> {
    /// Looks at the project and the command. `run`: the name of the run's own folder.
    pub fn new(
        session: &'a Session<'a>,
        workspace: &'a Workspace,
        policy: &'a Policy,
        who: Who,
        toolchain: &'a Toolchain,
        arguments: &'a Command,
        run: &str,
    ) -> anyhow::Result<Prepared<'a>> {
        let tree = (!workspace.none).then(|| workspace.root.clone());
        let mut caches = caches::find(session, &who, tree.as_deref(), Missing::Leave)?;
        // Whoever works in GOROOT/src or on an extracted module may not write it for that.
        let unwritable = [&toolchain.goroot, &caches.gomodcache, &caches.gocache];
        let tree = tree.filter(|tree| !unwritable.iter().any(|held| tree.starts_with(held)));
        let within = tree.as_deref();
        let what = what(session, policy, toolchain, arguments, &caches, within)?;
        let (stamping, add_flags) = stamping(session, workspace, policy, &what)?;
        let linked = linked(workspace, tree.as_deref());
        let mut read = also_read(workspace, &stamping, (tree.as_ref(), linked.as_ref()));
        read.extend(installed(session, &what, within));
        let led_to = led_to(session, policy, tree.as_deref(), &what)?;
        let protected = Protected::new(&policy.files.protected, &led_to);
        let outputs = match what.go() {
            Some(go) => {
                let inputs = links::inputs(&go.inputs, workspace, policy, within)?;
                read.extend(inputs.into_iter().filter(|path| is_outside(path, within)));
                outputs_of(go, policy, within, &protected)?
            }
            None => Outputs::default(),
        };
        let beside_caches = mapped(&who, policy, (tree.as_ref(), linked.as_ref()), &outputs);
        let sumdb = sumdb(&what, &mut caches, &who, tree.as_deref());
        let mapped = with_caches(&beside_caches, &caches, &who, sumdb.as_ref());
        let own_modules = way::own_modules(session, &caches);
        let is_mapped = tree.as_ref().is_some_and(|tree| mapped.contains(tree));
        let (judged, opened) = judged(&caches, &who, policy, tree.as_deref(), is_mapped)?;
        let project = Project {
            scratch: scratch::choose(session, written(tree.as_ref(), policy), run)?,
            links: led::links(session, arguments, within),
            covers: stage::runs(&what).map_or_else(Vec::new, |_| git::covers(within)),
            tree,
            judged,
            mapped,
            protected: led_to,
            read,
            write: Vec::new(),
            goroot: toolchain.goroot.clone(),
            goroot_copy: toolchain.copy.as_ref().map(|it| it.goroot.clone()),
            goroot_linked: toolchain.linked.clone(),
            gocache: caches.gocache.clone(),
            gomodcache: caches.gomodcache.clone(),
            sumdb,
            program_cache: caches.programs.clone(),
            proxy_folders: proxy_folders(policy, own_modules.clone()),
            user_name: who.name.clone(),
            launcher: launcher()?,
        };
        Ok(Prepared {
            is_errand: run != session.run,
            direct: None,
            session,
            workspace,
            policy,
            toolchain,
            arguments,
            what,
            who,
            caches,
            mapped: beside_caches,
            stamping,
            add_flags,
            cgo: Cgo::of(session),
            seed: None,
            project,
            own_modules,
            outputs,
            mounts_in_tree: OnceCell::new(),
            _opened: opened,
        })
    }
}

/// What appears as the sandbox user's, caches included.
fn with_caches(
    beside: &[PathBuf],
    caches: &Caches,
    who: &Who,
    sumdb: Option<&PathBuf>,
) -> Vec<PathBuf> {
    [beside, &of_root(caches, who, sumdb)].concat()
}

/// What lies in the tree is granted with it: by itself it would be shown read-only.
fn is_outside(path: &Path, tree: Option<&Path>) -> bool {
    tree.is_none_or(|tree| !path.starts_with(tree))
}

/// The launcher's own executable.
pub(in crate::run) fn launcher() -> anyhow::Result<PathBuf> {
    std::fs::read_link("/proc/self/exe").context("cannot find gosandbox's own executable")
}

/// The folders that modules may come from: the policy's, and the caller's own.
fn proxy_folders(policy: &Policy, own_modules: Option<PathBuf>) -> Vec<PathBuf> {
    let mut folders = way::upstream_folders(policy);
    folders.extend(own_modules);
    folders
}

/// What go has seen of the checksum database, for a command that fetches.
fn sumdb(what: &What, caches: &mut Caches, who: &Who, tree: Option<&Path>) -> Option<PathBuf> {
    let asks = what.go().is_some_and(GoCommand::fetches_itself);
    asks.then(|| caches::sumdb(caches, who, tree, Missing::Leave))?
}

/// The repository of a linked work tree or a submodule, outside the work tree.
fn linked(workspace: &Workspace, tree: Option<&Path>) -> Option<PathBuf> {
    let top = workspace.repository.as_deref()?;
    let git = gitlinked::linked(top)?;
    (tree == Some(top) && !git.starts_with(top)).then_some(git)
}

/// Local modules, the repository of a linked work tree, and what git needs where it stamps.
fn also_read(
    workspace: &Workspace,
    stamping: &Stamping,
    (tree, linked): (Option<&PathBuf>, Option<&PathBuf>),
) -> Vec<PathBuf> {
    let mut read = workspace.local_modules.clone();
    read.extend(linked.cloned());
    if let Stamping::Safe { read: folders, .. } = stamping {
        read.extend(folders.iter().cloned());
        // What git does not see is missing to it, and the build is stamped as changed.
        let around = workspace.repository.as_ref();
        read.extend(around.filter(|it| tree != Some(it)).cloned());
    }
    read
}

/// The programs that `go list` compares with their source.
fn installed(session: &Session<'_>, what: &What, tree: Option<&Path>) -> Vec<PathBuf> {
    match what.go() {
        Some(go) if go.reads_installed => tools::find(session, tree),
        _ => Vec::new(),
    }
}

/// What git is led to in the work tree, and what links lead to.
fn led_to(
    session: &Session<'_>,
    policy: &Policy,
    tree: Option<&Path>,
    what: &What,
) -> anyhow::Result<Vec<PathBuf>> {
    match protected::led_to(session, policy, tree) {
        // What go itself writes is nothing that git executes.
        Err(_) if stage::runs(what).is_none() => Ok(Vec::new()),
        led_to => led_to.map_err(|unclear| git::refuse(&unclear)),
    }
}

/// What belongs to root on disk and appears as the sandbox user's, beside caches.
fn mapped(
    who: &Who,
    policy: &Policy,
    (tree, linked): (Option<&PathBuf>, Option<&PathBuf>),
    outputs: &Outputs,
) -> Vec<PathBuf> {
    if !who.identity.switch {
        return Vec::new();
    }
    let named = tree.into_iter().chain(linked).chain(&policy.files.write);
    // Neither devices nor the kernel's own file systems can appear as another user's.
    let can_be = |path: &Path| !is_device(path) && !path.starts_with("/sys");
    let named = named.filter(|path| can_be(path) && is_roots(path));
    let mut mapped: Vec<PathBuf> = named.cloned().collect();
    let outputs = outputs.paths().into_iter();
    mapped.extend(outputs.filter(|path| !look::exists(path) || is_roots(path)));
    mapped
}

/// What flags of the command have written.
fn outputs_of(
    go: &GoCommand,
    policy: &Policy,
    tree: Option<&Path>,
    protected: &Protected,
) -> anyhow::Result<Outputs> {
    let mut outputs = Outputs::default();
    let is_granted = |output: &command::Output| {
        let real = look::canonicalize(&output.path);
        real.is_ok_and(|real| policy.files.write.iter().any(|it| real.starts_with(it)))
    };
    for output in &go.outputs {
        let kind = match output.kind {
            command::Kind::Coverage if is_granted(output) => continue,
            command::Kind::Coverage => outputs::Kind::Coverage,
            command::Kind::File => outputs::Kind::File,
            command::Kind::Program => outputs::Kind::Program,
            command::Kind::Folder => outputs::Kind::Folder,
            command::Kind::Artifacts => outputs::Kind::Artifacts,
        };
        outputs.add(&output.path, kind, output.flag, tree, protected)?;
    }
    Ok(outputs)
}

/// The caches that are root's on disk and appear as the sandbox user's.
pub(super) fn of_root(caches: &Caches, who: &Who, sumdb: Option<&PathBuf>) -> Vec<PathBuf> {
    let sumdb = sumdb.filter(|path| who.identity.switch && is_roots(path));
    caches.of_root.iter().chain(sumdb).cloned().collect()
}

/// What must still be in its place when root binds it: the caches, and the work tree, whose owner decides who
/// runs inside and whether root's files in it appear as that user's.
pub(super) fn judged(
    caches: &Caches,
    who: &Who,
    policy: &Policy,
    tree: Option<&Path>,
    is_mapped: bool,
) -> anyhow::Result<(Vec<Judged>, Option<OwnedFd>)> {
    let mut judged = caches.judged.clone();
    let Some(tree) = tree.filter(|_| who.identity.switch) else {
        return Ok((judged, None));
    };
    let (found, opened) =
        Judged::open(tree).with_context(|| format!("cannot open {}", tree.display()))?;
    let owner = rustix::fs::fstat(&opened)?.st_uid;
    if is_mapped != (owner == 0) || !identity::is_of_owner(who, policy, owner) {
        let text = format!(
            "cannot use the work tree {}: it was exchanged while it was looked at",
            tree.display()
        );
        return Err(Refused::new(Code::TreeExchanged, text).into());
    }
    judged.push(found);
    Ok((judged, Some(opened)))
}
