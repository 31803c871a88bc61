//! The folders that a run needs, made in one step just before the launch.

use std::path::Path;

use super::super::cache;
use super::super::caches::{self, Missing};
use super::super::scratch;
use super::super::stage;
use super::super::what::What;
use super::Prepared;
use super::prepare::{judged, of_root};
use crate::policy::places::NO_CACHE;
use crate::refusal::{Code, Refused};

impl Prepared<'_> {
    /// Makes the caches and the folder of temporary files, where they are missing.
    ///
    /// # Errors
    /// One cannot be made, or is another now than was looked at.
    pub fn make_folders(&mut self) -> anyhow::Result<()> {
        scratch::make(self.session, &self.project.scratch)?;
        if !self.caches.are_there || !self.caches.hold(self.session) {
            self.make_caches()?;
            // What its own user has locked is used all the same.
            let _is_held = self.caches.hold(self.session);
        }
        if matches!(&self.what, What::Go(go) if go.fuzzes) {
            caches::make_corpus(&self.caches, &self.who)?;
        }
        Ok(())
    }

    fn make_caches(&mut self) -> anyhow::Result<()> {
        let workspace = self.workspace;
        let around = (!workspace.none).then_some(workspace.root.as_path());
        let mut made = caches::find(self.session, &self.who, around, Missing::Make)?;
        made.check(&self.what)?;
        let paths = |found: &caches::Caches| {
            let paths = [&found.gocache, &found.gomodcache, &found.programs];
            paths.map(Clone::clone)
        };
        let pairs = paths(&made).into_iter().zip(paths(&self.caches));
        // One that cannot be made the command does without.
        let mut pairs = pairs.filter(|(made, _)| made != Path::new(NO_CACHE));
        if pairs.any(|(made, found)| made != found) {
            let text = "cannot make the caches: what leads to them was exchanged";
            return Err(Refused::new(Code::TreeExchanged, text).into());
        }
        let tree = self.project.tree.as_deref();
        if self.project.sumdb.is_some() {
            self.project.sumdb = caches::sumdb(&mut made, &self.who, tree, Missing::Make);
        }
        self.project.mapped = self.mapped.clone();
        let of_root = of_root(&made, &self.who, self.project.sumdb.as_ref());
        self.project.mapped.extend(of_root);
        let is_mapped = tree.is_some_and(|tree| self.project.mapped.iter().any(|it| it == tree));
        let (judged, opened) = judged(&made, &self.who, self.policy, tree, is_mapped)?;
        self.project.judged = judged;
        [
            self.project.gocache,
            self.project.gomodcache,
            self.project.program_cache,
        ] = paths(&made);
        self._opened = opened;
        let is_in_tree = tree.is_some_and(|tree| made.programs.starts_with(tree));
        self.caches = made;
        let place = around.unwrap_or(&self.session.folder);
        cache::note(self.session, place);
        if is_in_tree {
            // What has the time at which a stage begins counts as changed by somebody else.
            stage::await_later_time();
        }
        Ok(())
    }
}
