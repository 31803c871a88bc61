//! `gosandbox doctor`: what this host gives, which layer holds which guarantee, and what is left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::args::{DoctorArgs, FindingsForm};
use crate::finding::{self, Finding, FindingCode, Severity};
use crate::host::mandatory::Domain;
use crate::host::{Host, mandatory, notification};
use crate::launch::probe;
use crate::plan::{Holding, Identity, guarantees};
use crate::policy::{Guarantee, Layer};
use crate::run;
use crate::text::visible_json;

/// One line about a mechanism.
struct Mechanism {
    what: &'static str,
    /// What was found, or why there is nothing.
    state: Result<String, String>,
    remedy: Option<&'static str>,
}

/// What is shown, and the exit status: 0 where every guarantee can be held, else 1.
pub(super) struct Diagnosis {
    pub text: String,
    pub status: u8,
}

/// Examines the host.
pub(super) fn examine(args: DoctorArgs) -> Diagnosis {
    let mut host = Host::probe();
    let identity = identity(&host);
    if host.namespaces.is_ok()
        && let Err(error) = probe::namespaces(&identity)
    {
        host.without_namespaces(error.to_string());
    }
    let notification = notification::available()
        .and_then(|()| probe::notification(&identity).map_err(|error| error.to_string()));
    if host.namespaces.is_err() {
        host.notification = notification.clone();
    }
    let mechanisms = mechanisms(&host, &identity, &notification);
    let holdings = guarantees::holdings(&host, true);
    let gaps = guarantees::gaps(&host);
    let whole = holdings
        .values()
        .all(|holding| matches!(holding, Holding::Held(_)));
    let text = match args.form {
        FindingsForm::Human => as_table(&mechanisms, &holdings, &gaps),
        FindingsForm::Json => visible_json(&as_json(&host, &mechanisms, &holdings, &gaps)),
        FindingsForm::Sarif => {
            let findings = findings(&mechanisms, &holdings, &gaps);
            visible_json(&finding::as_sarif("doctor", &findings))
        }
    };
    Diagnosis {
        text,
        status: u8::from(!whole),
    }
}

fn identity(host: &Host) -> Identity {
    match host.is_root() {
        true => Identity {
            uid: 65534,
            gid: 65534,
            switch: true,
        },
        false => Identity {
            uid: host.uid,
            gid: host.gid,
            switch: false,
        },
    }
}

fn mechanisms(
    host: &Host,
    identity: &Identity,
    notification: &Result<(), String>,
) -> Vec<Mechanism> {
    let mut mechanisms = vec![
        Mechanism {
            what: "landlock",
            state: host
                .landlock
                .clone()
                .map(|abi| format!("ABI {abi}{}", landlock_gaps(abi))),
            remedy: Some(
                "use Linux 5.13 or later, with landlock in its lsm= list (6.12 or later for all scopes)",
            ),
        },
        Mechanism {
            what: "namespaces",
            state: host
                .namespaces
                .clone()
                .map(|()| "made and left again".into()),
            remedy: Some(namespace_remedy()),
        },
    ];
    if host.is_root() {
        let can_switch = if host.can_switch {
            Ok("root can become the sandbox user".into())
        } else {
            Err("root lacks CAP_SETUID or CAP_SETGID here".into())
        };
        mechanisms.push(Mechanism {
            what: "identity",
            state: can_switch,
            remedy: Some(
                "start gosandbox as an ordinary user, or give the container SETUID and SETGID",
            ),
        });
        let mapped = match &host.namespaces {
            Ok(()) => {
                probe::id_mapped_mount(identity, Path::new("/")).map_err(|error| error.to_string())
            }
            Err(_) => Err("there is no mount namespace".into()),
        };
        mechanisms.push(Mechanism {
            what: "id-mapped-mount",
            state: mapped.map(|()| "on the root file system".into()),
            remedy: Some("give work trees to an ordinary user (chown), or name it with --user"),
        });
    }
    mechanisms.push(Mechanism {
        what: "seccomp",
        state: fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail")
            .map(|actions| format!("actions {}", actions.trim()))
            .map_err(|error| format!("/proc/sys/kernel/seccomp/actions_avail: {error}")),
        remedy: Some("use a kernel with CONFIG_SECCOMP_FILTER"),
    });
    mechanisms.push(Mechanism {
        what: "notification",
        state: notification
            .clone()
            .map(|()| "a call was answered with a socket".into()),
        remedy: Some(
            "use Linux 5.14 or later, with kernel.yama.ptrace_scope at most 1, and no other supervisor",
        ),
    });
    mechanisms.push(Mechanism {
        what: "yama",
        state: Ok(notification::yama_scope().map_or_else(
            || "not in this kernel: a process can look into all of its user's".into(),
            |scope| format!("ptrace_scope {scope}"),
        )),
        remedy: None,
    });
    mechanisms.extend(mandatory());
    mechanisms.push(go());
    mechanisms
}

