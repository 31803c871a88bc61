//! Writes events down, one line of JSON each.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Event, Line, SCHEMA};

/// Where the events of a run are written, if anywhere. Clones write to the same place.
#[derive(Clone, Debug, Default)]
pub struct Log(Option<Arc<Kept>>);

#[derive(Debug)]
struct Kept {
    run: String,
    file: Mutex<File>,
}

impl Log {
    /// A log of this run in a file, which is open for appending.
    pub fn new(file: File, run: &str) -> Log {
        Log(Some(Arc::new(Kept {
            run: run.to_owned(),
            file: Mutex::new(file),
        })))
    }

    /// Whether anything is written down.
    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Writes a line, at once and in one piece.
    pub fn write(&self, event: Event) {
        let Some(kept) = &self.0 else {
            return;
        };
        let line = Line {
            schema: SCHEMA,
            time: format!("{:.3}", jiff::Timestamp::now()),
            run: kept.run.clone(),
            event,
        };
        let Ok(text) = serde_json::to_string(&line) else {
            return;
        };
        let mut text = in_ascii(text);
        text.push('\n');
        let mut file = kept.file.lock().unwrap_or_else(PoisonError::into_inner);
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

    use super::super::{By, EventKind, read};
    use super::*;

    fn written(event: Event) -> String {
        let mut file = tempfile::tempfile().expect("a file");
        Log::new(file.try_clone().expect("a copy"), "0123456789abcdef").write(event);
        let mut text = String::new();
        file.rewind().expect("rewound");
        file.read_to_string(&mut text).expect("read");
        text
    }

    fn refused(reason: &str) -> Event {
        Event::new(EventKind::RunRefused, By::Launcher).reason(reason)
    }

    proptest! {
        #[test]
        fn any_text_makes_one_line_of_plain_ascii_that_reads_back(reason: String) {
            let text = written(refused(&reason));
            let json = text.strip_suffix('\n').expect("a line");
            prop_assert!(json.bytes().all(|b| (0x20..0x7f).contains(&b)));
            let lines: Vec<_> = read(text.as_bytes()).collect();
            let [Ok(line)] = &lines[..] else { panic!("{lines:?}") };
            prop_assert_eq!(&line.event, &refused(&reason));
            prop_assert_eq!((line.schema, line.run.as_str()), (SCHEMA, "0123456789abcdef"));
        }
    }

    #[test]
    fn what_turns_text_round_or_clears_a_screen_is_spelled_out() {
        let text = written(refused("a\u{202e}b\u{9b}2J\x1b[2J\x7f"));
        assert!(
            text.contains("a\\u202eb\\u009b2J\\u001b[2J\\u007f"),
            "{text}"
        );
    }

    #[test]
    fn what_does_not_apply_is_not_in_the_line() {
        let text = written(Event::new(EventKind::TunnelOpened, By::Gateway));
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let names: Vec<_> = value.as_object().expect("an object").keys().collect();
        assert_eq!(names, ["kind", "layer", "run", "schema", "time"]);
    }
}
