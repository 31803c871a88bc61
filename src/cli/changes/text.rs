//! Changes as text for a reader.

use crate::changes::{Change, Changes, Diff, Verdict, What};

/// More changes than this are counted, not listed. `--json` lists all.
pub(super) const MOST_LISTED: usize = 1_000;

/// The list of a stage's changes, and how files differ.
pub(in crate::cli) fn shown(changes: &Changes, diffs: &[(Change, Diff)]) -> String {
    let mut text = String::new();
    for change in changes.iter().take(MOST_LISTED) {
        text.push_str(&line(&change, verdict_word(change.verdict)));
    }
    and_more(&mut text, changes.count(|_| true));
    for (change, diff) in diffs {
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
    text
}

pub(super) fn is_refused(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Refuse(_))
}

/// Counts for a reader: what is none is left out.
pub(super) fn counted(changes: &Changes) -> String {
    let kinds = [
        (
            "to apply",
            changes.count(|verdict| verdict == Verdict::Apply),
        ),
        ("refused", changes.count(is_refused)),
        (
            "in conflict",
            changes.count(|verdict| verdict == Verdict::Conflict),
        ),
    ];
    let shown = kinds.into_iter().filter(|(_, number)| *number > 0);
    let shown: Vec<String> = shown
        .map(|(word, number)| format!("{number} {word}"))
        .collect();
    match shown.is_empty() {
        true => "nothing to apply".to_owned(),
        false => shown.join(", "),
    }
}

pub(super) fn word(what: What) -> &'static str {
    match what {
        What::Added => "added",
        What::Modified => "modified",
        What::Replaced => "replaced",
        What::Deleted => "deleted",
        What::Mode => "mode",
        What::Times => "time",
        What::Same => "same",
    }
}

pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Apply => "apply",
        Verdict::Drop(_) => "dropped",
        Verdict::Refuse(_) => "refused",
        Verdict::Conflict => "conflict",
        Verdict::Covered => "covered",
    }
}

/// One line about a change, with what becomes of it.
pub(super) fn line(change: &Change, verdict: &str) -> String {
    let target = change.target.as_ref();
    let target = target.map_or_else(String::new, |target| format!(" -> {}", target.display()));
    let reason = match change.verdict {
        Verdict::Refuse(refusal) => format!("  ({}: {})", refusal.word(), refusal.meaning()),
        Verdict::Conflict => "  (the work tree was changed here since the run began)".to_owned(),
        _ => String::new(),
    };
    let path = change.path.display();
    let line = format!(
        "{verdict:<8}  {:<8}  {path}{target}{reason}",
        word(change.what)
    );
    // Line by line: a line break in a name is written out.
    crate::text::visible(&line).into_owned() + "\n"
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

pub(super) fn and_more(text: &mut String, number: usize) {
    if number > MOST_LISTED {
        text.push_str(&format!("and {} more\n", number - MOST_LISTED));
    }
}
