//! Repositories by ssh: git's end of it is in the cage, and ssh itself runs outside, as the caller. So keys and the
//! agent stay outside, and nothing inside speaks to a host but by one command, `git-upload-pack`.
//!
//! ssh reads no configuration. It takes the caller's own keys and agent, and trusts the host keys that the caller
//! knows.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use super::Shared;
use super::connection::respond;
use crate::text::clean;

/// ssh, by its path: no PATH is looked up.
const SSH: &str = "/usr/bin/ssh";

/// More of what ssh says to the user is left out.
const LONGEST: u64 = 4 * 1024;

/// Keys that ssh would try without a configuration.
const KEYS: [&str; 4] = ["id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_rsa"];

/// What is asked for: a repository of a host.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    user: &'a str,
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Asked<'a> {
    /// Reads `USER PATH`; the host and its port were judged before. What could be an option, a quote or a second
    /// command is refused.
    pub(super) fn parse(text: &'a str, host: &'a str, port: u16) -> Option<Asked<'a>> {
        let (user, path) = text.split_once(' ')?;
        let is_word = |text: &str, more: &[u8]| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || more.contains(&b);
            !text.is_empty() && !text.starts_with('-') && text.bytes().all(fits)
        };
        let good = is_word(user, b"._-") && is_word(path, b"._-/~+@");
        (good && !path.split('/').any(|part| part == "..")).then_some(Asked {
            user,
            host,
            port,
            path,
        })
    }
}

/// What ssh has of the caller's.
#[derive(Clone, Debug, Default)]
pub struct SshCaller {
    /// The home folder, with `.ssh` in it.
    pub home: Option<std::path::PathBuf>,
    /// `SSH_AUTH_SOCK`.
    pub agent: Option<OsString>,
}

/// Options of ssh that nothing of the caller's changes.
fn command(asked: &Asked<'_>, caller: &SshCaller, protocol: Option<&str>) -> Command {
    let mut command = Command::new(SSH);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command.args(["-F", "none", "-T", "-a", "-x"]);
    for option in [
        "BatchMode=yes",
        "ClearAllForwardings=yes",
        "ConnectTimeout=20",
        "ControlMaster=no",
        "ControlPath=none",
        "PermitLocalCommand=no",
        "ServerAliveInterval=30",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
    ] {
        command.args(["-o", option]);
    }
    if let Some(home) = &caller.home {
        command.env("HOME", home);
        let folder = home.join(".ssh");
        let known = option("UserKnownHostsFile", &folder.join("known_hosts"));
        command.args(known);
        for key in KEYS {
            command.args(option("IdentityFile", &folder.join(key)));
        }
    }
    if let Some(agent) = &caller.agent {
        command.env("SSH_AUTH_SOCK", agent);
    }
    if let Some(protocol) = protocol {
        command
            .env("GIT_PROTOCOL", protocol)
            .args(["-o", "SendEnv=GIT_PROTOCOL"]);
    }
    command
        .args([
            "-p",
            &asked.port.to_string(),
            "-l",
            asked.user,
            "--",
            asked.host,
        ])
        .arg(format!("git-upload-pack '{}'", asked.path));
    command
}

/// An option with a path: ssh takes a quoted one, in which `%` begins a token. None where the path cannot be written.
fn option(name: &str, path: &Path) -> Vec<String> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(['"', '\\', '\n', '$']));
    let value = text.map(|text| format!("{name}=\"{}\"", text.replace('%', "%%")));
    value.map_or_else(Vec::new, |value| vec!["-o".to_owned(), value])
}

/// Has ssh speak to a repository, both ways until one side ends.
pub(super) fn serve(
    shared: &Arc<Shared>,
    client: &mut TcpStream,
    asked: &Asked<'_>,
    protocol: Option<&str>,
    early: &[u8],
) {
    let protocol =
        protocol.filter(|text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'='));
    let mut command = command(asked, &shared.ssh, protocol);
    let started = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            return respond(
                client,
                502,
                &clean(&format!("gosandbox cannot run {SSH}: {error}")),
            );
        }
    };
    if let Err(said) = pump(client, child, early) {
        let said = clean(said.trim());
        shared
            .counts
            .refused(format!("{}:{}: ssh: {said}", asked.host, asked.port));
    }
}

/// Passes on until one side ends. `io::copy` would splice(2) from the socket to ssh's pipe, and hold the pipe's lock while
/// the socket has nothing: ssh could not read what is in the pipe already.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                to.write_all(&buffer[..read])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What ssh said where it ended with an error.
fn pump(client: &mut TcpStream, mut child: Child, early: &[u8]) -> Result<(), String> {
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut input), Some(mut output), Some(errors)) = (input, output, errors) else {
        return Ok(());
    };
    let told = thread::spawn(move || {
        let mut text = Vec::new();
        let mut errors = errors;
        let _broken = errors.by_ref().take(LONGEST).read_to_end(&mut text);
        let _rest = io::copy(&mut errors, &mut io::sink());
        String::from_utf8_lossy(&text).into_owned()
    });
    let answered = client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .and_then(|()| Ok((client.set_read_timeout(None)?, client.try_clone()?).1));
    let forward = answered.map(|mut from| {
        let early = early.to_vec();
        thread::spawn(move || {
            let _gone = input
                .write_all(&early)
                .and_then(|()| copy(&mut from, &mut input));
        })
    });
    let _gone = copy(&mut output, client);
    let _ended = client.shutdown(Shutdown::Both);
    drop(output);
    if let Ok(forward) = forward {
        let _joined = forward.join();
    }
    // The launcher's main thread may have reaped it.
    let status = child.wait();
    let told = told.join().unwrap_or_default();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ if told.trim().is_empty() => Ok(()),
        _ => Err(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_path_of_a_repository_is_asked_for() {
        let parse = |text| Asked::parse(text, "git.example", 22);
        let good = parse("git team/dep.git").unwrap();
        assert_eq!((good.user, good.path), ("git", "team/dep.git"));
        assert!(parse("git ~me/dep.git").is_some() && parse("git /srv/dep.git").is_some());
        for bad in [
            "git",
            "git ",
            " dep",
            "-oProxyCommand=x dep",
            "git -x",
            "git a'b",
            "git a b",
            "git a;b",
            "git $(x)",
            "git ../x",
            "git a/../../x",
            "git a\nb",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn nothing_of_the_environment_and_no_configuration_counts() {
        let asked = Asked::parse("git team/dep.git", "git.example", 2222).unwrap();
        let caller = SshCaller {
            home: Some("/home/a b%c".into()),
            agent: None,
        };
        let command = command(&asked, &caller, Some("version=2"));
        let words: Vec<_> = command
            .get_args()
            .map(|word| word.to_string_lossy())
            .collect();
        assert_eq!(&words[..2], ["-F", "none"]);
        assert!(words.contains(&"UserKnownHostsFile=\"/home/a b%%c/.ssh/known_hosts\"".into()));
        let end = ["--", "git.example", "git-upload-pack 'team/dep.git'"];
        assert_eq!(&words[words.len() - 3..], end);
        let names: Vec<_> = command
            .get_envs()
            .map(|(name, _)| name.to_owned())
            .collect();
        assert!(
            names.iter().all(|name| name != "SSH_AUTH_SOCK"),
            "{names:?}"
        );
        assert!(option("IdentityFile", Path::new("/a\"b")).is_empty());
    }
}
