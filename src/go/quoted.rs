//! The quoting of GOFLAGS, `-ldflags` and their like, as `cmd/internal/quoted` has it.
//!
//! Quotes count only at the start of a word and nothing is unescaped, so this is not a shell's
//! quoting: reading GOFLAGS any other way sees other flags than the go command does.

use thiserror::Error;

/// A text that the go command cannot take apart or put together.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum QuoteError {
    /// A quote that was opened at the start of a word and never closed.
    #[error("unterminated {0} string")]
    Unterminated(char),
    /// A word that holds both kinds of quotes has no quoted form.
    #[error("argument {0:?} contains both single and double quotes and cannot be quoted")]
    BothQuotes(String),
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The words of `text`.
pub fn split(text: &str) -> Result<Vec<String>, QuoteError> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let Some(&first) = rest.as_bytes().first() else {
            return Ok(words);
        };
        if first == b'"' || first == b'\'' {
            let quote = char::from(first);
            let body = &rest[1..];
            let end = body.find(quote).ok_or(QuoteError::Unterminated(quote))?;
            words.push(body[..end].to_owned());
            rest = &body[end + 1..];
        } else {
            let end = rest.bytes().position(is_space).unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
}

/// One text from which [`split`] gets `words` back.
pub fn join<S: AsRef<str>>(words: &[S]) -> Result<String, QuoteError> {
    let mut text = String::new();
    for (i, word) in words.iter().enumerate() {
        let word = word.as_ref();
        if i > 0 {
            text.push(' ');
        }
        let single = word.contains('\'');
        let double = word.contains('"');
        // Go's own Join writes an empty word as nothing, which Split then loses; quoting it
        // means the same to every reader.
        let plain = !word.is_empty() && !word.bytes().any(is_space);
        match (plain, single, double) {
            (true, false, false) => text.push_str(word),
            (_, false, _) => push_quoted(&mut text, word, '\''),
            (_, true, false) => push_quoted(&mut text, word, '"'),
            (_, true, true) => return Err(QuoteError::BothQuotes(word.to_owned())),
        }
    }
    Ok(text)
}

fn push_quoted(text: &mut String, word: &str, quote: char) {
    text.push(quote);
    text.push_str(word);
    text.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_split_as_go_splits_them() {
        // The table of cmd/internal/quoted/quoted_test.go.
        for (text, words) in [
            ("", vec![]),
            (" ", vec![]),
            ("a", vec!["a"]),
            (" a", vec!["a"]),
            ("a ", vec!["a"]),
            ("a b", vec!["a", "b"]),
            ("a  b", vec!["a", "b"]),
            ("a\tb", vec!["a", "b"]),
            ("a\nb", vec!["a", "b"]),
            ("'a b'", vec!["a b"]),
            ("\"a b\"", vec!["a b"]),
            ("'a''b'", vec!["a", "b"]),
            ("\"a\"\"b\"", vec!["a", "b"]),
            ("a'b", vec!["a'b"]),
            ("'a'\"b\"", vec!["a", "b"]),
            ("'\"'", vec!["\""]),
            ("-ldflags='-X a=b'", vec!["-ldflags='-X", "a=b'"]),
            ("'-ldflags=-X a=b'", vec!["-ldflags=-X a=b"]),
            ("a\\ b", vec!["a\\", "b"]),
        ] {
            assert_eq!(
                split(text).as_deref(),
                Ok(&words.iter().map(|w| w.to_string()).collect::<Vec<_>>()[..]),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_open_quote_is_an_error() {
        assert_eq!(split("'a"), Err(QuoteError::Unterminated('\'')));
        assert_eq!(split("a \"b c"), Err(QuoteError::Unterminated('"')));
    }

    #[test]
    fn words_are_joined_as_go_joins_them() {
        for (words, text) in [
            (vec!["a", "b"], Some("a b")),
            (vec!["a b"], Some("'a b'")),
            (vec!["'a'"], Some("\"'a'\"")),
            (vec!["\"a\""], Some("'\"a\"'")),
            (vec!["'a' \"b\""], None),
        ] {
            assert_eq!(join(&words).ok().as_deref(), text);
        }
    }

    proptest! {
        #[test]
        fn split_never_panics(text in "\\PC*|[ '\"\\\\\ta-c]*") {
            let _ = split(&text);
        }

        #[test]
        fn what_join_writes_split_reads_back(words in prop::collection::vec("[ a-c'\"\\\\=\tü-]{0,8}", 0..6)) {
            if let Ok(text) = join(&words) {
                prop_assert_eq!(split(&text).expect("joined text"), words);
            }
        }
    }
}
