//! What was planned and what was enforced, as JSON.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::{Value, json};

use super::guarded::{self, Guarded};
use super::{Command, Console, Output, Request, stage};
use crate::changes::look::Report;
use crate::files::{self, Keeper};
use crate::gateway::Passed;
use crate::launch::Outcome;
use crate::paths::Paths as _;
use crate::plan::{Holding, Plan};
use crate::policy::{Layer, Policy};
use crate::refusal::{Code, OrRefuse, Refused};

/// Version of the report's schema: raised when a member changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Where the report goes.
enum Place {
    /// Standard output.
    Standard,
    /// A device, or a descriptor of the caller's.
    Open(File, PathBuf),
    /// A file's name in a folder; no link that comes there meanwhile is followed.
    Named(files::Place),
}

/// How far the choice of the place is.
enum State {
    /// It is not known yet whether a link of the work tree's leads there, or whether it is protected.
    Unsettled,
    /// It may be written.
    Settled(Place),
    /// It is written, or must not be.
    Over,
}

/// Writes what `--report` asks for, once.
pub(super) struct Reporter<'a> {
    asked: Option<&'a Output>,
    /// Whether a command writes to standard output.
    runs: bool,
    state: State,
}

impl<'a> Reporter<'a> {
    /// That of a request.
    pub(super) fn new(request: &'a Request) -> Reporter<'a> {
        Reporter {
            asked: request.report.as_ref(),
            runs: !request.dry_run,
            state: State::Unsettled,
        }
    }

    /// Settles the place, before the command can change what is there: it may write that folder.
    ///
    /// # Errors
    /// There is no such folder; a link of the work tree's, or of another user's, leads there; it is protected; it is
    /// standard output, which is the command's.
    pub(super) fn settle(&mut self, guarded: &Guarded<'_>) -> anyhow::Result<()> {
        self.state = State::Over;
        self.state = match self.asked {
            None => State::Over,
            Some(Output::Standard) if self.runs => {
                let text =
                    "cannot write the report to standard output: it would mix with the command's";
                return Err(Refused::new(Code::ReportRefused, text)
                    .option("--report \"$HOME/report.json\"")
                    .option("--dry-run")
                    .into());
            }
            Some(Output::Standard) => State::Settled(Place::Standard),
            Some(Output::File(path)) => {
                let failed = || format!("cannot write the report {}", path.display());
                let place = Place::of(path, guarded).or_refuse(Code::ReportRefused, failed);
                State::Settled(place.map_err(elsewhere)?)
            }
        };
        Ok(())
    }

    fn take(&mut self) -> Option<Place> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Settled(place) => Some(place),
            State::Unsettled | State::Over => None,
        }
    }

    /// Shows the plan, or with `--report` writes it as JSON.
    pub(super) fn dry_run(
        &mut self,
        policy: &Policy,
        plan: &Plan,
        console: &dyn Console,
    ) -> anyhow::Result<()> {
        match self.take() {
            Some(place) => place.write(&planned(policy, plan), console),
            None => console.plan(policy, plan),
        }
    }

    /// With `--report`, writes what was enforced.
    pub(super) fn write(
        &mut self,
        policy: &Policy,
        plan: &Plan,
        ended: (&Outcome, &stage::Ended),
        console: &dyn Console,
    ) -> anyhow::Result<()> {
        match self.take() {
            Some(place) => place.write(&enforced(policy, plan, ended), console),
            None => Ok(()),
        }
    }

    /// With `--report`, writes why nothing was executed. A report that cannot be written does not
    /// hide why.
    pub(super) fn refused(&mut self, refused: &Refused, command: &Command, console: &dyn Console) {
        let place = match (std::mem::replace(&mut self.state, State::Over), self.asked) {
            (State::Settled(place), _) => Some(place),
            (State::Unsettled, Some(Output::Standard)) => Some(Place::Standard),
            (State::Unsettled, Some(Output::File(path))) => Place::of_nobody(path),
            _ => None,
        };
        let words = std::iter::once(&command.program).chain(&command.arguments);
        let report = json!({
            "schema": SCHEMA,
            "version": env!("CARGO_PKG_VERSION"),
            "command": words.map(|word| word.to_string_lossy()).collect::<Vec<_>>(),
            "status": super::status(refused.code()),
            "refused": {
                "code": refused.code(),
                "message": refused.message(),
                "remedies": refused.remedies(),
            },
        });
        let _unwritten = place.map(|place| place.write(&report, console));
    }
}

