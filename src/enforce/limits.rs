//! rlimits. Never `RLIMIT_AS`: the Go runtime reserves address space that it does not use.
//! `RLIMIT_DATA` counts what may be written only (Linux 4.7), and leaves such a reservation out.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Context, Error};
use crate::plan::Limits;
use crate::policy::Layer;

/// No core dumps: they would hold what was in memory, and a pattern may pipe them to a program.
pub fn no_core_dumps() -> Result<(), Error> {
    lower(Resource::Core, 0)
}

/// Puts the limits of the plan in force.
pub fn apply(limits: &Limits) -> Result<(), Error> {
    if let Some(bytes) = limits.data {
        lower(Resource::Data, bytes)?;
    }
    if let Some(processes) = limits.processes {
        // Init is counted too.
        lower(Resource::Nproc, processes.saturating_add(1))?;
    }
    if let Some(files) = limits.open_files {
        lower(Resource::Nofile, files)?;
    }
    Ok(())
}

/// Sets both limits to `value`, never above the hard limit that is in force.
fn lower(resource: Resource, value: u64) -> Result<(), Error> {
    let value = getrlimit(resource)
        .maximum
        .map_or(value, |hard| hard.min(value));
    setrlimit(
        resource,
        Rlimit {
            current: Some(value),
            maximum: Some(value),
        },
    )
    .during(Layer::Limits, || {
        format!("set the limit {resource:?} to {value}")
    })
}
