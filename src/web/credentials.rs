//! User names and passwords for upstreams, from a file in netrc's form. They are read outside the
//! sandbox, and go to the host that they are for, and to no other.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::upstream::Origin;
use crate::files::look;

/// No netrc is longer.
const LONGEST: u64 = 1 << 20;

/// Credentials; the file is read when the first request needs to know.
pub(crate) struct Credentials {
    file: Option<PathBuf>,
    entries: OnceLock<Vec<Entry>>,
}

struct Entry {
    machine: String,
    login: String,
    password: String,
}

// So that no password is ever shown.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("file", &self.file)
            .finish()
    }
}

impl Credentials {
    pub(crate) fn new(file: Option<PathBuf>) -> Credentials {
        Credentials {
            file,
            entries: OnceLock::new(),
        }
    }

    /// The `Authorization` for an origin that the policy names as an upstream. Never for plain http.
    pub(super) fn authorization(&self, origin: &Origin) -> Option<String> {
        if !origin.https {
            return None;
        }
        let entries = self
            .entries
            .get_or_init(|| self.file.as_deref().map(read).unwrap_or_default());
        let with_port = format!("{}:{}", origin.host, origin.port);
        let entry = entries
            .iter()
            .find(|entry| entry.machine == origin.host || entry.machine == with_port)?;
        let pair = format!("{}:{}", entry.login, entry.password);
        Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
    }
}

/// What a file in netrc's form says of some hosts, `HOST` or `HOST:PORT`, in the same form.
pub fn netrc_for(file: Option<&Path>, hosts: &[String]) -> String {
    let entries = file.map(read).unwrap_or_default();
    let mut text = String::new();
    let plain = |word: &str| !word.is_empty() && !word.contains(char::is_whitespace);
    for entry in entries {
        let is_meant = |host: &String| {
            entry.machine == *host || host.split(':').next() == Some(&entry.machine)
        };
        if hosts.iter().any(is_meant) && plain(&entry.login) && plain(&entry.password) {
            let Entry {
                machine,
                login,
                password,
            } = &entry;
            text.push_str(&format!(
                "machine {machine} login {login} password {password}\n"
            ));
        }
    }
    text
}

/// A file that is not there or cannot be read holds nothing: the upstream's 401 says what is missing.
fn read(file: &Path) -> Vec<Entry> {
    let mut text = Vec::new();
    let opened = look::open(file).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
    match opened {
        Ok(_) => parse(&String::from_utf8_lossy(&text)),
        Err(_) => Vec::new(),
    }
}

/// Reads netrc as Go does: `machine`, `login`, `password`; what follows `default` does not count.
fn parse(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut in_macro = false;
    for line in text.lines() {
        if in_macro {
            in_macro = !line.trim().is_empty();
            continue;
        }
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_default().to_owned();
            match word {
                "machine" => entries.push(Entry {
                    machine: value().to_ascii_lowercase(),
                    login: String::new(),
                    password: String::new(),
                }),
                "login" => {
                    let login = value();
                    if let Some(entry) = entries.last_mut() {
                        entry.login = login;
                    }
                }
                "password" => {
                    let password = value();
                    if let Some(entry) = entries.last_mut() {
                        entry.password = password;
                    }
                }
                "macdef" => {
                    in_macro = true;
                    break;
                }
                "default" => return complete(entries),
                _ => {}
            }
        }
    }
    complete(entries)
}

fn complete(entries: Vec<Entry>) -> Vec<Entry> {
    let is_complete = |entry: &Entry| !entry.machine.is_empty() && !entry.login.is_empty();
    entries.into_iter().filter(is_complete).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn of(text: &str, address: &str) -> Option<String> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let credentials = Credentials::new(Some(file.path().to_owned()));
        let header = credentials.authorization(&Origin::parse(address).expect(address))?;
        let pair = BASE64_STANDARD
            .decode(header.strip_prefix("Basic ")?)
            .ok()?;
        String::from_utf8(pair).ok()
    }

    #[test]
    fn credentials_are_for_one_host_by_https_only() {
        let text =
            "machine a.example login u password p\nmachine b.example:8443\n login v\n password q\n";
        assert_eq!(of(text, "https://a.example").as_deref(), Some("u:p"));
        assert_eq!(of(text, "https://b.example:8443").as_deref(), Some("v:q"));
        for other in [
            "http://a.example",
            "https://x.a.example",
            "https://b.example",
            "https://example",
        ] {
            assert_eq!(of(text, other), None, "{other}");
        }
    }

    #[test]
    fn macros_and_the_default_entry_do_not_count() {
        let text = "macdef init\nmachine a.example login m password m\n\nmachine a.example login u password p\n\
                    default login d password d\n";
        assert_eq!(of(text, "https://a.example").as_deref(), Some("u:p"));
        assert_eq!(of(text, "https://c.example"), None);
    }

    #[test]
    fn nothing_shows_a_password() {
        let credentials = Credentials::new(None);
        let _ = credentials
            .entries
            .set(parse("machine a login u password hunter2"));
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
