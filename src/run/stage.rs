//! Whether a run's work tree is staged, and what becomes of the changes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::time::{ClockId, clock_gettime};

use super::Console;
use super::what::What;
use crate::changes::look::Report;
use crate::changes::{self, Keep, Landed, Record, Rules, Stage};
use crate::files::Judged;
use crate::files::look;
use crate::go::command::Programs;
use crate::host::Host;
use crate::launch::caller::Caller;
use crate::plan::inputs::StageFolders;
use crate::plan::{Identity, Isolation, Plan, WRAPPER_WORD};
use crate::policy::{Cage, Policy, Runs, Staging, TreeAccess};
use crate::refusal::{Code, Refused};

/// What of the source a command runs; `None` for what go itself does.
pub(super) fn runs(what: &What) -> Option<Runs> {
    match what {
        What::Go(go) => match (go.programs, go.cage) {
            (Programs::Test, _) => Some(Runs::Test),
            (Programs::Run, _) => Some(Runs::Run),
            (_, Cage::Program) if go.subcommand == "generate" => Some(Runs::Generate),
            (_, Cage::Program) => Some(Runs::Command),
            (_, Cage::Tool) => None,
        },
        What::Gofmt | What::Compiler(_) => None,
        What::Other(_) => Some(Runs::Command),
    }
}

/// Where the changes of a run are staged, or why they are not.
pub(super) fn choose(
    policy: &Policy,
    host: &Host,
    tree: Option<&Path>,
    scratch: &Path,
    runs: Option<Runs>,
    has_mounts_below: impl FnOnce(&Path) -> bool,
) -> Result<StageFolders, String> {
    let (Some(runs), Some(tree)) = (runs, tree) else {
        return Err("no code of the source writes the work tree".to_owned());
    };
    if policy.files.staging(runs) == Staging::Direct {
        return Err(format!("profile {} has it direct", policy.name));
    }
    host.namespaces
        .as_ref()
        .map_err(|reason| format!("there are no namespaces: {reason}"))?;
    host.staging.clone()?;
    if policy.mandatory != crate::policy::Mandatory::default() {
        return Err("AppArmor and SELinux know the real work tree".to_owned());
    }
    if host.is_root() && has_mounts_below(tree) {
        return Err(
            "something is mounted in the work tree, which an overlay does not show".to_owned(),
        );
    }
    let folder = folder(scratch);
    Ok(StageFolders {
        upper: folder.join("upper"),
        work: folder.join("work"),
    })
}

/// Makes sure that changes which are to be held back can be. Where they are to be applied anyway, programs
/// may write the work tree itself, except protected paths.
///
/// # Errors
/// The profile or `--stage` wants them held back, and the work tree cannot be staged.
pub(super) fn require(
    policy: &Policy,
    runs: Option<Runs>,
    stage: &Result<StageFolders, String>,
    console: &dyn Console,
) -> anyhow::Result<()> {
    let (Some(runs), Err(reason)) = (runs, stage) else {
        return Ok(());
    };
    let staging = policy.files.staging(runs);
    if staging < Staging::Apply {
        let text = format!(
            "cannot hold back the changes to the work tree, as \"{}\" asks: {reason}",
            staging.word()
        );
        return Err(Refused::new(Code::StageUnavailable, text)
            .option("--stage apply")
            .option("--stage direct")
            .into());
    }
    if staging == Staging::Apply {
        console.note(&format!(
            "the work tree is not staged, programs write it directly: {reason}"
        ));
    }
    Ok(())
}

/// The folder of a run's stage, beside that of its temporary files.
pub(super) fn folder(scratch: &Path) -> PathBuf {
    scratch.with_extension("stage")
}

/// What a stage is made from, besides the plan.
pub(super) struct Wanted<'a> {
    pub policy: &'a Policy,
    pub runs: Runs,
    pub access: TreeAccess,
    pub identity: &'a Identity,
    /// Whether the work tree belongs to root and appears as the sandbox user's.
    pub is_mapped: bool,
    /// Files and folders that flags of the command name.
    pub outputs: &'a [PathBuf],
    /// What the repository's configuration leads to, and the trusted caches.
    pub protected: &'a [PathBuf],
    /// The folder of the run's temporary files.
    pub scratch: &'a Path,
}

/// The stage of a run, from before its start to after its end.
pub(super) struct Running {
    stage: Stage,
    staging: Staging,
}

