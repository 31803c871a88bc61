//! What curl, wget, git, npm and pip are told in files of their own: `go generate` and `go get` start them.

use std::path::{Path, PathBuf};

use super::machine::{Machine, Report};
use super::{Found, masked};
use crate::finding::FindingCode;
use crate::go::gitsettings::{self, Setting};

/// How deep git's includes are followed.
const INCLUDES: usize = 8;

/// Looks at each tool's files.
pub(super) fn examine(machine: &Machine, report: &Report) {
    curl(machine, report);
    wget(machine, report);
    npm(machine, report);
    pip(machine, report);
    git(machine, report);
}

fn homes(machine: &Machine, names: &[&str]) -> Vec<PathBuf> {
    let home = machine.home();
    let below = |name: &&str| home.as_ref().map(|home| home.join(name));
    names.iter().filter_map(below).collect()
}

/// Words of a line such as `proxy = "x"`, `proxy=x`, `--proxy x`, `-k`.
fn pair(line: &str) -> (String, String) {
    let line = line.trim().trim_start_matches('-');
    let end = line
        .find(|c: char| c == '=' || c == ':' || c.is_whitespace())
        .unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    let value = rest.trim_start_matches(|c: char| c == '=' || c == ':' || c.is_whitespace());
    let value = value.trim().trim_matches(['"', '\'']);
    (key.to_ascii_lowercase().replace('_', "-"), value.to_owned())
}

/// The settings of a file of `key = value` lines.
fn each(
    machine: &Machine,
    report: &Report,
    path: &Path,
    mut judge: impl FnMut(&str, &str) -> Option<(FindingCode, String)>,
) {
    for (line, text) in report.lines(machine, path) {
        if text.trim_start().starts_with(['#', ';', '[']) {
            continue;
        }
        let (key, value) = pair(&text);
        if let Some((code, message)) = judge(&key, &value) {
            report.add(Found::at(code, path, Some(line), message));
        }
    }
}

fn is_on(value: &str) -> bool {
    !matches!(
        value.to_ascii_lowercase().as_str(),
        "0" | "false" | "no" | "off"
    )
}

fn through(tool: &str, value: &str) -> (FindingCode, String) {
    let message = format!("has {tool} send what it fetches through {}", masked(value));
    (FindingCode::ProxySet, message)
}

fn unverified(tool: &str, what: &str) -> (FindingCode, String) {
    (
        FindingCode::TlsUnverified,
        format!("has {tool} take any certificate ({what})"),
    )
}

fn curl(machine: &Machine, report: &Report) {
    let mut files = homes(machine, &[".curlrc"]);
    files.extend(machine.config().map(|config| config.join("curlrc")));
    files.extend(
        machine
            .variable("CURL_HOME")
            .map(|folder| Path::new(folder).join(".curlrc")),
    );
    files.dedup();
    for file in files {
        each(machine, report, &file, |key, value| match key {
            "proxy" | "x" | "preproxy" | "socks5" | "socks5-hostname" => {
                Some(through("curl", value))
            }
            "insecure" | "k" | "proxy-insecure" => Some(unverified("curl", key)),
            _ => None,
        });
    }
}

fn wget(machine: &Machine, report: &Report) {
    let mut files = vec![PathBuf::from("/etc/wgetrc")];
    files.extend(homes(machine, &[".wgetrc"]));
    files.extend(machine.variable("WGETRC").map(PathBuf::from));
    for file in files {
        each(machine, report, &file, |key, value| match key {
            "http-proxy" | "https-proxy" | "ftp-proxy" if !value.is_empty() => {
                Some(through("wget", value))
            }
            "check-certificate" if !is_on(value) => Some(unverified("wget", "check_certificate")),
            _ => None,
        });
    }
}

fn npm(machine: &Machine, report: &Report) {
    let mut files: Vec<PathBuf> = ["/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc"]
        .map(PathBuf::from)
        .into();
    files.extend(homes(machine, &[".npmrc", ".yarnrc", ".yarnrc.yml"]));
    for file in files {
        each(machine, report, &file, |key, value| match key {
            "proxy" | "https-proxy" | "http-proxy" | "httpproxy" | "httpsproxy"
                if value != "null" && !value.is_empty() =>
            {
                Some(through("npm", value))
            }
            "strict-ssl" | "enablestrictssl" if !is_on(value) => Some(unverified("npm", key)),
            "registry" | "npmregistryserver" if value.starts_with("http://") => Some((
                FindingCode::TlsUnverified,
                format!("has npm ask {} without TLS", masked(value)),
            )),
            _ => None,
        });
    }
}

