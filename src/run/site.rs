//! Where a project and what it needs lie, for the generators: what a run would find, and no run.

use std::path::{Path, PathBuf};

use super::caches::Missing;
use super::identity::Who;
use super::{
    Command, Console, Project, Request, Session, caches, git, identity, project, protected,
    toolchain, whole_paths,
};
use crate::files::look;
use crate::generate::Site;
use crate::host::accounts;
use crate::plan::system::{self, System};
use crate::policy::Policy;
use crate::profile::Selection;

/// The policy of the project in the folder, and its places.
pub fn find(request: &Request, console: &dyn Console) -> anyhow::Result<(Policy, Site)> {
    let session = Session::open(request, console, String::new())?;
    let command = Command {
        program: "go".into(),
        arguments: vec!["build".into()],
    };
    let (workspace, mut policy) = project::resolve(
        &session,
        &whole_paths(&request.overrides)?,
        &command,
        |_| Ok(()),
    )?;
    // What is loaded runs in another folder.
    if let Selection::File(file) = Selection::parse(Path::new(&policy.name)) {
        policy.name = std::path::absolute(file)?.display().to_string();
    }
    let project = Project {
        session: &session,
        workspace: &workspace,
        policy: &policy,
        audit: None,
    };
    let tree = project.tree().map(Path::to_owned);
    let who = identity::choose(&session, &policy, tree.as_deref())?;
    let toolchain = toolchain::at_hand(&project, &who, &command)?;
    let mut caches = caches::find(&session, &who, tree.as_deref(), Missing::Leave)?.all()?;
    // There or not: what is generated is the same before the first run and after it.
    let sumdb = caches::sumdb(&mut caches, &who, tree.as_deref(), Missing::Leave);
    let programs = system::find(&policy.programs.execute).programs;
    let with_kind = |paths: &[PathBuf]| -> Vec<(PathBuf, bool)> {
        let real = paths
            .iter()
            .filter_map(|path| look::canonicalize(path).ok());
        real.map(|path| (path.clone(), look::is_dir(&path)))
            .collect()
    };
    let mut system: Vec<_> = system::rules(System::Dynamic, &programs, false, false)
        .into_iter()
        // The formats have lines of their own for what differs from process to process.
        .filter(|rule| {
            !["/proc", "/dev", "/sys"]
                .iter()
                .any(|own| rule.path.starts_with(own))
        })
        .map(|rule| {
            let is_folder = look::is_dir(&rule.path);
            (rule.path, rule.access, is_folder)
        })
        .collect();
    system.dedup();
    let mut read = with_kind(&policy.files.read);
    read.extend(with_kind(&workspace.local_modules));
    let protected = protected::led_to(&session, &policy, tree.as_deref())
        .map_err(|unclear| git::refuse(&unclear))?;
    let site = Site {
        goroot: toolchain.goroot.clone(),
        goroot_linked: toolchain.linked.clone(),
        gocache: caches.gocache,
        gomodcache: caches.gomodcache,
        sumdb,
        program_cache: caches.programs,
        tree: tree.unwrap_or_default(),
        user: user(&session, &policy, &who),
        home: who
            .home
            .unwrap_or_else(|| Path::new("/nonexistent").to_owned()),
        launcher: std::fs::read_link("/proc/self/exe").unwrap_or_default(),
        system,
        read,
        write: with_kind(&policy.files.write),
        temporary: vec!["/tmp".into(), "/var/tmp".into()],
        protected,
    };
    Ok((policy, site))
}

/// The account that a unit is to run as: whoever runs inside, where that is not a stand-in for root.
fn user(session: &Session<'_>, policy: &Policy, who: &Who) -> Option<String> {
    let is_chosen = !session.host.is_root() || policy.identity.user.is_some();
    let account = accounts::by_uid(who.identity.uid);
    match is_chosen || who.is_named() {
        true => Some(account.map_or_else(|| who.identity.uid.to_string(), |it| it.name)),
        false => None,
    }
}
