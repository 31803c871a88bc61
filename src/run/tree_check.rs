//! The look after a run whose programs write the work tree itself, and the looks that killed launchers
//! have left to do.

use std::path::Path;

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};

use super::{Console, run_folders, stage};
use crate::changes::Error;
use crate::changes::look::{self, Launcher, Look, LookRecord, Report};
use crate::launch::caller::Caller;
use crate::plan::{PlaceholderKind, Plan};
use crate::refusal::{Code, Refused, shell_path};

/// For so many paths the command is shown that takes them back.
const MOST_HELP: usize = 3;

/// What a look is made from, in addition to the plan.
pub(super) struct Wanted<'a> {
    /// Name of the profile.
    pub profile: &'a str,
    /// The folder of the run's temporary files.
    pub scratch: &'a Path,
    /// Whether the work tree belongs to root and appears as the sandbox user's.
    pub is_mapped: bool,
}

/// The look after a run, where one is needed.
pub(super) struct Guard(Option<Look>);

impl Guard {
    /// Keeps what is needed, on disk too where code of the source may write the work tree.
    ///
    /// # Errors
    /// The work tree was exchanged, or the record cannot be written.
    pub fn begin(plan: &Plan, wanted: &Wanted<'_>) -> anyhow::Result<Guard> {
        let Some(before) = plan.before.clone() else {
            return Ok(Guard(None));
        };
        let tree = before.tree.path.clone();
        let is_written = !before.scope.roots.is_empty();
        let identity = &plan.identity;
        let decoys = plan.placeholders.iter();
        let decoys = decoys.filter(|made| matches!(made.kind, PlaceholderKind::Decoy));
        let decoys = decoys.filter_map(|made| made.path.strip_prefix(&tree).ok());
        let run = wanted.scratch.file_name().unwrap_or_default();
        let mut look = Look::begin(LookRecord {
            schema: LookRecord::SCHEMA,
            run: run.to_string_lossy().into_owned(),
            started: clock_gettime(ClockId::Realtime).tv_sec,
            launcher: Launcher::this(),
            command: stage::words(plan),
            profile: wanted.profile.to_owned(),
            identity: (identity.switch && !wanted.is_mapped)
                .then_some((identity.uid, identity.gid)),
            decoys: decoys.map(Path::to_owned).collect(),
            before,
        })?;
        if let (true, Some(base)) = (is_written, wanted.scratch.parent()) {
            look.write_down(base)?;
        }
        Ok(Guard(Some(look)))
    }

    /// Moves away what has come at protected paths, but for what `is_own` says is the launcher's (absolute), and
    /// says so. `None`: nothing had come, and everything could be looked at.
    ///
    /// # Errors
    /// The look has failed as a whole. Another run or `gosandbox changes apply` does it again.
    pub fn end(
        self,
        is_own: impl Fn(&Path) -> bool,
        console: &dyn Console,
    ) -> anyhow::Result<Option<Report>> {
        let Some(look) = self.0 else {
            return Ok(None);
        };
        let (run, tree) = (
            look.record().run.clone(),
            look.record().before.tree.path.clone(),
        );
        let ended = look.end(&|path| is_own(&tree.join(path)));
        let report = ended.map_err(|error| failed(error, &run, &tree))?;
        if report.is_empty() {
            return Ok(None);
        }
        let head = format!(
            "cannot accept what has come or was replaced at protected paths in {}",
            tree.display()
        );
        console.error(&text(&head, &report, &run, &tree));
        Ok(Some(report))
    }
}

fn failed(error: Error, run: &str, tree: &Path) -> Refused {
    let action = format!(
        "cannot look for protected paths that the run has made in {}",
        tree.display()
    );
    let refused = Refused::of(&error).within(&action);
    refused.words(format!("gosandbox changes apply {run}"))
}

fn undisturbed<T>(work: impl FnOnce() -> T) -> anyhow::Result<T> {
    let caller = Caller::set_aside().context("cannot block signals")?;
    let done = work();
    caller.restore().context("cannot restore the signal mask")?;
    Ok(done)
}

/// What was found, line by line, with what the user can do.
fn text(head: &str, report: &Report, run: &str, tree: &Path) -> String {
    let mut text = format!("{head} ({}){}", Report::CODE.word(), report.lines());
    if !report.stayed.is_empty() {
        text.push_str(&format!("\nhelp: gosandbox changes apply {run}"));
    }
    // To take back what was moved away.
    let places = report.moved.iter().filter_map(|moved| {
        let place = shell_path(&tree.join(moved.place.as_ref()?));
        Some(format!("{place} {}", shell_path(&tree.join(&moved.path))))
    });
    for places in places.take(MOST_HELP) {
        text.push_str(&format!("\nhelp: mv {places}"));
    }
    text
}

/// Does the looks that are left to do in a work tree, for runs whose launcher was killed. Before anything in the
/// tree is read: what came is not to count for what was there.
///
/// # Errors
/// A look cannot be done, or something cannot be moved away.
pub(super) fn finish_earlier(tree: &Path, console: &dyn Console) -> anyhow::Result<()> {
    let mut left = Vec::new();
    for base in run_folders() {
        for found in look::sweep(&base).iter().filter(|found| !found.is_running) {
            let (run, its) = (&found.record.run, &found.record.before.tree.path);
            if !its.starts_with(tree) && !tree.starts_with(its) {
                continue;
            }
            // A signal may end the launcher while it waits.
            let report = match Look::open(&found.file) {
                Ok(look) => undisturbed(|| look.end(&|_| false))?,
                Err(error) => Err(error),
            };
            let report = match report {
                // It is not there any more: another folder is in its place.
                Err(Error::OtherTree { .. }) => continue,
                // Another process has looked by now.
                Err(_) if look::list(&base).iter().all(|left| left.file != found.file) => continue,
                report => report.map_err(|error| failed(error, run, its))?,
            };
            if !report.is_empty() {
                let head = format!(
                    "warning: run {run} ({}) was killed; this has come or was replaced at protected paths in {}",
                    found.record.command.join(" "),
                    its.display()
                );
                console.error(&text(&head, &report, run, its));
            }
            if !report.stayed.is_empty() {
                left.push(run.clone());
            }
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let text = format!(
        "cannot start in {}: what an earlier run has made at protected paths stays there",
        tree.display()
    );
    let refused = Refused::new(Code::LeftByKilledRun, text);
    let refused = left.iter().fold(refused, |refused, run| {
        refused
            .words(format!("gosandbox changes apply {run}"))
            .words(format!("gosandbox changes drop {run}"))
    });
    Err(refused.into())
}