fn pip(machine: &Machine, report: &Report) {
    let mut files = vec![PathBuf::from("/etc/pip.conf")];
    files.extend(homes(machine, &[".pip/pip.conf"]));
    files.extend(machine.config().map(|config| config.join("pip/pip.conf")));
    for file in files {
        each(machine, report, &file, |key, value| match key {
            "proxy" if !value.is_empty() => Some(through("pip", value)),
            "trusted-host" => Some(unverified("pip", "trusted-host")),
            "index-url" | "extra-index-url" if value.contains("http://") => Some((
                FindingCode::TlsUnverified,
                format!("has pip ask {} without TLS", masked(value)),
            )),
            _ => None,
        });
    }
}

fn git(machine: &Machine, report: &Report) {
    let mut files = vec![PathBuf::from("/etc/gitconfig")];
    files.extend(homes(machine, &[".gitconfig"]));
    files.extend(machine.config().map(|config| config.join("git/config")));
    for file in files {
        git_file(machine, report, &file, INCLUDES);
    }
    let Some(checkout) = &machine.checkout else {
        return;
    };
    let file = checkout.join(".git/config");
    let Some(content) = report.bytes(machine, &file) else {
        return;
    };
    for setting in gitsettings::read(&content).unwrap_or_default() {
        if let Some(what) = credentials(&setting) {
            let message = format!(
                "{} holds {what}: whatever runs in the checkout can read it",
                masked(&setting.name)
            );
            report.add(Found::at(
                FindingCode::CredentialsInCheckout,
                &file,
                Some(setting.line),
                message,
            ));
        } else if let Some((code, message)) = loosened(&setting) {
            report.add(Found::at(code, &file, Some(setting.line), message));
        }
    }
}

/// What credentials a setting of a checkout holds.
fn credentials(setting: &Setting) -> Option<&'static str> {
    let is_header = setting.section == "http" && setting.key == "extraheader";
    let is_url = ["remote", "url", "submodule"].contains(&setting.section.as_str());
    let holds = |text: &str| text.contains("://") && masked(text) != text && !is_user_alone(text);
    match () {
        () if is_header && setting.value.to_ascii_lowercase().contains("authorization") => {
            Some("an Authorization header")
        }
        () if is_url && (holds(&setting.value) || holds(&setting.subsection)) => {
            Some("a password in a URL")
        }
        () => None,
    }
}

/// `ssh://git@host` names a user, and no secret.
fn is_user_alone(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    url.starts_with("ssh://") && !user.contains(':')
}

fn git_file(machine: &Machine, report: &Report, file: &Path, depth: usize) {
    let Some(content) = report.bytes(machine, file) else {
        return;
    };
    let settings = match gitsettings::read(&content) {
        Ok(settings) => settings,
        Err(line) => {
            let line = u32::try_from(line).ok();
            let message = "git cannot read it either: what follows this line is unknown".to_owned();
            report.add(Found::at(FindingCode::Unreadable, file, line, message));
            return;
        }
    };
    for setting in settings {
        if let Some((code, message)) = loosened(&setting) {
            report.add(Found::at(code, file, Some(setting.line), message));
        }
        let is_include =
            matches!(setting.section.as_str(), "include" | "includeif") && setting.key == "path";
        if is_include && depth > 0 {
            let named = match (setting.value.strip_prefix("~/"), machine.home()) {
                (Some(below), Some(home)) => home.join(below),
                _ => file.parent().unwrap_or(Path::new("/")).join(&setting.value),
            };
            git_file(machine, report, &named, depth - 1);
        }
    }
}

/// What a setting of git's loosens.
fn loosened(setting: &Setting) -> Option<(FindingCode, String)> {
    let value = setting.value.as_str();
    match (setting.section.as_str(), setting.key.as_str()) {
        ("http" | "https" | "remote", "proxy") if !value.is_empty() => Some(through("git", value)),
        ("http", "sslverify") if !is_on(value) => Some(unverified("git", &masked(&setting.name))),
        ("url", "insteadof" | "pushinsteadof") => {
            let (from, to) = (masked(value), masked(&setting.subsection));
            let plainly = to.starts_with("http://") || to.starts_with("git://");
            let code = if plainly {
                FindingCode::TlsUnverified
            } else {
                FindingCode::GitUrlRewritten
            };
            Some((
                code,
                format!("has git ask {to} where a URL begins with {from}"),
            ))
        }
        ("credential", "helper") => {
            let program = value.split_whitespace().next().unwrap_or_default();
            match program {
                "store" => Some((
                    FindingCode::GitCredentialHelper,
                    "has git keep passwords in a plain file".to_owned(),
                )),
                _ if program.starts_with('!') || program.contains('/') => Some((
                    FindingCode::GitCredentialHelper,
                    format!("has git run {program} for credentials"),
                )),
                _ => None,
            }
        }
        _ => None,
    }
}