/// The Go that a run would use.
fn go() -> Mechanism {
    Mechanism {
        what: "go",
        state: run::go_here(),
        remedy: Some("install Go (https://go.dev/doc/install), or name one with --goroot"),
    }
}

/// AppArmor and SELinux: whether a profile's `[layers]` can name them here.
fn mandatory() -> [Mechanism; 2] {
    [
        Mechanism {
            what: "apparmor",
            state: mandatory::apparmor().map(|label| format!("in force; this process is {label}")),
            remedy: Some(
                "boot with apparmor in the lsm= list, and load what gosandbox profile apparmor makes",
            ),
        },
        Mechanism {
            what: "selinux",
            state: mandatory::selinux().and_then(selinux),
            remedy: Some(
                "boot with security=selinux enforcing=1, and load what gosandbox profile selinux makes",
            ),
        },
    ]
}

/// Of the generated module's domains, none may be permissive.
fn selinux(context: String) -> Result<String, String> {
    let mut loaded = "";
    for name in ["gosandbox_t", "gosandbox_launched_t"] {
        match mandatory::domain(name)? {
            Domain::Enforced => loaded = "; gosandbox_t is loaded",
            Domain::Permissive => {
                return Err(format!(
                    "the domain {name} is permissive, and refuses nothing (semanage permissive -d {name})"
                ));
            }
            Domain::Unknown => {}
        }
    }
    Ok(format!("enforcing; this process is {context}{loaded}"))
}

/// What an ABI does not have yet (landlock(7)).
fn landlock_gaps(abi: i32) -> String {
    let gaps = [
        (2, "renames across folders"),
        (3, "truncation"),
        (4, "TCP"),
        (5, "ioctl on devices"),
        (6, "scopes of signals and abstract sockets"),
    ];
    let missing: Vec<_> = gaps
        .iter()
        .filter(|(needed, _)| abi < *needed)
        .map(|(_, what)| *what)
        .collect();
    if missing.is_empty() {
        String::new()
    } else {
        format!("; does not cover {}", missing.join(", "))
    }
}

/// The setting that most likely refuses user namespaces here.
fn namespace_remedy() -> &'static str {
    let is =
        |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|found| found.trim() == value);
    if is(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ) {
        "AppArmor restricts user namespaces: load the gosandbox-launcher profile (gosandbox profile apparmor makes it), or set \
         kernel.apparmor_restrict_unprivileged_userns=0"
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "set kernel.unprivileged_userns_clone=1"
    } else if is("/proc/sys/user/max_user_namespaces", "0") {
        "set user.max_user_namespaces to more than 0"
    } else {
        "in a container: run it with user namespaces allowed (seccomp profile), or accept what is held without them"
    }
}

