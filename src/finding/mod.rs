//! What subcommands find: one shape for all of them, and its order. Pure data; the command line
//! prints it.
//!
//! docs/findings.md has a section for each code.

pub mod baseline;
mod code;
mod human;
mod sarif;

use std::cmp::Reverse;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub use self::code::FindingCode;
pub use self::human::as_text;
pub use self::sarif::as_sarif;

/// Version of the JSON: raised when a member changes its meaning or goes.
const SCHEMA: u32 = 1;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Low,
    /// It should be looked at.
    Medium,
    /// It takes something away that gosandbox promises.
    High,
    /// It must not stay.
    Critical,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file.
    pub path: String,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable code.
    pub code: FindingCode,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: a guarantee, a mechanism, a module.
    pub subject: String,
    /// Where it is, if it is in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What was found.
    pub message: String,
    /// Why that matters.
    pub why: String,
    /// What the user can do.
    pub remedy: String,
}

impl Finding {
    /// A finding as the table of codes has it.
    pub fn new(
        code: FindingCode,
        subject: impl Into<String>,
        message: impl Into<String>,
    ) -> Finding {
        Finding {
            code,
            severity: code.severity(),
            subject: subject.into(),
            place: None,
            message: message.into(),
            why: code.why().to_owned(),
            remedy: code.remedy().to_owned(),
        }
    }
}

/// Fingerprints, in the order of the findings: the same whatever line a finding moves to and whatever else is found.
/// Findings that agree in code, subject and file are told apart by their number among these.
pub fn fingerprints(findings: &[Finding]) -> Vec<String> {
    let key = |one: &Finding| {
        let path = one.place.as_ref().map_or("", |place| place.path.as_str());
        format!("{}\0{}\0{path}", one.code.word(), one.subject)
    };
    let keys: Vec<String> = findings.iter().map(key).collect();
    let numbered = keys.iter().enumerate().map(|(index, key)| {
        let before = keys[..index].iter().filter(|one| *one == key).count();
        let digest = Sha256::digest(format!("{key}\0{before}"));
        digest
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    });
    numbered.collect()
}

/// How many there are of each severity, the worst first.
pub fn counts(findings: &[Finding]) -> [(Severity, usize); 4] {
    let all = [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
    ];
    all.map(|severity| {
        let of_it = findings.iter().filter(|one| one.severity == severity);
        (severity, of_it.count())
    })
}

impl Severity {
    /// Every one, from the least bad.
    pub const ALL: [Severity; 4] = [
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// The worst first, then by code, place and subject: the same findings are always in the same order.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let key = |one: &Finding| {
            let place = one.place.clone();
            (Reverse(one.severity), one.code, place, one.subject.clone())
        };
        key(a).cmp(&key(b))
    });
}

/// The members of a tool's JSON that every tool has.
pub fn as_json(tool: &str, findings: &[Finding]) -> Value {
    let summary =
        counts(findings).map(|(severity, count)| (severity.word().to_owned(), json!(count)));
    json!({
        "schema": SCHEMA,
        "tool": tool,
        "findings": findings,
        "summary": Value::Object(summary.into_iter().collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, code: FindingCode, subject: &str) -> Finding {
        Finding {
            code,
            severity,
            subject: subject.to_owned(),
            place: None,
            message: String::new(),
            why: String::new(),
            remedy: String::new(),
        }
    }

    #[test]
    fn the_worst_comes_first_and_the_order_is_always_the_same() {
        use FindingCode::{GuaranteeMissing, MechanismMissing};
        let expected = [
            finding(Severity::Critical, MechanismMissing, "z"),
            finding(Severity::High, GuaranteeMissing, "a"),
            finding(Severity::High, GuaranteeMissing, "b"),
            finding(Severity::High, MechanismMissing, "a"),
            finding(Severity::Low, GuaranteeMissing, "a"),
        ];
        let mut found = expected.clone();
        found.reverse();
        sort(&mut found);
        assert_eq!(found, expected);
        let value = as_json("doctor", &found);
        assert_eq!(value["summary"]["high"], 3);
        assert_eq!(value["findings"][0]["code"], "mechanism-missing");
        assert!(value["findings"][0].get("place").is_none());
    }
}
