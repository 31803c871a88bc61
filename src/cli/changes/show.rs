//! `gosandbox changes show`.

use serde_json::{Value, json};

use super::{MOST_LISTED, SCHEMA, and_more, as_json, line, verdict_word};
use crate::changes::{Diff, Stage};
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
    let mut text = String::new();
    for change in changes.iter().take(MOST_LISTED) {
        text.push_str(&line(&change, verdict_word(change.verdict)));
    }
    and_more(&mut text, changes.count(|_| true));
    for (change, diff) in &diffs {
        let path = change.path.display().to_string();
        let path = crate::text::visible(&path).into_owned();
        text.push('\n');
        match diff {
            Diff::Text(lines) => text.push_str(&diff_lines(lines)),
            Diff::Binary => {
                text.push_str(&format!("{path}: a binary file of {} bytes\n", change.size))
            }
            Diff::TooLarge => text.push_str(&format!(
                "{path}: {} bytes, too large to show\n",
                change.size
            )),
            Diff::Unreadable(cause) => text.push_str(&format!("{path}: cannot be read: {cause}\n")),
        }
    }
    print(text.as_bytes())
}

/// The lines of a difference, fit for a terminal. Tabs stay tabs.
fn diff_lines(lines: &str) -> String {
    let mut text = String::new();
    for line in lines.lines() {
        let parts = line.split('\t').map(crate::text::visible);
        text.push_str(&parts.collect::<Vec<_>>().join("\t"));
        text.push('\n');
    }
    text
}
