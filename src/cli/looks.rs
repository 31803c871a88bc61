//! `gosandbox changes` for runs whose launcher was killed before it had looked at the work tree.

use serde_json::{Value, json};

use super::print;
use crate::changes::look::{self, Look, Report, Unchecked};
use crate::refusal::{Code, Refused};
use crate::text::visible_json;

/// The version of the JSON that `--json` prints.
const SCHEMA: u32 = 1;

/// The word for such a run in a list.
pub(super) const STATE: &str = "unchecked";
/// What a list says instead of counting changes.
pub(super) const NOT_YET: &str = "not looked at yet";

/// The state of a run.
pub(super) fn state(found: &Unchecked) -> &'static str {
    match found.is_running {
        true => "running",
        false => STATE,
    }
}

/// One member of the JSON list of runs.
pub(super) fn listed(found: &Unchecked, started: &str) -> Value {
    json!({
        "run": found.record.run,
        "started": started,
        "state": state(found),
        "tree": found.record.before.tree.path.to_string_lossy(),
        "command": found.record.command,
        "profile": found.record.profile,
        "changes": Value::Null,
    })
}

fn as_json(found: &Unchecked, report: &Report) -> Value {
    json!({
        "schema": SCHEMA,
        "run": found.record.run,
        "tree": found.record.before.tree.path.to_string_lossy(),
        "protected": report,
    })
}

fn told(found: &Unchecked, report: &Report, is_json: bool) -> anyhow::Result<u8> {
    let text = match report.is_empty() {
        _ if is_json => visible_json(&as_json(found, report)),
        true => "Nothing has come at protected paths.\n".to_owned(),
        false => format!("{}\n", report.lines().trim_start_matches('\n')),
    };
    print(text.as_bytes())
}

/// Names what has come at protected paths, and changes nothing.
pub(super) fn show(found: &Unchecked, is_json: bool) -> anyhow::Result<u8> {
    let report = Look::open(&found.file)?.show()?;
    told(found, &report, is_json)
}

/// Looks, and moves away what has come at protected paths.
pub(super) fn apply(found: &Unchecked, is_json: bool) -> anyhow::Result<u8> {
    let report = Look::open(&found.file)?.end(&|_| false)?;
    told(found, &report, is_json)?;
    if report.stayed.is_empty() {
        return Ok(0);
    }
    let run = &found.record.run;
    let text = format!("cannot move away or look at everything that run {run} has made");
    Err(Refused::new(Code::LeftByKilledRun, text)
        .words(format!("gosandbox changes apply {run}"))
        .into())
}

/// Gives the look up.
pub(super) fn forget(found: &Unchecked, is_json: bool) -> anyhow::Result<u8> {
    look::forget(&found.file)?;
    let run = &found.record.run;
    let text = match is_json {
        true => visible_json(&json!({ "schema": SCHEMA, "dropped": [run] })),
        false => format!("dropped  {run}  (the work tree was not looked at)\n"),
    };
    print(text.as_bytes())
}
