//! The environment of the command, and what of the caller's flags does not count in it.

use super::super::direct::Fetch;
use super::super::way;
use super::super::what::What;
use super::Prepared;
use crate::go::environment::{self, Environment};
use crate::go::goflags;
use crate::plan;
use crate::plan::Way;
use crate::plan::inputs::Project;
use crate::plan::own::OwnFiles;
use crate::policy::Cage;

impl Prepared<'_> {
    /// Has go see packages as with cgo, to list them. No compiler is in its reach.
    pub fn show_cgo(&mut self, shows: bool) {
        self.shows_cgo = shows;
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
        let mut made = environment::rebuild(&environment::Inputs {
            caller: &self.session.environment,
            toolchain: self.seen(project),
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
            vendor: self.workspace.vendor,
            add_flags: &self.add_flags,
            stamping: &self.stamping,
        })?;
        self.add_callers_own(&mut made, project);
        if self.shows_cgo {
            let cgo = made
                .pairs
                .iter_mut()
                .find(|(name, _)| name == "CGO_ENABLED");
            cgo.into_iter().for_each(|(_, value)| *value = "1".into());
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
}
