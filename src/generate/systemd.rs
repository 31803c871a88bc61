//! systemd: a unit that runs gosandbox, and a drop-in that says as much of the policy as systemd can for
//! any unit that runs go.
//!
//! The directives are those of systemd 247 and later (systemd.exec(5)); older ones leave out what they do
//! not know and say so in their log.

mod words;

use std::path::Path;

use self::words::{argument, assignment, optional, plain, user_name};
use super::matching::{Fit, Point};
use super::oci::container_table;
use super::rules::{Kind, Rights, Role, Subject};
use super::{Artifact, Backend, Error, Model};
use crate::policy::syscalls::{Action, Call, Verdict};

/// The backend.
#[derive(Debug)]
pub struct Systemd;

const FORMAT: &str = "systemd";

impl Backend for Systemd {
    fn format(&self) -> &'static str {
        FORMAT
    }

    fn fit(&self, point: Point) -> Fit {
        match point {
            Point::GorootUnwritable
            | Point::Capabilities
            | Point::SetId
            | Point::Named
            | Point::ProtectedThere => Fit::Exact,
            Point::SecretsUnreadable => Fit::Wider(
                "homes and known secrets are closed; other files of the system stay readable",
            ),
            Point::CachesUnpoisonable => {
                Fit::Missing("one unit knows no cages; the launcher, which the unit runs")
            }
            Point::WorkOfOthers | Point::Testdata => {
                Fit::Missing("the launcher, which the unit runs")
            }
            Point::ProtectedMissing => Fit::Missing("the launcher; paths that exist are read-only"),
            Point::Executables => Fit::Wider("NoExecPaths with ExecPaths, for both cages alike"),
            Point::ToolNetwork => Fit::Wider(
                "the unit has the host's network, in which the gateway fetches; the drop-in has none",
            ),
            Point::ProgramLoopback => {
                Fit::Missing("the launcher; the drop-in leaves all processes one loopback")
            }
            Point::AllowedHosts => Fit::Missing("the launcher's tunnel"),
            Point::Services | Point::Published => Fit::Narrower(
                "the unit's launcher serves them on the host's loopback; the drop-in has no network",
            ),
            Point::UnixSockets => Fit::Wider("sockets in folders that are not closed"),
            Point::Processes => Fit::Wider(
                "processes of other units of the same user can be signalled, and read in /proc: give the unit a user of its own",
            ),
            Point::Namespaces => {
                Fit::Wider("the unit lets the launcher make its own; the drop-in lets nobody")
            }
            Point::SystemCalls => {
                Fit::Wider("calls by name; what depends on arguments is the launcher's")
            }
            Point::Metadata => Fit::Exact,
            Point::PrivateTemporary => Fit::Exact,
            Point::Environment => {
                Fit::Missing("the launcher; a unit's own environment is empty but for what it sets")
            }
            Point::Limits => Fit::Exact,
        }
    }

    fn render(&self, model: &Model<'_>) -> Result<Vec<Artifact>, Error> {
        Ok(vec![
            Artifact::file("gosandbox-build.service", unit(model, self)?),
            Artifact::file("50-gosandbox.conf", drop_in(model, self)?),
        ])
    }
}

/// The unit: the launcher with its namespaces, and directives that do not stand in its way.
fn unit(model: &Model<'_>, backend: &Systemd) -> Result<String, Error> {
    let site = model.site;
    let mut text = head(model, backend);
    text += "[Unit]\nDescription=go build in gosandbox\n\n[Service]\nType=oneshot\n";
    text += &format!("WorkingDirectory={}\n", plain(&site.tree)?);
    text += &format!(
        "ExecStart={} --profile {} --goroot {} --cache-dir %C/{CACHES} -- go build ./...\n",
        argument(&site.launcher)?,
        argument(Path::new(&model.policy.name))?,
        argument(&site.goroot)?
    );
    text += &format!(
        "# systemd makes it for the user: /var/cache/{CACHES}\nCacheDirectory={CACHES}\nCacheDirectoryMode=0700\n"
    );
    text += &match &site.user {
        Some(user) => format!("# Whom the work tree belongs to.\nUser={}\n", user_name(user)?),
        None => "# The work tree is root's, and nothing here is to be: a user for this unit alone, who reads it.\nDynamicUser=yes\n"
            .to_owned(),
    };
    text +=
        "# What the launcher needs for its own layers; it gives all of it up before go starts.\n";
    text += "RestrictNamespaces=user mnt pid net ipc uts cgroup\n";
    text += &format!("SystemCallFilter={}\n", names(true));
    text += COMMON;
    text += &files(model, &written_in_unit(model))?;
    let seconds = model.policy.limits.timeout;
    let seconds = seconds.map_or("infinity".to_owned(), |seconds| seconds.to_string());
    text += &format!("TimeoutStartSec={seconds}\n");
    text += &limits(model);
    Ok(text)
}

