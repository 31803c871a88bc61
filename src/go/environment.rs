//! The environment of a run, made from nothing.
//!
//! What is not named here does not pass. The go command takes an empty variable for an absent
//! one and falls back to its files, so whatever is forced has a value. Nothing of the caller's
//! configuration files is put in force.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use thiserror::Error;

use super::goflags::{self, GoFlagsError};
use super::quoted::{self, QuoteError};
use super::toolchain::Toolchain;
use super::vcs::Stamping;
use super::{shown, visible};
use crate::policy;

mod programs;
mod tables;

pub use programs::for_programs;
use tables::{FORCED, GODEBUG, NEVER, PASS, TARGET};

/// The variables of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Name and value, sorted by name.
    pub pairs: Vec<(OsString, OsString)>,
    /// Variables of the caller (and `GODEBUG` keys) that did not pass, sorted.
    pub dropped: Vec<OsString>,
}

/// What the environment is made from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The caller's environment, each name once.
    pub caller: &'a [(OsString, OsString)],
    /// The Go that will run.
    pub toolchain: &'a Toolchain,
    /// GOCACHE.
    pub build_cache: &'a Path,
    /// GOMODCACHE.
    pub module_cache: &'a Path,
    /// GOPATH.
    pub gopath: &'a Path,
    /// HOME inside.
    pub home: &'a Path,
    /// TMPDIR inside.
    pub tmp: &'a Path,
    /// USER inside.
    pub user: &'a str,
    /// The value of GOPROXY: the gateway's address, or the policy's upstreams.
    pub proxy: &'a str,
    /// The value of HTTPS_PROXY and HTTP_PROXY, where hosts are reached by name.
    pub hosts: Option<&'a str>,
    /// The policy on modules.
    pub modules: &'a policy::Modules,
    /// The policy on the environment.
    pub policy: &'a policy::Environment,
    /// The go subcommand (`test`), or empty for another command.
    pub command: &'a str,
    /// go command flags that the profile lets through.
    pub allow_flags: &'a [String],
    /// Whether the profile lets `-race` build.
    pub race: bool,
    /// Whether the project has a vendor folder.
    pub vendor: bool,
    /// Flags to add to GOFLAGS (`-buildvcs=false`).
    pub add_flags: &'a [String],
    /// What git needs.
    pub stamping: &'a Stamping,
}

/// Why there is no environment.
#[derive(Debug, Error)]
pub enum EnvironmentError {
    /// GOFLAGS cannot be used.
    #[error(transparent)]
    GoFlags(#[from] GoFlagsError),
    /// GOFLAGS cannot be written.
    #[error("cannot write GOFLAGS: {0}")]
    Quote(#[from] QuoteError),
    /// A target that makes no sense.
    #[error(
        "cannot pass {name}={}: it is not a word of letters, digits, commas, dots, dashes and underscores",
        visible(value)
    )]
    Target {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// A variable that is gosandbox's to set.
    #[error("cannot pass {}: {why}", visible(name))]
    Reserved {
        /// The variable.
        name: String,
        /// Why, and what to use instead.
        why: &'static str,
    },
    /// `$GOROOT/go.env` sets what cannot be overridden.
    #[error("cannot use {}/go.env: it sets {name}, which {why}", shown(goroot))]
    GoEnv {
        /// GOROOT.
        goroot: std::path::PathBuf,
        /// The variable.
        name: String,
        /// What it does.
        why: &'static str,
    },
    /// A variable that no environment can hold.
    #[error("cannot set {:?}: a name must not be empty or hold `=` or a zero byte, nor a value a zero byte", visible(.0))]
    Unwritable(String),
}

/// What programs look at to find the way to hosts: in either spelling.
pub const TO_HOSTS: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

/// Files of HOME, and what they say, for what the go command has no variable for.
///
/// Its telemetry: in a HOME that is new with each run it would start its daily process with each run, for
/// counters that nobody reads and reports that have nowhere to go.
pub const SETTINGS: [(&str, &str); 1] = [(".config/go/telemetry/mode", "off")];

/// Makes the environment.
pub fn rebuild(inputs: &Inputs<'_>) -> Result<Environment, EnvironmentError> {
    let mut making = Making {
        set: BTreeMap::new(),
        dropped: Vec::new(),
    };
    making.take_callers(inputs)?;
    making.force(inputs);
    making.set_flags(inputs)?;
    check_go_env(inputs.toolchain, &mut making.set)?;
    making.set_policys(inputs)?;
    for (name, _) in inputs.caller {
        if !making.set.contains_key(name) {
            making.dropped.push(name.clone());
        }
    }
    making.dropped.sort();
    making.dropped.dedup();
    Ok(Environment {
        pairs: making.set.into_iter().collect(),
        dropped: making.dropped,
    })
}

struct Making {
    set: BTreeMap<OsString, OsString>,
    dropped: Vec<OsString>,
}

impl Making {
    fn put(&mut self, name: &str, value: impl Into<OsString>) {
        self.set.insert(name.into(), value.into());
    }

