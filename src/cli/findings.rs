//! What every subcommand that finds things shares: how findings are shown, a baseline, and the exit status.

use std::path::Path;

use super::low::{FindingsArgs, FindingsForm};
use super::print;
use crate::files::{Keeper, Place, look};
use crate::finding::{self, Finding, baseline};
use crate::refusal::{Code, Refused};
use crate::text::{visible_json, visible_lines};

/// The exit status where something is found that counts.
const FOUND: u8 = 1;

/// Shows what a tool has found. Returns the exit status.
pub(super) fn show(
    tool: &str,
    mut findings: Vec<Finding>,
    args: &FindingsArgs,
) -> anyhow::Result<u8> {
    finding::sort(&mut findings);
    if let Some(file) = &args.write_baseline {
        let text = baseline::write(tool, &findings);
        Place::find(file, Keeper::caller(), None)
            .and_then(|place| place.replace(text.as_bytes()))
            .map_err(|error| unusable(file, "write", &error.to_string()))?;
    }
    let all = findings.len();
    if let Some(file) = &args.baseline {
        let text = look::read_to_string(file);
        let text = text.map_err(|error| unusable(file, "read", &error.to_string()))?;
        findings = baseline::apply(tool, &text, findings)
            .map_err(|error| unusable(file, "use", &error.to_string()))?;
    }
    let text = match args.form {
        FindingsForm::Human => finding::as_text(&findings, all - findings.len()),
        FindingsForm::Json => visible_json(&finding::as_json(tool, &findings)),
        FindingsForm::Sarif => visible_json(&finding::as_sarif(tool, &findings)),
    };
    print(visible_lines(&text).as_bytes())?;
    let counts = |one: &Finding| args.fail_on.0.is_some_and(|least| one.severity >= least);
    let is_accepted = args.write_baseline.is_some();
    let fails = !is_accepted && findings.iter().any(counts);
    Ok(if fails { FOUND } else { 0 })
}

fn unusable(file: &Path, what: &str, why: &str) -> Refused {
    let text = format!("cannot {what} the baseline {}: {why}", file.display());
    Refused::new(Code::BaselineUnusable, text)
}
