//! Findings for a person.

use std::fmt::Write as _;

use super::{Finding, counts};
use crate::text::visible;

/// How many findings of one code are shown with every word; of the others only place and message.
const WHOLE: usize = 1;

/// Findings as text, the worst first; `left_out`: how many a baseline has.
pub fn as_text(findings: &[Finding], left_out: usize) -> String {
    let mut text = String::new();
    for (index, one) in findings.iter().enumerate() {
        let place = one.place.as_ref().map(|place| match place.line {
            Some(line) => format!("{}:{line}", place.path),
            None => place.path.clone(),
        });
        // A name of a stranger's could have several lines.
        let subject = place.unwrap_or_else(|| one.subject.clone());
        let (subject, message) = (visible(&subject), visible(&one.message));
        let (severity, code) = (one.severity.word(), one.code.word());
        let before = findings[..index]
            .iter()
            .filter(|other| other.code == one.code)
            .count();
        // A String takes everything.
        let _ = writeln!(text, "{severity:<8}  {code:<24}  {subject}");
        let _ = writeln!(text, "          {message}");
        if before < WHOLE {
            let _ = writeln!(text, "          why:  {}", one.why);
            let _ = writeln!(text, "          help: {}", one.remedy);
        }
    }
    if !findings.is_empty() {
        text.push('\n');
    }
    let found = counts(findings).into_iter().filter(|(_, count)| *count > 0);
    let found: Vec<String> = found
        .map(|(severity, count)| format!("{count} {}", severity.word()))
        .collect();
    let left = match left_out {
        0 => String::new(),
        1 => " (1 of the baseline is left out)".to_owned(),
        many => format!(" ({many} of the baseline are left out)"),
    };
    let said = if found.is_empty() {
        "nothing found".to_owned()
    } else {
        format!("found: {}", found.join(", "))
    };
    let _ = writeln!(text, "{said}{left}");
    text
}