    fn take_callers(&mut self, inputs: &Inputs<'_>) -> Result<(), EnvironmentError> {
        for (name, value) in inputs.caller.iter().filter(|(_, v)| !v.is_empty()) {
            let Some(name) = name.to_str() else { continue };
            if TARGET.contains(&name) {
                self.put(name, target(name, value)?);
            } else if name == "GODEBUG" {
                self.take_godebug(value);
            } else if PASS.contains(&name) || name.starts_with("LC_") {
                self.put(name, value);
            } else if name == "GOWORK" || is_usable_gobin(name, value, inputs.command) {
                // Where these lead was judged before: outputs, and the workspace.
                self.put(name, value);
            }
        }
        Ok(())
    }

    fn take_godebug(&mut self, value: &OsStr) {
        let text = value.to_string_lossy();
        let (kept, dropped): (Vec<&str>, Vec<&str>) = text
            .split(',')
            .filter(|s| !s.is_empty())
            .partition(|setting| {
                setting
                    .split_once('=')
                    .is_some_and(|(key, value)| GODEBUG.contains(&key) && is_word(value))
            });
        if !kept.is_empty() {
            self.put("GODEBUG", kept.join(","));
        }
        for setting in dropped {
            let key = setting.split('=').next().unwrap_or(setting);
            self.dropped
                .push(format!("GODEBUG={}", visible(key)).into());
        }
    }

