//! The code of each error of this room, and what helps.

use std::path::Path;

use super::command::CommandError;
use super::environment::EnvironmentError;
use super::flag_error::{FlagError, Instead};
use super::gitdirs::Unclear;
use super::goflags::GoFlagsError;
use super::select::{NoOther, SelectError};
use super::toolchain::ToolchainError;
use super::trust::Untrusted;
use super::visible;
use super::workspace::WorkspaceError;
use crate::refusal::{Code, Help, Refuse, shell_path, toml_string};

fn words(text: impl Into<String>) -> Help {
    Help::Words(text.into())
}

fn option(name: &str, path: &Path) -> Help {
    Help::Option(format!("{name} {}", shell_path(path)))
}

/// Another toolchain: the one that go itself names, whatever stands in for it in PATH.
fn other_goroot() -> Help {
    Help::Option("--goroot \"$(go env GOROOT)\"".to_owned())
}

/// A toolchain that root has installed at the usual place.
fn installed_goroot() -> Help {
    Help::Option("--goroot /usr/local/go".to_owned())
}

impl Refuse for FlagError {
    fn code(&self) -> Code {
        Code::FlagRefused
    }

    fn help(&self) -> Vec<Help> {
        let mut help = Vec::new();
        let mut allowed = Vec::new();
        for one in &self.refused {
            match one.instead {
                Instead::Allow => {
                    help.push(words(format!("leave out {}", visible(&one.flag))));
                    allowed.push(one.name());
                }
                Instead::AllowOr(other) => {
                    help.push(words(other));
                    allowed.push(one.name());
                }
                Instead::Race => {
                    help.push(Help::Option("--profile ci".to_owned()));
                    help.push(Help::Profile("programs.race = true".to_owned()));
                }
                Instead::Only(other) => help.push(words(other)),
            }
        }
        if !allowed.is_empty() {
            allowed.dedup();
            let flags: Vec<String> = allowed.into_iter().map(toml_string).collect();
            let line = format!("programs.allow-flags = [{}]", flags.join(", "));
            help.push(Help::Profile(line));
        }
        help.dedup();
        help
    }
}

impl Refuse for CommandError {
    fn code(&self) -> Code {
        match self {
            CommandError::Flag(error) => error.code(),
            CommandError::Pointless { .. } => Code::GoCommandRefused,
        }
    }

    fn help(&self) -> Vec<Help> {
        match self {
            CommandError::Flag(error) => error.help(),
            CommandError::Pointless { instead, .. } => vec![words(instead.as_str())],
        }
    }
}

impl Refuse for GoFlagsError {
    fn code(&self) -> Code {
        match self {
            GoFlagsError::Refused(error) => error.code(),
            _ => Code::GoflagsUnreadable,
        }
    }

    fn help(&self) -> Vec<Help> {
        match self {
            GoFlagsError::Refused(error) => error.help(),
            GoFlagsError::Quote(_) => vec![words("export GOFLAGS='-tags=a \"-ldflags=-s -w\"'")],
            GoFlagsError::NonFlag(_) | GoFlagsError::NoValue(_) => {
                vec![words("export GOFLAGS=-name=value")]
            }
        }
    }
}

impl Refuse for EnvironmentError {
    fn code(&self) -> Code {
        match self {
            EnvironmentError::GoFlags(error) => error.code(),
            EnvironmentError::Quote(_) => Code::GoflagsUnreadable,
            EnvironmentError::GoEnv { .. } => Code::GorootUnusable,
            _ => Code::VariableRefused,
        }
    }

    fn help(&self) -> Vec<Help> {
        match self {
            EnvironmentError::GoFlags(error) => error.help(),
            EnvironmentError::Quote(_) => vec![words("unset GOFLAGS")],
            EnvironmentError::Target { name, .. } => vec![words(format!("unset {name}"))],
            EnvironmentError::Reserved { name, .. } => vec![
                Help::Without(format!("--env {}", visible(name))),
                words("take it out of `pass` and `set` under [environment] in the profile"),
            ],
            EnvironmentError::Unwritable(_) => vec![Help::Profile(
                "environment.set = { NAME = \"value\" }".to_owned(),
            )],
            EnvironmentError::GoEnv { goroot, name, .. } => vec![words(format!(
                "sed -i '/^{name}=/d' {}",
                shell_path(&goroot.join("go.env"))
            ))],
        }
    }
}

impl Refuse for Untrusted {
    fn code(&self) -> Code {
        match self {
            Untrusted::Unreadable { .. } | Untrusted::Loop(_) => Code::GorootUnusable,
            _ => Code::GorootWritable,
        }
    }

    fn help(&self) -> Vec<Help> {
        match self {
            Untrusted::Unreadable { .. } | Untrusted::Loop(_) => vec![other_goroot()],
            // A folder such as /tmp has to stay as it is.
            Untrusted::WorldWritable { path, mode } if mode & 0o1000 != 0 => vec![
                words(format!("move the toolchain out of {}", shell_path(path))),
                installed_goroot(),
            ],
            Untrusted::WorldWritable { path, .. } => {
                vec![words(format!("chmod o-w {}", shell_path(path)))]
            }
            Untrusted::GroupWritable { path, .. } => {
                vec![words(format!("chmod g-w {}", shell_path(path)))]
            }
            // What another user has put there is no better for another owner.
            Untrusted::Owner { .. } => vec![installed_goroot()],
        }
    }
}

