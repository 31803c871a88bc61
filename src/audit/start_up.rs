//! Variables and where they are set: the environment, the go command's own files, and what shells, login programs
//! and systemd read when they start.

use std::path::{Path, PathBuf};

use super::machine::{Machine, Report};

/// A variable that is set somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub name: String,
    pub value: String,
    pub origin: Origin,
}

/// Where a variable is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the environment of the caller.
    Environment,
    /// In a file, in this line.
    File(PathBuf, u32),
    /// In `go env -w`'s file or GOROOT/go.env, which the go command alone reads.
    Go(PathBuf, u32),
}

/// How a file sets variables.
#[derive(Clone, Copy)]
enum Form {
    /// `export NAME=value`, `setenv NAME value`, `set -gx NAME value`.
    Shell,
    /// `NAME=value` (systemd's environment.d, /etc/environment).
    Plain,
    /// `NAME DEFAULT=value` (pam_env).
    Pam,
    /// `Environment=NAME=value "NAME=value"` in a unit, `DefaultEnvironment=` in its manager's file.
    Systemd,
}

/// Every variable that is set, in the environment first.
pub(super) fn settings(machine: &Machine, report: &Report) -> Vec<Setting> {
    let mut found = Vec::new();
    for (name, value) in &machine.environment {
        found.push(Setting {
            name: name.to_string_lossy().into_owned(),
            value: value.to_string_lossy().into_owned(),
            origin: Origin::Environment,
        });
    }
    for (path, form) in files(machine, report) {
        for (line, text) in report.lines(machine, &path) {
            for (name, value) in assignments(&text, form) {
                let origin = Origin::File(path.clone(), line);
                found.push(Setting {
                    name,
                    value,
                    origin,
                });
            }
        }
    }
    for path in go_files(machine) {
        for (line, text) in report.lines(machine, &path) {
            // As the go command reads it: see `go::goenv`.
            let begins = text
                .bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_uppercase());
            if let Some((name, value)) = text.split_once('=').filter(|_| begins) {
                found.push(Setting {
                    name: name.to_owned(),
                    value: value.trim_end_matches('\r').to_owned(),
                    origin: Origin::Go(path.clone(), line),
                });
            }
        }
    }
    found
}

/// Files of shells, the system's.
#[rustfmt::skip]
const SYSTEM: [&str; 12] = [
    "/etc/profile", "/etc/bash.bashrc", "/etc/bashrc", "/etc/zshenv",
    "/etc/zprofile", "/etc/zshrc", "/etc/zsh/zshenv", "/etc/zsh/zprofile",
    "/etc/zsh/zshrc", "/etc/csh.cshrc", "/etc/csh.login", "/etc/fish/config.fish",
];

/// The same, below the home folder.
#[rustfmt::skip]
const HOME: [&str; 14] = [
    ".profile", ".bash_profile", ".bash_login", ".bashrc", ".zshenv", ".zprofile", ".zshrc",
    ".zlogin", ".kshrc", ".cshrc", ".tcshrc", ".login", ".xprofile", ".xsessionrc",
];

fn files(machine: &Machine, report: &Report) -> Vec<(PathBuf, Form)> {
    let mut found: Vec<(PathBuf, Form)> = Vec::new();
    let mut add =
        |form, paths: Vec<PathBuf>| found.extend(paths.into_iter().map(|path| (path, form)));
    let system = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    add(Form::Shell, system(&SYSTEM));
    add(
        Form::Shell,
        report.files(machine, Path::new("/etc/profile.d"), "sh"),
    );
    add(
        Form::Shell,
        report.files(machine, Path::new("/etc/fish/conf.d"), ".fish"),
    );
    add(Form::Plain, system(&["/etc/environment"]));
    add(Form::Pam, system(&["/etc/security/pam_env.conf"]));
    let mut environments = system(&["/etc/environment.d", "/usr/lib/environment.d"]);
    let mut managers = system(&["/etc/systemd/system.conf.d", "/etc/systemd/user.conf.d"]);
    let mut units = system(&["/etc/systemd/system", "/etc/systemd/user"]);
    if let Some(config) = machine.config() {
        environments.push(config.join("environment.d"));
        managers.push(config.join("systemd/user.conf.d"));
        units.push(config.join("systemd/user"));
        add(Form::Shell, vec![config.join("fish/config.fish")]);
        add(
            Form::Shell,
            report.files(machine, &config.join("fish/conf.d"), ".fish"),
        );
    }
    if let Some(home) = machine.home() {
        add(
            Form::Shell,
            HOME.iter().map(|name| home.join(name)).collect(),
        );
        add(Form::Pam, vec![home.join(".pam_environment")]);
    }
    for folder in environments {
        add(Form::Plain, report.files(machine, &folder, ".conf"));
    }
    add(
        Form::Systemd,
        system(&["/etc/systemd/system.conf", "/etc/systemd/user.conf"]),
    );
    for folder in managers {
        add(Form::Systemd, report.files(machine, &folder, ".conf"));
    }
    for folder in units {
        add(Form::Systemd, report.files(machine, &folder, ".service"));
        for below in report.files(machine, &folder, ".d") {
            add(Form::Systemd, report.files(machine, &below, ".conf"));
        }
    }
    found
}

