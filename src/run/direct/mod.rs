//! Modules that come directly from their own repositories: the launcher's side.
//!
//! The gateway's threads ask for them while a command runs. A process with threads must not clone a sandbox,
//! so each fetch is a launcher of its own ([`child`]), which is told by its standard input what to do. There
//! the go command runs git, in a cage that sees no project and reaches the named hosts alone.

mod child;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

pub(super) use self::child::Fetch;
pub use self::child::run;
use super::identity::Who;
use super::{Session, cache, caches};
use crate::gateway::{self, Wanted};
use crate::go::toolchain::Toolchain;
use crate::policy::{Network, Policy, Reach, Transport};

/// The first word of a launcher's command line that fetches for another one.
pub const WORD: &str = "__direct";

/// More of what go says does not count.
const LONGEST: u64 = 8 << 20;

/// The folder of what is fetched, within the launcher's caches.
pub(super) const NAME: &str = "direct";

/// Seconds that one fetch may take: a large repository's first one is slow.
const PATIENCE: u64 = 15 * 60;

/// What a launcher that fetches is told.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    /// What holds in its cage.
    policy: Policy,
    /// The patterns of modules, as git's and go's own rules name them.
    patterns: Vec<String>,
    /// The folder of its caches.
    #[serde(with = "crate::paths")]
    caches: PathBuf,
    /// GOROOT, which the run that asks has judged.
    #[serde(with = "crate::paths")]
    goroot: PathBuf,
    /// The words after `go`.
    words: Vec<String>,
}

/// Has launchers fetch, one after another.
#[derive(Debug)]
struct Fetcher {
    policy: Policy,
    goroot: PathBuf,
    caches: PathBuf,
    modules: PathBuf,
    /// Held while one fetches: git works in one folder for a repository.
    turn: Mutex<()>,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    stopped: bool,
    process: Option<OwnedFd>,
}

/// Who fetches for a run; `None` where no module comes directly.
pub(super) fn fetcher(
    session: &Session<'_>,
    policy: &Policy,
    who: &Who,
    toolchain: &Toolchain,
) -> Option<Arc<dyn gateway::Direct>> {
    if policy.modules.direct.is_empty() {
        return None;
    }
    let launchers = caches::launchers(session)?;
    let caches = launchers.join(NAME);
    cache::hold_direct(session, &launchers);
    Some(Arc::new(Fetcher {
        policy: policy_of(policy, who),
        goroot: toolchain.on_disk().goroot.clone(),
        modules: caches.join("mod"),
        caches,
        turn: Mutex::default(),
        running: Mutex::default(),
    }))
}

/// What holds for every fetch: the run's own policy, less all that is about its project.
fn policy_of(policy: &Policy, who: &Who) -> Policy {
    let mut policy = policy.clone();
    if who.identity.switch {
        policy.identity.user = Some(format!("{}:{}", who.identity.uid, who.identity.gid));
    }
    policy.files.read.clear();
    policy.files.write.clear();
    policy.environment.pass.clear();
    policy.environment.set.clear();
    policy.limits.timeout = Some(PATIENCE);
    policy.modules.upstreams = "off".to_owned();
    policy.modules.private_upstreams.clear();
    // The go command that asks compares with go.sum and the checksum database. This one has neither.
    policy.modules.checksum_database = "off".to_owned();
    policy.modules.mod_flag = None;
    policy.modules.withheld.clear();
    policy.network = Network {
        programs: Reach::Loopback,
        anywhere: true,
        ..Network::default()
    };
    policy
}

/// A host without its port.
fn name_of(host: &str) -> String {
    host.split(':').next().unwrap_or(host).to_owned()
}

impl Fetcher {
    /// What one fetch is told.
    fn order(&self, wanted: &Wanted<'_>) -> Result<Order, String> {
        let (Wanted::Versions(module) | Wanted::Files(module, _)) = *wanted;
        let mut policy = self.policy.clone();
        let direct = std::mem::take(&mut policy.modules.direct);
        let found = direct
            .iter()
            .filter(|(pattern, _)| crate::policy::pattern::matches(pattern, module));
        let found = found.max_by_key(|(one, _)| (one.matches('/').count(), one.len()));
        let (pattern, found) = found.ok_or("no line of modules.private names it")?;
        let is_ssh = found.transport == Transport::Ssh;
        // A host's port is that of what git speaks; where a repository is, is asked by https.
        policy.network.allow = match is_ssh {
            false => found.hosts.clone(),
            true => found.hosts.iter().map(|host| name_of(host)).collect(),
        };
        if is_ssh {
            let with_port = |host: &String| match host.contains(':') {
                true => host.clone(),
                false => format!("{host}:22"),
            };
            policy.network.ssh = found.hosts.iter().map(with_port).collect();
        }
        let words = match wanted {
            Wanted::Versions(module) => {
                let module = format!("{module}@latest");
                let words = ["list", "-m", "-json", "-versions", "-retracted", &module];
                words.map(str::to_owned).to_vec()
            }
            Wanted::Files(module, version) => {
                let module = format!("{module}@{version}");
                ["mod", "download", "-json", &module]
                    .map(str::to_owned)
                    .to_vec()
            }
        };
        Ok(Order {
            policy,
            patterns: vec![pattern.clone()],
            caches: self.caches.clone(),
            goroot: self.goroot.clone(),
            words,
        })
    }

    /// Starts a launcher with an order. Its process can be ended from elsewhere.
    fn start(&self, order: &Order) -> Result<std::process::Child, String> {
        let failed = |error: std::io::Error| format!("cannot start gosandbox again: {error}");
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.stopped {
            return Err("the command has ended".to_owned());
        }
        let mut child = Command::new("/proc/self/exe")
            .arg(WORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let process = process.map(|process| pidfd_open(process, PidfdFlags::empty()));
        running.process = process.and_then(Result::ok);
        drop(running);
        let told = serde_json::to_vec(order).map_err(|error| error.to_string())?;
        if let Some(mut input) = child.stdin.take() {
            // One that has ended says why.
            let _gone = input.write_all(&told);
        }
        Ok(child)
    }
}

impl gateway::Direct for Fetcher {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<(Vec<u8>, String), String> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = self.start(&self.order(wanted)?)?;
        let errors = child.stderr.take();
        let errors = std::thread::spawn(move || {
            let errors = errors.map(|errors| File::from(OwnedFd::from(errors)));
            errors.map(read).unwrap_or_default()
        });
        let output = child.stdout.take();
        let output = output.map(|output| read(File::from(OwnedFd::from(output))));
        // The launcher's main thread may have reaped it: its status says nothing that its output does not.
        let _reaped = child.wait();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.process = None;
        drop(running);
        let output = output.unwrap_or_default();
        let errors = errors.join().unwrap_or_default();
        // Go says in JSON what it cannot download, and then ends with 1.
        let errors = String::from_utf8_lossy(&errors).into_owned();
        if !output.starts_with(b"{") {
            return Err(errors);
        }
        let own = errors
            .lines()
            .filter(|line| line.starts_with("gosandbox: "));
        let own: Vec<&str> = own.collect();
        Ok((output, own.join("\n")))
    }

    fn folder(&self) -> &Path {
        &self.modules
    }

    fn stop(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.stopped = true;
        if let Some(process) = &running.process {
            let _gone = pidfd_send_signal(process, Signal::TERM);
        }
    }
}

/// What comes until the other side is closed. Nobody waits for one that says too much.
fn read(from: File) -> Vec<u8> {
    let mut all = Vec::new();
    let _broken = from.take(LONGEST).read_to_end(&mut all);
    all
}
