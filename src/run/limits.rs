//! Who holds the limits of memory and processes here: a cgroup, else an rlimit, else no run.

use super::Console;
use crate::host::Host;
use crate::host::cgroups::{Cgroups, Controller};
use crate::launch::Exceeded;
use crate::plan::{CgroupVersion, Isolation, Place, Plan};
use crate::policy::Policy;
use crate::refusal::{Code, Refused};

/// The go command does not start with less `RLIMIT_DATA`: its runtime counts an arena of 64 MiB as
/// written when it begins to use it, and a compiler needs several.
const LEAST_DATA: u64 = 512 << 20;

/// Decides, where limits are asked for.
///
/// # Errors
/// Where nothing can hold them, with the reason and the remedy.
pub(super) fn settle(plan: &mut Plan, host: &Host, console: &dyn Console) -> anyhow::Result<()> {
    let limits = &mut plan.limits;
    if limits.memory.is_none() && limits.pids.is_none() {
        return Ok(());
    }
    let cgroups = Cgroups::read();
    // What a container's engine holds, no cgroup inside need hold again, nor could it: an engine lets nobody make one.
    let is_held = |controller, asked| cgroups.limit(controller).is_some_and(|own| own <= asked);
    if let Some(bytes) = limits.memory {
        match cgroups.place(Controller::Memory) {
            Ok(place) => limits.memory_cgroup = Some(place),
            Err(_) if is_held(Controller::Memory, bytes) => limits.memory = None,
            Err(reason) if bytes >= LEAST_DATA => {
                console.warn(&format!(
                    "the memory limit holds for each process alone (RLIMIT_DATA): {reason}"
                ));
                limits.data = limits.memory.take();
            }
            Err(reason) => {
                let least = LEAST_DATA >> 20;
                let text = format!(
                    "cannot limit memory to {bytes} bytes: {reason}, and as a limit of each process alone \
                     (RLIMIT_DATA) the go command needs at least {least} MiB"
                );
                return Err(unheld(text)
                    .option(format!("--memory {least}MiB"))
                    .without("--memory")
                    .into());
            }
        }
    }
    if let Some(pids) = limits.pids {
        let place = cgroups.place(Controller::Pids);
        match place.and_then(|place| beside(place, limits.memory_cgroup.as_ref())) {
            Ok(place) => limits.pids_cgroup = Some(place),
            Err(_) if is_held(Controller::Pids, pids) => limits.pids = None,
            Err(reason) => match own_count(&plan.isolation, plan.identity.switch, host) {
                Ok(()) => limits.processes = limits.pids.take(),
                Err(other) => {
                    let text = format!(
                        "cannot limit processes to {pids}: {reason}, and RLIMIT_NPROC would not do: {other}"
                    );
                    return Err(unheld(text).without("--pids").into());
                }
            },
        }
    }
    Ok(())
}

/// In version 2 a process is in one cgroup, which holds both limits or not.
fn beside(place: Place, other: Option<&Place>) -> Result<Place, String> {
    match other {
        Some(other)
            if place.version == CgroupVersion::V2
                && other.version == CgroupVersion::V2
                && *other != place =>
        {
            Err("no one cgroup hands both the memory and the pids controller on".into())
        }
        _ => Ok(place),
    }
}

/// The refusal of a limit. A cgroup of gosandbox's own would hold it.
fn unheld(text: String) -> Refused {
    Refused::new(Code::LimitUnheld, text).words(Code::LimitUnheld.remedy())
}

/// Whether `RLIMIT_NPROC` counts what is inside and nothing else: processes of the user in a user
/// namespace of the run's own, which are counted apart since Linux 5.14.
fn own_count(isolation: &Isolation, switch: bool, host: &Host) -> Result<(), String> {
    if host.uid == 0 || switch {
        return Err("it counts every process of the sandbox user on this host".into());
    }
    if matches!(isolation, Isolation::Shared) {
        return Err("without a user namespace it counts every process of the user".into());
    }
    if crate::host::kernel::version() < Some((5, 14)) {
        return Err("before Linux 5.14 it counts every process of the user".into());
    }
    Ok(())
}

/// Says which limits were hit: the command itself seldom knows.
pub(super) fn tell(exceeded: &Exceeded, policy: &Policy, console: &dyn Console) {
    if exceeded.memory > 0 {
        let mib = policy.limits.memory.unwrap_or_default() >> 20;
        console.error(&format!(
            "the memory limit of {mib} MiB was reached, and the kernel killed {} inside; raise --memory",
            processes(exceeded.memory)
        ));
    }
    if exceeded.pids > 0 {
        let pids = policy.limits.pids.unwrap_or_default();
        console.error(&format!(
            "the limit of {pids} processes and threads was reached, and more were refused; raise --pids"
        ));
    }
}

fn processes(count: u64) -> String {
    match count {
        1 => "a process".into(),
        count => format!("{count} processes"),
    }
}