    fn force(&mut self, inputs: &Inputs<'_>) {
        for (name, value) in [
            ("CGO_ENABLED", "0"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GOAUTH", "off"),
            ("GOENV", "off"),
            ("GOPROXY", inputs.proxy),
            ("GOSUMDB", inputs.modules.gosumdb()),
            ("GOTOOLCHAIN", "local"),
            ("GOVCS", "*:off"),
            ("LOGNAME", inputs.user),
            ("USER", inputs.user),
        ] {
            // An empty value would let the go command fall back to its files.
            self.put(name, if value.is_empty() { "off" } else { value });
        }
        for (name, value) in [
            ("GOCACHE", inputs.build_cache),
            ("GOMODCACHE", inputs.module_cache),
            ("GOPATH", inputs.gopath),
            ("GOROOT", &inputs.toolchain.goroot),
            ("HOME", inputs.home),
            ("TMPDIR", inputs.tmp),
        ] {
            self.put(name, value.as_os_str());
        }
        let mut path = inputs.toolchain.goroot.join("bin").into_os_string();
        path.push(":/usr/local/bin:/usr/bin:/bin");
        self.put("PATH", path);
        if let Some(hosts) = inputs.hosts {
            for name in TO_HOSTS {
                self.put(name, hosts);
            }
            for name in ["NO_PROXY", "no_proxy"] {
                self.put(name, "127.0.0.1,::1,localhost");
            }
        }
        if !inputs.modules.private.is_empty() {
            self.put("GONOSUMDB", inputs.modules.private.join(","));
        }
        if let Stamping::Safe { environment, .. } = inputs.stamping {
            self.set.extend(environment.iter().cloned());
        }
    }

    fn set_flags(&mut self, inputs: &Inputs<'_>) -> Result<(), EnvironmentError> {
        let given = inputs
            .caller
            .iter()
            .find(|(n, _)| n == "GOFLAGS")
            .map(|(_, v)| v.to_string_lossy());
        let flags = goflags::filter(
            given.as_deref().unwrap_or_default(),
            inputs.command,
            inputs.allow_flags,
            inputs.vendor,
            inputs.race,
        );
        // These two pass over what they cannot read, and show it to whoever looks for the mistake. They build nothing.
        if let (Err(error), "env" | "bug", Some(text)) = (&flags, inputs.command, &given)
            && !matches!(error, GoFlagsError::Refused(_))
        {
            self.put("GOFLAGS", text.as_ref());
            return Ok(());
        }
        let mut flags = flags?;
        let has_mod = flags
            .iter()
            .any(|f| f.trim_start_matches('-').starts_with("mod="));
        if let (Some(value), false) = (&inputs.modules.mod_flag, has_mod) {
            flags.push(format!("-mod={value}"));
        }
        flags.extend_from_slice(inputs.add_flags);
        if !flags.is_empty() {
            let joined = quoted::join(&flags)?;
            self.put("GOFLAGS", joined);
        }
        Ok(())
    }

    fn set_policys(&mut self, inputs: &Inputs<'_>) -> Result<(), EnvironmentError> {
        for name in &inputs.policy.pass {
            reserved(name)?;
            if let Some((_, value)) = inputs.caller.iter().find(|(n, _)| n == name.as_str()) {
                self.put(name, value);
            }
        }
        for (name, value) in &inputs.policy.set {
            reserved(name)?;
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(EnvironmentError::Unwritable(name.clone()));
            }
            self.put(name, value);
        }
        Ok(())
    }
}

/// `go fmt` would run the gofmt of GOBIN rather than GOROOT's.
fn is_usable_gobin(name: &str, value: &OsStr, command: &str) -> bool {
    name == "GOBIN" && command != "fmt" && Path::new(value).is_absolute()
}

fn target(name: &str, value: &OsStr) -> Result<OsString, EnvironmentError> {
    match value.to_str() {
        Some(text) if is_word(text) => Ok(text.into()),
        _ => Err(EnvironmentError::Target {
            name: name.to_owned(),
            value: value.to_string_lossy().into_owned(),
        }),
    }
}

fn is_word(text: &str) -> bool {
    text.len() <= 128
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b',' | b'-' | b'+'))
}

fn reserved(name: &str) -> Result<(), EnvironmentError> {
    let refuse = |why| {
        Err(EnvironmentError::Reserved {
            name: name.to_owned(),
            why,
        })
    };
    if let Some((_, why)) = NEVER.iter().find(|(n, _)| *n == name) {
        return refuse(*why);
    }
    if name.starts_with("LD_") || name.starts_with("GIT_") {
        return refuse("it makes programs load or run others");
    }
    if FORCED.contains(&name) {
        return refuse("gosandbox sets it; use the profile's own key for it");
    }
    Ok(())
}

/// Makes sure that no setting of `$GOROOT/go.env` shines through.
fn check_go_env(
    toolchain: &Toolchain,
    set: &mut BTreeMap<OsString, OsString>,
) -> Result<(), EnvironmentError> {
    for (name, _) in toolchain.settings.iter().filter(|(_, v)| !v.is_empty()) {
        if set.contains_key(OsStr::new(name)) {
            continue;
        }
        let neutral = match name.as_str() {
            // A pattern that no module matches.
            "GOPRIVATE" | "GONOPROXY" | "GONOSUMDB" | "GOINSECURE" => "none.invalid",
            // Go's own default, said aloud.
            "GOFLAGS" => "-buildvcs=auto",
            "GOTELEMETRY" | "GOTELEMETRYDIR" => continue,
            _ if TARGET.contains(&name.as_str()) => continue,
            "CC" | "CXX" | "AR" | "FC" | "GCCGO" | "PKG_CONFIG" => continue,
            _ if name.starts_with("CGO_") => continue,
            _ => {
                return Err(EnvironmentError::GoEnv {
                    goroot: toolchain.goroot.clone(),
                    name: visible(name),
                    why: "the sandbox cannot override",
                });
            }
        };
        set.insert(name.into(), neutral.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
