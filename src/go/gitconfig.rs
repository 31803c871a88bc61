//! A reader of git's configuration files, as far as is needed to tell whether they can run
//! anything.
//!
//! It follows no include and expands nothing; what it cannot read for certain is an error.

/// A configuration larger than this is not read: bytes.
pub(super) const LARGEST: u64 = 1 << 20;

/// One setting. Section and key are in lower case, as git compares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub section: String,
    pub subsection: String,
    pub key: String,
    /// `None` where there is no `=`, which git takes for true.
    pub value: Option<String>,
}

impl Setting {
    /// `section.subsection.key`, fit for a message.
    pub fn name(&self) -> String {
        let name = match self.subsection.as_str() {
            "" => format!("{}.{}", self.section, self.key),
            subsection => format!("{}.{subsection}.{}", self.section, self.key),
        };
        super::visible(&name)
    }
}

/// The settings of `text`; an error is the number of the line that cannot be read.
pub(super) fn parse(text: &str) -> Result<Vec<Setting>, usize> {
    let mut settings = Vec::new();
    let (mut section, mut subsection) = (String::new(), String::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text
        .split('\n')
        .map(|l| l.strip_suffix('\r').unwrap_or(l))
        .enumerate();
    while let Some((i, line)) = lines.next() {
        let number = i + 1;
        let mut rest = line.trim_start();
        if rest.starts_with('[') {
            let after;
            (section, subsection, after) = header(rest).ok_or(number)?;
            rest = after.trim_start();
        }
        if rest.is_empty() || rest.starts_with(['#', ';']) {
            continue;
        }
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .unwrap_or(rest.len());
        let key = rest[..end].to_ascii_lowercase();
        if !key.starts_with(|c: char| c.is_ascii_alphabetic()) || section.is_empty() {
            return Err(number);
        }
        let after = rest[end..].trim_start();
        let value = match after.strip_prefix('=') {
            Some(value) => Some(read_value(value, &mut lines).ok_or(number)?),
            None if after.is_empty() || after.starts_with(['#', ';']) => None,
            None => return Err(number),
        };
        settings.push(Setting {
            section: section.clone(),
            subsection: subsection.clone(),
            key,
            value,
        });
    }
    Ok(settings)
}

/// `[section "subsection"]` or the old `[section.subsection]`, and what follows on the line.
fn header(line: &str) -> Option<(String, String, &str)> {
    let rest = line.strip_prefix('[')?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))?;
    let name = rest[..end].to_ascii_lowercase();
    let rest = rest[end..].trim_start();
    let (section, subsection, rest) = match rest.strip_prefix('"') {
        Some(quoted) => {
            let (subsection, rest) = quoted_end(quoted)?;
            (name, subsection, rest)
        }
        None => match name.split_once('.') {
            Some((section, subsection)) => (section.to_owned(), subsection.to_owned(), rest),
            None => (name, String::new(), rest),
        },
    };
    let rest = rest.strip_prefix(']')?;
    (!section.is_empty()).then_some((section, subsection, rest))
}

fn quoted_end(text: &str) -> Option<(String, &str)> {
    let mut read = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Some((read, &text[i + 1..])),
            '\\' => read.push(chars.next()?.1),
            _ => read.push(c),
        }
    }
    None
}

fn read_value<'a>(
    first: &'a str,
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
) -> Option<String> {
    let mut value = String::new();
    let mut quoted = false;
    // Spaces at the end count only where something follows them.
    let mut solid = 0;
    let mut line = first.trim_start();
    loop {
        let mut continued = false;
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    quoted = !quoted;
                    solid = value.len();
                    continue;
                }
                '#' | ';' if !quoted => break,
                '\\' => match chars.next() {
                    None => {
                        continued = true;
                        break;
                    }
                    Some('n') => value.push('\n'),
                    Some('t') => value.push('\t'),
                    Some('b') => value.push('\u{8}'),
                    Some(c @ ('\\' | '"')) => value.push(c),
                    Some(_) => return None,
                },
                c => value.push(c),
            }
            if quoted || !c.is_whitespace() {
                solid = value.len();
            }
        }
        if !continued {
            break;
        }
        line = lines.next()?.1;
    }
    value.truncate(solid);
    (!quoted).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sections_values_and_continuations_are_read() {
        let text = "\u{feff}[core]\r\n\tbare = false ; no\n\tFsMonitor\n[remote \"a \\\"b\"] url = \"x;y\" # c\n[old.Sub]k=1\\\n 2\n";
        let found: Vec<(String, Option<String>)> = parse(text)
            .expect("parsed")
            .into_iter()
            .map(|s| (s.name(), s.value))
            .collect();
        let value = |v: &str| Some(v.to_owned());
        assert_eq!(
            found,
            [
                ("core.bare".to_owned(), value("false")),
                ("core.fsmonitor".to_owned(), None),
                ("remote.a \"b.url".to_owned(), value("x;y")),
                ("old.sub.k".to_owned(), value("1 2")),
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_names_the_line() {
        for (text, line) in [
            ("x=1", 1),
            ("[core]\n=1", 2),
            ("[core\nx=1", 1),
            ("[core]\nx=\"1", 2),
            ("[core]\nx=\\q", 2),
            ("[core]\nx y", 2),
        ] {
            assert_eq!(parse(text), Err(line), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]\"\\\\=#;a-c. \n\t]*|\\PC*") {
            let _ = parse(&text);
        }
    }
}