/// What has become of the changes.
#[derive(Default)]
pub(super) struct Ended {
    /// Each change and its verdict, where they were applied.
    pub landed: Option<Landed>,
    /// What has come at protected paths, where nothing is staged.
    pub looked: Option<Report>,
    /// Whether changes that the profile wants applied were not: status 125.
    pub is_held_back: bool,
}

impl Running {
    /// Makes the stage, with its record on disk.
    ///
    /// # Errors
    /// It cannot be made, or the work tree is gone.
    pub fn begin(plan: &Plan, wanted: &Wanted<'_>) -> anyhow::Result<Option<Running>> {
        let Some(tree) = &plan.staged else {
            return Ok(None);
        };
        let folder = folder(wanted.scratch);
        let stage = make(plan, tree, &folder, wanted)
            .with_context(|| format!("cannot make {} for the run's changes", folder.display()))?;
        let staging = wanted.policy.files.staging(wanted.runs);
        Ok(Some(Running { stage, staging }))
    }

    /// Applies the changes, or does with them what the profile says. Nothing runs inside any more.
    ///
    /// # Errors
    /// The changes cannot be listed. They stay staged.
    pub fn end(self, console: &dyn Console) -> anyhow::Result<Ended> {
        let base = self.stage.folder().parent().map(Path::to_owned);
        let ended = self.settle(console);
        // What nobody wants any more, of earlier runs.
        if let Some(base) = base {
            changes::sweep(&base);
        }
        ended
    }

    /// Shows the changes and asks what becomes of them, where they wait for a review and somebody is at
    /// a terminal. Signals are not blocked during the question: Ctrl-C leaves the changes staged.
    ///
    /// # Errors
    /// The changes cannot be listed. They stay staged.
    pub fn ask(&mut self, caller: &Caller, console: &dyn Console) -> anyhow::Result<()> {
        if self.staging != Staging::Review || !console.can_ask() || self.stage.is_untouched()? {
            return Ok(());
        }
        self.stage.mark_for_review();
        caller.restore().context("cannot restore the signal mask")?;
        let answer = console.ask(&self.stage);
        Caller::set_aside().context("cannot block signals")?;
        self.staging = answer?;
        Ok(())
    }

    fn settle(self, console: &dyn Console) -> anyhow::Result<Ended> {
        let Running { stage, staging } = self;
        let run = stage.record().run.clone();
        let tree = stage.record().tree.clone();
        if stage.is_untouched()? || staging == Staging::Discard {
            stage.discard()?;
            return Ok(Ended::default());
        }
        if staging == Staging::Review {
            stage.keep();
            console.warn(&format!(
                    "changes to {} were not applied; to see them: gosandbox changes show {run}; to apply them: \
                     gosandbox changes apply {run}",
                    tree.display()
                ));
            return Ok(Ended::default());
        }
        let landed = stage.apply().map_err(|error| {
            let refused =
                Refused::of(&error).within(&format!("cannot apply the changes of run {run}"));
            refused.words(format!("gosandbox changes apply {run}"))
        })?;
        if landed.is_left() {
            console.error(&told(&landed, &run, &tree));
        }
        Ok(Ended {
            is_held_back: landed.is_left(),
            landed: Some(landed),
            looked: None,
        })
    }

    /// Ends a stage whose command was not started, or could not be looked after.
    pub fn abandon(self) {
        match self.stage.is_untouched() {
            Ok(true) => drop(self.stage.discard()),
            _ => self.stage.keep(),
        }
    }
}