impl Place {
    fn of(path: &Path, guarded: &Guarded<'_>) -> anyhow::Result<Place> {
        if path.as_os_str().is_empty() {
            bail!("it names no file");
        }
        let place = guarded.find(path)?;
        let special = place.open_special()?;
        guarded.judge(&place, special.is_some())?;
        Ok(match special {
            Some(file) => Place::Open(file, path.to_owned()),
            None => Place::Named(place),
        })
    }

    /// A place that is nobody's, whatever the work tree is: no link leads there, and no name on the
    /// way is protected anywhere.
    fn of_nobody(path: &Path) -> Option<Place> {
        let place = guarded::find(path, Keeper::caller(), None).ok()?;
        match place.open_special().ok()? {
            Some(file) => Some(Place::Open(file, path.to_owned())),
            None if place.is_led() || guarded::has_guarded_name(place.path()) => None,
            None => Some(Place::Named(place)),
        }
    }

    fn write(self, value: &Value, console: &dyn Console) -> anyhow::Result<()> {
        let text = format!("{value:#}\n");
        let (written, path) = match self {
            Place::Standard => return console.print(&text),
            Place::Open(mut file, path) => {
                // A pipe or a terminal has no length.
                let _no_length = file.set_len(0);
                (file.write_all(text.as_bytes()), path)
            }
            Place::Named(place) => (place.replace(text.as_bytes()), place.path().to_owned()),
        };
        let failed = || format!("cannot write the report {}", path.display());
        let written = written.or_refuse(Code::ReportRefused, failed);
        Ok(written.map_err(elsewhere)?)
    }
}

fn elsewhere(refused: Refused) -> Refused {
    refused.option("--report \"$HOME/gosandbox-report.json\"")
}

fn enforced(policy: &Policy, plan: &Plan, (outcome, changes): (&Outcome, &stage::Ended)) -> Value {
    let mut report = planned(policy, plan);
    let layers = Layer::ALL.map(|layer| {
        (
            layer.word().to_owned(),
            json!(outcome.enforcement.has(layer)),
        )
    });
    report["enforced"] = layers.into_iter().collect();
    report["status"] = json!(outcome.status);
    report["timed-out"] = json!(outcome.timed_out);
    report["exceeded"] = json!({
        "memory": outcome.exceeded.memory,
        "pids": outcome.exceeded.pids,
    });
    report["changes"] = match &changes.landed {
        Some(landed) => json!(landed.changes().iter().collect::<Vec<_>>()),
        None => json!([]),
    };
    report["protected"] = match &changes.looked {
        Some(looked) => {
            json!({ "code": Report::CODE, "moved": looked.moved, "stayed": looked.stayed })
        }
        None => Value::Null,
    };
    report["gateway"] = match &outcome.gateway {
        None => Value::Null,
        Some(Err(error)) => json!({ "failed": error.to_string() }),
        Some(Ok(summary)) => json!({
            "fetched": summary.fetched,
            "bytes": summary.bytes,
            "refused": summary.refused,
        }),
    };
    report["ports"] = ports(&outcome.ports);
    report["refused"] = Value::Null;
    report
}

/// What passed to each service and published port.
fn ports(passed: &[Passed]) -> Value {
    let one = |passed: &Passed| {
        let kind = match passed.is_published {
            true => "published",
            false => "service",
        };
        json!({
            kind: passed.name,
            "connections": passed.connections,
            "failed": passed.failed,
            "reason": passed.reason,
        })
    };
    passed.iter().map(one).collect()
}

fn planned(policy: &Policy, plan: &Plan) -> Value {
    let holdings = plan.guarantees.iter().map(|(guarantee, holding)| {
        let value = match holding {
            Holding::Held(layers) => json!({ "held-by": layers }),
            Holding::Missing { reason, remedy } => json!({ "missing": reason, "remedy": remedy }),
        };
        (guarantee.word().to_owned(), value)
    });
    json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "profile": policy.name,
        "command": plan.command.argv.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>(),
        "executable": plan.command.path.ones(),
        "folder": plan.command.folder.ones(),
        "cage": plan.cage,
        "way": plan.way,
        "services": plan.ports.services.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "published": plan.ports.publish,
        "identity": plan.identity,
        "isolation": plan.isolation,
        "landlock": plan.landlock,
        "filter": plan.filter,
        "limits": plan.limits,
        "environment": plan.command.environment.iter()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), json!(value.to_string_lossy())))
            .collect::<serde_json::Map<_, _>>(),
        "programs": plan.program,
        "guarantees": holdings.collect::<serde_json::Map<_, _>>(),
        "staged": plan.staged.as_ref().map(|tree| tree.ones()),
        "supervision": plan.supervision,
        "not-confined": plan.gaps,
    })
}
