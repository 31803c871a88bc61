//! The container's system call filter: the JSON that Docker, Podman, containerd and CRI-O load.
//!
//! One filter is for everything in the container, so it is as wide as the wider cage. By default it also
//! lets the launcher, as the container's first process, put its own layers in force inside, which tell the
//! cages apart; the form `bare` is for a container that runs go without it.

pub mod lower;

use serde_json::{Value, json};

use super::matching::{Fit, Point};
use super::{Artifact, Backend, Error, Model};
use crate::policy::Cage;
use crate::policy::syscalls::{Action, Call, Network, Options, Signals, Table, Verdict, table};
use lower::{Pattern, lower};

/// The backend.
#[derive(Debug)]
pub struct OciSeccomp;

/// Name of the file, as Kubernetes nodes and container engines are told it.
pub const FILE: &str = "gosandbox-seccomp.json";
/// A refusal with another error number than the default is left to the default where saying it would take
/// more rules than this.
const MOST: usize = 8;
/// The launcher's own calls, where it makes no namespaces: its filter with a listener, and the requests
/// on that listener; its session keyring; the bits that keep capabilities away.
const LAUNCHER: [(Call, u8, &[u64]); 4] = [
    (Call::seccomp, 0, &[0, 1, 2, 3]),
    (Call::keyctl, 0, &[1]),
    (
        Call::ioctl,
        1,
        &[0xc050_2100, 0xc018_2101, 0x4008_2102, 0x4018_2103],
    ),
    (Call::prctl, 0, &[28]),
];

impl Backend for OciSeccomp {
    fn format(&self) -> &'static str {
        "oci-seccomp"
    }

    fn forms(&self) -> &'static [&'static str] {
        &["bare"]
    }

    fn fit(&self, point: Point) -> Fit {
        match point {
            Point::SystemCalls => Fit::Wider(
                "one filter for both cages, and refused requests of ioctl and prctl get ENOSYS; the launcher's own filters inside are exact",
            ),
            Point::SetId | Point::Namespaces => Fit::Exact,
            Point::Processes => Fit::Wider("signals reach every process of the container"),
            Point::ToolNetwork
            | Point::ProgramLoopback
            | Point::UnixSockets
            | Point::AllowedHosts
            | Point::Services
            | Point::Published => Fit::Missing("the container's network, and the launcher inside"),
            Point::Capabilities => Fit::Missing("the container's settings: drop all"),
            Point::PrivateTemporary => Fit::Missing("the container's own file systems"),
            Point::Limits => Fit::Missing("the container's cgroup, the launcher"),
            _ => Fit::Missing("Landlock, by the launcher inside"),
        }
    }

    fn render(&self, model: &Model<'_>) -> Result<Vec<Artifact>, Error> {
        let bare = model.form.as_deref() == Some("bare");
        let filter = filter(model, bare);
        Ok(vec![Artifact::file(FILE, format!("{filter:#}\n"))])
    }
}

/// The table for everything in a container with namespaces of its own.
pub fn container_table() -> Table {
    table(
        Cage::Tool,
        &Options {
            nesting: false,
            network: Network::Namespace,
            udp: true,
            signals: Signals::Scoped,
            pid_namespace: true,
            ipc_namespace: true,
            debug: false,
        },
    )
}

/// Names of the calls that no rule names, since the default says what is done with them.
pub fn answered_by_default() -> Vec<&'static str> {
    let table = container_table();
    let is_unknown = |call: &&Call| *table.verdict(**call) == Verdict::Always(Table::UNKNOWN);
    let mut names: Vec<_> = Call::ALL
        .iter()
        .filter(is_unknown)
        .map(|call| call.name())
        .collect();
    names.sort_unstable();
    names
}

/// The filter; `bare` where the launcher is not in the container.
pub fn filter(model: &Model<'_>, bare: bool) -> Value {
    let table = container_table();
    let mut always: Vec<(Action, Vec<&str>)> = Vec::new();
    let mut checked = Vec::new();
    for call in Call::ALL {
        let lowered = lower(table.verdict(*call), Table::UNKNOWN, MOST);
        let is_tree = lowered.iter().any(|(patterns, _)| patterns.len() > 1);
        for (mut patterns, action) in lowered {
            if is_tree {
                patterns.values_mut().for_each(leave_the_sign_out);
            }
            if patterns.is_empty() {
                match always.iter_mut().find(|(a, _)| *a == action) {
                    Some((_, names)) => names.push(call.name()),
                    None => always.push((action, vec![call.name()])),
                }
            } else {
                let patterns: Vec<_> = patterns.into_iter().collect();
                checked.push(rule(&[call.name()], action, &patterns));
            }
        }
    }
    if !bare {
        launcher_rules(&table, &mut always, &mut checked);
    }
    let mut rules: Vec<Value> = always
        .into_iter()
        .map(|(action, mut names)| {
            names.sort_unstable();
            rule(&names, action, &[])
        })
        .collect();
    rules.extend(checked);
    let Action::Errno(errno) = Table::UNKNOWN else {
        unreachable!("an unknown call is refused");
    };
    json!({
        // Engines pass over keys that they do not know.
        "comment": model.header(&OciSeccomp),
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno,
        // The other conventions of the same machine stay closed.
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": rules,
    })
}

/// libseccomp 2.5 takes a comparison of all 32 bits to need no load where one like it came before, and
/// jumps there from within a tree of several arguments with another argument loaded: then what should be
/// refused is allowed. So no such tree compares them all. What is left out is the sign of an `int`, and the
/// kernel refuses every negative one in the calls that this is about (socket, setsockopt, seccomp).
fn leave_the_sign_out(pattern: &mut Pattern) {
    if pattern.mask == u64::from(u32::MAX) {
        pattern.mask &= !(1 << 31);
        pattern.value &= !(1 << 31);
    }
}

/// What the launcher calls beyond the cages, as patterns beside those of the table.
fn launcher_rules(table: &Table, always: &mut [(Action, Vec<&str>)], checked: &mut Vec<Value>) {
    for (call, argument, values) in LAUNCHER {
        if let Verdict::Always(_) = table.verdict(call) {
            // A rule without conditions would be the only one that counts.
            for (_, names) in always.iter_mut() {
                names.retain(|name| *name != call.name());
            }
        }
        // Those of the table for the same values would contradict these.
        let masks = [u64::from(u32::MAX), u64::from(u32::MAX >> 1)];
        checked.retain(|rule| {
            let is_call = rule["names"][0] == call.name();
            let condition = &rule["args"][0];
            let same = condition["index"] == argument
                && masks.iter().any(|mask| condition["value"] == *mask)
                && values.iter().any(|value| condition["valueTwo"] == *value);
            !(is_call && same)
        });
        for value in values {
            let pattern = Pattern {
                mask: masks[0],
                value: *value,
            };
            checked.push(rule(&[call.name()], Action::Allow, &[(argument, pattern)]));
        }
    }
}

fn rule(names: &[&str], action: Action, patterns: &[(u8, Pattern)]) -> Value {
    let mut rule = match action {
        Action::Allow => json!({"names": names, "action": "SCMP_ACT_ALLOW"}),
        Action::Errno(errno) => {
            json!({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno})
        }
        // No table without a supervisor has any.
        Action::Notify => json!({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 38}),
    };
    if !patterns.is_empty() {
        let condition = |(index, pattern): &(u8, Pattern)| json!({"index": index, "value": pattern.mask, "valueTwo": pattern.value, "op": "SCMP_CMP_MASKED_EQ"});
        rule["args"] = patterns.iter().map(condition).collect();
    }
    rule
}