/// The drop-in: for units that run go themselves.
fn drop_in(model: &Model<'_>, backend: &Systemd) -> Result<String, Error> {
    let mut text = head(model, backend);
    text += "# For a unit that runs go without gosandbox: /etc/systemd/system/UNIT.service.d/50-gosandbox.conf\n";
    text += "[Service]\n";
    text += "Environment=CGO_ENABLED=0 GOENV=off GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOVCS=*:off GOAUTH=off GOPROXY=off\n";
    text += &caches(model)?;
    text += "# No network but a loopback of its own: fetch modules first.\nPrivateNetwork=yes\n";
    text += "RestrictNamespaces=yes\n";
    text += &format!("SystemCallFilter={}\n", names(false));
    text += COMMON;
    // These cover parts of /proc; the launcher could not mount one of its own above that.
    text += "ProtectProc=invisible\nProcSubset=pid\nProtectHostname=yes\nProtectKernelLogs=yes\nProtectKernelTunables=yes\n";
    text += &files(model, &written(model))?;
    text += &executables(model)?;
    if let Some(seconds) = model.policy.limits.timeout {
        text += &format!("# Where the unit is no Type=oneshot.\nRuntimeMaxSec={seconds}\n");
    }
    text += &limits(model);
    Ok(text)
}

/// The folder of the unit's caches, below the system's (`%C`).
const CACHES: &str = "gosandbox-build";

/// A unit has neither the caller's environment nor its home.
fn caches(model: &Model<'_>) -> Result<String, Error> {
    Ok(format!(
        "Environment={}\nEnvironment={}\n",
        assignment("GOCACHE", &model.site.gocache)?,
        assignment("GOMODCACHE", &model.site.gomodcache)?
    ))
}

const COMMON: &str = "\
SystemCallErrorNumber=ENOSYS
SystemCallArchitectures=native
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
KeyringMode=private
PrivateTmp=yes
PrivateDevices=yes
PrivateIPC=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectClock=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RemoveIPC=yes
UMask=0022
LimitCORE=0
";

fn head(model: &Model<'_>, backend: &Systemd) -> String {
    let lines = model.header(backend);
    lines.iter().map(|line| format!("# {line}\n")).collect()
}

/// Where may be written, where not although it lies there, and what cannot be seen at all.
fn files(model: &Model<'_>, written: &[&Path]) -> Result<String, Error> {
    let mut text = String::new();
    for path in written {
        text += &format!("ReadWritePaths={}\n", optional(path)?);
    }
    let read = [&model.site.goroot, &model.site.launcher];
    for path in read.into_iter().filter(|path| !path.as_os_str().is_empty()) {
        text += &format!("ReadOnlyPaths={}\n", optional(path)?);
    }
    let is_protected = |role| role == Role::Protected;
    let tool = model
        .rules
        .iter()
        .filter(|rule| rule.subject == Subject::Tool);
    for rule in tool.filter(|rule| is_protected(rule.role)) {
        text += &format!("ReadOnlyPaths={}\n", optional(&rule.path)?);
    }
    if model.site.home.is_absolute() {
        for name in crate::policy::secrets::SECRETS {
            text += &format!(
                "InaccessiblePaths={}\n",
                optional(&model.site.home.join(name))?
            );
        }
    }
    text += "InaccessiblePaths=-/root -/run/docker.sock -/run/containerd -/run/podman -/run/dbus\n";
    Ok(text)
}

