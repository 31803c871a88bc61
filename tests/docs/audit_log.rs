//! docs/audit-log.md. `tests/gateway` and `tests/network` hold the events of modules and tunnels.

use crate::examples::{blocks, examples, gosandbox, hold, named, text};

const PAGE: &str = "docs/audit-log.md";

#[test]
fn what_it_shows_holds() {
    hold(PAGE);
}

/// Every line has an event and fields that the page knows.
fn is_known(line: &str) {
    let text = text(PAGE);
    let names = named(&text);
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let event = line["kind"].as_str().unwrap().to_owned();
    let fields = line.as_object().unwrap().keys();
    for name in fields.chain([&event]) {
        assert!(names.contains(name), "{name} is not on the page: {line}");
    }
}

#[test]
fn examples_and_a_run_have_the_fields_and_events_of_the_page() {
    for block in blocks(&text(PAGE), "json") {
        block.lines().for_each(is_known);
    }
    let folder = examples();
    let log = folder.path().join("audit.jsonl");
    let words = [
        "-C",
        "hello",
        "--audit-log",
        log.to_str().unwrap(),
        "go",
        "env",
        "-w",
        "A=b",
    ];
    assert_eq!(gosandbox(folder.path(), &words).status.code(), Some(125));
    let written = std::fs::read_to_string(log).unwrap();
    assert!(written.contains("run-refused"), "{written}");
    written.lines().for_each(is_known);
}
