//! Who may touch what: the only derivation, for the launcher and for everything that is generated.
//!
//! [`grants`] says what a subject may do where; [`contradictions`] refuses what would grant too much. The launcher lowers
//! grants to Landlock rules and mounts, each generator to the rules of its format. Nobody decides a second time. Nothing
//! here looks at a disk.

use std::path::{Path, PathBuf};

use crate::policy::places::NO_CACHE;
use crate::policy::{Access, TreeAccess};

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

/// What a grant is for, so that a format can give it a type or a transition of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// GOROOT.
    Goroot,
    /// What links in GOROOT lead to.
    Linked,
    /// GOCACHE.
    Cache,
    /// The folder of GOCACHE in which fuzzing keeps its corpus.
    Corpus,
    /// GOMODCACHE.
    ModuleCache,
    /// What go has seen of the checksum database.
    Sumdb,
    /// The programs' own GOCACHE.
    ProgramCache,
    /// The work tree.
    Work,
    /// The `testdata` folders of the work tree, at any depth.
    Testdata,
    /// Temporary files: the run's own, or a folder in which each process has its own.
    Temporary,
    /// The launcher, which starts programs as go's `-exec`.
    Launcher,
    /// What the launcher reads when it starts them.
    ProgramPlan,
    /// The system's C compiler, or its library.
    Compiler,
    /// What the policy, the user or a module of the project names.
    Named,
    /// What a flag of the command names.
    Output,
}

/// A subject may do something at a path, and below it where that is a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub subject: Subject,
    /// What for.
    pub role: Role,
    /// Where. The path is canonical.
    pub path: PathBuf,
    /// What may be done.
    pub access: Access,
    /// Whether nothing may be there.
    pub may_be_missing: bool,
}

/// Where everything lies. All paths are canonical; those of the run's own files are as they are seen inside.
#[derive(Clone, Debug, Default)]
pub struct Places<'a> {
    /// GOROOT.
    pub goroot: PathBuf,
    /// Folders outside GOROOT that links in it lead to.
    pub linked: &'a [PathBuf],
    /// GOCACHE.
    pub gocache: PathBuf,
    /// GOMODCACHE.
    pub gomodcache: PathBuf,
    /// What go has seen of the checksum database.
    pub sumdb: Option<&'a Path>,
    /// GOCACHE of go commands that programs run.
    pub program_cache: PathBuf,
    /// The work tree.
    pub tree: Option<&'a Path>,
    /// The launcher's executable.
    pub launcher: PathBuf,
    /// What it reads when it starts programs.
    pub program_plan: Option<PathBuf>,
    /// Folders of temporary files and homes.
    pub temporary: Vec<PathBuf>,
    /// `$WORK`, where go builds.
    pub work: Option<PathBuf>,
    /// The folder of the system in which the C compiler lies, where it runs. Else its library, which the linker reads.
    pub compiler: Option<&'a Path>,
    /// Also read. It must be there.
    pub read: Vec<&'a Path>,
    /// Also read, if it is there.
    pub read_if_there: Vec<&'a Path>,
    /// Also written.
    pub write: Vec<&'a Path>,
    /// Written since flags name it.
    pub outputs: &'a [PathBuf],
}

/// What a run does, as far as its grants depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// What is built is executed too: tests, `go run`, `go generate`.
    pub runs_built: bool,
    /// The go command executes what it keeps in GOCACHE (`go tool`).
    pub runs_cached: bool,
    /// Programs are started by the go command, through the launcher.
    pub wraps: bool,
    /// Modules are fetched, so that the checksum database is asked.
    pub fetches: bool,
    /// Fuzzing keeps its corpus.
    pub fuzzes: bool,
    /// What programs write in the work tree is staged, and judged at the end.
    pub is_staged: bool,
    /// What a C compiler has to do with it.
    pub compiler: Option<Compiler>,
}

/// What a C compiler has to do with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// It compiles Go's own packages. Nothing of the user's is there.
    Runs,
    /// The launcher answers in its place.
    Answered,
}

impl Uses {
    /// Everything that some run does, for what is loaded once for all runs. Nothing is staged there, and no corpus kept.
    pub const ANY: Uses = Uses {
        runs_built: true,
        runs_cached: true,
        wraps: true,
        fetches: true,
        fuzzes: false,
        is_staged: false,
        compiler: Some(Compiler::Answered),
    };
}

/// What a subject is granted. `tree`: what it may write of the work tree.
pub fn grants(subject: Subject, tree: TreeAccess, places: &Places<'_>, uses: Uses) -> Vec<Grant> {
    let mut found = Found {
        subject,
        grants: Vec::new(),
    };
    found.add(Role::Goroot, &places.goroot, Access::Execute);
    for path in places.linked {
        found.add(Role::Linked, path, Access::Read);
    }
    match subject {
        Subject::Tool => found.tool(places, uses),
        Subject::Program | Subject::Test => found.program(tree, places, uses),
    }
    for path in &places.read {
        found.add(Role::Named, path, Access::Read);
    }
    for path in &places.read_if_there {
        found.add_if_there(Role::Named, path, Access::Read);
    }
    for path in &places.write {
        found.add(Role::Named, path, Access::WriteExecute);
    }
    for path in places.outputs {
        found.add(Role::Output, path, Access::Write);
    }
    #[cfg(test)]
    tests::add(&mut found);
    found.grants
}

