//! One fetch of a module from its repository, in a launcher of its own: the go command and git in a tool cage
//! that has no project. Its network is a tunnel to the named hosts. What git does is fixed by variables: no
//! configuration of a user's, no hooks, no helpers, no other protocol.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::process::{Signal, set_parent_process_death_signal};

use super::super::identity;
use super::super::plan::{Prepared, launcher, shown_at};
use super::super::{
    Command, Console, Project, Request, Session, certificates, loose, scratch, start,
};
use super::Order;
use crate::files::look;
use crate::gateway;
use crate::go::environment::Environment;
use crate::go::toolchain::Choice;
use crate::go::workspace::Workspace;
use crate::host::Host;
use crate::plan::own::OwnFiles;
use crate::plan::{self, Setting};
use crate::policy::Cage;
use crate::profile::{Overrides, Selection};
use crate::refusal::shell_word;

/// Variables of the caller's that count for a fetch: where things are, and the way out.
const KEPT: [&str; 20] = [
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LC_ALL",
    "LOGNAME",
    "NETRC",
    "NO_PROXY",
    "PATH",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Where git keeps the programs that it is made of.
const GIT_FOLDERS: [&str; 3] = [
    "/usr/lib/git-core",
    "/usr/libexec/git-core",
    "/usr/lib64/git-core",
];

/// Those of them that a fetch needs.
const GIT_PROGRAMS: [&str; 3] = ["git", "git-remote-http", "git-remote-https"];

/// No order is longer.
const LONGEST: u64 = 16 << 20;

/// What differs from a run that fetches by the gateway.
pub(in crate::run) struct Fetch {
    /// Variables of the command, in place of what they are elsewhere.
    variables: Vec<(OsString, OsString)>,
    /// Credentials for the hosts, in netrc's form.
    netrc: String,
    /// Certificates beside the system's, PEM.
    authorities: String,
    /// What hosts are judged by.
    certificates: Option<PathBuf>,
    /// What may be executed.
    pub programs: Vec<PathBuf>,
}

/// Fetches what standard input says. The exit status of the go command.
///
/// # Errors
/// The order cannot be read, or the sandbox cannot be started.
pub fn run(console: &dyn Console) -> anyhow::Result<u8> {
    // Nobody is left to hear what it fetches when the launcher that asks is gone.
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let mut told = Vec::new();
    std::io::stdin().take(LONGEST).read_to_end(&mut told)?;
    let order: Order =
        serde_json::from_slice(&told).context("cannot read what is to be fetched")?;
    let request = Request {
        profile: Selection::default(),
        directory: Some("/".into()),
        overrides: Overrides::default(),
        cache_dir: Some(order.caches.clone()),
        goroot: Some(order.goroot.clone()),
        dry_run: false,
        report: None,
        audit_log: None,
    };
    let mut session = Session::open(&request, console, scratch::name()?)?;
    let is_kept = |name: &OsString| name.to_str().is_some_and(|name| KEPT.contains(&name));
    session.environment.retain(|(name, _)| is_kept(name));
    // Nothing that `go env -w` has written counts.
    session.environment.push(("GOENV".into(), "off".into()));
    let workspace = Workspace {
        root: "/".into(),
        none: true,
        ..Workspace::default()
    };
    let project = Project {
        session: &session,
        workspace: &workspace,
        policy: &order.policy,
        audit: None,
    };
    let mut host = session.host.clone();
    let who = identity::choose(&session, &order.policy, None)?;
    // The run that asks has judged it.
    let found = loose::find(&Choice {
        goroot: Some(&order.goroot),
        path: None,
        trust: session.trust(),
        work_tree: None,
    })?;
    let command = Command {
        program: "go".into(),
        arguments: order.words.iter().map(Into::into).collect(),
    };
    let mut prepared = Prepared::new(
        &session,
        &workspace,
        &order.policy,
        who,
        &found.toolchain,
        &command,
        &session.run,
    )?;
    prepared.fetch_directly(Fetch::new(&session, &order)?);
    let (_, ended) = start::start(&project, &mut host, &mut prepared, None)?;
    let outcome = ended.context("cannot start the sandbox")?.outcome;
    if let Some(Ok(summary)) = &outcome.gateway {
        for refused in &summary.refused {
            console.error(refused);
        }
    }
    Ok(u8::try_from(outcome.status).unwrap_or(u8::MAX))
}

impl Fetch {
    fn new(session: &Session<'_>, order: &Order) -> anyhow::Result<Fetch> {
        let modules = &order.policy.modules;
        let mut authorities = String::new();
        for file in &modules.ca {
            let text = look::read(file)
                .with_context(|| format!("cannot read the certificates {}", file.display()))?;
            authorities.push_str(&String::from_utf8_lossy(&text));
            authorities.push('\n');
        }
        let netrc = gateway::netrc_for(
            modules
                .credentials
                .as_deref()
                .or(super::super::way::netrc(session).as_deref()),
            &order.policy.network.allow,
        );
        let system = certificates::find(session, true);
        if !authorities.is_empty()
            && let Some(system) = &system
        {
            authorities.push_str(&String::from_utf8_lossy(&look::read(system)?));
        }
        Ok(Fetch {
            variables: variables(order)?,
            netrc,
            authorities,
            certificates: system,
            programs: programs(!order.policy.network.ssh.is_empty())?,
        })
    }

    /// Puts its variables into the command's environment and its files into HOME. The system's certificates.
    pub fn prepare(
        &self,
        (environment, settings): (&mut Environment, &mut Vec<Setting>),
        own: &OwnFiles,
        host: &Host,
    ) -> Option<PathBuf> {
        let found = self.certificates.clone();
        self.set(
            environment,
            own,
            found.as_deref().map(|path| shown_at(host, path)),
        );
        settings.extend(self.settings(own));
        found
    }

    fn set(&self, environment: &mut Environment, own: &OwnFiles, certificates: Option<&Path>) {
        let mut variables = self.variables.clone();
        let own_file = own.of_cage(Cage::Tool).0.join(AUTHORITIES);
        let certificates = match self.authorities.is_empty() {
            true => certificates,
            false => Some(own_file.as_path()),
        };
        if let Some(path) = certificates {
            variables.push(("SSL_CERT_FILE".into(), path.into()));
            variables.push(("GIT_SSL_CAINFO".into(), path.into()));
        }
        let pairs = &mut environment.pairs;
        pairs.retain(|(name, _)| variables.iter().all(|(other, _)| other != name));
        pairs.extend(variables);
        pairs.sort();
    }

    /// The files of HOME that go and git read.
    fn settings(&self, own: &OwnFiles) -> Vec<Setting> {
        let home = own.of_cage(Cage::Tool).0;
        let files = [(".netrc", &self.netrc), (AUTHORITIES, &self.authorities)];
        let files = files.into_iter().filter(|(_, content)| !content.is_empty());
        files
            .map(|(name, content)| Setting {
                path: home.join(name),
                content: content.clone(),
            })
            .collect()
    }
}

/// The file in HOME that holds all certificates, where some stand beside the system's.
const AUTHORITIES: &str = ".authorities.pem";

fn programs(ssh: bool) -> anyhow::Result<Vec<PathBuf>> {
    let folders = GIT_FOLDERS.map(Path::new);
    let folder = folders.into_iter().find(|folder| look::is_dir(folder));
    let own = folder.map(|folder| GIT_PROGRAMS.map(|name| folder.join(name)));
    let own = own.into_iter().flatten().filter(|path| look::exists(path));
    // git starts the command for ssh by a shell.
    let mut all: Vec<PathBuf> = std::iter::once("git".into()).chain(own).collect();
    if ssh {
        all.extend([launcher()?, "sh".into()]);
    }
    Ok(all)
}

/// Variables for go and git. What is not named here is as in every tool cage: no configuration of the system's
/// or a user's, no prompt.
fn variables(order: &Order) -> anyhow::Result<Vec<(OsString, OsString)>> {
    let hosts = &order.policy.network.ssh;
    let protocol = if hosts.is_empty() {
        "https"
    } else {
        "https:ssh"
    };
    let mut settings: Vec<(String, String)> = [
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("core.askPass", ""),
        ("credential.helper", ""),
        ("fetch.recurseSubmodules", "false"),
        ("gc.auto", "0"),
        ("http.followRedirects", "initial"),
        ("http.sslVerify", "true"),
        ("init.templateDir", ""),
        ("maintenance.auto", "false"),
        ("protocol.allow", "never"),
        ("protocol.https.allow", "always"),
        ("submodule.recurse", "false"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    if !hosts.is_empty() {
        settings.push(("protocol.ssh.allow".to_owned(), "always".to_owned()));
    }
    for host in hosts {
        // Also where the host itself names the repository by https.
        let name = host.split(':').next().unwrap_or(host);
        settings.push((
            format!("url.ssh://git@{host}/.insteadOf"),
            format!("https://{name}/"),
        ));
    }
    let mut pairs: Vec<(String, String)> = [
        ("GIT_ALLOW_PROTOCOL", protocol),
        ("GIT_ASKPASS", "/bin/false"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GOAUTH", "netrc"),
        ("GOFLAGS", "-modcacherw"),
        ("GOPROXY", "direct"),
        ("GOVCS", "*:git"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if !hosts.is_empty() {
        let launcher = launcher()?;
        let launcher = launcher
            .to_str()
            .context("gosandbox lies in a folder whose name is no text")?;
        let stand_in = format!("{} {}", shell_word(launcher), plan::way::SSH_WORD);
        pairs.push(("GIT_SSH_COMMAND".to_owned(), stand_in));
        pairs.push(("GIT_SSH_VARIANT".to_owned(), "ssh".to_owned()));
    }
    pairs.push(("GOPRIVATE".to_owned(), order.patterns.join(",")));
    pairs.push(("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string()));
    for (at, (key, value)) in settings.into_iter().enumerate() {
        pairs.push((format!("GIT_CONFIG_KEY_{at}"), key));
        pairs.push((format!("GIT_CONFIG_VALUE_{at}"), value));
    }
    let proxy = plan::way::hosts();
    for name in ["HTTPS_PROXY", "https_proxy"] {
        pairs.push((name.to_owned(), proxy.clone()));
    }
    let pairs = pairs.into_iter();
    Ok(pairs
        .map(|(name, value)| (name.into(), value.into()))
        .collect())
}
