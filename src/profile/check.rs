//! Values checked at the edge, so that what is inside cannot be wrong.

use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::policy::compilers::is_compiler;
use crate::policy::{Pin, Runs, pattern};
use crate::text::proxy_list;

/// What is wrong with a value, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(pub String);

fn problem<T>(text: String) -> Result<T, Problem> {
    Err(Problem(text))
}

/// An absolute path without `..`, in its shortest spelling.
pub fn path(text: &Path) -> Result<PathBuf, Problem> {
    let shown = text.display();
    if !text.is_absolute() {
        return problem(format!("`{shown}` is not an absolute path"));
    }
    if text.components().any(|part| part == Component::ParentDir) {
        return problem(format!("`{shown}` contains `..`: write the path it means"));
    }
    if text.as_os_str().as_encoded_bytes().contains(&0) {
        return problem(format!("`{shown}` contains a zero byte"));
    }
    let short: PathBuf = text.components().collect();
    if short.parent().is_none() {
        return problem("`/` would grant the whole file system: name the folders".to_owned());
    }
    Ok(short)
}

/// The name of an AppArmor profile.
pub(super) fn label(text: &str) -> Result<String, Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-./:".contains(c);
    if text.is_empty() || text.len() > 200 || !text.chars().all(fits) || text == "unconfined" {
        return problem(format!("`{text}` is not the name of an AppArmor profile"));
    }
    Ok(text.to_owned())
}

/// The type of an SELinux domain.
pub(super) fn domain(text: &str) -> Result<String, Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if !text.ends_with("_t") || text.len() > 200 || !text.chars().all(fits) {
        return problem(format!(
            "`{text}` is not the type of an SELinux domain, which ends with _t"
        ));
    }
    Ok(text.to_owned())
}

/// A relative path within the work tree.
pub(super) fn inside(text: &str) -> Result<PathBuf, Problem> {
    let short: PathBuf = Path::new(text)
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    let normal = |part| matches!(part, Component::Normal(_));
    if short.as_os_str().is_empty() || text.contains('\0') || !short.components().all(normal) {
        return problem(format!(
            "`{text}` is not a path within the work tree: write it relative and without `..`"
        ));
    }
    Ok(short)
}

/// What runs code of the source.
pub(super) fn runs(text: &str) -> Result<Runs, Problem> {
    Runs::ALL
        .into_iter()
        .find(|runs| runs.word() == text)
        .ok_or_else(|| {
            let words = Runs::ALL.map(Runs::word).join(", ");
            Problem(format!("`{text}` is not one of {words}"))
        })
}

/// A protected name or path: as [`inside`], and `*` stands for a part of a name.
pub(super) fn protected(text: &str) -> Result<PathBuf, Problem> {
    let path = inside(text)?;
    let is_anything = |part: Component<'_>| {
        let name = part.as_os_str().as_encoded_bytes();
        name.iter().all(|byte| *byte == b'*')
    };
    if path.components().any(is_anything) {
        return problem(format!(
            "`{text}` protects every name: write a part of the names, as in \"*.sh\""
        ));
    }
    Ok(path)
}

/// A program: a name or an absolute path, and no C compiler, assembler or linker.
pub fn program(text: &str) -> Result<PathBuf, Problem> {
    let found = if text.contains('/') {
        path(Path::new(text))?
    } else if text.is_empty() || text.contains('\0') || text == "." || text == ".." {
        return problem(format!("`{text}` is not the name of a program"));
    } else {
        PathBuf::from(text)
    };
    if is_compiler(&found) {
        return problem(format!(
            "`{text}` is a C compiler, assembler or linker, which no profile can allow"
        ));
    }
    Ok(found)
}