/// The folders that may be written.
fn written<'a>(model: &'a Model<'_>) -> Vec<&'a Path> {
    written_but(model, &[])
}

/// Those of the unit, which has caches of its own.
fn written_in_unit<'a>(model: &'a Model<'_>) -> Vec<&'a Path> {
    written_but(model, &[Role::Cache, Role::ModuleCache, Role::ProgramCache])
}

fn written_but<'a>(model: &'a Model<'_>, roles: &[Role]) -> Vec<&'a Path> {
    let mut written: Vec<&Path> = model
        .rules
        .iter()
        .filter(|rule| !roles.contains(&rule.role))
        .filter(|rule| rule.kind == Kind::Folder && rule.rights.has(Rights::CREATE))
        .filter(|rule| {
            !matches!(
                rule.role,
                Role::Protected | Role::Temporary | Role::Testdata
            )
        })
        .map(|rule| rule.path.as_path())
        .collect();
    written.sort();
    written.dedup();
    written
}

fn executables(model: &Model<'_>) -> Result<String, Error> {
    const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];
    let written: Vec<&Path> = written(model)
        .into_iter()
        .chain(TEMPORARY.map(Path::new))
        .collect();
    let mut text = "NoExecPaths=/\n".to_owned();
    let mut paths: Vec<&Path> = model
        .rules
        .iter()
        .filter(|rule| rule.rights.has(Rights::EXEC))
        .filter(|rule| rule.role != Role::Protected)
        .map(|rule| rule.path.as_path())
        .collect();
    // Libraries are mapped for execution, which the same mount option refuses.
    paths.extend(["/usr/lib", "/usr/lib64", "/lib", "/lib64"].map(Path::new));
    paths.extend(TEMPORARY.map(Path::new));
    paths.sort();
    paths.dedup();
    for path in &paths {
        text += &format!("ExecPaths={}\n", optional(path)?);
    }
    // systemd makes a mount of each, which it leaves out when it makes read-only what lies around it. ReadOnlyPaths would
    // not do: below a read-only root systemd drops it as said already, and with it what makes the path executable.
    for path in paths.iter().filter(|path| !written.contains(path)) {
        text += &format!("BindReadOnlyPaths={}\n", optional(path)?);
    }
    Ok(text)
}

fn limits(model: &Model<'_>) -> String {
    let limits = &model.policy.limits;
    let mut text = String::new();
    if let Some(bytes) = limits.memory {
        text += &format!("MemoryMax={bytes}\nMemorySwapMax=0\n");
    }
    if let Some(number) = limits.pids {
        text += &format!("TasksMax={number}\n");
    }
    if let Some(number) = limits.open_files {
        text += &format!("LimitNOFILE={number}\n");
    }
    text
}

/// Names of the calls that are answered, whatever their arguments; with the launcher's own.
fn names(launcher: bool) -> String {
    let table = container_table();
    let is_answered = |call: &Call| match table.verdict(*call) {
        Verdict::Always(action) => *action == Action::Allow,
        Verdict::Checked { clauses, otherwise } => {
            *otherwise == Action::Allow
                || clauses.iter().any(|clause| clause.action == Action::Allow)
        }
    };
    let own: &[Call] = if launcher {
        &[
            Call::chroot,
            Call::fsconfig,
            Call::fsmount,
            Call::fsopen,
            Call::fspick,
            Call::keyctl,
            Call::mount,
            Call::mount_setattr,
            Call::move_mount,
            Call::open_tree,
            Call::openat2,
            Call::pivot_root,
            Call::sethostname,
            Call::setns,
            Call::umount2,
        ]
    } else {
        &[]
    };
    let mut names: Vec<&str> = Call::ALL
        .iter()
        // systemd before 257 does not know it, and says so each time.
        .filter(|call| **call != Call::mseal)
        .filter(|call| is_answered(call) || own.contains(call))
        .map(|call| call.name())
        .collect();
    names.sort_unstable();
    names.join(" ")
}
