//! Whether a run's work tree is staged, and what becomes of the changes.

use std::path::{Path, PathBuf};

use super::what::What;
use crate::go::command::Programs;
use crate::host::Host;
use crate::plan::inputs::StageFolders;
use crate::policy::{Cage, Policy, Runs, Staging};

/// What of the source a command runs; `None` for what go itself does.
pub(super) fn runs(what: &What) -> Option<Runs> {
    match what {
        What::Go(go) => match (go.programs, go.cage) {
            (Programs::Test, _) => Some(Runs::Test),
            (Programs::Run, _) => Some(Runs::Run),
            (_, Cage::Program) if go.subcommand == "generate" => Some(Runs::Generate),
            (_, Cage::Program) => Some(Runs::Command),
            (_, Cage::Tool) => None,
        },
        What::Gofmt => None,
        What::Other(_) => Some(Runs::Command),
    }
}

/// Where the changes of a run are staged, or why they are not.
pub(super) fn choose(
    policy: &Policy,
    host: &Host,
    tree: Option<&Path>,
    scratch: &Path,
    runs: Option<Runs>,
) -> Result<StageFolders, String> {
    let (Some(runs), Some(tree)) = (runs, tree) else {
        return Err("no code of the source writes the work tree".to_owned());
    };
    if policy.files.staging(runs) == Staging::Direct {
        return Err(format!("profile {} has it direct", policy.name));
    }
    host.namespaces
        .as_ref()
        .map_err(|reason| format!("there are no namespaces: {reason}"))?;
    host.staging.clone()?;
    if policy.mandatory != crate::policy::Mandatory::default() {
        return Err("AppArmor and SELinux know the real work tree".to_owned());
    }
    if host.is_root() && has_mounts_below(tree) {
        return Err(
            "something is mounted in the work tree, which an overlay does not show".to_owned(),
        );
    }
    let folder = folder(scratch);
    Ok(StageFolders {
        upper: folder.join("upper"),
        work: folder.join("work"),
    })
}

/// The folder of a run's stage, beside that of its temporary files.
pub(super) fn folder(scratch: &Path) -> PathBuf {
    scratch.with_extension("stage")
}

/// For an ordinary user the kernel refuses to make an overlay there: such mounts are locked together
/// (mount_namespaces(7)).
fn has_mounts_below(tree: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let Ok(mounts) = std::fs::read("/proc/self/mountinfo") else {
        return true;
    };
    let mut start = escaped(tree.as_os_str().as_bytes());
    start.push(b'/');
    let places = mounts.split(|byte| *byte == b'\n');
    places
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .any(|place| place.starts_with(&start))
}

/// As /proc/self/mountinfo writes a path (proc_pid_mountinfo(5)).
fn escaped(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => text.extend(format!("\\{byte:03o}").bytes()),
            _ => text.push(*byte),
        }
    }
    text
}
