//! Findings that somebody has accepted: what was there is not said again, what is new is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Finding, fingerprints};

/// The version of the file.
const SCHEMA: u32 = 1;

/// Why a baseline cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BaselineError {
    /// It is no baseline.
    #[error("it is no baseline: {0}")]
    Syntax(String),
    /// It was written for another tool.
    #[error("it is of gosandbox {0}")]
    OtherTool(String),
    /// It is of another version.
    #[error("its schema is {0}, and {SCHEMA} is known")]
    OtherSchema(u32),
}

/// The file. Codes and subjects are for those who read it; the fingerprint counts.
#[derive(Debug, Serialize, Deserialize)]
struct Baseline {
    schema: u32,
    tool: String,
    accepted: Vec<Accepted>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Accepted {
    code: String,
    subject: String,
    fingerprint: String,
}

/// The text of a baseline that accepts all of these.
pub fn write(tool: &str, findings: &[Finding]) -> String {
    let prints = fingerprints(findings);
    let accepted = findings
        .iter()
        .zip(prints)
        .map(|(one, fingerprint)| Accepted {
            code: one.code.word().to_owned(),
            subject: one.subject.clone(),
            fingerprint,
        });
    let baseline = Baseline {
        schema: SCHEMA,
        tool: tool.to_owned(),
        accepted: accepted.collect(),
    };
    // Texts and numbers alone: they can be written.
    let text = serde_json::to_string_pretty(&baseline).unwrap_or_default();
    text + "\n"
}

/// The findings that a baseline does not accept.
///
/// # Errors
/// It is no baseline of this tool's.
pub fn apply(
    tool: &str,
    baseline: &str,
    findings: Vec<Finding>,
) -> Result<Vec<Finding>, BaselineError> {
    let read: Baseline =
        serde_json::from_str(baseline).map_err(|error| BaselineError::Syntax(error.to_string()))?;
    if read.schema != SCHEMA {
        return Err(BaselineError::OtherSchema(read.schema));
    }
    if read.tool != tool {
        return Err(BaselineError::OtherTool(read.tool));
    }
    let accepted: BTreeSet<String> = read
        .accepted
        .into_iter()
        .map(|one| one.fingerprint)
        .collect();
    let prints = fingerprints(&findings);
    let kept = findings
        .into_iter()
        .zip(prints)
        .filter(|(_, print)| !accepted.contains(print));
    Ok(kept.map(|(one, _)| one).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{FindingCode, Place};
    use super::*;

    fn at(line: u32) -> Finding {
        let mut one = Finding::new(FindingCode::ProxySet, "http_proxy", "is set");
        one.place = Some(Place {
            path: "/etc/profile".into(),
            line: Some(line),
        });
        one
    }

    #[test]
    fn what_was_accepted_is_left_out_wherever_it_has_moved_and_what_is_new_is_not() {
        let other = Finding::new(FindingCode::GoInsecure, "GOINSECURE", "is x");
        let text = write("audit", &[at(3)]);
        assert_eq!(
            apply("audit", &text, vec![other.clone(), at(9)]),
            Ok(vec![other])
        );
        // A second one of the same kind is new.
        assert_eq!(apply("audit", &text, vec![at(3), at(4)]), Ok(vec![at(4)]));
        assert_eq!(
            apply("scan", &text, vec![]),
            Err(BaselineError::OtherTool("audit".into()))
        );
        assert!(matches!(
            apply("audit", "[]", vec![]),
            Err(BaselineError::Syntax(_))
        ));
        let newer = text.replace("\"schema\": 1", "\"schema\": 2");
        assert_eq!(
            apply("audit", &newer, vec![]),
            Err(BaselineError::OtherSchema(2))
        );
    }
}