impl Refuse for ToolchainError {
    fn code(&self) -> Code {
        match self {
            ToolchainError::NotFound { .. } => Code::GoNotFound,
            ToolchainError::Untrusted { source, .. } => source.code(),
            ToolchainError::InWorkTree { .. } => Code::GorootInWorkTree,
            _ => Code::GorootUnusable,
        }
    }

    fn help(&self) -> Vec<Help> {
        match self {
            ToolchainError::NotFound { .. } => vec![
                words("install Go: https://go.dev/doc/install"),
                installed_goroot(),
            ],
            ToolchainError::RelativeEntry { entry, .. } => vec![
                words(format!(
                    "take {entry:?} out of PATH, or write it as an absolute path"
                )),
                installed_goroot(),
            ],
            ToolchainError::Untrusted { source, .. } => source.help(),
            ToolchainError::InWorkTree { .. } => vec![installed_goroot()],
            ToolchainError::NotElf { .. } => vec![other_goroot()],
            ToolchainError::NotGoroot { goroot, .. } => match goroot.ends_with("snap") {
                true => vec![option("--goroot", Path::new("/snap/go/current"))],
                false => vec![other_goroot()],
            },
            ToolchainError::Version { .. } | ToolchainError::Read { .. } => {
                vec![installed_goroot()]
            }
        }
    }
}

impl Refuse for SelectError {
    fn code(&self) -> Code {
        match self {
            SelectError::Line { .. } => Code::ToolchainVersion,
            SelectError::Missing { .. } | SelectError::Absent { .. } => Code::ToolchainMissing,
            SelectError::OutOfRange { .. } => Code::ToolchainOutOfRange,
            SelectError::Toolchain(error) => error.code(),
        }
    }

    fn help(&self) -> Vec<Help> {
        match self {
            SelectError::Line { .. } => Vec::new(),
            SelectError::Missing { why, wanted, .. } => match why {
                NoOther::NoRelease => vec![words(format!("go mod edit -go={wanted}.0"))],
            },
            SelectError::Absent { wanted, .. } => absent(wanted),
            SelectError::OutOfRange { oldest, wanted, .. } => vec![Help::Profile(format!(
                "modules.toolchains = [{}, {}]",
                toml_string(oldest),
                toml_string(wanted)
            ))],
            SelectError::Toolchain(error) => error.help(),
        }
    }
}

/// What helps where a release of Go is neither installed nor to be fetched.
fn absent(wanted: &str) -> Vec<Help> {
    vec![
        words(format!(
            "go install golang.org/dl/go{wanted}@latest && go{wanted} download"
        )),
        Help::Option(format!("--goroot \"$HOME/sdk/go{wanted}\"")),
    ]
}

impl Refuse for WorkspaceError {
    fn code(&self) -> Code {
        match self {
            WorkspaceError::Read { .. } | WorkspaceError::ModFile { .. } => Code::ProjectUnreadable,
            WorkspaceError::Linked { .. } | WorkspaceError::Outside { .. } => {
                Code::OutsideRepository
            }
            WorkspaceError::ForeignWork { .. } | WorkspaceError::GoWork { .. } => {
                Code::GoWorkRefused
            }
            WorkspaceError::TooWide { .. } => Code::WorkTreeTooWide,
        }
    }

    fn help(&self) -> Vec<Help> {
        match self {
            WorkspaceError::Read { path, .. } => {
                vec![words(format!("ls -ld {}", shell_path(path)))]
            }
            WorkspaceError::ModFile { path, .. } => {
                vec![words(format!("go mod edit -json {}", shell_path(path)))]
            }
            WorkspaceError::Linked { real, .. } => vec![Help::grant("--ro", real)],
            WorkspaceError::Outside { path, .. } => vec![Help::grant("--ro", path)],
            WorkspaceError::ForeignWork { grant, writes, .. } => {
                let option = if *writes { "--rw" } else { "--ro" };
                let mut help = vec![words("export GOWORK=off")];
                help.extend(grant.iter().map(|path| Help::grant(option, path)));
                help
            }
            WorkspaceError::GoWork { .. } => vec![words("export GOWORK=off")],
            WorkspaceError::TooWide { path, .. } => vec![
                words("move the module into a folder of its own"),
                words(format!("rm {}", shell_path(&path.join("go.mod")))),
            ],
        }
    }
}

impl Refuse for Unclear {
    fn code(&self) -> Code {
        Code::GitConfigurationUnclear
    }

    fn help(&self) -> Vec<Help> {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        let name = visible(&name.to_string_lossy());
        vec![
            words(format!("correct {name}, or move it away")),
            words("git config --list --show-origin"),
        ]
    }
}
