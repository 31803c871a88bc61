//! From the project and the command to what [`crate::plan::build`] decides from.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::audit::Audit;
use super::caches::{self, Caches, Missing};
use super::identity::Who;
use super::what::{What, stamping, what};
use super::{Session, git, identity, links, programs, protected, scratch, stage, tree_check, way};
use crate::cli::args;
use crate::files::Judged;
use crate::files::look;
use crate::go::command::{self, GoCommand, Programs};
use crate::go::environment::{self, Environment};
use crate::go::toolchain::Toolchain;
use crate::go::vcs::Stamping;
use crate::go::workspace::Workspace;
use crate::host::Host;
use crate::launch::gate::Gate;
use crate::launch::streams;
use crate::plan::inputs::{Inputs, Project, Protected, Run, StageFolders, Wraps};
use crate::plan::outputs::{self, Outputs};
use crate::plan::own::OwnFiles;
use crate::plan::{self, build};
use crate::plan::{Command, EXEC_PLACE, Identity, Plan, Way};
use crate::policy::{Cage, Policy, Runs, TreeAccess};

/// Everything that does not depend on which layers can be had.
pub(super) struct Prepared<'a> {
    session: &'a Session<'a>,
    workspace: &'a Workspace,
    policy: &'a Policy,
    toolchain: &'a Toolchain,
    arguments: &'a args::Command,
    what: What,
    who: Who,
    caches: Caches,
    stamping: Stamping,
    add_flags: Vec<String>,
    project: Project,
    /// The caller's own module cache, where the sandbox user has another.
    own_modules: Option<PathBuf>,
    outputs: Outputs,
    /// Whether something is mounted in the work tree: the mount table is read once.
    mounts_in_tree: OnceCell<bool>,
    /// Keeps the work tree what it was judged to be: an inode that is open is not used again.
    _opened: Option<OwnedFd>,
}

