//! Paths and names as a unit writes them (systemd.syntax(7)).

use std::path::Path;

use super::FORMAT;
use crate::generate::Error;

/// The name of an account, or a number.
pub(super) fn user_name(name: &str) -> Result<&str, Error> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    match !name.is_empty() && name.bytes().all(fits) {
        true => Ok(name),
        false => Err(refused(Path::new(name), "it is not the name of a user")),
    }
}

/// A path in a list of paths, which may be missing (`-`).
pub(super) fn optional(path: &Path) -> Result<String, Error> {
    let text = quoted(path)?;
    Ok(match text.strip_prefix('"') {
        Some(rest) => format!("\"-{rest}"),
        None => format!("-{text}"),
    })
}

/// A path that is the whole value: taken as it is, less specifiers.
pub(super) fn plain(path: &Path) -> Result<String, Error> {
    let text = text_of(path)?;
    if text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
        || text.ends_with('\\')
    {
        return Err(refused(
            path,
            "a value neither begins nor ends with space, nor ends with `\\`",
        ));
    }
    Ok(text.replace('%', "%%"))
}

/// A word of a command line: `$` begins a variable there.
pub(super) fn argument(path: &Path) -> Result<String, Error> {
    Ok(quoted(path)?.replace('$', "$$"))
}

pub(super) fn assignment(name: &str, path: &Path) -> Result<String, Error> {
    let path = quoted(path)?;
    Ok(format!("\"{name}={}\"", path.trim_matches('"')))
}

/// A word, quoted where it must be (systemd.syntax(7)).
fn quoted(path: &Path) -> Result<String, Error> {
    let text = text_of(path)?;
    let mut word = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            '%' => word.push_str("%%"),
            _ => word.push(c),
        }
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=,@".contains(c);
    if word.chars().all(is_plain) && !word.is_empty() {
        return Ok(word);
    }
    Ok(format!("\"{word}\""))
}

fn text_of(path: &Path) -> Result<&str, Error> {
    let text = path
        .to_str()
        .ok_or_else(|| refused(path, "it is not UTF-8"))?;
    if text.chars().any(char::is_control) {
        return Err(refused(path, "a line cannot hold control characters"));
    }
    if text.contains(':') {
        return Err(refused(path, "`:` separates options of a path there"));
    }
    Ok(text)
}

fn refused(path: &Path, why: &'static str) -> Error {
    Error::Path {
        path: path.to_owned(),
        format: FORMAT,
        why,
    }
}
