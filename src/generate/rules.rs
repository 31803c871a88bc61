//! The policy's files for one project, as rules that a backend lowers: the launcher's own grants ([`crate::grants`]),
//! in the terms of formats, with the system's files and what is refused.

use std::path::{Path, PathBuf};

use super::Error;
pub use super::rights::Rights;
pub use crate::grants::Subject;
use crate::grants::{self, Contradiction, Grant, Places, Uses, contradictions, grants};
use crate::policy::{Access, Policy, TreeAccess};

/// Where the project and what it needs lie. All paths are canonical.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// GOROOT.
    pub goroot: PathBuf,
    /// Folders outside GOROOT that links in it lead to.
    pub goroot_linked: Vec<PathBuf>,
    /// GOCACHE.
    pub gocache: PathBuf,
    /// GOMODCACHE.
    pub gomodcache: PathBuf,
    /// What go has seen of the checksum database, where it has.
    pub sumdb: Option<PathBuf>,
    /// GOCACHE of go commands that programs run.
    pub program_cache: PathBuf,
    /// The work tree.
    pub tree: PathBuf,
    /// The user's home folder.
    pub home: PathBuf,
    /// Who runs inside: the name of an account or a number. `None`: the tree is root's, and nobody's
    /// account is to be had for it.
    pub user: Option<String>,
    /// The launcher's own executable.
    pub launcher: PathBuf,
    /// Files and folders of the system that sh and the base tools need; a folder has `true`.
    pub system: Vec<(PathBuf, Access, bool)>,
    /// What the policy and the user named, for reading.
    pub read: Vec<(PathBuf, bool)>,
    /// And for writing.
    pub write: Vec<(PathBuf, bool)>,
    /// Folders in which temporary files are made.
    pub temporary: Vec<PathBuf>,
    /// What in the work tree git's own configuration leads to, protected beside what the policy names.
    pub protected: Vec<PathBuf>,
}

impl Site {
    fn places(&self) -> Places<'_> {
        Places {
            goroot: self.goroot.clone(),
            linked: &self.goroot_linked,
            gocache: self.gocache.clone(),
            gomodcache: self.gomodcache.clone(),
            sumdb: self.sumdb.as_deref(),
            program_cache: self.program_cache.clone(),
            tree: Some(self.tree.as_path()).filter(|tree| !tree.as_os_str().is_empty()),
            launcher: self.launcher.clone(),
            temporary: self.temporary.clone(),
            read: paths_of(&self.read),
            write: paths_of(&self.write),
            ..Places::default()
        }
    }

    /// Whether what is named is a file.
    fn kind(&self, path: &Path) -> Kind {
        let mut named = self.read.iter().chain(&self.write);
        match named.any(|(named, is_folder)| named == path && !is_folder) {
            true => Kind::File,
            false => Kind::Folder,
        }
    }
}

fn paths_of(named: &[(PathBuf, bool)]) -> Vec<&Path> {
    named.iter().map(|(path, _)| path.as_path()).collect()
}

/// What a rule is for, so that backends can give it a type or a transition of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// GOROOT's files.
    Goroot,
    /// GOROOT's executables.
    GorootTool,
    /// GOCACHE.
    Cache,
    /// Executables that go keeps in GOCACHE.
    CachedProgram,
    /// GOMODCACHE.
    ModuleCache,
    /// The programs' own GOCACHE.
    ProgramCache,
    /// The work tree.
    Work,
    /// A `testdata` folder at any depth of the work tree.
    Testdata,
    /// A protected name in the work tree: refused.
    Protected,
    /// Temporary files.
    Temporary,
    /// The launcher, which is the `-exec` wrapper too.
    Launcher,
    /// Files of the system.
    System,
    /// sh and the base tools.
    SystemProgram,
    /// What the policy or the user named.
    Named,
}

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One file.
    File,
    /// A folder and everything beneath it.
    Folder,
}

/// A grant, or for [`Role::Protected`] a refusal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Whom it is for.
    pub subject: Subject,
    /// What it is for.
    pub role: Role,
    /// The path.
    pub path: PathBuf,
    /// A file or a folder.
    pub kind: Kind,
    /// What may be done there, or for a refusal what may not.
    pub rights: Rights,
    /// Only with files of one's own.
    pub owner: bool,
}

