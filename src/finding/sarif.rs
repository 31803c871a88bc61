//! Findings as SARIF 2.1.0 (OASIS), which code-scanning services read.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_sarif::sarif::{
    ArtifactLocation, Location, LogicalLocation, Message, MultiformatMessageString,
    PhysicalLocation, Region, ReportingConfiguration, ReportingDescriptor, Result, ResultLevel,
    Run, Sarif, Tool, ToolComponent, Version,
};

use super::{Finding, FindingCode, Place, Severity, fingerprints};
use crate::paths::file_url;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The name of our fingerprints; the number is raised when they are made in another way.
const FINGERPRINT: &str = "gosandbox/v1";

/// Findings of `gosandbox TOOL`.
pub fn as_sarif(tool: &str, findings: &[Finding]) -> Value {
    let mut codes: Vec<FindingCode> = findings.iter().map(|one| one.code).collect();
    codes.sort();
    codes.dedup();
    let rules = codes.iter().map(|code| rule(*code)).collect::<Vec<_>>();
    let driver = ToolComponent::builder()
        .name(format!("gosandbox {tool}"))
        .version(env!("CARGO_PKG_VERSION"))
        .rules(rules)
        .build();
    let prints = fingerprints(findings);
    let results = findings
        .iter()
        .zip(prints)
        .map(|(one, print)| result(one, print, &codes));
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .results(results.collect::<Vec<_>>())
        .build();
    let sarif = Sarif::builder()
        .version(Version::V2_1_0.to_string().trim_matches('"').to_owned())
        .schema(SCHEMA)
        .runs(vec![run])
        .build();
    // Texts and numbers alone: they can be written.
    serde_json::to_value(sarif).unwrap_or_default()
}

fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Critical | Severity::High => ResultLevel::Error,
        Severity::Medium => ResultLevel::Warning,
        Severity::Low => ResultLevel::Note,
    }
}

fn rule(code: FindingCode) -> ReportingDescriptor {
    let text = |text: &str| MultiformatMessageString::builder().text(text).build();
    ReportingDescriptor::builder()
        .id(code.word())
        .short_description(text(code.what()))
        .full_description(text(code.why()))
        .help(text(code.remedy()))
        .default_configuration(
            ReportingConfiguration::builder()
                .level(serde_json::json!(level(code.severity())))
                .build(),
        )
        .build()
}

fn result(one: &Finding, fingerprint: String, codes: &[FindingCode]) -> Result {
    let index = codes
        .iter()
        .position(|code| *code == one.code)
        .unwrap_or_default();
    let message = format!("{}. {}", one.message, one.remedy);
    Result::builder()
        .rule_id(one.code.word())
        .rule_index(i64::try_from(index).unwrap_or_default())
        .level(level(one.severity))
        .message(Message::builder().text(message).build())
        .locations(vec![location(one)])
        .partial_fingerprints(BTreeMap::from([(FINGERPRINT.to_owned(), fingerprint)]))
        .build()
}

/// A file and line, else the subject's name.
fn location(one: &Finding) -> Location {
    let Some(Place { path, line }) = &one.place else {
        let name = LogicalLocation::builder()
            .fully_qualified_name(one.subject.clone())
            .build();
        return Location::builder().logical_locations(vec![name]).build();
    };
    let artifact = ArtifactLocation::builder()
        .uri(file_url(std::path::Path::new(path)))
        .build();
    let physical = PhysicalLocation::builder().artifact_location(artifact);
    let physical = match line {
        Some(line) => {
            let region = Region::builder().start_line(i64::from(*line)).build();
            physical.region(region).build()
        }
        None => physical.build(),
    };
    Location::builder().physical_location(physical).build()
}
