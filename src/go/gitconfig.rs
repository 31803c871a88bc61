//! A reader of git's configuration files, byte for byte as git reads them (config.c,
//! `git_parse_source`).
//!
//! It follows no include and expands nothing. What git would not read is an error, and so is a zero
//! byte, on which git stops in the middle of a name.

use std::ops::Range;

/// A configuration larger than this is not read: bytes.
pub(super) const LARGEST: u64 = 4 << 20;

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// In lower case, as git compares it.
    pub section: String,
    /// What follows the section's name, with its case where git minds it.
    pub subsection: Vec<u8>,
    /// In lower case, as git compares it.
    pub key: String,
    /// `None` where there is no `=`, which git takes for true.
    pub value: Option<Vec<u8>>,
    /// Where the setting stands: from the key to the end of its last line.
    pub span: Range<usize>,
}

impl Setting {
    /// `section.subsection.key`, fit for a message.
    pub fn name(&self) -> String {
        let name = match self.subsection.as_slice() {
            b"" => format!("{}.{}", self.section, self.key),
            subsection => {
                let subsection = String::from_utf8_lossy(subsection);
                format!("{}.{subsection}.{}", self.section, self.key)
            }
        };
        super::visible(&name)
    }

    /// Whether it is the setting of that section and key, whatever the subsection.
    pub fn is(&self, section: &str, key: &str) -> bool {
        self.section == section && self.key == key
    }
}

/// A part of a configuration; what is between the parts is space and comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `[section "subsection"]`.
    Header {
        /// The section and, after a dot, the subsection.
        name: Vec<u8>,
        /// Where it stands, with its brackets.
        span: Range<usize>,
    },
    /// A setting.
    Setting(Setting),
}

/// The settings of `text`; an error is the number of the line that cannot be read.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Setting>, usize> {
    let settings = parts(text)?.into_iter().filter_map(|part| match part {
        Part::Header { .. } => None,
        Part::Setting(setting) => Some(setting),
    });
    Ok(settings.collect())
}

/// The parts of `text`, in order; an error is the number of the line that cannot be read.
pub(super) fn parts(text: &[u8]) -> Result<Vec<Part>, usize> {
    let mut parts = Vec::new();
    let mut name = Vec::new();
    let mut reader = Reader::new(text);
    let mut is_comment = false;
    loop {
        let start = reader.at;
        match reader.next() {
            b'\n' if reader.is_over => return Ok(parts),
            b'\n' => is_comment = false,
            _ if is_comment => {}
            byte if is_space(byte) => {}
            b'#' | b';' => is_comment = true,
            b'[' => {
                name = reader.header().ok_or(reader.line)?;
                let span = start..reader.at;
                let name = name.clone();
                parts.push(Part::Header { name, span });
            }
            byte if byte.is_ascii_alphabetic() => {
                let line = reader.line;
                let (key, value) = reader.setting(byte).ok_or(line)?;
                let (section, subsection) = split(&name);
                let span = start..reader.at;
                parts.push(Part::Setting(Setting {
                    section,
                    subsection,
                    key,
                    value,
                    span,
                }));
            }
            _ => return Err(reader.line),
        }
    }
}

/// The section, which ends at the first dot, and the rest.
fn split(name: &[u8]) -> (String, Vec<u8>) {
    let dot = name.iter().position(|byte| *byte == b'.');
    let (section, rest) = match dot {
        Some(dot) => (&name[..dot], &name[dot + 1..]),
        None => (name, &b""[..]),
    };
    (String::from_utf8_lossy(section).into_owned(), rest.to_vec())
}

/// `isspace` of git's own (ctype.c).
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Reads byte by byte. The end of the text is a line's end.
struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
    is_over: bool,
}

impl Reader<'_> {
    fn new(text: &[u8]) -> Reader<'_> {
        let mark = b"\xef\xbb\xbf";
        Reader {
            text,
            at: if text.starts_with(mark) {
                mark.len()
            } else {
                0
            },
            line: 1,
            is_over: false,
        }
    }

    fn next(&mut self) -> u8 {
        let rest = &self.text[self.at..];
        let (byte, length) = match rest {
            [] => {
                self.is_over = true;
                (b'\n', 0)
            }
            [b'\r', b'\n', ..] => (b'\n', 2),
            [byte, ..] => (*byte, 1),
        };
        self.at += length;
        if byte == b'\n' {
            self.line += 1;
        }
        byte
    }

    /// The name of a section, after its `[`: with a dot before the subsection.
    fn header(&mut self) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        loop {
            match self.next() {
                b']' => return Some(name),
                b'\n' => return None,
                byte if is_space(byte) => return self.quoted(name),
                byte if is_key(byte) || byte == b'.' => name.push(byte.to_ascii_lowercase()),
                _ => return None,
            }
        }
    }

    /// The subsection in quotes, and the `]` after it.
    fn quoted(&mut self, mut name: Vec<u8>) -> Option<Vec<u8>> {
        let mut byte = self.next();
        while byte != b'\n' && is_space(byte) {
            byte = self.next();
        }
        if byte != b'"' {
            return None;
        }
        name.push(b'.');
        loop {
            let byte = match self.next() {
                b'"' => break,
                b'\\' => self.next(),
                byte => byte,
            };
            if byte == b'\n' || byte == 0 {
                return None;
            }
            name.push(byte);
        }
        (self.next() == b']').then_some(name)
    }

    /// The rest of a setting, after the first byte of its key.
    fn setting(&mut self, first: u8) -> Option<(String, Option<Vec<u8>>)> {
        let mut key = String::from(char::from(first.to_ascii_lowercase()));
        let mut byte = self.next();
        while is_key(byte) {
            key.push(char::from(byte.to_ascii_lowercase()));
            byte = self.next();
        }
        while byte == b' ' || byte == b'\t' {
            byte = self.next();
        }
        match byte {
            b'\n' => Some((key, None)),
            b'=' => Some((key, Some(self.value()?))),
            _ => None,
        }
    }

    fn value(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        // Spaces at the end count only where something follows them.
        let mut solid = 0;
        let (mut is_quoted, mut is_comment) = (false, false);
        loop {
            match self.next() {
                b'\n' => break,
                _ if is_comment => {}
                0 => return None,
                byte if is_space(byte) && !is_quoted => {
                    if !value.is_empty() {
                        value.push(byte);
                    }
                }
                b'#' | b';' if !is_quoted => is_comment = true,
                b'\\' => {
                    match self.next() {
                        b'\n' => {}
                        b't' => value.push(b'\t'),
                        b'b' => value.push(8),
                        b'n' => value.push(b'\n'),
                        byte @ (b'\\' | b'"') => value.push(byte),
                        _ => return None,
                    }
                    solid = value.len();
                }
                b'"' => {
                    is_quoted = !is_quoted;
                    solid = value.len();
                }
                byte => {
                    value.push(byte);
                    solid = value.len();
                }
            }
        }
        value.truncate(solid);
        (!is_quoted).then_some(value)
    }
}

#[cfg(test)]
mod tests;
