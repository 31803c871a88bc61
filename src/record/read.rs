//! Reads the lines of a log back.

use std::io::{self, BufRead};

use serde::Deserialize;

use super::{Line, SCHEMA};

/// Why a line was not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The log cannot be read further.
    #[error("cannot read the log: {0}")]
    Io(#[from] io::Error),
    /// The line is not an event, such as one that a full disk cut off.
    #[error("line {line} is not an event: {cause}")]
    Malformed {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        cause: serde_json::Error,
    },
    /// Another version of gosandbox wrote the line.
    #[error("line {line} is of schema {schema}, and this version reads schema {SCHEMA}")]
    Schema {
        /// Its number, from 1.
        line: usize,
        /// The line's schema.
        schema: u32,
    },
}

/// The lines of a log. What is wrong with one says nothing about the next.
pub fn read(log: impl BufRead) -> impl Iterator<Item = Result<Line, Unread>> {
    let lines = log.split(b'\n').enumerate();
    lines.map(|(number, line)| parse(&line?, number + 1))
}

fn parse(text: &[u8], line: usize) -> Result<Line, Unread> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let malformed = |cause| Unread::Malformed { line, cause };
    // The version first: what a line of another one must hold is not known.
    let Version { schema } = serde_json::from_slice(text).map_err(malformed)?;
    if schema != SCHEMA {
        return Err(Unread::Schema { line, schema });
    }
    serde_json::from_slice(text).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_off_or_of_another_version_does_not_hide_the_next() {
        let good = r#"{"schema":2,"time":"t","run":"r","kind":"run-refused","layer":"launcher"}"#;
        let log = format!("{{\"schema\":2,\"ti\n{{\"schema\":1,\"event\":\"x\"}}\n{good}\n");
        let lines: Vec<_> = read(log.as_bytes()).collect();
        assert!(matches!(lines[0], Err(Unread::Malformed { line: 1, .. })));
        assert!(matches!(
            lines[1],
            Err(Unread::Schema { line: 2, schema: 1 })
        ));
        assert!(matches!(&lines[2], Ok(line) if line.run == "r"));
        assert_eq!(lines.len(), 3);
    }
}
