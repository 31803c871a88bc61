//! The environment of the command, and what of the caller's flags does not count in it.

use std::path::PathBuf;

use super::super::direct::Fetch;
use super::super::what::What;
use super::super::{caches, way};
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

    /// The environment of the command in its own cage.
    pub(super) fn environment(
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
        let program_cache = caches::of_programs(&self.caches);
        let mut made = environment::rebuild(&environment::Inputs {
            caller: &self.session.environment,
            toolchain: self.seen(project),
            build_cache: if cage == Cage::Tool {
                &self.caches.gocache
            } else {
                &program_cache
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
            race: self.policy.programs.race,
            vendor: self.workspace.vendor,
            add_flags: &self.add_flags,
            stamping: &self.stamping,
        })?;
        self.add_callers_own(&mut made, project);
        if self.cgo.shows {
            let cgo = made
                .pairs
                .iter_mut()
                .find(|(name, _)| name == "CGO_ENABLED");
            cgo.into_iter().for_each(|(_, value)| *value = "1".into());
        }
        self.add_compiler(&mut made, own)?;
        if cage == Cage::Program {
            self.keep_tools_caches(&mut made);
        }
        if cage == Cage::Tool {
            // Apart from the programs' temporary folder: what go builds there is not theirs to write.
            made.pairs.retain(|(name, _)| name != "GOTMPDIR");
            made.pairs
                .push(("GOTMPDIR".into(), own.work.clone().into()));
            made.pairs.sort();
        }
        Ok(made)
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

    /// What the programs' own build cache is filled from, for a command that is likely to run the go command: once for
    /// each version of Go. Where there is no Landlock, whatever the
    /// view shows the command reads, and it is not to read what other projects have built.
    pub(super) fn seed(&self, host: &Host, cage: Cage) -> Option<Seed> {
        let is_seen_by_all = host.namespaces.is_ok() && host.landlock.is_err();
        let runs_go = || self.what.runs_go(&self.arguments.arguments);
        if cage != Cage::Program || is_seen_by_all || !runs_go() {
            return None;
        }
        let to = caches::of_programs(&self.caches);
        let stamp = PathBuf::from(format!("seeded-{}", self.toolchain.version));
        let seed = Seed {
            from: self.caches.gocache.clone(),
            to,
            stamp,
        };
        (!look::exists(seed.to.join(&seed.stamp))).then_some(seed)
    }
}