fn as_table(
    mechanisms: &[Mechanism],
    holdings: &BTreeMap<Guarantee, Holding>,
    gaps: &[&str],
) -> String {
    let mut text = String::from("GUARANTEE               HELD BY\n");
    for (guarantee, holding) in holdings {
        let held = match holding {
            Holding::Held(layers) => words(layers).join(", "),
            Holding::Missing { reason, remedy } => format!("NOTHING: {reason}; {remedy}"),
        };
        text += &format!("{:<24}{held}\n", guarantee.word());
    }
    if !gaps.is_empty() {
        text += "\nNOT CONFINED HERE\n";
    }
    for gap in gaps {
        text += &format!("{gap}\n");
    }
    text += "\nMECHANISM               HERE\n";
    for mechanism in mechanisms {
        let state = match (&mechanism.state, mechanism.remedy) {
            (Ok(state), _) => state.clone(),
            (Err(reason), Some(remedy)) => format!("NO: {reason}\n{:<24}to have it: {remedy}", ""),
            (Err(reason), None) => format!("NO: {reason}"),
        };
        text += &format!("{:<24}{state}\n", mechanism.what);
    }
    text
}

fn words(layers: &[Layer]) -> Vec<&'static str> {
    layers.iter().map(|layer| layer.word()).collect()
}

fn as_json(
    host: &Host,
    mechanisms: &[Mechanism],
    holdings: &BTreeMap<Guarantee, Holding>,
    gaps: &[&str],
) -> Value {
    let guarantees = holdings.iter().map(|(guarantee, holding)| {
        let value = match holding {
            Holding::Held(layers) => json!({ "held-by": words(layers) }),
            Holding::Missing { reason, remedy } => {
                json!({ "held-by": [], "reason": reason, "remedy": remedy })
            }
        };
        (guarantee.word().to_owned(), value)
    });
    let each = mechanisms.iter().map(|mechanism| {
        let value = match &mechanism.state {
            Ok(state) => json!({ "available": true, "state": state }),
            Err(reason) => {
                json!({ "available": false, "reason": reason, "remedy": mechanism.remedy })
            }
        };
        (mechanism.what.to_owned(), value)
    });
    let mut value = finding::as_json("doctor", &findings(mechanisms, holdings, gaps));
    value["version"] = json!(env!("CARGO_PKG_VERSION"));
    value["uid"] = json!(host.uid);
    value["guarantees"] = guarantees.collect();
    value["not-confined"] = json!(gaps);
    value["mechanisms"] = each.collect();
    value
}

/// What takes something away on this host, the worst first.
fn findings(
    mechanisms: &[Mechanism],
    holdings: &BTreeMap<Guarantee, Holding>,
    gaps: &[&str],
) -> Vec<Finding> {
    let finding = |code, severity, subject: &str, message: &str, why: &str, remedy: &str| Finding {
        code,
        severity,
        subject: subject.to_owned(),
        place: None,
        message: message.to_owned(),
        why: why.to_owned(),
        remedy: remedy.to_owned(),
    };
    let missing = holdings.iter().filter_map(|(guarantee, holding)| {
        let Holding::Missing { reason, remedy } = holding else {
            return None;
        };
        let why = "a run under a profile that requires it is refused";
        let (code, word) = (FindingCode::GuaranteeMissing, guarantee.word());
        Some(finding(code, Severity::High, word, reason, why, remedy))
    });
    let absent = mechanisms.iter().filter_map(|mechanism| {
        let reason = mechanism.state.as_ref().err()?;
        // A host has one of these two or none, and gosandbox needs neither.
        let (severity, why) = match mechanism.what {
            "apparmor" | "selinux" => (Severity::Low, "profiles cannot name it under [layers]"),
            _ => (Severity::Medium, "other layers have to hold what it would"),
        };
        let remedy = mechanism.remedy.unwrap_or_default();
        let code = FindingCode::MechanismMissing;
        Some(finding(code, severity, mechanism.what, reason, why, remedy))
    });
    let open = gaps.iter().map(|gap| {
        let why = "no guarantee is lost by it, and a host with user namespaces confines it";
        let (code, remedy) = (FindingCode::NotConfined, namespace_remedy());
        finding(code, Severity::Low, "host", gap, why, remedy)
    });
    let mut found: Vec<_> = missing.chain(absent).chain(open).collect();
    finding::sort(&mut found);
    found
}