struct Found {
    subject: Subject,
    grants: Vec<Grant>,
}

impl Found {
    fn add(&mut self, role: Role, path: &Path, access: Access) {
        if path.starts_with(NO_CACHE) {
            return;
        }
        self.grants.push(Grant {
            subject: self.subject,
            role,
            path: path.to_owned(),
            access,
            may_be_missing: false,
        });
    }

    fn add_if_there(&mut self, role: Role, path: &Path, access: Access) {
        self.add(role, path, access);
        if let Some(added) = self.grants.last_mut().filter(|added| added.path == path) {
            added.may_be_missing = true;
        }
    }

    /// The go command and GOROOT's own tools.
    fn tool(&mut self, places: &Places<'_>, uses: Uses) {
        let written = match uses.runs_built {
            true => Access::WriteExecute,
            false => Access::Write,
        };
        // Go executes a tool where it has built it, before it keeps it.
        let kept = match uses.runs_cached {
            true => Access::WriteExecute,
            false => written,
        };
        for folder in &places.temporary {
            self.add(Role::Temporary, folder, written);
        }
        if let Some(work) = &places.work {
            self.add(Role::Temporary, work, kept);
        }
        self.add(Role::Cache, &places.gocache, kept);
        // Beside a compiler there is no source but Go's own.
        if uses.compiler != Some(Compiler::Runs) {
            self.add(Role::ModuleCache, &places.gomodcache, Access::Write);
        }
        match (places.compiler, uses.compiler) {
            (Some(path), Some(Compiler::Runs)) => self.add(Role::Compiler, path, Access::Execute),
            (Some(path), Some(Compiler::Answered)) => self.add(Role::Compiler, path, Access::Read),
            _ => {}
        }
        if uses.compiler == Some(Compiler::Answered) || uses.wraps {
            self.add(Role::Launcher, &places.launcher, Access::Execute);
        }
        // Without a way out go still looks up what it has seen before, such as a toolchain's hash.
        match (places.sumdb, uses.fetches) {
            (Some(path), true) => self.add(Role::Sumdb, path, Access::Write),
            (Some(path), false) => self.add_if_there(Role::Sumdb, path, Access::Read),
            (None, _) => {}
        }
        if let Some(tree) = places.tree {
            self.add(Role::Work, tree, written);
        }
        if uses.wraps {
            self.add(
                Role::ProgramCache,
                &places.program_cache,
                Access::WriteExecute,
            );
            if let Some(plan) = &places.program_plan {
                self.add(Role::ProgramPlan, plan, Access::Read);
            }
        }
    }

    /// Code of the source.
    fn program(&mut self, tree: TreeAccess, places: &Places<'_>, uses: Uses) {
        for folder in places.temporary.iter().chain(&places.work) {
            self.add(Role::Temporary, folder, Access::WriteExecute);
        }
        self.add(
            Role::ProgramCache,
            &places.program_cache,
            Access::WriteExecute,
        );
        self.add(Role::ModuleCache, &places.gomodcache, Access::Read);
        if uses.wraps {
            self.add(Role::Cache, &places.gocache, Access::Execute);
        }
        if uses.fuzzes {
            self.add(Role::Corpus, &places.gocache.join("fuzz"), Access::Write);
        }
        let Some(root) = places.tree else { return };
        // What is not wanted of a staged tree is dropped in the end.
        let is_written = uses.is_staged || tree == TreeAccess::Write;
        let access = match is_written {
            true => Access::WriteExecute,
            false => Access::Execute,
        };
        self.add(Role::Work, root, access);
        if tree >= TreeAccess::Testdata && !uses.is_staged {
            self.add(Role::Testdata, root, Access::WriteExecute);
        }
    }
}

/// What would grant too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// What may be written holds what nothing may write.
    Holds {
        /// What may be written.
        writable: PathBuf,
        /// What lies in it.
        held: PathBuf,
    },
    /// What may be written lies in what nothing may write.
    LiesIn {
        /// What may be written.
        writable: PathBuf,
        /// What it lies in.
        held: PathBuf,
    },
}

/// What may be written must neither hold what nothing may write nor lie in it. A work tree may hold caches, which are
/// granted apart, and the launcher.
///
/// # Errors
/// The first that does.
pub fn contradictions(places: &Places<'_>) -> Result<(), Contradiction> {
    let caches = [places.gocache.as_path(), &places.gomodcache];
    let in_tree = caches.into_iter().chain(places.sumdb);
    let in_tree = in_tree.chain([places.launcher.as_path()]);
    let outputs = places.outputs.iter().map(PathBuf::as_path);
    let written = places.write.iter().copied().chain(outputs);
    for writable in written.chain(places.tree) {
        let is_tree = places.tree == Some(writable);
        let goroot = [(places.goroot.as_path(), false)].into_iter();
        for (held, may_be_in_tree) in goroot.chain(in_tree.clone().map(|held| (held, true))) {
            if held.as_os_str().is_empty() || held.starts_with(NO_CACHE) {
                continue;
            }
            let (writable, held_path) = (writable.to_owned(), held.to_owned());
            if writable.starts_with(held) && writable != held {
                return Err(Contradiction::LiesIn {
                    writable,
                    held: held_path,
                });
            }
            if held.starts_with(&writable) && !(is_tree && may_be_in_tree) {
                return Err(Contradiction::Holds {
                    writable,
                    held: held_path,
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
