//! What the `-exec` wrapper does for the programs of a run.

use crate::policy::places::{NO_CACHE, OWN_MOUNT};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::build::{checks, debugs, filter};
use super::grants::{Programs, ruleset};
use super::inputs::{Error, Inputs, Project};
use super::own::{OwnFiles, PROGRAM_ROOT, USUAL_TMP};
use super::tree::{Tree, program_access};
use super::{Check, Filter, ProgramPlan};
use crate::paths::One;
use crate::policy::{Cage, Layer};

/// What the wrapper does for a program of this run.
pub(super) fn program(
    inputs: &Inputs<'_>,
    own: &OwnFiles,
    programs: &Programs,
    tree: &Tree,
) -> Result<ProgramPlan, Error> {
    let Inputs {
        host, project, run, ..
    } = *inputs;
    let view = host.namespaces.is_ok();
    let mut writable_mounts: Vec<PathBuf> = ["/dev/shm", "/dev/pts"].map(PathBuf::from).into();
    writable_mounts.extend([OWN_MOUNT, USUAL_TMP].map(PathBuf::from));
    writable_mounts.extend(programs.written().cloned());
    let mut options = filter(host, false);
    options.nesting = false;
    options.debug = debugs(inputs);
    let mut plan = ProgramPlan {
        digest: String::new(),
        nest: view,
        root: run.stage.as_ref().map(|_| PROGRAM_ROOT.into()),
        writable_mounts,
        labels: labels(inputs),
        landlock: ruleset(host, programs.rules.clone()),
        tree: project.tree.clone().unwrap_or_default(),
        tree_access: program_access(inputs),
        protected: match view {
            true => Vec::new(),
            false => tree.protected.clone(),
        },
        set: run.program_environment.0.clone(),
        unset: run.program_environment.1.clone(),
        hosts: run.program_hosts.clone(),
        ports: run.ports.clone(),
        filter: Filter {
            cage: Cage::Program,
            options,
        },
        checks: [checks(host, &unwritable(project)), staged(inputs)].concat(),
    };
    plan.digest = digest(&plan, own)?;
    Ok(plan)
}

/// What programs must not be able to write.
fn unwritable(project: &Project) -> Vec<PathBuf> {
    let all = [&project.goroot, &project.gocache].into_iter();
    let there = all.filter(|path| *path != Path::new(NO_CACHE));
    there.cloned().collect()
}

/// That programs do not write the work tree itself.
pub(super) fn staged(inputs: &Inputs<'_>) -> Vec<Check> {
    let tree = inputs.project.tree.iter();
    let tree = tree.filter(|_| inputs.run.stage.is_some());
    tree.cloned().map(Check::Staged).collect()
}

/// Only SELinux: without its switch the program would go on in the tool cage's domain where the loaded
/// policy has no transition, while AppArmor refuses to execute what its rules do not name.
fn labels(inputs: &Inputs<'_>) -> Vec<(Layer, String)> {
    let mut labels = inputs.policy.mandatory.labels(Cage::Program);
    labels.retain(|(layer, _)| *layer == Layer::Selinux);
    labels
}

/// Part of go's test cache key: the same for the same policy and version, else another.
fn digest(plan: &ProgramPlan, own: &OwnFiles) -> Result<String, Error> {
    let text = match &own.wrapper {
        Some(_) => serde_json::to_string(plan)?,
        None => {
            // Without a view the run's own folders have names of their own each time.
            let mut value = serde_json::to_value(plan)?;
            let run = own.tmp.parent().unwrap_or(&own.tmp);
            substitute(&mut value, &serde_json::to_value(One(run.into()))?);
            value.to_string()
        }
    };
    let hash = Sha256::digest(format!("{}\n{text}", env!("CARGO_PKG_VERSION")));
    Ok(crate::text::hex(&hash[..8]))
}

/// Puts `RUN` in the place of a folder, in each path that lies in it and in lists of paths with colons.
fn substitute(value: &mut Value, folder: &Value) {
    match value {
        Value::String(text) => {
            let Some(folder) = folder.as_str() else {
                return;
            };
            let renamed = |path: &str| match Path::new(path).strip_prefix(folder) {
                Ok(below) => Path::new("RUN").join(below).display().to_string(),
                Err(_) => path.to_owned(),
            };
            *text = text.split(':').map(renamed).collect::<Vec<_>>().join(":");
        }
        Value::Array(values) => {
            // A path that is not UTF-8 is the array of its bytes.
            if let Some(folder) = folder.as_array()
                && values.starts_with(folder)
                && values.get(folder.len()).is_none_or(|next| *next == b'/')
            {
                values.drain(..folder.len());
            }
            values
                .iter_mut()
                .for_each(|value| substitute(value, folder));
        }
        Value::Object(values) => values
            .values_mut()
            .for_each(|value| substitute(value, folder)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runs_folder_is_renamed_in_whole_paths_whatever_its_name() {
        use std::os::unix::ffi::OsStrExt as _;
        for folder in [&b"/tmp/run"[..], b"/tmp/a \"b\"/run", b"/tmp/\xff/run"] {
            let value = |rest: &[u8]| {
                let bytes = [folder, rest].concat();
                let path = Path::new(std::ffi::OsStr::from_bytes(&bytes));
                serde_json::to_value(One(path.into())).unwrap()
            };
            let of = |rest: &[u8]| {
                let mut found = serde_json::json!({ "rules": [value(rest)] });
                substitute(&mut found, &value(b""));
                found
            };
            assert_ne!(
                of(b"/tmp"),
                serde_json::json!({ "rules": [value(b"/tmp")] })
            );
            assert_eq!(
                of(b"-other"),
                serde_json::json!({ "rules": [value(b"-other")] })
            );
        }
        let mut list = Value::from("/bin:/tmp/run/bin:/tmp/runs");
        substitute(&mut list, &Value::from("/tmp/run"));
        assert_eq!(list, "/bin:RUN/bin:/tmp/runs");
    }
}