/// The rules, sorted, each once.
///
/// # Errors
/// Where what may be written holds what may not.
pub fn rules(policy: &Policy, site: &Site) -> Result<Vec<Rule>, Error> {
    let places = site.places();
    let mut all_written = places.clone();
    // Also what is not there yet.
    let written = policy.files.write.iter().map(PathBuf::as_path);
    all_written.write.extend(written);
    contradictions(&all_written).map_err(|found| match found {
        Contradiction::Holds { writable, held } | Contradiction::LiesIn { writable, held } => {
            Error::Contradiction { writable, held }
        }
    })?;
    let files = &policy.files;
    let mut found = Vec::new();
    for subject in Subject::ALL {
        let tree = match subject {
            Subject::Tool => TreeAccess::Write,
            Subject::Program => files.run.max(files.command),
            Subject::Test => files.test,
        };
        for grant in grants(subject, tree, &places, Uses::ANY) {
            found.extend(lowered(&grant, site));
        }
        found.extend(system(subject, site));
        let protected = files.protected_in(&site.tree, &site.protected);
        found.extend(protected.into_iter().map(|path| Rule {
            subject,
            role: Role::Protected,
            path,
            kind: Kind::Folder,
            rights: Rights::CHANGE,
            owner: false,
        }));
    }
    found.retain(|rule| !rule.path.as_os_str().is_empty());
    found.sort();
    found.dedup();
    Ok(found)
}

/// A grant as rules.
fn lowered(grant: &Grant, site: &Site) -> Vec<Rule> {
    let execute = Rights::EXEC.and(Rights::MAP);
    let rule = |role, path: &Path, kind, rights| Rule {
        subject: grant.subject,
        role,
        path: path.to_owned(),
        kind,
        rights,
        owner: false,
    };
    let rights = Rights::from(grant.access);
    let one = |role, kind| vec![rule(role, &grant.path, kind, rights)];
    let folder = Kind::Folder;
    match grant.role {
        grants::Role::Goroot => {
            let looked_at = rights.without(Rights::EXEC);
            let tools = ["bin", "pkg/tool"].map(|tools| grant.path.join(tools));
            let tools = tools.map(|path| rule(Role::GorootTool, &path, folder, rights));
            let mut rules = vec![rule(Role::Goroot, &grant.path, folder, looked_at)];
            rules.extend(tools);
            rules
        }
        grants::Role::Linked => one(Role::Goroot, folder),
        grants::Role::Cache | grants::Role::Corpus => {
            let kept = rights.without(execute);
            let mut rules = vec![rule(Role::Cache, &grant.path, folder, kept)];
            if rights.meets(Rights::EXEC) {
                let programs = rights.without(Rights::CHANGE);
                rules.push(rule(Role::CachedProgram, &grant.path, folder, programs));
            }
            rules
        }
        grants::Role::ModuleCache | grants::Role::Sumdb => one(Role::ModuleCache, folder),
        grants::Role::ProgramCache => one(Role::ProgramCache, folder),
        grants::Role::Work => one(Role::Work, folder),
        grants::Role::Testdata => one(Role::Testdata, folder),
        grants::Role::Temporary => vec![Rule {
            owner: true,
            ..rule(Role::Temporary, &grant.path, folder, rights)
        }],
        grants::Role::Launcher | grants::Role::ProgramPlan => one(Role::Launcher, Kind::File),
        grants::Role::Compiler => one(Role::System, site.kind(&grant.path)),
        grants::Role::Named | grants::Role::Output => one(Role::Named, site.kind(&grant.path)),
    }
}

/// What sh and the base tools need.
fn system(subject: Subject, site: &Site) -> impl Iterator<Item = Rule> {
    const LIBRARIES: [&str; 4] = ["/usr/lib", "/lib", "/usr/lib64", "/lib64"];
    site.system.iter().map(move |(path, access, is_folder)| {
        let mut rights = Rights::from(*access);
        let role = match rights.has(Rights::EXEC) {
            true => Role::SystemProgram,
            false => Role::System,
        };
        if LIBRARIES.iter().any(|folder| path.starts_with(folder)) {
            // Shared libraries, which the dynamic loader maps.
            rights = rights.and(Rights::MAP);
        }
        let kind = if *is_folder { Kind::Folder } else { Kind::File };
        Rule {
            subject,
            role,
            path: path.clone(),
            kind,
            rights,
            owner: false,
        }
    })
}