/// The files that `go env -w` and the toolchain write.
fn go_files(machine: &Machine) -> Vec<PathBuf> {
    let named = machine.variable("GOENV").map(PathBuf::from);
    let own = match named {
        Some(named) if named == Path::new("off") => None,
        Some(named) => Some(named).filter(|named| named.is_absolute()),
        None => machine.config().map(|config| config.join("go/env")),
    };
    let shipped = machine.goroot.as_ref().map(|goroot| goroot.join("go.env"));
    own.into_iter().chain(shipped).collect()
}

/// The assignments of one line.
fn assignments(line: &str, form: Form) -> Vec<(String, String)> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return Vec::new();
    }
    match form {
        Form::Plain => {
            let (name, value) = line.split_once('=').unwrap_or_default();
            let name = name.trim().trim_start_matches("export ").trim();
            let value = value.trim().trim_matches(['"', '\'']);
            pairs([(name, value)])
        }
        Form::Pam => {
            let mut words = line.splitn(2, char::is_whitespace);
            let (name, rest) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            if let Some((name, value)) = name.split_once('=') {
                return pairs([(name, value)]);
            }
            let words = shlex::split(rest).unwrap_or_default();
            let values = words.iter().filter_map(|word| word.split_once('='));
            let values = values.filter(|(key, _)| matches!(*key, "DEFAULT" | "OVERRIDE"));
            pairs(values.map(|(_, value)| (name, value)))
        }
        Form::Systemd => {
            let Some((key, value)) = line.split_once('=') else {
                return Vec::new();
            };
            if !matches!(
                key.trim(),
                "Environment" | "DefaultEnvironment" | "ManagerEnvironment"
            ) {
                return Vec::new();
            }
            let words = shlex::split(value).unwrap_or_default();
            pairs(words.iter().filter_map(|word| word.split_once('=')))
        }
        Form::Shell => shell(line),
    }
}

/// Assignments of a line of a shell's. What a shell would compute stays as it is written.
fn shell(line: &str) -> Vec<(String, String)> {
    // A quote that ends in a later line: the rest of this one is read as if it ended here.
    let words = shlex::split(line)
        .or_else(|| shlex::split(&format!("{line}\"")))
        .or_else(|| shlex::split(&format!("{line}'")))
        .unwrap_or_default();
    let words: Vec<&str> = words
        .iter()
        .map(|word| word.trim_end_matches(';'))
        .collect();
    if let ["setenv", name, value, ..] = words.as_slice() {
        return pairs([(*name, *value)]);
    }
    // fish: set -gx NAME value…
    if let ["set", rest @ ..] = words.as_slice() {
        let mut rest = rest.iter().skip_while(|word| word.starts_with('-'));
        let name = rest.next().copied().unwrap_or_default();
        let value = rest.copied().collect::<Vec<_>>().join(" ");
        return pairs([(name, value.as_str())]);
    }
    pairs(words.iter().filter_map(|word| word.split_once('=')))
}

/// Those that are names of variables.
fn pairs<'t>(all: impl IntoIterator<Item = (&'t str, &'t str)>) -> Vec<(String, String)> {
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        let first = bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        first && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let named = all.into_iter().filter(|(name, _)| is_name(name));
    named
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_line_gives_its_variables() {
        let one = |line, form| {
            let all = assignments(line, form);
            let all = all.iter().map(|(name, value)| format!("{name}={value}"));
            all.collect::<Vec<_>>().join("|")
        };
        for (line, form, expected) in [
            (
                "export http_proxy=http://a:1 https_proxy='http://b c'",
                Form::Shell,
                "http_proxy=http://a:1|https_proxy=http://b c",
            ),
            (
                "  declare -x GOPROXY=\"direct\"; echo x=y",
                Form::Shell,
                "GOPROXY=direct|x=y",
            ),
            ("setenv GOSUMDB off", Form::Shell, "GOSUMDB=off"),
            (
                "set -gx GOFLAGS -toolexec=x -v",
                Form::Shell,
                "GOFLAGS=-toolexec=x -v",
            ),
            ("# export A=b", Form::Shell, ""),
            ("export A=\"begins", Form::Shell, "A=begins"),
            ("if [ -n \"$X\" ]; then A=1; fi", Form::Shell, "A=1"),
            (
                "https_proxy=\"http://c\"",
                Form::Plain,
                "https_proxy=http://c",
            ),
            (
                "all_proxy DEFAULT=socks5://d OVERRIDE=@{all_proxy}",
                Form::Pam,
                "all_proxy=socks5://d|all_proxy=@{all_proxy}",
            ),
            ("A=b", Form::Pam, "A=b"),
            (
                "Environment=\"HTTP_PROXY=http://e\" NO_PROXY=f",
                Form::Systemd,
                "HTTP_PROXY=http://e|NO_PROXY=f",
            ),
            ("ExecStart=/bin/env A=b", Form::Systemd, ""),
            ("1a=b", Form::Plain, ""),
        ] {
            assert_eq!(one(line, form), expected, "{line}");
        }
    }
}
