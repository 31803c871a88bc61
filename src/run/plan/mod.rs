//! From the project and the command to what [`crate::plan::build`] decides from.

mod callers;
pub(super) mod compiler;
mod environment;
mod folders;
mod prepare;
mod reach;
mod tree;
mod usable;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use self::compiler::Cgo;
pub(super) use self::prepare::launcher;
use self::tree::leave_to_stage;
use super::audit::Audit;
use super::cache::Modules;
use super::caches::Caches;
use super::direct::{self, Fetch};
use super::identity::Who;
use super::what::{What, executed};
use super::{Session, caches, ports, programs, request, scratch, tools, way};
use crate::files::look;
use crate::go::command::{self, GoCommand, Programs};
use crate::go::flags;
use crate::go::toolchain::Toolchain;
use crate::go::vcs::Stamping;
use crate::go::workspace::Workspace;
use crate::host::Host;
use crate::launch::gate::Gate;
use crate::launch::streams;
use crate::plan::inputs::{Inputs, Project, Run, Wraps};
use crate::plan::outputs::Outputs;
use crate::plan::own::OwnFiles;
use crate::plan::{self, build};
use crate::plan::{Command, EXEC_PLACE, Plan, Way};
use crate::policy::{Cage, Policy};

/// Everything that does not depend on which layers can be had.
pub(super) struct Prepared<'a> {
    /// Whether another run needs this one.
    is_errand: bool,
    session: &'a Session<'a>,
    workspace: &'a Workspace,
    policy: &'a Policy,
    toolchain: &'a Toolchain,
    arguments: &'a request::Command,
    what: What,
    who: Who,
    caches: Caches,
    /// What belongs to root on disk and appears as the sandbox user's, beside caches.
    mapped: Vec<PathBuf>,
    stamping: Stamping,
    add_flags: Vec<String>,
    cgo: Cgo,
    /// What the programs' build cache is filled from.
    seed: Option<crate::plan::Seed>,
    /// What differs where modules are fetched from their own repositories.
    direct: Option<Fetch>,
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
    /// Who runs inside.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// The Go that the caller's own command runs with; `None` for another run that this one needs first.
    pub fn callers(&self) -> Option<&Toolchain> {
        (!self.is_errand).then_some(self.toolchain)
    }

    /// Whether the command has no way to modules whatever the host offers: it is in the program cage.
    pub fn is_offline(&self) -> bool {
        match &self.what {
            What::Go(go) => go.cage == Cage::Program,
            What::Gofmt | What::Compiler(_) => false,
            What::Other(_) => true,
        }
    }

    /// Whether the command may fetch modules itself.
    pub fn fetches(&self) -> bool {
        matches!(&self.what, What::Go(go) if go.fetches && go.cage == Cage::Tool)
    }

    /// Whether the command line has modules extracted so that their folders can be written (`-modcacherw`). GOFLAGS say so
    /// to every go command.
    pub fn leaves_modules_writable(&self) -> bool {
        let words = command::after_name(&self.arguments.arguments);
        self.go()
            .is_some_and(|go| flags::parse(&go.subcommand, words).is_set("modcacherw"))
    }

    /// The go command, if it is that.
    pub fn go(&self) -> Option<&GoCommand> {
        self.what.go()
    }

    /// The launcher's own executable.
    pub fn launcher(&self) -> &Path {
        &self.project.launcher
    }

    /// GOCACHE.
    pub fn build_cache(&self) -> &Path {
        &self.caches.gocache
    }

    /// GOMODCACHE.
    pub fn module_cache(&self) -> &Path {
        &self.caches.gomodcache
    }

    /// GOMODCACHE, to be removed.
    pub fn modules(&self, session: &Session<'_>) -> Modules<'_> {
        let real = &self.caches.gomodcache;
        let is_roots = self.caches.of_root.contains(real);
        Modules {
            named: &self.caches.named_modules,
            real,
            user: (self.who.identity.switch && !is_roots).then(|| self.who.user()),
            is_held: caches::is_launchers(session, real),
        }
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
        let log = audit.map(|audit| audit.log(&self.run_name())).transpose()?;
        way::gate(
            self.session,
            self.policy,
            plan,
            modules,
            log.unwrap_or_default(),
            direct::fetcher(self.session, self.policy, &self.who, self.toolchain),
        )
    }

    /// Another run's folder, for a second attempt.
    pub fn renew(&mut self) -> anyhow::Result<()> {
        let written = written(self.project.tree.as_ref(), self.policy);
        self.project.scratch = scratch::choose(self.session, written, &scratch::name()?)?;
        Ok(())
    }

    /// The run's name in logs: that of its folder, which `gosandbox changes` knows. What an errand
    /// does counts for the run that needs it.
    pub fn run_name(&self) -> Cow<'_, str> {
        match self.project.scratch.file_name() {
            Some(name) if !self.is_errand => name.to_string_lossy(),
            _ => Cow::Borrowed(&self.session.run),
        }
    }

    /// The plan for a host.
    pub fn plan(&self, host: &Host) -> anyhow::Result<Plan> {
        self.look_at_links(host)?;
        let mut project = self.project.clone();
        if host.namespaces.is_err() {
            // Nothing can be shown at another place than its own.
            project.goroot = self.toolchain.on_disk().goroot.clone();
            project.goroot_copy = None;
        }
        if host.namespaces.is_err() && self.who.identity.switch {
            self.reach_without_view(&mut project)?;
        }
        let own = OwnFiles::new(host.namespaces.is_ok(), &project, &self.policy.files);
        let way = way::choose(self.policy, host, self.what.go(), self.what.cage());
        // The gateway reads them outside.
        let gateways = way == Some(Way::Modules) && way::has_upstreams(self.policy);
        if gateways || way::must_be_the_gateways(self.session, self.policy) {
            project.proxy_folders.clear();
        }
        let run = self.run(host, &project, &own, way)?;
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

    /// What is to be run, in which cage and environment.
    fn run(
        &self,
        host: &Host,
        project: &Project,
        own: &OwnFiles,
        way: Option<Way>,
    ) -> anyhow::Result<Run> {
        let (go, cage, wraps) = (self.what.go(), self.what.cage(), wraps(self.what.go()));
        let program_hosts = match way {
            Some(Way::Modules) if wraps.is_some() => way::of_programs(self.policy),
            _ => Vec::new(),
        };
        let program_way = (!program_hosts.is_empty()).then(plan::way::programs_hosts);
        let hosts = self.proxy(host, way, program_way.as_ref());
        let mut environment = self.environment(own, cage, way, hosts.as_deref(), project)?;
        let reaches_hosts = way == Some(Way::Hosts) || program_way.is_some();
        let runs_source = wraps.is_some() || cage == Cage::Program;
        let certificates = self.certificates(runs_source, reaches_hosts);
        let shown = certificates.as_deref().map(|path| shown_at(host, path));
        let shown = shown.map(Path::to_owned);
        if let (Some(Way::Hosts), Some(shown)) = (way, &shown) {
            programs::set_certificates(&mut environment, shown);
        }
        let mut settings = programs::settings(own, cage, wraps);
        let certificates = match &self.direct {
            Some(fetch) => fetch.prepare((&mut environment, &mut settings), own, host),
            None => certificates,
        };
        let is_stamped = matches!(self.stamping, Stamping::Safe { .. });
        let named = self.named(project.tree.as_deref(), is_stamped);
        if go.is_some() && host.namespaces.is_err() {
            tools::add_to_path(&mut environment, &named);
        }
        Ok(Run {
            program_environment: programs::environment(
                &environment,
                &caches::of_programs(&self.caches),
                own,
                self.compiler_folder(own).as_deref(),
                program_way.as_deref(),
                shown.as_deref().filter(|_| program_way.is_some()),
            ),
            program_hosts,
            certificates: certificates.clone(),
            ports: ports::of_run(self.policy, host, wraps.is_some() || cage == Cage::Program)?,
            command: Command {
                path: match &self.what {
                    What::Go(_) => self.seen(project).go.clone(),
                    What::Gofmt => project.goroot.join("bin/gofmt"),
                    What::Other(path) | What::Compiler(path) => path.clone(),
                },
                argv: self.argv(),
                environment: environment.pairs,
                settings,
                folder: self.folder(),
            },
            cage,
            way,
            callers_proxy: self.callers_proxy(own, way),
            wraps,
            dynamic: is_stamped || self.direct.is_some() || self.toolchain.is_dynamic,
            outputs: self.outputs.paths(),
            placeholders: self.outputs.placeholders(),
            compiler: self.cgo.part.clone(),
            stage: self.stage(host).ok(),
            programs: named,
            runs_cached: go.is_some_and(|go| go.runs_cached_tool) || wraps.is_some(),
            fuzzes: go.is_some_and(|go| go.fuzzes),
            seed: self.seed.clone(),
            terminal: (wraps.is_some() || cage == Cage::Program) && streams::has_terminal(),
        })
    }

    /// Where the command finds the tunnel to hosts. Without a net namespace that is where its programs do: go hashes its
    /// own value of a variable that a test reads, and the other is a new one each time.
    fn proxy(&self, host: &Host, way: Option<Way>, programs: Option<&String>) -> Option<String> {
        match programs {
            Some(way) if host.namespaces.is_err() => Some(way.clone()),
            _ => way
                .filter(|_| !self.policy.network.allow.is_empty())
                .map(|_| plan::way::hosts()),
        }
    }

    /// The toolchain as the plan's project has it.
    fn seen(&self, project: &Project) -> &Toolchain {
        match project.goroot == self.toolchain.goroot {
            true => self.toolchain,
            false => self.toolchain.on_disk(),
        }
    }

    /// What may be executed besides what the profile names.
    fn named(&self, tree: Option<&Path>, is_stamped: bool) -> Vec<PathBuf> {
        match (&self.what, &self.direct) {
            (What::Other(path), _) => vec![path.clone()],
            (_, Some(fetch)) => fetch.programs.clone(),
            (What::Go(go), _) if !go.executes.is_empty() => {
                let goroot = &self.toolchain.goroot;
                let mut executed = executed(self.session, go, goroot, tree, &self.project.read);
                executed.retain(|path| tree.is_none_or(|tree| !path.starts_with(tree)));
                executed
            }
            (What::Go(go), _) if go.subcommand == "generate" => tools::find(self.session, tree),
            _ if is_stamped => vec!["git".into()],
            _ => Vec::new(),
        }
    }

    /// The folder in which the command starts: go in the one that its own `-C` names, for there may be no other
    /// inside.
    fn folder(&self) -> PathBuf {
        let changed = self.changed_folder();
        changed.unwrap_or_else(|| self.session.folder.clone())
    }

    /// The folder that go's own `-C` names, where it is there: else go says that it is not.
    fn changed_folder(&self) -> Option<PathBuf> {
        let named = self.what.go()?.changed_dir.as_ref()?;
        let real = look::canonicalize(named).ok()?;
        look::is_dir(&real).then_some(real)
    }

    /// The words of the command, with a place for `-exec`.
    fn argv(&self) -> Vec<OsString> {
        let mut argv = vec![self.arguments.program.clone()];
        let cleans = self.what.go().and_then(|go| go.cleans_modules.as_ref());
        let words = cleans.map_or(&self.arguments.arguments, |cleans| &cleans.words);
        argv.extend(words.iter().cloned());
        if let Some(folder) = self.changed_folder() {
            command::set_changed_dir(&mut argv[1..], &folder);
        }
        if let What::Go(go) = &self.what
            && wraps(Some(go)).is_some()
        {
            argv.insert(1 + go.exec_position, EXEC_PLACE.into());
        }
        argv
    }
}

/// What the command starts by the wrapper.
fn wraps(go: Option<&GoCommand>) -> Option<Wraps> {
    // In the program cage they run as the go command does.
    let go = go.filter(|go| go.cage == Cage::Tool);
    match go.map(|go| go.programs) {
        Some(Programs::Test) => Some(Wraps::Tests),
        Some(Programs::Run) => Some(Wraps::Run),
        _ => None,
    }
}

/// Where certificates are seen inside.
pub(super) fn shown_at<'p>(host: &Host, path: &'p Path) -> &'p Path {
    match host.namespaces {
        Ok(()) => Path::new(plan::way::CERTIFICATES),
        Err(_) => path,
    }
}

/// Folders that code of the source may write.
fn written<'p>(tree: Option<&'p PathBuf>, policy: &'p Policy) -> impl Iterator<Item = &'p PathBuf> {
    tree.into_iter().chain(&policy.files.write)
}

pub(super) fn is_roots(path: &Path) -> bool {
    look::metadata(path).is_ok_and(|found| found.uid() == 0)
}
