//! The audit log: a JSON line for each module file fetched, each refusal, each tunnel.
//! docs/audit-log.md describes the schema.

use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// Of the lines; raised when a field changes its meaning.
const SCHEMA: u32 = 1;

/// Where lines are written.
#[derive(Debug)]
pub(super) struct Audit(Option<Mutex<File>>);

/// What a line says. The fields that an event has are those that docs/audit-log.md lists for it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Event<'a> {
    pub(super) event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) module: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) upstream: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) received: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    time: String,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Audit {
    pub(super) fn new(file: Option<File>) -> Audit {
        Audit(file.map(Mutex::new))
    }

    /// Whether anything is written down.
    pub(super) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Writes a line, at once and in one piece.
    pub(super) fn write(&self, event: &Event<'_>) {
        let Some(file) = &self.0 else {
            return;
        };
        let time = format!("{:.3}", jiff::Timestamp::now());
        let line = Line {
            schema: SCHEMA,
            time,
            event,
        };
        let Ok(text) = serde_json::to_string(&line) else {
            return;
        };
        let mut text = in_ascii(text);
        text.push('\n');
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not end the build; what is missing can be told from the report's counts.
        let _written = file.write_all(text.as_bytes());
    }
}

/// JSON in ASCII alone: what a terminal could take for a command, or turn round, is spelled out.
fn in_ascii(text: String) -> String {
    // Nearly always there is nothing to spell out.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text;
    }
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use proptest::prelude::*;

    use super::*;

    fn line(reason: &str) -> String {
        let mut file = tempfile::tempfile().expect("a file");
        Audit::new(Some(file.try_clone().expect("a copy"))).write(&Event {
            event: "refused",
            reason: Some(reason),
            ..Event::default()
        });
        let mut text = String::new();
        file.rewind().expect("rewound");
        file.read_to_string(&mut text).expect("read");
        text
    }

    proptest! {
        #[test]
        fn any_text_makes_one_line_of_plain_ascii_that_reads_back(reason: String) {
            let text = line(&reason);
            let json = text.strip_suffix('\n').expect("a line");
            prop_assert!(json.bytes().all(|b| (0x20..0x7f).contains(&b)));
            let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
            prop_assert_eq!(value["reason"].as_str(), Some(reason.as_str()));
            prop_assert_eq!(&value["schema"], 1);
        }
    }

    #[test]
    fn what_turns_text_round_or_clears_a_screen_is_spelled_out() {
        let text = line("a\u{202e}b\u{9b}2J\x1b[2J\x7f");
        assert!(
            text.contains("a\\u202eb\\u009b2J\\u001b[2J\\u007f"),
            "{text}"
        );
    }
}
