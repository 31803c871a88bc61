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

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
