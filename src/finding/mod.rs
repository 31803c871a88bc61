//! What subcommands find: one shape for all of them, and its order. Pure data; the command line
//! prints it.
//!
//! docs/findings.md has a section for each code.

mod code;

use std::cmp::Reverse;

use serde::Serialize;
use serde_json::{Value, json};

pub use self::code::FindingCode;

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
    let count = |severity| {
        let of_it = findings.iter().filter(|one| one.severity == severity);
        of_it.count()
    };
    json!({
        "schema": SCHEMA,
        "tool": tool,
        "findings": findings,
        "summary": {
            "critical": count(Severity::Critical),
            "high": count(Severity::High),
            "medium": count(Severity::Medium),
            "low": count(Severity::Low),
        },
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
