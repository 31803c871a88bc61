//! The launcher as git's ssh, in a cage without keys and without a network: it asks the gateway for a repository, and passes
//! on what comes and goes. ssh itself runs outside.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

/// What the proxy answers is no longer.
const LONGEST: usize = 4096;

/// What git asks ssh for.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    user: String,
    host: String,
    port: u16,
    path: String,
}

/// Stands in for ssh, called with these words: what comes goes to the host, and what the host says comes out.
///
/// # Errors
/// Git asks for something else than a repository, or the gateway does not lead there.
pub fn stand_in(
    words: &[OsString],
    input: impl Read + Send + 'static,
    output: &mut impl Write,
) -> io::Result<()> {
    let words: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let proxy = std::env::var("HTTPS_PROXY").unwrap_or_default();
    let only = || io::Error::other("only git-upload-pack of a repository is passed on");
    let call = read(&words).ok_or_else(only)?;
    pass_on(&call, &proxy, input, output)
}

/// Reads what git calls ssh with: options, `USER@HOST`, and a command (`ssh_variant` in git-config(1)).
fn read(words: &[String]) -> Option<Call> {
    let mut words = words.iter().map(String::as_str);
    let mut port = 22;
    let target = loop {
        match words.next()? {
            "-p" => port = words.next()?.parse().ok()?,
            "-o" => drop(words.next()?),
            "-4" | "-6" => {}
            "--" => break words.next()?,
            word if word.starts_with('-') => return None,
            word => break word,
        }
    };
    let command = words.next()?;
    let path = command
        .strip_prefix("git-upload-pack '")?
        .strip_suffix('\'')?;
    let (user, host) = target.split_once('@').unwrap_or(("git", target));
    words.next().is_none().then(|| Call {
        user: user.to_owned(),
        host: host.to_owned(),
        port,
        path: path.to_owned(),
    })
}

fn pass_on(
    call: &Call,
    proxy: &str,
    mut input: impl Read + Send + 'static,
    out: &mut impl Write,
) -> io::Result<()> {
    let missing = || io::Error::other("there is no way out here");
    let rest = proxy.strip_prefix("http://").ok_or_else(missing)?;
    let (login, address) = rest.rsplit_once('@').ok_or_else(missing)?;
    // An address, not a name: the C library's resolver is not to be in this executable.
    let address: SocketAddr = address.parse().map_err(|_| missing())?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let Call {
        user,
        host,
        port,
        path,
    } = call;
    let mut request = format!(
        "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nProxy-Authorization: Basic {}\r\n\
         Gosandbox-Repository: {user} {path}\r\n",
        base64(login.as_bytes())
    );
    if let Ok(protocol) = std::env::var("GIT_PROTOCOL") {
        request.push_str(&format!("Git-Protocol: {protocol}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    let head = head(&mut stream)?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        return Err(io::Error::other(status.to_owned()));
    }
    let mut to = stream.try_clone()?;
    thread::spawn(move || {
        let _gone = io::copy(&mut input, &mut to);
        let _ended = to.shutdown(std::net::Shutdown::Write);
    });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => {
                out.write_all(&buffer[..read])?;
                out.flush()?;
            }
        }
    }
}

/// The head of an answer, and not a byte of what follows.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn base64(bytes: &[u8]) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_repository_is_asked_for() {
        let read = |text: &[&str]| {
            let words: Vec<String> = text.iter().map(|word| (*word).to_owned()).collect();
            read(&words)
        };
        let send = [
            "-o",
            "SendEnv=GIT_PROTOCOL",
            "-p",
            "2222",
            "git@git.example",
        ];
        let call = read(&[&send[..], &["git-upload-pack 'team/dep.git'"]].concat()).unwrap();
        assert_eq!((call.host.as_str(), call.port), ("git.example", 2222));
        assert_eq!(
            (call.user.as_str(), call.path.as_str()),
            ("git", "team/dep.git")
        );
        for bad in [
            &["git@git.example"][..],
            &["git@git.example", "git-receive-pack 'team/dep.git'"],
            &["git@git.example", "git-upload-pack 'a'", "more"],
            &["-oProxyCommand=x", "git@git.example", "git-upload-pack 'a'"],
            &["-G", "git@git.example"],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
