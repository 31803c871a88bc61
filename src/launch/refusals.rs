//! The code of each error of this room, and what helps.

use super::gate::NoGate;
use super::{Error, streams, wrapper};
use crate::refusal::{Code, Help, Refuse, shell_path};

impl Refuse for Error {
    fn code(&self) -> Code {
        match self {
            Error::Execute { errno, .. } if *errno == libc::ENOENT => Code::NotFound,
            Error::Execute { .. } => Code::NotExecutable,
            Error::Output { .. } => Code::OutputRefused,
            Error::NotGranted { .. } => Code::GrantRefused,
            _ => Code::SandboxFailed,
        }
    }

    fn help(&self) -> Vec<Help> {
        match self {
            Error::Output { path, .. } => {
                let folder = path.parent().unwrap_or(path);
                vec![Help::Words(format!("ls -ld {}", shell_path(folder)))]
            }
            Error::NotGranted { path, .. } => {
                vec![Help::Words(format!("ls -ld {}", shell_path(path)))]
            }
            // A file that exists and cannot be found has an interpreter that does not.
            Error::Execute { path, errno } if *errno == libc::ENOENT => {
                vec![Help::Words(format!("head -1 {}", shell_path(path)))]
            }
            Error::Execute { path, .. } => {
                vec![Help::Words(format!("chmod +x {}", shell_path(path)))]
            }
            _ => Vec::new(),
        }
    }
}

impl Refuse for wrapper::Error {
    fn code(&self) -> Code {
        match self {
            wrapper::Error::Usage(_) => Code::CommandUnclear,
            wrapper::Error::Execute { .. } => Code::NotExecutable,
            _ => Code::SandboxFailed,
        }
    }
}

impl Refuse for streams::Error {
    fn code(&self) -> Code {
        Code::StreamRefused
    }

    fn help(&self) -> Vec<Help> {
        let words = match self {
            streams::Error::Folder(_) => "gosandbox -- go build ./... </dev/null",
            streams::Error::Socket(_) => "cat | gosandbox -- go build ./... 2>&1 | cat",
        };
        vec![Help::Words(words.to_owned())]
    }
}

impl Refuse for NoGate {
    fn code(&self) -> Code {
        match self {
            NoGate::Gateway(error) => error.code(),
            NoGate::Port(..) => Code::PortUnusable,
        }
    }

    fn help(&self) -> Vec<Help> {
        match self {
            NoGate::Gateway(error) => error.help(),
            NoGate::Port(port, _) => vec![
                Help::Without(format!("--publish {port}")),
                Help::Words(format!(
                    "find out who listens there: ss -tlnp 'sport = :{port}'"
                )),
            ],
        }
    }
}
