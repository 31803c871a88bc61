//! Sockets of the host's services, which no grant may show to programs: neither a read-only mount nor
//! Landlock stands before a socket's path, and whoever connects acts outside with the service's rights.

use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::Session;
use crate::files::look;
use crate::policy::Policy;
use crate::refusal::{Code, Help, Refused, shell_path};

/// A service's socket, what it is good for, and what to use instead.
struct Known {
    /// The end of its path.
    path: &'static str,
    /// Whose it is.
    owner: &'static str,
    /// The port at which the service is usually reached by TCP.
    port: Option<u16>,
}

const fn known(path: &'static str, owner: &'static str, port: Option<u16>) -> Known {
    Known { path, owner, port }
}

/// Those that users are told to hand into containers.
const KNOWN: [Known; 12] = [
    known("/run/docker.sock", "Docker", None),
    known("/.docker/run/docker.sock", "Docker", None),
    known("/.docker/desktop/docker.sock", "Docker", None),
    known("/run/podman/podman.sock", "Podman", None),
    known("/run/containerd/containerd.sock", "containerd", None),
    known("/run/crio/crio.sock", "CRI-O", None),
    known("/run/buildkit/buildkitd.sock", "BuildKit", None),
    known("/run/dbus/system_bus_socket", "D-Bus", None),
    known("/run/systemd/private", "systemd", None),
    known("/run/postgresql/.s.PGSQL.5432", "PostgreSQL", Some(5432)),
    known("/run/redis/redis-server.sock", "Redis", Some(6379)),
    known("/run/mysqld/mysqld.sock", "MySQL", Some(3306)),
];

/// Variables that name a container engine's socket.
const VARIABLES: [&str; 2] = ["DOCKER_HOST", "CONTAINER_HOST"];

/// Refuses grants that would show such a socket, and variables that lead to one. All at once.
pub(super) fn refuse(session: &Session<'_>, policy: &Policy) -> anyhow::Result<()> {
    let paths = policy.files.read.iter().chain(&policy.files.write);
    let mut wrong = Vec::new();
    let mut help = Vec::new();
    for path in paths {
        for (socket, known) in shown_by(session, path) {
            wrong.push(in_words(path, &socket, known));
            help.push(instead(path, known));
        }
    }
    for name in VARIABLES {
        if let Some(value) = variable(session, policy, name)
            && !value.starts_with("tcp://")
        {
            wrong.push(format!(
                "{name}={value}: whoever reaches a container engine is root on the host"
            ));
            help.push(Help::Without(format!("--env {name}")));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    help.dedup();
    let text = format!("cannot show programs {}", wrong.join("; "));
    let refused = Refused::new(Code::SocketRefused, text);
    Err(help.into_iter().fold(refused, Refused::and).into())
}

fn variable(session: &Session<'_>, policy: &Policy, name: &str) -> Option<String> {
    let set = policy.environment.set.get(name).cloned();
    let is_passed = || policy.environment.pass.iter().any(|one| one == name);
    set.or_else(|| {
        let passed = is_passed().then(|| session.variable(name)).flatten()?;
        Some(passed.to_string_lossy().into_owned())
    })
}

/// The sockets that a grant shows: the path itself, or known ones below it.
fn shown_by(session: &Session<'_>, granted: &Path) -> Vec<(PathBuf, Option<&'static Known>)> {
    // What is not there shows nothing, and is refused where it must be there.
    let Ok(real) = look::canonicalize(granted) else {
        return Vec::new();
    };
    let is_socket = |path: &Path| look::metadata(path).is_ok_and(|it| it.file_type().is_socket());
    if is_socket(&real) {
        let ends = |known: &&Known| real.to_string_lossy().ends_with(known.path);
        return vec![(real.clone(), KNOWN.iter().find(ends))];
    }
    let user = format!("/run/user/{}", session.host.uid);
    let homes = session.home.iter().filter_map(|home| home.to_str());
    let places = homes.chain(["", &user]);
    let mut found = Vec::new();
    for place in places {
        for known in &KNOWN {
            let path = match place == user {
                true => known.path.trim_start_matches("/run"),
                false => known.path,
            };
            let path = PathBuf::from(format!("{place}{path}"));
            let socket = look::canonicalize(&path);
            let socket = socket
                .ok()
                .filter(|it| it.starts_with(&real) && is_socket(it));
            found.extend(socket.map(|socket| (socket, Some(known))));
        }
    }
    found
}

fn in_words(granted: &Path, socket: &Path, known: Option<&Known>) -> String {
    let through = match granted == socket {
        true => String::new(),
        false => format!(" (through {})", granted.display()),
    };
    let why = match known {
        Some(Known {
            owner, port: None, ..
        }) => format!("whoever reaches {owner} is root on the host"),
        Some(Known { owner, .. }) => format!("the socket of {owner} is the host's"),
        None => "it is a socket, which leads out of the sandbox whatever its mode is".to_owned(),
    };
    format!("{}{through}: {why}", socket.display())
}

fn instead(granted: &Path, known: Option<&Known>) -> Help {
    match known.and_then(|known| known.port) {
        Some(port) => Help::Option(format!("--service {port}")),
        None => Help::Words(format!(
            "leave out {}; start containers outside, and name their ports: --service PORT",
            shell_path(granted)
        )),
    }
}
