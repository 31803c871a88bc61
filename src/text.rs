//! Text that comes from a repository, an archive or the network, made fit for a terminal or a log.

use std::borrow::Cow;

/// `text` with what could steer a terminal or hide in it written out: control characters, those that
/// reorder text (CVE-2021-42574), and those that cannot be seen.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// [`visible`], line by line; each ends with a line break.
pub fn visible_lines(text: &str) -> String {
    text.lines()
        .map(|line| visible(line).into_owned() + "\n")
        .collect()
}

/// JSON that can be shown and still be read: what [`visible`] writes out is escaped as JSON has it.
pub fn visible_json(value: &serde_json::Value) -> String {
    escape_json(&format!("{value:#}\n"))
}

/// The same of JSON that is a text already.
pub fn escape_json(plain: &str) -> String {
    let mut shown = String::with_capacity(plain.len());
    for c in plain.chars() {
        match is_hidden(c) && c != '\n' {
            // All of them lie in the plane that four digits reach.
            true => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => shown.push(c),
        }
    }
    shown
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A text as it can be shown in one line of a header, a log or a terminal: printable ASCII, and not
/// too much of it.
pub(crate) fn clean(text: &str) -> String {
    const MOST: usize = 400;
    let plain = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    text.chars().take(MOST).map(plain).collect()
}

/// The entries of a GOPROXY list, and whether `|` follows each: then the next one is asked after any error, and else
/// where the module is missing.
pub(crate) fn proxy_list(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.find([',', '|']);
        rest = end.map(|end| &text[end + 1..]);
        let end = end.unwrap_or(text.len());
        Some((&text[..end], text[end..].starts_with('|')))
    })
}

/// Bytes as two hexadecimal digits each, in small letters.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_is_shown_is_json_of_the_same_value() {
        let value = serde_json::json!({ "a\u{202e}": ["\u{7f}\u{85}\u{200b}\n\u{1b}[0m", "é"] });
        let shown = visible_json(&value);
        assert!(
            !shown
                .trim_end_matches('\n')
                .contains(|c| is_hidden(c) && c != '\n'),
            "{shown:?}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).ok(),
            Some(value)
        );
    }

    #[test]
    fn what_steers_or_hides_is_written_out() {
        for (text, shown) in [
            ("plain é 世界", "plain é 世界"),
            ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"),
            ("a\nb\tc", "a\\nb\\tc"),
            ("access\u{202e}\u{2066}", "access\\u{202e}\\u{2066}"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn a_list_of_proxies_is_taken_apart_at_both_signs() {
        let list = |text| proxy_list(text).collect::<Vec<_>>();
        let of_three = [("a", false), ("b", true), ("c", false)];
        assert_eq!(list("a,b|c"), of_three);
        assert_eq!(list("a|"), [("a", true), ("", false)]);
        assert_eq!(list(""), [("", false)]);
    }

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hex(&[0, 9, 0xaf, 0xff]), "0009afff");
        assert_eq!(hex(&[]), "");
    }
}
