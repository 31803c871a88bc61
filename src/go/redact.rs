//! Takes the secrets out of a configuration of git's, for code that may read it and has no business
//! with them.
//!
//! Checkouts leave tokens there: actions/checkout writes `http.*.extraheader`, others write them into
//! the addresses of remotes and of `url.*.insteadOf`. What is no secret stays byte for byte, so that
//! git works with it.

use std::io;
use std::path::Path;

use super::gitconfig::{self, Part, Setting};

/// A configuration with nothing in it. Git takes it for that of an ordinary repository.
pub const MINIMAL: &[u8] = b"[core]\n\trepositoryformatversion = 0\n\tbare = false\n";

/// Words in a key, or in a value that is no address, that stand for a secret.
const SECRET: [&[u8]; 9] = [
    b"apikey",
    b"api-key",
    b"authorization",
    b"extraheader",
    b"oauth",
    b"passphrase",
    b"password",
    b"secret",
    b"token",
];

/// Schemes in whose addresses a name alone is no secret, and is needed to connect.
const BY_KEY: [&[u8]; 3] = [b"ssh", b"git+ssh", b"ssh+git"];

/// The configuration without its secrets; `None` where there are none. What cannot be understood is
/// [`MINIMAL`].
pub fn redacted(config: &[u8]) -> Option<Vec<u8>> {
    let Ok(parts) = gitconfig::parts(config) else {
        return Some(MINIMAL.to_vec());
    };
    let mut text = Vec::with_capacity(config.len());
    let mut at = 0;
    for part in parts {
        let span = match &part {
            Part::Header { span, .. } => span.clone(),
            Part::Setting(setting) => setting.span.clone(),
        };
        comments(&config[at..span.start], &mut text);
        at = span.end;
        let written = &config[span];
        match part {
            Part::Header { name, .. } => header(&name, written, &mut text),
            Part::Setting(found) => setting(&found, written, &mut text),
        }
    }
    comments(&config[at..], &mut text);
    (text != config).then_some(text)
}

/// What a file holds, which no link leads to.
///
/// # Errors
/// It cannot be read, or is too large for a configuration.
pub fn of_file(file: &Path) -> io::Result<Vec<u8>> {
    super::read_in_place(file, gitconfig::LARGEST)
}

/// Space and comments, without the comments that may hold a secret.
fn comments(written: &[u8], text: &mut Vec<u8>) {
    for line in written.split_inclusive(|byte| *byte == b'\n') {
        let start = line.iter().position(|byte| b"#;".contains(byte));
        match start.filter(|start| is_suspicious(&line[*start..])) {
            Some(start) => {
                text.extend_from_slice(&line[..=start]);
                text.extend(line.ends_with(b"\n").then_some(b'\n'));
            }
            None => text.extend_from_slice(line),
        }
    }
}

fn header(name: &[u8], written: &[u8], text: &mut Vec<u8>) {
    let open = without_user(name);
    if open == name {
        text.extend_from_slice(written);
        return;
    }
    // Only a subsection, in quotes, can hold an address.
    let dot = open.iter().position(|byte| *byte == b'.');
    let (section, subsection) = open.split_at(dot.unwrap_or(open.len()));
    text.push(b'[');
    text.extend_from_slice(section);
    text.extend_from_slice(b" \"");
    for byte in subsection.iter().skip(1) {
        text.extend(b"\"\\".contains(byte).then_some(b'\\'));
        text.push(*byte);
    }
    text.extend_from_slice(b"\"]");
}

fn setting(setting: &Setting, written: &[u8], text: &mut Vec<u8>) {
    let value = setting.value.as_deref().unwrap_or_default();
    let open = without_user(value);
    if is_secret(setting, &open) {
        // What stands behind a header on its line leaves the line's end to it.
        text.extend(written.ends_with(b"\n").then_some(b'\n'));
    } else if open != value || is_suspicious(written) {
        text.extend_from_slice(setting.key.as_bytes());
        if setting.value.is_some() {
            text.extend_from_slice(b" = ");
            quote(&open, text);
        }
        text.extend(written.ends_with(b"\n").then_some(b'\n'));
    } else {
        text.extend_from_slice(written);
    }
}

/// Whether a setting is of no use but to prove who one is. `value` has no users in its addresses.
fn is_secret(setting: &Setting, value: &[u8]) -> bool {
    let key = setting.key.as_bytes();
    let is_password = SECRET.iter().any(|word| contains(key, word)) || key.ends_with(b"pass");
    let value = value.to_ascii_lowercase();
    setting.section == "credential"
        || is_password
        || contains(&value, b"authorization")
        || contains(&value, b"bearer ")
        || contains(&value, b"private-token")
}

/// Whether text as it is written may hold a secret, whatever it says to git.
fn is_suspicious(written: &[u8]) -> bool {
    let lower = written.to_ascii_lowercase();
    SECRET.iter().any(|word| contains(&lower, word)) || without_user(&lower) != lower
}

/// A value that git reads as `value`.
fn quote(value: &[u8], text: &mut Vec<u8>) {
    text.push(b'"');
    for byte in value {
        match byte {
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', *byte]),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\t' => text.extend_from_slice(b"\\t"),
            8 => text.extend_from_slice(b"\\b"),
            _ => text.push(*byte),
        }
    }
    text.push(b'"');
}

/// A text without the users and passwords of the addresses in it: `https://user:token@host/` is
/// `https://host/`. A user who proves himself by a key stays: `ssh://git@host/`.
fn without_user(text: &[u8]) -> Vec<u8> {
    const MARK: &[u8] = b"://";
    let mut open = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        let (before, after) = rest.split_at(at + MARK.len());
        open.extend_from_slice(before);
        let is_end = |byte: &u8| b"/?#\"'\\ \t\r\n".contains(byte);
        let end = after.iter().position(is_end).unwrap_or(after.len());
        let (authority, path) = after.split_at(end);
        let user = authority.iter().rposition(|byte| *byte == b'@');
        let host = user.map_or(authority, |user| &authority[user + 1..]);
        if let Some(user) = user.filter(|_| is_by_key(before)) {
            let name = authority[..user].split(|byte| *byte == b':').next();
            open.extend_from_slice(name.unwrap_or_default());
            open.push(b'@');
        }
        open.extend_from_slice(host);
        rest = path;
    }
    open.extend_from_slice(rest);
    open
}

/// Whether the scheme at the end of a text, before its `://`, proves users by keys.
fn is_by_key(before: &[u8]) -> bool {
    let before = &before[..before.len() - 3];
    let is_of_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let start = before.iter().rposition(|byte| !is_of_scheme(byte));
    let scheme = before[start.map_or(0, |start| start + 1)..].to_ascii_lowercase();
    BY_KEY.contains(&scheme.as_slice())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests;
