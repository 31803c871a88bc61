//! The environment of the command, and what of the caller's flags does not count in it.

use std::path::{Path, PathBuf};

use super::super::direct::Fetch;
use super::super::what::What;
use super::super::{caches, certificates, way};
use super::Prepared;
use crate::files::look;
use crate::go::environment::{self, Environment};
use crate::go::goflags;
use crate::host::Host;
use crate::plan;
use crate::plan::inputs::Project;
use crate::plan::own::OwnFiles;
use crate::plan::{Seed, Way};
use crate::policy::Cage;
use crate::policy::places::NO_CACHE;

impl Prepared<'_> {
    /// Has go see packages as with cgo, to list them. No compiler is in its reach.
    pub fn show_cgo(&mut self, shows: bool) {
        self.cgo.shows = shows;
    }

    /// Has go fetch modules from their own repositories.
    pub fn fetch_directly(&mut self, fetch: Fetch) {
        self.direct = Some(fetch);
    }

    /// What of the caller's GOFLAGS is left aside, for a warning.
    pub fn flags_left_aside(&self) -> Option<String> {
        let go = self.what.go()?;
        let flags = self.session.variable("GOFLAGS")?.to_string_lossy();
        let allow = &self.policy.programs.allow_flags;
        let aside = goflags::leaves_mod_aside(&flags, &go.subcommand, allow, self.workspace.vendor);
        aside.then(|| {
            format!(
                "-mod=mod in GOFLAGS is left aside, so that go {} leaves go.mod as it is; to let it change go.mod, \
                 have a profile of your own say: programs.allow-flags = [\"-mod=mod\"]",
                go.subcommand
            )
        })
    }

    /// The port on the loopback at which go finds the gateway in the stead of the caller's own proxy.
    pub(super) fn callers_proxy(&self, own: &OwnFiles, way: Option<Way>) -> Option<u16> {
        let asks = way == Some(Way::Modules) && own.wrapper.is_some() && self.direct.is_none();
        let upstreams = &self.policy.modules.upstreams;
        asks.then(|| plan::way::callers_port(upstreams)).flatten()
    }

    /// The environment of the command in its own cage.
    pub(super) fn environment(
        &self,
        own: &OwnFiles,
        cage: Cage,
        way: Option<Way>,
        hosts: Option<&str>,
        project: &Project,
    ) -> anyhow::Result<Environment> {
        let own_network = own.wrapper.is_some();
        let by_gateway = way == Some(Way::Modules) && way::has_upstreams(self.policy);
        let callers = self.callers_proxy(own, way);
        let proxy = match by_gateway {
            true if callers.is_some() => self.policy.modules.upstreams.clone(),
            true => plan::way::modules(own_network),
            false => way::folders(project),
        };
        let (home, tmp) = own.of_cage(cage);
        let program_cache = caches::of_programs(&self.caches);
        let says = |name| self.caches.says(name).map(Path::new);
        let mut made = environment::rebuild(&environment::Inputs {
            caller: &self.session.environment,
            toolchain: self.seen(project),
            build_cache: match cage {
                _ if self.is_without_build_cache() => Path::new("off"),
                Cage::Tool => says("GOCACHE").unwrap_or(&self.caches.gocache),
                Cage::Program => &program_cache,
            },
            module_cache: says("GOMODCACHE").unwrap_or(&self.caches.gomodcache),
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
            race: self.policy.programs.race,
            vendor: self.workspace.vendor,
            add_flags: &self.add_flags,
            stamping: &self.stamping,
        })?;
        if by_gateway && own_network && cage == Cage::Tool {
            made.pairs.retain(|(name, _)| name != "HTTP_PROXY");
            let proxy = ("HTTP_PROXY".into(), plan::way::hosts().into());
            made.pairs.push(proxy);
            made.pairs.sort();
        }
        self.add_callers_own(&mut made, project);
        self.set_cgo(&mut made);
        self.add_compiler(&mut made, own)?;
        if cage == Cage::Program {
            self.keep_tools_caches(&mut made);
            self.serve_module_cache(&mut made);
        }
        if cage == Cage::Tool {
            let unset = self.caches.unset();
            made.pairs
                .retain(|(name, _)| unset.iter().all(|unset| name != unset));
            // Apart from the programs' temporary folder: what go builds there is not theirs to write.
            made.pairs.retain(|(name, _)| name != "GOTMPDIR");
            made.pairs
                .push(("GOTMPDIR".into(), own.work.clone().into()));
            made.pairs.sort();
        }
        Ok(made)
    }

    /// Packages are listed as the caller's CGO_ENABLED asks, which needs no compiler.
    fn set_cgo(&self, environment: &mut Environment) {
        const NAME: &str = "CGO_ENABLED";
        let is_asked = self
            .session
            .variable(NAME)
            .is_some_and(|value| value == "1");
        let lists_as_asked = is_asked && self.what.go().is_some_and(|go| go.only_lists);
        if self.cgo.shows || lists_as_asked {
            let cgo = environment.pairs.iter_mut().find(|(name, _)| name == NAME);
            cgo.into_iter().for_each(|(_, value)| *value = "1".into());
        }
    }

    /// Whether the go command is to remove nothing of GOCACHE though it is told to.
    fn is_without_build_cache(&self) -> bool {
        let cleans = self.what.go().and_then(|go| go.cleans_modules.as_ref());
        cleans.is_some_and(|cleans| cleans.without_build_cache)
    }

    /// Go commands that programs run take modules from the module cache alone, also by `latest`. All that is there was
    /// verified when it was fetched, and the checksum database cannot be reached.
    fn serve_module_cache(&self, environment: &mut Environment) {
        let fetched = self.caches.gomodcache.join("cache/download");
        let proxy = format!("{},off", crate::paths::file_url(&fetched));
        let set = [("GOPROXY", proxy.as_str()), ("GOSUMDB", "off")];
        environment
            .pairs
            .retain(|(name, _)| set.iter().all(|(own, _)| name != own));
        let set = set.map(|(name, value)| (name.into(), value.into()));
        environment.pairs.extend(set);
        environment.pairs.sort();
    }

    /// The system's certificates. Code of the source that asks for them finds them without a network too.
    pub(super) fn certificates(&self, runs_source: bool, reaches_hosts: bool) -> Option<PathBuf> {
        let find = || certificates::find(self.session, reaches_hosts);
        (runs_source || reaches_hosts).then(find).flatten()
    }

    /// Linters and other tools keep what they know of the project, as the go command does. It is the project's own:
    /// what they are told by hostile code they tell nobody else.
    fn keep_tools_caches(&self, environment: &mut Environment) {
        const NAME: &str = "XDG_CACHE_HOME";
        let pairs = &mut environment.pairs;
        if pairs.iter().all(|(name, _)| name != NAME) {
            pairs.push((NAME.into(), self.caches.programs.clone().into()));
            pairs.sort();
        }
    }

    /// What the programs' own build cache is to be filled from, for a command that is likely to run the go command: once for
    /// each version of Go. Where there is no Landlock, whatever the view shows the command reads, and it is not to read
    /// what other projects have built.
    pub fn wants_seed(&self, host: &Host) -> bool {
        let is_seen_by_all = host.namespaces.is_ok() && host.landlock.is_err();
        let is_program = self.what.cage() == Cage::Program && !self.workspace.none;
        let was_filled = || {
            let seed = self.seed_of(Vec::new());
            look::exists(seed.to.join(seed.stamp))
        };
        is_program
            && self.caches.gocache != Path::new(NO_CACHE)
            && !is_seen_by_all
            && self.what.runs_go(&self.arguments.arguments)
            && !was_filled()
    }

    /// Has it filled with these entries.
    pub fn set_seed(&mut self, entries: Vec<String>) {
        self.seed = (!entries.is_empty()).then(|| self.seed_of(entries));
    }

    fn seed_of(&self, entries: Vec<String>) -> Seed {
        Seed {
            from: self.caches.gocache.clone(),
            to: caches::of_programs(&self.caches),
            stamp: PathBuf::from(format!("seeded-{}", self.toolchain.version)),
            entries,
        }
    }
}
