//! docs/findings.md, and the table of codes.

use gosandbox::finding::FindingCode;

use crate::examples::{hold, text};

const PAGE: &str = "docs/findings.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

#[test]
fn each_section_says_how_bad_it_is() {
    let text = text(PAGE);
    let sections: Vec<&str> = text.split("\n### ").skip(1).collect();
    for (section, code) in sections.iter().zip(FindingCode::ALL) {
        let severity = format!("Severity: {}", code.severity().word());
        let one_line = section.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(one_line.contains(&severity), "{}: {severity}", code.word());
    }
}
