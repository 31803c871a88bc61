//! Paths in AppArmor's language: quoted, with everything escaped that would be a pattern.

use std::path::Path;

use crate::generate::Error;

/// A path as a quoted literal, without its closing quote: patterns of our own may follow.
///
/// # Errors
/// Control characters and what is not UTF-8 are refused: the parser has no safe spelling for them.
pub fn literal(path: &Path) -> Result<String, Error> {
    let fail = |why| Error::Path {
        path: path.to_owned(),
        format: "apparmor",
        why,
    };
    let text = path.to_str().ok_or_else(|| fail("it is not UTF-8"))?;
    if !text.starts_with('/') {
        return Err(fail("it is not absolute"));
    }
    if text.chars().any(char::is_control) {
        return Err(fail("it has a control character"));
    }
    if text.contains("//") || text.split('/').any(|part| part == "..") {
        return Err(fail("it is not canonical"));
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.trim_end_matches('/').chars() {
        // `"` would be the end, the others patterns; `@{` is no variable where its brace is escaped.
        if matches!(c, '"' | '\\' | '*' | '?' | '[' | ']' | '{' | '}' | '^') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    Ok(escaped)
}
