//! `gosandbox changes show`.

use serde_json::{Value, json};

use super::{SCHEMA, as_json, text};
use crate::changes::Stage;
use crate::cli::print;

/// Prints the changes of a run, and how files differ.
pub(super) fn show(stage: &Stage, json: bool) -> anyhow::Result<u8> {
    let (changes, diffs) = stage.differences()?;
    if json {
        let listed: Vec<Value> = changes.iter().map(|change| as_json(&change)).collect();
        let value = json!({
            "schema": SCHEMA,
            "run": stage.record().run,
            "tree": stage.record().tree.to_string_lossy(),
            "changes": listed,
        });
        return print(format!("{value:#}\n").as_bytes());
    }
    print(text::shown(&changes, &diffs).as_bytes())
}
