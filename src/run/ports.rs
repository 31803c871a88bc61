//! Services that programs reach, and ports that they publish: what is asked for, and what is refused.

use std::collections::BTreeSet;
use std::path::Path;

use crate::host::Host;
use crate::plan::Ports;
use crate::plan::way::is_own_port;
use crate::policy::{Cage, Policy, Reach};
use crate::profile::{Overrides, is_own_host};
use crate::refusal::{Code, Refused};

use super::{Command, Session, way};

/// So many services a run may have, and so many published ports: a program gets a socket for each.
const MOST: usize = 32;

/// Refuses what the command line asks for and the profile does not let programs have, and lists that
/// contradict themselves. All of a kind at once.
pub(super) fn check(
    session: &Session<'_>,
    policy: &Policy,
    overrides: &Overrides,
    command: &Command,
) -> anyhow::Result<()> {
    let reach = policy.network.programs;
    let name = Path::new(&command.program).file_name();
    let is_go = name.is_some_and(|name| name == "go" || name == "gofmt");
    if reach < Reach::Hosts && !is_go && !overrides.allow_host.is_empty() {
        return Err(beyond(policy, "--allow-host", &overrides.allow_host, Reach::Hosts).into());
    }
    for host in &overrides.allow_host {
        let (name, port) = host.split_once(':').unwrap_or((host, "443"));
        if is_own_host(name) {
            session.console.warn(&format!(
                "--allow-host {host} is a tunnel by HTTPS_PROXY; programs that connect to the port itself need \
                 --service {port}"
            ));
        }
    }
    if reach < Reach::Services && !overrides.services.is_empty() {
        return Err(beyond(policy, "--service", &overrides.services, Reach::Services).into());
    }
    if reach < Reach::Hosts && !overrides.publish.is_empty() {
        return Err(beyond(policy, "--publish", &overrides.publish, Reach::Hosts).into());
    }
    let (services, published) = (policy.network.services(), policy.network.published());
    let mut taken = BTreeSet::new();
    let ports = services.iter().map(|service| service.port).chain(published);
    let twice: Vec<_> = ports
        .filter(|port| is_own_port(*port) || !taken.insert(*port))
        .map(|port| port.to_string())
        .collect();
    if !twice.is_empty() {
        let text = format!(
            "cannot use port {} on the programs' loopback: two services or a published port share it, or it \
             is gosandbox's own",
            twice.join(", ")
        );
        return Err(Refused::new(Code::ServiceRefused, text)
            .words("name each port once, by --service or by --publish")
            .into());
    }
    if taken.len() > MOST {
        let text = format!(
            "cannot serve {} services and published ports: a run may have {MOST}",
            taken.len()
        );
        let refused = Refused::new(Code::ServiceRefused, text);
        return Err(refused.words("leave out some of them").into());
    }
    Ok(())
}

fn beyond(policy: &Policy, flag: &str, asked: &[String], needed: Reach) -> Refused {
    let profile = match needed {
        Reach::Hosts => "dev",
        _ => "ci",
    };
    let text = format!(
        "cannot give programs {}: profile {} lets them reach `{}` only",
        asked
            .iter()
            .map(|one| format!("{flag} {one}"))
            .collect::<Vec<_>>()
            .join(", "),
        policy.name,
        policy.network.programs.word()
    );
    Refused::new(Code::ServiceRefused, text)
        .option(format!("--profile {profile}"))
        .profile(format!("network.programs = \"{}\"", needed.word()))
}

/// What the programs of a run have.
///
/// # Errors
/// This host cannot lead them there, and keep others away.
pub(super) fn of_run(policy: &Policy, host: &Host, runs_programs: bool) -> anyhow::Result<Ports> {
    let reach = policy.network.programs;
    let mut ports = Ports::default();
    if runs_programs && reach >= Reach::Services {
        ports.services = policy.network.services();
    }
    if runs_programs && reach >= Reach::Hosts {
        ports.publish = policy.network.published();
    }
    if ports.is_none() {
        return Ok(ports);
    }
    let cannot = |why: &str| {
        let text = format!("cannot lead programs to services, or the host to their ports: {why}");
        Refused::new(Code::ServiceRefused, text)
    };
    if let Err(reason) = way::can(host) {
        return Err(cannot(reason).words("gosandbox doctor").into());
    }
    if !policy.mandatory.labels(Cage::Tool).is_empty() {
        let why = "the AppArmor or SELinux label of [layers] keeps them from the launcher";
        return Err(cannot(why)
            .profile("layers.apparmor = \"off\"")
            .profile("layers.selinux = \"off\"")
            .into());
    }
    Ok(ports)
}
