//! The policy's files for one project, as rules that a backend lowers.
//!
//! A rule names a canonical path, as Landlock binds it. Contradictions are found here, before
//! anything is written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Error;
pub use super::rights::Rights;
use crate::policy::{Access, Policy, TreeAccess};

/// Names of folders and files in a home that hold secrets: refused by name besides, where the format
/// has refusals that win over grants.
pub const SECRETS: [&str; 14] = [
    ".aws",
    ".azure",
    ".bash_history",
    ".config/gcloud",
    ".config/gh",
    ".config/go/env",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".ssh",
];

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
    /// GOCACHE of go commands that programs run.
    pub program_cache: PathBuf,
    /// The work tree.
    pub tree: PathBuf,
    /// The user's home folder.
    pub home: PathBuf,
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

/// Who is confined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The go command and GOROOT's own tools: the tool cage.
    Tool,
    /// `go run` programs, and what go generate and go tool start: the program cage.
    Program,
    /// Test binaries: the program cage, with what tests may write.
    Test,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Subject; 3] = [Subject::Tool, Subject::Program, Subject::Test];

    /// The word that profiles and domains are named by.
    pub fn word(self) -> &'static str {
        match self {
            Subject::Tool => "tool",
            Subject::Program => "program",
            Subject::Test => "test",
        }
    }
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
    contradictions(policy, site)?;
    let mut found = Rules::default();
    for subject in Subject::ALL {
        found.goroot(subject, site);
        found.caches(subject, site);
        found.tree(subject, policy, site);
        for folder in &site.temporary {
            let rights = Access::WriteExecute.into();
            found.add(subject, Role::Temporary, folder, Kind::Folder, rights, true);
        }
        if subject == Subject::Tool {
            let rights = Access::Execute.into();
            found.add(
                subject,
                Role::Launcher,
                &site.launcher,
                Kind::File,
                rights,
                false,
            );
        }
        for (path, access, is_folder) in &site.system {
            let (kind, executes) = (kind(*is_folder), Rights::from(*access).has(Rights::EXEC));
            let role = match executes {
                true => Role::SystemProgram,
                false => Role::System,
            };
            let mut rights = Rights::from(*access);
            if ["/usr/lib", "/lib", "/usr/lib64", "/lib64"]
                .iter()
                .any(|lib| path.starts_with(lib))
            {
                // Shared libraries, which the dynamic loader maps.
                rights = rights.and(Rights::MAP);
            }
            found.add(subject, role, path, kind, rights, false);
        }
        for (paths, access) in [
            (&site.read, Access::Read),
            (&site.write, Access::WriteExecute),
        ] {
            for (path, is_folder) in paths {
                found.add(
                    subject,
                    Role::Named,
                    path,
                    kind(*is_folder),
                    access.into(),
                    false,
                );
            }
        }
    }
    Ok(found.0.into_iter().collect())
}

fn kind(is_folder: bool) -> Kind {
    if is_folder { Kind::Folder } else { Kind::File }
}

#[derive(Default)]
struct Rules(BTreeSet<Rule>);

impl Rules {
    fn add(
        &mut self,
        subject: Subject,
        role: Role,
        path: &Path,
        kind: Kind,
        rights: Rights,
        owner: bool,
    ) {
        if !path.as_os_str().is_empty() {
            self.0.insert(Rule {
                subject,
                role,
                path: path.to_owned(),
                kind,
                rights,
                owner,
            });
        }
    }

    fn goroot(&mut self, subject: Subject, site: &Site) {
        let folder = Kind::Folder;
        self.add(
            subject,
            Role::Goroot,
            &site.goroot,
            folder,
            Rights::LOOK.and(Rights::MAP),
            false,
        );
        for tools in ["bin", "pkg/tool"] {
            let path = site.goroot.join(tools);
            self.add(
                subject,
                Role::GorootTool,
                &path,
                folder,
                Access::Execute.into(),
                false,
            );
        }
        for path in &site.goroot_linked {
            self.add(subject, Role::Goroot, path, folder, Rights::LOOK, false);
        }
    }

    fn caches(&mut self, subject: Subject, site: &Site) {
        let folder = Kind::Folder;
        let rights = match subject {
            Subject::Tool => Rights::LOOK.and(Rights::CHANGE),
            _ => Rights::LOOK,
        };
        self.add(subject, Role::Cache, &site.gocache, folder, rights, false);
        self.add(
            subject,
            Role::CachedProgram,
            &site.gocache,
            folder,
            Access::Execute.into(),
            false,
        );
        self.add(
            subject,
            Role::ModuleCache,
            &site.gomodcache,
            folder,
            rights,
            false,
        );
        let own = Access::WriteExecute.into();
        self.add(
            subject,
            Role::ProgramCache,
            &site.program_cache,
            folder,
            own,
            false,
        );
    }

    fn tree(&mut self, subject: Subject, policy: &Policy, site: &Site) {
        let files = &policy.files;
        let access = match subject {
            Subject::Tool => TreeAccess::Write,
            Subject::Program => files.run.max(files.command),
            Subject::Test => files.test,
        };
        let written: Rights = Access::WriteExecute.into();
        let rights = match access {
            TreeAccess::Write => written,
            _ => Access::Execute.into(),
        };
        self.add(subject, Role::Work, &site.tree, Kind::Folder, rights, false);
        if access >= TreeAccess::Testdata {
            self.add(
                subject,
                Role::Testdata,
                &site.tree,
                Kind::Folder,
                written,
                false,
            );
        }
        for path in policy.files.protected_in(&site.tree, &site.protected) {
            self.add(
                subject,
                Role::Protected,
                &path,
                Kind::Folder,
                Rights::CHANGE,
                false,
            );
        }
    }
}

/// What may be written must not hold what nothing may write.
fn contradictions(policy: &Policy, site: &Site) -> Result<(), Error> {
    let held = [&site.goroot, &site.launcher];
    let named = site.write.iter().map(|(path, _)| path);
    let written = named.chain(&policy.files.write).chain([&site.tree]);
    for writable in written.filter(|path| !path.as_os_str().is_empty()) {
        let caches = [&site.gocache, &site.gomodcache];
        let is_tree = *writable == site.tree;
        let mut held = held
            .iter()
            .copied()
            .chain(caches.into_iter().filter(|_| !is_tree));
        let found = held.find(|held| {
            let launcher = **held == site.launcher && is_tree;
            !launcher && (held.starts_with(writable) || writable.starts_with(held))
        });
        if let Some(held) = found {
            return Err(Error::Contradiction {
                writable: writable.clone(),
                held: held.clone(),
            });
        }
    }
    Ok(())
}
