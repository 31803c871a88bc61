//! The words of a line, as the go command's own lexer takes them.

use super::Cause;

/// A word of a line.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) quoted: bool,
}

impl Token {
    /// Whether this is a punctuation sign.
    pub(super) fn is(&self, punctuation: char) -> bool {
        !self.quoted && self.text.len() == 1 && self.text.starts_with(punctuation)
    }
}

/// The words of one line, without its comment.
pub(super) fn tokens(line: &str) -> Result<Vec<Token>, Cause> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r']);
        let Some(first) = rest.chars().next() else {
            return Ok(words);
        };
        if rest.starts_with("//") {
            return Ok(words);
        }
        if rest.starts_with("/*") {
            return Err(Cause::BlockComment);
        }
        let end = match first {
            '"' | '`' => {
                let end = string_end(rest, first).ok_or(Cause::OpenString)?;
                let body = &rest[1..end - 1];
                let text = if first == '"' {
                    unquote(body)?
                } else {
                    body.to_owned()
                };
                words.push(Token { text, quoted: true });
                end
            }
            '(' | ')' | '[' | ']' | '{' | '}' | ',' => {
                words.push(Token {
                    text: first.to_string(),
                    quoted: false,
                });
                1
            }
            _ => {
                let end = identifier_end(rest)?;
                let text = &rest[..end];
                if text.contains(['"', '\'', '`']) {
                    return Err(Cause::StrayQuote(text.to_owned()));
                }
                words.push(Token {
                    text: text.to_owned(),
                    quoted: false,
                });
                end
            }
        };
        rest = &rest[end..];
    }
}

/// Where the string that `rest` begins with ends, past its closing quote.
fn string_end(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        if c == quote {
            return Some(i + 1);
        }
        if c == '\\' && quote == '"' {
            chars.next()?;
        }
    }
    None
}

fn identifier_end(rest: &str) -> Result<usize, Cause> {
    for (i, c) in rest.char_indices() {
        if c.is_whitespace()
            || matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | ',')
            || rest[i..].starts_with("//")
        {
            // A space that is not one of Go's separators must still move on.
            return Ok(if i == 0 { c.len_utf8() } else { i });
        }
        if rest[i..].starts_with("/*") {
            return Err(Cause::BlockComment);
        }
    }
    Ok(rest.len())
}

/// What Go's `strconv.Unquote` makes of the inside of a double-quoted string.
fn unquote(body: &str) -> Result<String, Cause> {
    if !body.contains('\\') {
        return Ok(body.to_owned());
    }
    let wrong = || Cause::Escape(body.to_owned());
    let mut bytes: Vec<u8> = Vec::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = chars.next().ok_or_else(wrong)?;
        let (length, radix, seen) = match escape {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' | '"' => {
                bytes.push(match escape {
                    'a' => 7,
                    'b' => 8,
                    'f' => 12,
                    'n' => b'\n',
                    'r' => b'\r',
                    't' => b'\t',
                    'v' => 11,
                    other => other as u8,
                });
                continue;
            }
            'x' => (2, 16, 0),
            'u' => (4, 16, 0),
            'U' => (8, 16, 0),
            '0'..='7' => (2, 8, escape.to_digit(8).unwrap_or(0)),
            _ => return Err(wrong()),
        };
        let mut value = seen;
        for _ in 0..length {
            let digit = chars
                .next()
                .and_then(|c| c.to_digit(radix))
                .ok_or_else(wrong)?;
            value = value
                .checked_mul(radix)
                .and_then(|v| v.checked_add(digit))
                .ok_or_else(wrong)?;
        }
        if matches!(escape, 'u' | 'U') {
            let c = char::from_u32(value).ok_or_else(wrong)?;
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            bytes.push(u8::try_from(value).map_err(|_| wrong())?);
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}