impl<'a> Prepared<'a> {
    /// Looks at the project and the command.
    pub fn new(
        session: &'a Session<'a>,
        workspace: &'a Workspace,
        policy: &'a Policy,
        who: Who,
        toolchain: &'a Toolchain,
        arguments: &'a args::Command,
    ) -> anyhow::Result<Prepared<'a>> {
        let tree = (!workspace.none).then(|| workspace.root.clone());
        let missing = Missing::of_run(session);
        let mut caches = caches::find(session, &who, tree.as_deref(), missing)?;
        // Whoever works in GOROOT/src or on an extracted module may not write it for that.
        let unwritable = [&toolchain.goroot, &caches.gomodcache, &caches.gocache];
        let tree = tree.filter(|tree| !unwritable.iter().any(|held| tree.starts_with(held)));
        let what = what(
            session,
            policy,
            toolchain,
            arguments,
            &caches,
            tree.as_deref(),
        )?;
        if matches!(&what, What::Go(go) if go.fuzzes) {
            caches::make_corpus(session, &caches, &who)?;
        }
        let (stamping, add_flags) = stamping(session, workspace, policy, &what)?;
        let mut mapped = caches.of_root.clone();
        mapped.extend(
            tree.iter()
                .filter(|tree| who.identity.switch && is_roots(tree))
                .cloned(),
        );
        let mut read = workspace.local_modules.clone();
        if let Stamping::Safe { read: folders, .. } = &stamping {
            read.extend(folders.iter().cloned());
            // What git does not see is missing to it, and the build is stamped as changed.
            let around = workspace.repository.as_ref();
            read.extend(around.filter(|it| tree.as_ref() != Some(it)).cloned());
        }
        let led_to = match protected::led_to(session, policy, tree.as_deref()) {
            // What go itself writes is nothing that git executes.
            Err(_) if stage::runs(&what).is_none() => Vec::new(),
            led_to => led_to.map_err(|unclear| git::refuse(&unclear))?,
        };
        let protected = Protected::new(&policy.files.protected, &led_to);
        let mut outputs = Outputs::default();
        if let What::Go(go) = &what {
            read.extend(links::inputs(
                &go.inputs,
                workspace,
                policy,
                tree.as_deref(),
            )?);
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
                outputs.add(&output.path, kind, output.flag, tree.as_deref(), &protected)?;
            }
        }
        if who.identity.switch {
            let named = policy.files.write.iter().filter(|path| is_roots(path));
            mapped.extend(named.cloned());
            mapped.extend(
                outputs
                    .paths()
                    .into_iter()
                    .filter(|path| !look::exists(path) || is_roots(path)),
            );
        }
        let fetches = |go: &GoCommand| go.fetches && go.cage == Cage::Tool;
        let sumdb = matches!(&what, What::Go(go) if fetches(go))
            .then(|| caches::sumdb(session, &mut caches, &who, tree.as_deref()))
            .flatten();
        let of_root = |path: &&PathBuf| who.identity.switch && is_roots(path);
        mapped.extend(sumdb.iter().filter(of_root).cloned());
        let own_modules = way::own_modules(session, &caches);
        let mut proxy_folders = way::upstream_folders(policy);
        proxy_folders.extend(own_modules.clone());
        let scratch = scratch::choose(session, written(tree.as_ref(), policy))?;
        let covers = match stage::runs(&what) {
            Some(_) => git::covers(tree.as_deref()),
            None => Vec::new(),
        };
        let is_mapped = tree.as_ref().is_some_and(|tree| mapped.contains(tree));
        let (judged, opened) = judged(&caches, &who, policy, tree.as_deref(), is_mapped)?;
        let project = Project {
            tree,
            judged,
            mapped,
            protected: led_to,
            covers,
            read,
            write: Vec::new(),
            goroot: toolchain.goroot.clone(),
            goroot_linked: toolchain.linked.clone(),
            gocache: caches.gocache.clone(),
            gomodcache: caches.gomodcache.clone(),
            sumdb,
            program_cache: caches.programs.clone(),
            proxy_folders,
            user_name: who.name.clone(),
            launcher: std::fs::read_link("/proc/self/exe")
                .context("cannot find gosandbox's own executable")?,
            scratch,
        };
        Ok(Prepared {
            session,
            workspace,
            policy,
            toolchain,
            arguments,
            what,
            who,
            caches,
            stamping,
            add_flags,
            project,
            own_modules,
            outputs,
            mounts_in_tree: OnceCell::new(),
            _opened: opened,
        })
    }

    /// Who runs inside.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Whether the command has no way to modules whatever the host offers: it is in the program cage.
    pub fn is_offline(&self) -> bool {
        match &self.what {
            What::Go(go) => go.cage == Cage::Program,
            What::Gofmt => false,
            What::Other(_) => true,
        }
    }

    /// Whether the command may fetch modules itself.
    pub fn fetches(&self) -> bool {
        matches!(&self.what, What::Go(go) if go.fetches && go.cage == Cage::Tool)
    }

    /// GOMODCACHE.
    pub fn module_cache(&self) -> &Path {
        &self.caches.gomodcache
    }

    /// The gateway of a plan of this run's.
    pub fn gate(&self, plan: &Plan, audit: Option<&Audit>) -> anyhow::Result<Option<Gate>> {
        let mut modules = self.policy.modules.clone();
        if let Some(folder) = self
            .own_modules
            .as_ref()
            .filter(|_| way::has_upstreams(self.policy))
        {
            let own = crate::paths::file_url(folder);
            let upstreams = &modules.upstreams;
            // What is there is not fetched again; but it does not know the newest versions.
            modules.upstreams = match &self.what {
                What::Go(go) if go.resolves => format!("{upstreams}|{own}"),
                _ => format!("{own}|{upstreams}"),
            };
        }
        way::gate(self.session, self.policy, plan, modules, audit)
    }

    /// Where what programs write in the work tree is staged, or why it is not.
    pub fn stage(&self, host: &Host) -> Result<StageFolders, String> {
        let project = &self.project;
        let runs = stage::runs(&self.what);
        let tree = project.tree.as_deref();
        let has_mounts = |tree: &Path| {
            let found = || stage::has_mounts_below(tree);
            *self.mounts_in_tree.get_or_init(found)
        };
        stage::choose(self.policy, host, tree, &project.scratch, runs, has_mounts)
    }

    /// Makes sure that what the policy wants held back can be.
    pub fn require_stage(&self, host: &Host) -> anyhow::Result<()> {
        if self.project.tree.is_none() {
            return Ok(());
        }
        let runs = stage::runs(&self.what);
        let verbosity = self.session.args.verbosity;
        stage::require(self.policy, runs, &self.stage(host), verbosity)
    }

    /// Makes the stage of a plan that has one.
    pub fn begin_stage(&self, plan: &Plan) -> anyhow::Result<Option<stage::Running>> {
        let Some(runs) = stage::runs(&self.what) else {
            return Ok(None);
        };
        let files = &self.policy.files;
        let outputs = match &self.what {
            What::Go(go) => go
                .outputs
                .iter()
                .map(|output| output.path.clone())
                .collect(),
            _ => Vec::new(),
        };
        let tree = self.project.tree.as_ref();
        let caches = [&self.project.gocache, &self.project.gomodcache];
        let caches = caches.into_iter().cloned();
        let protected = self.project.protected.iter().cloned().chain(caches);
        let protected: Vec<_> = protected.collect();
        stage::Running::begin(
            plan,
            &stage::Wanted {
                policy: self.policy,
                runs,
                access: match runs {
                    Runs::Test => files.test,
                    Runs::Run => files.run,
                    Runs::Generate | Runs::Command => files.command,
                },
                identity: &self.who.identity,
                is_mapped: tree.is_some_and(|tree| self.project.mapped.contains(tree)),
                outputs: &outputs,
                protected: &protected,
                scratch: &self.project.scratch,
            },
        )
    }

    /// Keeps what the look after a run needs.
    pub fn begin_look(&self, plan: &Plan) -> anyhow::Result<tree_check::Guard> {
        let project = &self.project;
        let tree = project.tree.as_ref();
        tree_check::Guard::begin(
            plan,
            &tree_check::Wanted {
                profile: &self.policy.name,
                scratch: &project.scratch,
                is_mapped: tree.is_some_and(|tree| project.mapped.contains(tree)),
            },
        )
    }

    /// Makes sure that go writes through no link of the repository's that a program could exchange.
    ///
    /// # Errors
    /// There is such a link.
    fn look_at_links(&self, host: &Host) -> anyhow::Result<()> {
        let What::Go(go) = &self.what else {
            return Ok(());
        };
        // Whatever loads packages may write go.work.sum, and `go test` leaves the test's program.
        if go.cage != Cage::Tool || !(go.writes_tree || go.fetches) {
            return Ok(());
        }
        let files = &self.policy.files;
        let project = &self.project;
        let held = links::Held {
            caches: [&project.gomodcache, &project.gocache],
            tree: project.tree.as_deref(),
            protected: &Protected::new(&files.protected, &project.protected),
            // Programs exchange nothing in a tree of which they write a staged copy.
            exchanged: go.programs == Programs::Test
                && files.test == TreeAccess::Write
                && self.stage(host).is_err(),
        };
        links::outputs(self.workspace, go, &self.session.folder, &held)
    }

    /// Another run's folder, for a second attempt.
    pub fn renew(&mut self) -> anyhow::Result<()> {
        let written = written(self.project.tree.as_ref(), self.policy);
        self.project.scratch = scratch::choose(self.session, written)?;
        Ok(())
    }

    /// The plan for a host.
    pub fn plan(&self, host: &Host) -> anyhow::Result<Plan> {
        self.look_at_links(host)?;
        let mut project = self.project.clone();
        if host.namespaces.is_err() && self.who.identity.switch {
            self.reach_without_view(&mut project)?;
        }
        let own = OwnFiles::new(host.namespaces.is_ok(), &project);
        let cage = match &self.what {
            What::Go(go) => go.cage,
            What::Gofmt => Cage::Tool,
            What::Other(_) => Cage::Program,
        };
        let go = match &self.what {
            What::Go(go) => Some(go),
            _ => None,
        };
        let way = way::choose(self.policy, host, go, cage);
        // The gateway reads them outside.
        let gateways = way == Some(Way::Modules) && way::has_upstreams(self.policy);
        if gateways || way::must_be_the_gateways(self.session, self.policy) {
            project.proxy_folders.clear();
        }
        let wraps = match &self.what {
            What::Go(GoCommand {
                programs: Programs::Test,
                ..
            }) => Some(Wraps::Tests),
            What::Go(GoCommand {
                programs: Programs::Run,
                ..
            }) => Some(Wraps::Run),
            _ => None,
        };
        let program_hosts = match way {
            Some(Way::Modules) if wraps.is_some() => way::of_programs(self.policy),
            _ => Vec::new(),
        };
        let program_way = (!program_hosts.is_empty()).then(plan::way::programs_hosts);
        // Without a net namespace the command has the same one: go hashes its own value of a variable that
        // a test reads, and the other is a new one each time.
        let hosts = match &program_way {
            Some(way) if host.namespaces.is_err() => Some(way.clone()),
            _ => way
                .filter(|_| !self.policy.network.allow.is_empty())
                .map(|_| plan::way::hosts()),
        };
        let environment = self.environment(&own, cage, way, hosts.as_deref(), &project)?;
        let run = Run {
            program_environment: programs::environment(
                &environment,
                &self.caches.programs,
                &own,
                program_way.as_deref(),
            ),
            program_hosts,
            command: Command {
                path: match &self.what {
                    What::Go(_) => self.toolchain.go.clone(),
                    What::Gofmt => self.toolchain.goroot.join("bin/gofmt"),
                    What::Other(path) => path.clone(),
                },
                argv: self.argv(),
                environment: environment.pairs,
                settings: programs::settings(&own, cage, wraps),
                folder: self.folder(),
            },
            cage,
            way,
            wraps,
            dynamic: matches!(self.stamping, Stamping::Safe { .. }),
            outputs: self.outputs.paths(),
            placeholders: self.outputs.placeholders(),
            stage: self.stage(host).ok(),
            programs: match &self.what {
                What::Other(path) => vec![path.clone()],
                _ if matches!(self.stamping, Stamping::Safe { .. }) => vec!["git".into()],
                _ => Vec::new(),
            },
            runs_cached: matches!(&self.what, What::Go(go) if go.runs_cached_tool)
                || wraps.is_some(),
            fuzzes: matches!(&self.what, What::Go(go) if go.fuzzes),
            terminal: (wraps.is_some() || cage == Cage::Program) && streams::has_terminal(),
        };
        let run = leave_to_stage(run, project.tree.as_deref());
        let identity = &self.who.identity;
        Ok(build::build(&Inputs {
            policy: self.policy,
            host,
            identity,
            project: &project,
            run: &run,
        })?)
    }

    fn environment(
        &self,
        own: &OwnFiles,
        cage: Cage,
        way: Option<Way>,
        hosts: Option<&str>,
        project: &Project,
    ) -> anyhow::Result<Environment> {
        let proxy = match way {
            Some(Way::Modules) if way::has_upstreams(self.policy) => plan::way::modules(),
            _ => way::folders(project),
        };
        let (home, tmp) = own.of_cage(cage);
        let mut made = environment::rebuild(&environment::Inputs {
            caller: &self.session.environment,
            toolchain: self.toolchain,
            build_cache: if cage == Cage::Tool {
                &self.caches.gocache
            } else {
                &self.caches.programs
            },
            module_cache: &self.caches.gomodcache,
            gopath: &self.caches.gopath,
            home: &home,
            tmp: &tmp,
            user: &self.who.name,
            proxy: if cage == Cage::Tool { &proxy } else { "off" },
            hosts,
            modules: &self.policy.modules,
            policy: &self.policy.environment,
            command: match &self.what {
                What::Go(go) => &go.subcommand,
                _ => "",
            },
            allow_flags: &self.policy.programs.allow_flags,
            add_flags: &self.add_flags,
            stamping: &self.stamping,
        })?;
        if cage == Cage::Tool {
            // Apart from the programs' temporary folder: what go builds there is not theirs to write.
            made.pairs.retain(|(name, _)| name != "GOTMPDIR");
            made.pairs
                .push(("GOTMPDIR".into(), own.work.clone().into()));
            made.pairs.sort();
        }
        Ok(made)
    }

    /// Without a mount view the sandbox user walks the host's own folders, with its own rights, and
    /// root's files are root's.
    fn reach_without_view(&self, project: &mut Project) -> anyhow::Result<()> {
        let identity = &self.who.identity;
        project.proxy_folders.retain(|path| reaches(identity, path));
        let must =
            project
                .tree
                .iter()
                .chain([&project.goroot, &project.gocache, &project.gomodcache]);
        for path in must {
            if !reaches(identity, path) {
                bail!(
                    "cannot reach {} as user {}: a folder on the way to it is closed to others, and without \
                     namespaces it cannot be shown elsewhere; move it, open the way (chmod o+x), or use --user or --cache-dir",
                    path.display(),
                    identity.uid
                );
            }
        }
        let writes = matches!(&self.what, What::Go(go) if go.writes_tree);
        if let (true, Some(tree)) = (
            writes,
            project
                .tree
                .iter()
                .find(|tree| project.mapped.contains(tree)),
        ) {
            bail!(
                "cannot let user {} write {}, which belongs to root: that takes an id-mapped mount, and mounts are \
                 refused here; give the folder to that user (chown), or name another with --user",
                identity.uid,
                tree.display()
            );
        }
        Ok(())
    }

    /// The folder in which the command starts: go in the one that its own `-C` names, for there may be no other
    /// inside.
    fn folder(&self) -> PathBuf {
        let changed = match &self.what {
            What::Go(go) => go.changed_dir.as_ref(),
            _ => None,
        };
        let real = changed.and_then(|folder| look::canonicalize(folder).ok());
        real.unwrap_or_else(|| self.session.folder.clone())
    }

    /// The words of the command, with a place for `-exec`.
    fn argv(&self) -> Vec<OsString> {
        let mut argv = vec![self.arguments.program.clone()];
        argv.extend(self.arguments.arguments.iter().cloned());
        if matches!(&self.what, What::Go(go) if go.changed_dir.is_some()) {
            command::set_changed_dir(&mut argv[1..], &self.folder());
        }
        if let What::Go(go) = &self.what
            && go.programs != Programs::None
        {
            argv.insert(1 + go.exec_position, EXEC_PLACE.into());
        }
        argv
    }
}