/// Waits until the clock by which a stage begins has passed the times of all files that were changed before: some
/// milliseconds. It lags, and since Linux 6.13 files may have times of the exact clock.
pub(super) fn await_later_time() {
    let exact = clock_gettime(ClockId::Realtime);
    while clock_gettime(ClockId::RealtimeCoarse) <= exact {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn make(plan: &Plan, tree: &Path, folder: &Path, wanted: &Wanted<'_>) -> anyhow::Result<Stage> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = rustix::fs::openat(CWD, tree, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&open)?;
    if let Isolation::Namespaces(view) = &plan.isolation
        && !Judged::allows(&view.judged, tree, &found)
    {
        let text = format!("{} was exchanged while it was looked at", tree.display());
        return Err(Refused::new(Code::TreeExchanged, text).into());
    }
    let now = clock_gettime(ClockId::RealtimeCoarse);
    let Identity { uid, gid, switch } = *wanted.identity;
    let run = wanted.scratch.file_name().unwrap_or_default();
    let record = Record {
        schema: Record::SCHEMA,
        run: run.to_string_lossy().into_owned(),
        tree: tree.to_owned(),
        tree_identity: (found.st_dev, found.st_ino),
        started: (now.tv_sec, u32::try_from(now.tv_nsec).unwrap_or_default()),
        command: words(plan),
        profile: wanted.policy.name.clone(),
        rules: rules(tree, wanted),
        identity: (switch && !wanted.is_mapped).then_some((uid, gid)),
        owned_by_root: switch && wanted.is_mapped,
        keep_for: wanted.policy.files.keep_staged,
    };
    // What the overlay shows as the work tree's own owner.
    let owner = match (switch, wanted.is_mapped) {
        (false, _) => None,
        (true, true) => Some((uid, gid)),
        (true, false) => Some((found.st_uid, found.st_gid)),
    };
    Ok(Stage::create(folder, record, open, owner)?)
}

/// The command's words as the caller has written them, without the flag for the wrapper.
pub(super) fn words(plan: &Plan) -> Vec<String> {
    let is_own = |word: &&OsString| {
        let word = word.to_string_lossy();
        word.starts_with("-exec=") && word.contains(WRAPPER_WORD)
    };
    let words = plan.command.argv.iter().filter(|word| !is_own(word));
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

fn rules(tree: &Path, wanted: &Wanted<'_>) -> Rules {
    let within = |path: &PathBuf| path.strip_prefix(tree).ok().map(Path::to_owned);
    let named = &wanted.policy.files.protected;
    let paths = named.iter().filter(|path| path.components().count() > 1);
    let paths: Vec<_> = paths.map(|path| tree.join(path)).collect();
    let paths = paths.iter().chain(wanted.protected);
    let ends = paths.clone().filter_map(|path| end_of(path));
    let protected_paths = paths
        .filter_map(within)
        .chain(ends.filter_map(|end| within(&end)));
    Rules {
        keep: match wanted.access {
            TreeAccess::Write => Keep::All,
            TreeAccess::Testdata => Keep::Testdata,
            TreeAccess::Read => Keep::Outputs,
        },
        outputs: wanted.outputs.iter().filter_map(within).collect(),
        protected_names: named.clone(),
        protected_paths: protected_paths.collect(),
    }
}

/// Where a path leads through the links on the way to it. What is missing at its end stays as it is.
fn end_of(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|above| {
        let real = look::canonicalize(above).ok()?;
        Some(real.join(path.strip_prefix(above).ok()?))
    })
}

/// As many are told of one by one.
const TOLD: usize = 20;

/// What was not applied, why, and what can be done.
fn told(landed: &Landed, run: &str, tree: &Path) -> String {
    let refused = landed.refused().map(|(change, refusal)| {
        format!(
            "{}: {} ({})",
            change.path.display(),
            refusal.meaning(),
            refusal.word()
        )
    });
    let conflicts = landed.conflicts().map(|change| {
        format!(
            "{}: it was changed outside during the run ({})",
            change.path.display(),
            Code::Conflict.word()
        )
    });
    let failed = landed.failed().map(|failure| {
        format!(
            "{}: {} ({})",
            failure.change.path.display(),
            failure.cause,
            Code::NotApplied.word()
        )
    });
    let lines: Vec<String> = refused.chain(conflicts).chain(failed).collect();
    let mut text = format!("cannot apply all changes to {}:", tree.display());
    for line in lines.iter().take(TOLD) {
        text.push_str("\n  ");
        text.push_str(line);
    }
    if lines.len() > TOLD {
        text.push_str(&format!("\n  and {} more", lines.len() - TOLD));
    }
    text.push_str(&format!(
        "\nhelp: gosandbox changes show {run}\nhelp: gosandbox changes drop {run}"
    ));
    text
}

/// For an ordinary user the kernel refuses to make an overlay there: such mounts are locked together
/// (mount_namespaces(7)).
pub(super) fn has_mounts_below(tree: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let Ok(mounts) = std::fs::read("/proc/self/mountinfo") else {
        return true;
    };
    let mut start = escaped(tree.as_os_str().as_bytes());
    start.push(b'/');
    let places = mounts.split(|byte| *byte == b'\n');
    places
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .any(|place| place.starts_with(&start))
}

/// As /proc/self/mountinfo writes a path (proc_pid_mountinfo(5)).
fn escaped(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => text.extend(format!("\\{byte:03o}").bytes()),
            _ => text.push(*byte),
        }
    }
    text
}
