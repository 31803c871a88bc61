//! What was planned and what was enforced, as JSON.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::guarded::Guarded;
use super::{Console, Output, Request, stage};
use crate::changes::look::Report;
use crate::files;
use crate::launch::Outcome;
use crate::paths::Paths as _;
use crate::plan::{Holding, Plan};
use crate::policy::{Layer, Policy};

/// Version of the report's schema: raised when a member changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Where `--report` goes, settled before the command can change what is there: it may write that folder.
pub(super) enum Place {
    /// Standard output.
    Standard,
    /// A device, or a descriptor of the caller's.
    Open(File, PathBuf),
    /// A file's name in a folder; no link that comes there meanwhile is followed.
    Named(files::Place),
}

impl Place {
    /// That of `--report`, if it is given.
    ///
    /// # Errors
    /// There is no such folder; a link of the work tree's, or of another user's, leads there; it is protected.
    pub(super) fn settle(
        request: &Request,
        guarded: &Guarded<'_>,
    ) -> anyhow::Result<Option<Place>> {
        let place = request.report.as_ref().map(|output| match output {
            Output::Standard => Ok(Place::Standard),
            Output::File(path) => Place::of(path, guarded)
                .with_context(|| format!("cannot write the report {}", path.display())),
        });
        place.transpose()
    }

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
        written.with_context(|| format!("cannot write the report {}", path.display()))
    }
}

/// Shows the plan, or with `--report` writes it as JSON.
pub(super) fn dry_run(
    place: Option<Place>,
    policy: &Policy,
    plan: &Plan,
    console: &dyn Console,
) -> anyhow::Result<()> {
    match place {
        Some(place) => place.write(&planned(policy, plan), console),
        None => console.plan(policy, plan),
    }
}

/// With `--report`, writes what was enforced.
pub(super) fn write(
    place: Option<Place>,
    policy: &Policy,
    plan: &Plan,
    (outcome, changes): (&Outcome, &stage::Ended),
    console: &dyn Console,
) -> anyhow::Result<()> {
    let Some(place) = place else {
        return Ok(());
    };
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
    place.write(&report, console)
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