/// What must still be in its place when root binds it: the caches, and the work tree, whose owner decides who
/// runs inside and whether root's files in it appear as that user's.
fn judged(
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
        bail!(
            "cannot use the work tree {}: it was exchanged while it was looked at",
            tree.display()
        );
    }
    judged.push(found);
    Ok((judged, Some(opened)))
}

/// What programs write at a place in a staged work tree that a flag names is staged with it.
fn leave_to_stage(mut run: Run, tree: Option<&Path>) -> Run {
    if let (Some(_), Some(tree)) = (&run.stage, tree) {
        run.outputs.retain(|path| !path.starts_with(tree));
        run.placeholders.retain(|made| !made.path.starts_with(tree));
    }
    run
}

/// Folders that code of the source may write.
fn written<'p>(tree: Option<&'p PathBuf>, policy: &'p Policy) -> impl Iterator<Item = &'p PathBuf> {
    tree.into_iter().chain(&policy.files.write)
}

/// Whether the sandbox user can walk to a path and open it for reading, by the permission bits.
fn reaches(identity: &Identity, path: &Path) -> bool {
    let permits = |path: &Path, bits: u32| {
        look::metadata(path).is_ok_and(|found| {
            let shift = match (found.uid() == identity.uid, found.gid() == identity.gid) {
                (true, _) => 6,
                (false, true) => 3,
                (false, false) => 0,
            };
            found.mode() >> shift & bits == bits
        })
    };
    path.ancestors().skip(1).all(|folder| permits(folder, 1)) && permits(path, 5)
}

pub(super) fn is_roots(path: &Path) -> bool {
    look::metadata(path).is_ok_and(|found| found.uid() == 0)
}