/// `USER[:GROUP]`, and not root.
pub fn user(text: &str) -> Result<String, Problem> {
    let (name, group) = match text.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (text, None),
    };
    let word = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && part
                .chars()
                .all(|c| c.is_alphanumeric() || "._-@$".contains(c))
    };
    if !word(name) || !group.is_none_or(word) {
        return problem(format!("`{text}` is not USER or USER:GROUP"));
    }
    let root = |part: &str| part == "root" || part.parse::<u32>() == Ok(0);
    if root(name) || group.is_some_and(root) {
        return problem(format!("`{text}`: nothing runs as root inside"));
    }
    Ok(text.to_owned())
}

/// `HOST[:PORT]`, in lower case.
pub fn host(text: &str) -> Result<String, Problem> {
    let wrong = || Problem(format!("`{text}` is not HOST or HOST:PORT"));
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(wrong());
    }
    let name = name.to_ascii_lowercase();
    match port {
        None => Ok(name),
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(format!("{name}:{port}")),
            _ => Err(wrong()),
        },
    }
}

/// A port, as its number is written.
pub fn port(text: &str) -> Result<String, Problem> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port.to_string()),
        _ => problem(format!(
            "`{text}` is not a port: write a number from 1 to 65535"
        )),
    }
}

/// `PORT` or `HOST:PORT`. The host's loopback is written as the port alone.
pub fn service(text: &str) -> Result<String, Problem> {
    let Some((name, number)) = text.rsplit_once(':') else {
        return port(text).map_err(|_| {
            Problem(format!(
                "`{text}` is not a service: write PORT or HOST:PORT"
            ))
        });
    };
    let name = host(name).map_err(|_| {
        Problem(format!(
            "`{text}` is not a service: write PORT or HOST:PORT"
        ))
    })?;
    let number = port(number)?;
    match name.as_str() {
        "localhost" | "127.0.0.1" => Ok(number),
        _ => Ok(format!("{name}:{number}")),
    }
}

/// Whether a host, without its port, is this one's loopback.
pub fn is_own_host(name: &str) -> bool {
    let is_loopback = |address: Ipv4Addr| address.is_loopback() || address.is_unspecified();
    name == "localhost" || name.ends_with(".localhost") || name.parse().is_ok_and(is_loopback)
}

/// The name of an environment variable.
pub fn variable(text: &str) -> Result<String, Problem> {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let mut bytes = text.bytes();
    if bytes.next().is_some_and(letter) && bytes.all(|b| letter(b) || b.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    problem(format!("`{text}` is not the name of a variable"))
}

/// A flag of the go command.
pub(super) fn flag(text: &str) -> Result<String, Problem> {
    if text.len() > 1 && text.starts_with('-') && !text.contains(char::is_whitespace) {
        return Ok(text.to_owned());
    }
    problem(format!("`{text}` is not a flag: write it as in \"-exec\""))
}

/// A pattern of module paths, as GOPRIVATE has them.
pub(super) fn module_pattern(text: &str) -> Result<String, Problem> {
    let wrong = |c: char| c == ',' || c.is_whitespace() || c.is_control();
    if text.is_empty() || text.contains(wrong) {
        return problem(format!("`{text}` is not one module pattern"));
    }
    if !pattern::is_well_formed(text) {
        return problem(format!("`{text}` cannot be read as a pattern"));
    }
    if text.trim_matches(['*', '/', '?']).is_empty() {
        return problem(format!(
            "`{text}` means every module, and would switch the checksum database off: name the modules"
        ));
    }
    Ok(text.to_owned())
}

/// The host that a pattern's first element names.
pub(super) fn host_of_pattern(text: &str) -> Result<String, Problem> {
    let first = text.split('/').next().unwrap_or(text);
    host(first).map_err(|_| {
        Problem(format!(
            "`{text}` begins with no host's name: add hosts = [\"git.example.com\"]"
        ))
    })
}

/// A pattern of modules that may be fetched, or not; `*` is every module.
pub(super) fn allowed(text: &str) -> Result<String, Problem> {
    match text {
        "*" => Ok(text.to_owned()),
        _ => module_pattern(text),
    }
}

/// The address of an upstream that is pinned: scheme, host and port decide.
pub(super) fn pinned(text: &str) -> Result<String, Problem> {
    let checked = upstreams(text)?;
    if !text.starts_with("https://") || text.contains([',', '|']) {
        return problem(format!(
            "`{text}` cannot be pinned: write one address, https://…"
        ));
    }
    Ok(checked)
}

/// `sha256:` and the digest of a key, in hexadecimal digits or base64, or a file of certificates.
pub(super) fn pin(text: &str) -> Result<Pin, Problem> {
    let Some(digest) = text
        .strip_prefix("sha256:")
        .or_else(|| text.strip_prefix("sha256/"))
    else {
        return path(Path::new(text)).map(Pin::Authority);
    };
    let nibble = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let hexadecimal = || {
        let pairs = digest.as_bytes().chunks_exact(2);
        pairs
            .map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?))
            .collect::<Option<Vec<u8>>>()
    };
    let bytes = match digest.len() {
        64 => hexadecimal(),
        _ => BASE64_STANDARD.decode(digest).ok(),
    };
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(Pin::Key)
        .ok_or_else(|| {
            Problem(format!(
                "`{text}` is not a pin: write sha256: and 64 hexadecimal digits or base64, or a file of certificates"
            ))
        })
}

