//! The work tree of a run: its stage, the look after it, and links that go writes through.

use std::path::Path;

use super::super::what::What;
use super::super::{links, stage, tree_check};
use super::Prepared;
use crate::go::command::Programs;
use crate::host::Host;
use crate::plan::Plan;
use crate::plan::inputs::{Protected, Run, StageFolders};
use crate::policy::{Cage, Runs, TreeAccess};

impl Prepared<'_> {
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
        let console = self.session.console;
        stage::require(self.policy, runs, &self.stage(host), console)
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
    pub(super) fn look_at_links(&self, host: &Host) -> anyhow::Result<()> {
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
}

/// What programs write at a place in a staged work tree that a flag names is staged with it.
pub(super) fn leave_to_stage(mut run: Run, tree: Option<&Path>) -> Run {
    if let (Some(_), Some(tree)) = (&run.stage, tree) {
        run.outputs.retain(|path| !path.starts_with(tree));
        run.placeholders.retain(|made| !made.path.starts_with(tree));
    }
    run
}