/// A pin, as a profile would say it.
pub(super) fn show_pin(pin: &Pin) -> String {
    match pin {
        Pin::Authority(file) => file.to_string_lossy().into_owned(),
        Pin::Key(digest) => format!("sha256:{}", BASE64_STANDARD.encode(digest)),
    }
}

/// The value of GOPROXY, less what would leave the trusted upstreams.
///
/// As the go command does, `proxy.example` is taken for `https://proxy.example`.
pub(super) fn upstreams(text: &str) -> Result<String, Problem> {
    let mut whole = String::with_capacity(text.len());
    for (one, falls_back) in proxy_list(text) {
        let is_host = one.contains(['.', ':', '/']) && !one.contains(":/") && !one.starts_with('/');
        let one = match is_host {
            true => format!("https://{one}"),
            false => one.to_owned(),
        };
        match one.split_once("://") {
            _ if one == "off" => {}
            _ if one == "direct" => {
                return problem(
                    "`direct` is for patterns of [modules.private]: \"git.example.com/*\" = { direct = \"https\" }".to_owned(),
                );
            }
            Some((_, rest))
                if rest
                    .split('/')
                    .next()
                    .is_some_and(|host| host.contains('@')) =>
            {
                return problem(
                    "an upstream's address must not hold credentials: put them into netrc"
                        .to_owned(),
                );
            }
            Some(("https" | "http" | "file", rest))
                if !rest.is_empty()
                    && !one.contains(|c: char| c.is_whitespace() || c.is_control()) => {}
            _ => {
                return problem(format!(
                    "invalid proxy URL `{one}`: write https://…, http://…, file://… or off, with `,` or `|` between"
                ));
            }
        }
        whole.push_str(&one);
        whole.push(if falls_back { '|' } else { ',' });
    }
    // The last one has nothing after it.
    whole.pop();
    Ok(whole)
}

/// The value of GOSUMDB.
pub(super) fn checksum_database(text: &str) -> Result<String, Problem> {
    let words = text.split(' ').count();
    if (1..=2).contains(&words)
        && !text.contains(char::is_control)
        && !text.split(' ').any(str::is_empty)
    {
        return Ok(text.to_owned());
    }
    problem(format!(
        "`{text}` is not a checksum database: write NAME, \"NAME+KEY ADDRESS\" or off"
    ))
}

/// A version of Go, such as `1.21` or `1.27.3`.
pub(super) fn version(text: &str) -> Result<String, Problem> {
    let number =
        |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let parts = text.split('.').count();
    if (2..=3).contains(&parts) && text.split('.').all(number) {
        return Ok(text.to_owned());
    }
    problem(format!(
        "`{text}` is not a version of Go, such as 1.21 or 1.27.3"
    ))
}

#[cfg(test)]
mod tests;
